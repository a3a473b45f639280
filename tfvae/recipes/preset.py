"""What a preset is, and settings that several share."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named choice of everything that a training run needs.

    Attributes:
        summary: What it is, in a line.
        data: Arguments of `tfvae.data.load`.
        build: Function from the shape of x and the model's settings to a model.
        model: Settings of the model; of them `warm_up` is the share of the epochs in
            which the weight of the KL rises from 0.
        training: `epochs`, `batch_size`, `learning_rate`, `decay` (the share of it that
            is left at the end), `weight_decay` (of AdamW), `patience` (epochs without a
            better bound on validation data before training stops) and `seed`.
        labels: Whether the data set has labels, for the picture of the latent space.
        conditional: Whether the model takes them as u, beside x.
        score: The test figures it reached, with the command that gave them.
    """

    summary: str
    data: dict
    build: typing.Callable
    model: dict
    training: dict
    labels: bool = True
    conditional: bool = False
    score: str = ""


# Data and training of several.
MNIST = {"source": "mnist", "binarize": "dynamic"}
LONG = {
    "epochs": 400,
    "batch_size": 100,
    "learning_rate": 1e-3,
    "decay": 0.01,
    "weight_decay": 0.1,
    "patience": 100,
    "seed": 0,
}
