"""A preset: data, model and training settings that go together."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named choice of all that a training run needs.

    Attributes:
        summary: One line about the model.
        data: Arguments of `tfvae.data.load`.
        build: Name of a function in `builders`, and of the classes that it takes.
        model: Settings of the model. `warm_up` is the share of the epochs in which the
            weight of the KL rises from 0; `contrast` is the share in which the contrast
            of labels falls to 0.
        training: `epochs`, `batch_size`, `learning_rate`, `decay` (the final learning
            rate as a share of the first), `weight_decay` (for AdamW), `beta_1` (for
            AdamW, 0.9 if missing), `clip` (greatest norm of all gradients together; any
            if missing), `patience` (epochs without a better bound on
            validation data before training stops) and `seed`.
        labels: If True, the data have labels that color the picture of the latents.
        conditional: If True, the model takes the labels as u.
        score: Test figures that the preset reached, with the command that gave them.
    """

    summary: str
    data: dict[str, Any]
    build: tuple[str, ...]
    model: dict[str, Any]
    training: dict[str, Any]
    labels: bool = True
    conditional: bool = False
    score: str = ""


# Data and training that several presets share.
MNIST = dict(source="mnist", binarize="dynamic")
LONG = dict(
    epochs=400,
    batch_size=100,
    learning_rate=1e-3,
    decay=0.01,
    weight_decay=0.1,
    patience=100,
    seed=0,
)
