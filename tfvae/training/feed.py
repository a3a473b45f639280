"""Data as a user gives them, checked: as a stream of batches, or at once."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.batches import InMemory, batches, shared
from tfvae.data.parts import Part
from tfvae.inputs import beside, first_batch, is_stream, unzip
from tfvae.training.workers import check_workers, first_rows, scope_of
from tfvae.training.xla_loop import has_own


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
    by_number: bool = False,
) -> tuple[Any, InMemory | None]:
    """The data, checked, as a stream of batches, or of a part of each; and None.

    Arrays `by_number` come as a stream that only counts, and as what gives their rows.

    Args:
        model: The model, which is built if it is not.
        x: Data as `Trainable.fit` takes them.
        y: The u or y beside x.
        batch_size: Rows in a batch of an array.
        name: The input of the model that x is.
        shuffle: Whether to shuffle an array.
        repeat: Whether an array starts again at its end.
        part: Share of each batch for this worker; None for all of it.
        by_number: Whether an array is to come by the numbers of its rows.
    """
    if is_stream(beside(x, y)[0]):
        x, _ = beside(x, y)
        first, x = first_batch(x)
        with scope_of(model):
            first = model.check_data(unzip(first), name=name)
        if part:
            check_workers(model, **{name: first_rows(list(first.values()))})
        return (shared(x, part) if part else x), None
    arrays = tuple(rows(model, x, y, name).values())
    if part:
        same = {name: first_rows(arrays), "batch_size": batch_size}
        check_workers(model, **same)
        checks.integer(minimum=part.num_replicas, batch_size=batch_size)

    def epoch() -> tf.Tensor:
        return tf.convert_to_tensor(model.optimizer.iterations)

    seed = int(model.seed_generator.state[0])
    options = {"shuffle": shuffle, "repeat": repeat, "part": part}
    if by_number:
        in_memory = InMemory(arrays, batch_size, seed, epoch, **options)
        return in_memory.steps(), in_memory
    return batches(arrays, batch_size, seed, epoch, **options), None


def rows(model: keras.Model, x: Any, y: Any, name: str) -> dict[str, np.ndarray]:
    """Data that are no stream, as checked arrays by name; arguments as in `feed`."""
    x, y = beside(x, y)
    with scope_of(model):
        arrays = model.check_data((x, y), name=name)
    if not len(arrays[name]):
        checks.fail("an array with at least one example", x=x)
    return arrays


def is_plain(model: keras.Model, x: Any, *methods: str) -> bool:
    """True if x is no stream, and these methods are compiled ones of this package."""
    is_array = not is_stream(beside(x, None)[0])
    return is_array and not model.run_eagerly and not has_own(model, *methods)


def evaluated(
    model: keras.Model, data: dict[str, np.ndarray], batch_size: int
) -> dict[str, float]:
    """Means over arrays, without the data set and the callbacks of `Model.evaluate`."""
    model._assert_compile_called("evaluate")
    model.reset_metrics()
    test = _compiled_test(model)
    arrays = tuple(data.values())
    for i in range(0, len(arrays[0]), batch_size):
        logs = test(tuple(tf.constant(part[i : i + batch_size]) for part in arrays))
    return {name: float(value) for name, value in logs.items()}


def _compiled_test(model: keras.Model) -> Callable:
    """The test step as a graph, made anew after each `compile`."""
    made_for, test = vars(model).get("_test", (None, None))
    if made_for is not model.optimizer:
        test = tf.function(model.test_step, reduce_retracing=True, autograph=False)
        vars(model)["_test"] = model.optimizer, test
    return test


def check_no_weights(options: dict[str, Any]) -> None:
    """Takes the weights of examples out of options; raises if there are some."""
    for name in ("sample_weight", "class_weight"):
        value = options.pop(name, None)
        if value is not None:
            checks.fail("left out", error=TypeError, **{name: value})


def check_steps(options: dict[str, Any]) -> None:
    """Raises if a number of steps is given that is none."""
    for name in ("steps", "steps_per_epoch", "validation_steps"):
        if options.get(name) is not None:
            checks.integer(**{name: options[name]})
