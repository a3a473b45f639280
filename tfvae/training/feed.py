"""Data as a user gives them, checked, as a stream of batches."""

from typing import Any

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.data.batches import Part, batches
from tfvae.inputs import beside, first_batch, is_stream, unzip
from tfvae.training.replicas import check_workers, first_rows, scope_of


def feed(
    model: keras.Model,
    x: Any,
    y: Any,
    batch_size: int,
    name: str = "x",
    *,
    shuffle: bool = False,
    repeat: bool = False,
    part: Part | None = None,
) -> Any:
    """The data, checked, as a stream of batches, or of a part of each.

    Args:
        model: The model, which is built if it is not.
        x: Data as `Trainable.fit` takes them.
        y: The u or y beside x.
        batch_size: Rows in a batch of an array.
        name: The input of the model that x is.
        shuffle: Whether to shuffle an array.
        repeat: Whether an array starts again at its end.
        part: Share of each batch for this worker; None for all of it.
    """
    x, y = beside(x, y)
    if is_stream(x):
        first, x = first_batch(x)
        with scope_of(model):
            first = model.check_data(unzip(first), name=name)
        check_workers(model, name, lambda: first_rows(list(first.values())))
        return part.stream(x) if part else x
    with scope_of(model):
        arrays = tuple(model.check_data((x, y), name=name).values())
    if not len(arrays[0]):
        checks.fail("an array with at least one example", x=x)
    check_workers(model, name, lambda: first_rows(arrays))
    if part:
        checks.integer(minimum=part.num_replicas, batch_size=batch_size)

    def epoch() -> tf.Tensor:
        return tf.convert_to_tensor(model.optimizer.iterations)

    seed = int(model.seed_generator.state[0])
    options = {"shuffle": shuffle, "repeat": repeat, "part": part}
    return batches(arrays, batch_size, seed, epoch, **options)
