"""Keras's `compile` for models whose players have optimizers of their own."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.training.step import build_optimizers
from tfvae.training.xla_loop import is_faster

_LossScale = keras.optimizers.LossScaleOptimizer


def configure(
    model: keras.Model,
    optimizers: Sequence[Any],
    *,
    jit_compile: bool | str = "auto",
    steps_per_execution: int | str = "auto",
    **kwargs: Any,
) -> None:
    """Configures training by Keras's `compile`, with an optimizer for each player.

    `model.optimizer`, and so callbacks that change it, is that of the first player.

    Args:
        model: A `Trainable`.
        optimizers: A Keras optimizer or its name for each of the players. One given to
            several players is used for each with a state of its own.
        jit_compile: Whether XLA compiles training. `"auto"` does so if that is safe and
            faster: on a CPU for layers of Keras and of this package, but not with
            convolutions, recurrent layers or dropout.
        steps_per_execution: Batches between two returns to Python. `"auto"` takes 20
            under XLA, or 1 if a callback of your own has a hook for batches.
        **kwargs: Keras's `run_eagerly` and `auto_scale_loss`.
    """
    _check_options(kwargs)
    names = [player.optimizer_name for player in model.players]
    if "optimizer" in kwargs:
        checks.fail(f"left out for {', '.join(names)}", optimizer=kwargs["optimizer"])
    chosen = {n: _optimizer(n, o) for n, o in zip(names, optimizers, strict=True)}
    checks.one_of([True, False, "auto"], jit_compile=jit_compile)
    if steps_per_execution != "auto":
        checks.integer(steps_per_execution=steps_per_execution)
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        expected = "called outside of a strategy with more than one replica"
        checks.fail(expected, compile=type(tf.distribute.get_strategy()).__name__)
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
        keras.Model.compile(
            model,
            chosen[names[0]],
            jit_compile=jit_compile,
            steps_per_execution=steps,
            **kwargs,
        )
    build_optimizers(model)


@contextlib.contextmanager
def averages_of_players(model: keras.Model) -> Iterator[None]:
    """During it, the averages of `use_ema` replace the weights of each player alone.

    At the end of `fit` Keras has the first optimizer do that for all variables.
    """
    players, first = model.players, model.optimizer
    if len(players) == 1:
        yield
        return

    def finalize(_: Any) -> None:
        for player in players:
            optimizer = getattr(model, player.optimizer_name)
            type(optimizer).finalize_variable_values(optimizer, player.variables)

    first.finalize_variable_values = finalize
    try:
        yield
    finally:
        del first.finalize_variable_values


def _check_options(options: dict[str, Any]) -> None:
    """Refuses the options of Keras's `compile` that make a loss."""
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if options.get(name):
            expected = "left out: the model has its own objective"
            checks.fail(expected, error=TypeError, **{name: options[name]})


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
