"""Keras's `compile` for models whose players have optimizers of their own."""

import json
import warnings
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.training.players import build_optimizers
from tfvae.training.workers import check_workers, part_of
from tfvae.training.xla_loop import is_faster

_LossScale = keras.optimizers.LossScaleOptimizer


def configure(
    model: keras.Model,
    *optimizers: Any,
    jit_compile: bool | str,
    steps_per_execution: int | str,
    **kwargs: Any,
) -> None:
    """Configures training by Keras's `compile`; arguments as in `Trainable.compile`."""
    names = [player.optimizer_name for player in model.players]
    chosen = {n: _optimizer(n, o) for n, o in _given(names, optimizers, kwargs)}
    checks.one_of([True, False, "auto"], jit_compile=jit_compile)
    if steps_per_execution != "auto":
        checks.integer(steps_per_execution=steps_per_execution)
    _check_strategy(model, chosen.values())
    steps = 1 if steps_per_execution == "auto" else steps_per_execution
    own = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
    model.compile_options = own | kwargs
    scales = model.dtype_policy.name == "mixed_float16"
    chosen = _apart(chosen, scales and kwargs.get("auto_scale_loss", True))
    for name, optimizer in chosen.items():
        if name != "optimizer":  # which Keras itself keeps
            setattr(model, name, optimizer)
    with warnings.catch_warnings():
        if jit_compile == "auto" and not kwargs.get("run_eagerly"):
            jit_compile = is_faster(model) or "auto"
            warnings.simplefilter("ignore")  # of a wish that was not the user's
        kwargs |= {"jit_compile": jit_compile, "steps_per_execution": steps}
        keras.Model.compile(model, chosen[names[0]], **kwargs)
    build_optimizers(model)


def _check_strategy(model: keras.Model, optimizers: Iterable[Any]) -> None:
    """Raises unless model, optimizers and this call are of one strategy."""
    strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    name, made = (s and type(s).__name__ for s in (strategy, model.made_under))
    if strategy is not model.made_under:
        expected = "called in the scope of the strategy that the model was made under"
        here = f"{name or 'no strategy'} here, {made or 'none'} for the model"
        checks.fail(expected, compile=here)
    if not part_of(model):
        if strategy is not None and strategy.num_replicas_in_sync > 1:
            expected = "called under MirroredStrategy or MultiWorkerMirroredStrategy"
            checks.fail(expected, compile=name)
        return
    for optimizer in optimizers:
        steps = optimizer.variables[0].value
        if not isinstance(steps, tf.distribute.DistributedValues):
            checks.fail("made in the scope of the strategy", optimizer=optimizer)
    parts = [model, *optimizers]
    about = [keras.saving.serialize_keras_object(part) for part in parts]
    check_workers(model, model=json.dumps(about, default=str).encode())


def _given(
    names: list[str], optimizers: tuple, options: dict[str, Any]
) -> list[tuple[str, Any]]:
    """The optimizer of each player, taken out of the options where it stands there."""
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if options.get(name):
            expected = "left out: the model has its own objective"
            checks.fail(expected, error=TypeError, **{name: options[name]})
    if "optimizer" in options and "optimizer" not in names:
        checks.fail(f"left out for {', '.join(names)}", optimizer=options["optimizer"])
    if len(optimizers) > len(names) or set(names[: len(optimizers)]) & set(options):
        expected = f"given once for each of {', '.join(names)}"
        checks.fail(expected, error=TypeError, optimizers=optimizers)
    by_name = [(name, options.pop(name, "adam")) for name in names[len(optimizers) :]]
    return [*zip(names, optimizers, strict=False), *by_name]


def _optimizer(name: str, optimizer: Any) -> keras.optimizers.Optimizer:
    """A Keras optimizer, if its learning rate is valid."""
    if optimizer is None:
        checks.fail("a Keras optimizer", error=TypeError, **{name: None})
    optimizer = keras.optimizers.get(optimizer)
    rate = float(tf.convert_to_tensor(optimizer.learning_rate))
    checks.number(minimum=0, learning_rate=rate)
    return optimizer


def _apart(optimizers: dict[str, Any], scales: bool) -> dict[str, Any]:
    """The optimizers, each with a state of its own, that scale losses if asked to."""
    seen, result = set(), {}
    for name, optimizer in optimizers.items():
        if id(optimizer) in seen:  # one given to several players
            optimizer = optimizer.from_config(optimizer.get_config())
        seen.add(id(optimizer))
        if scales and not isinstance(optimizer, _LossScale):
            optimizer = _LossScale(optimizer)
        result[name] = optimizer
    return result
