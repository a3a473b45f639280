"""The sides of training, and what moves them in one step."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

_LossScale = keras.optimizers.LossScaleOptimizer
# Optimizers square gradients: from here on a float32 square is infinite.
LIMIT = 2.0**64
# Optimizers that keep sums of the squares, so that a bad gradient shows for good.
SQUARING = (
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.Adagrad,
    keras.optimizers.RMSprop,
)
# What optimizers do to gradients before that.
CHANGING = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps")

# What Keras's optimizers do through `tf.distribute`, and their base class without.
_DISTRIBUTED = (
    "_apply_weight_decay",
    "_backend_increment_gradient_accumulators",
    "_backend_update_step",
    "_overwrite_model_variables_with_average_value",
)


@dataclasses.dataclass(frozen=True)
class Player:
    """One side of training: it moves its layers down the gradient of its loss.

    No tuple: Keras's saving walks tuples among a model's attributes.

    Attributes:
        name: The player's name; "" if it is the only one.
        layers: Layers whose trainable variables it moves.
        loss: Name of its loss among the model's `terms`.
        steps: Moves in one training step. Players with fewer moves join the last ones.
        active: Function of the means of the terms to a scalar bool: False for a pause;
            None if the player never pauses.
    """

    name: str
    layers: Sequence[keras.layers.Layer]
    loss: str
    steps: int = 1
    active: Callable[[dict[str, tf.Tensor]], tf.Tensor] | None = None

    @property
    def optimizer_name(self) -> str:
        """Attribute of the model, and argument of `compile`, that is its optimizer."""
        return f"{self.name}_optimizer" if self.name else "optimizer"

    @property
    def variables(self) -> list[keras.Variable]:
        """The trainable variables of its layers."""
        return [v for layer in self.layers for v in layer.trainable_variables]


class Rows(NamedTuple):
    """Rows of a batch: all of them, or those of one replica.

    Attributes:
        data: An element of a data set.
        seed: int32 `[2]`, or `[4]` for a part of the batch.
        num_rows: Rows of the whole batch, a float32 scalar.
    """

    data: Any
    seed: tf.Tensor
    num_rows: tf.Tensor


class Sums(NamedTuple):
    """Sums over rows, divided by the rows of the whole batch.

    Attributes:
        terms: The model's terms, by name.
        losses: The losses of all players, by name, with the penalties of layers.
        gradients: For each player that moves, the gradients of its scaled loss.
        count: Number of the rows.
    """

    terms: dict[str, tf.Tensor]
    losses: dict[str, tf.Tensor]
    gradients: list[list[tf.Tensor | None]]
    count: tf.Tensor


class Turn(NamedTuple):
    """Players that move at once, from the same state.

    Attributes:
        players: The players.
        optimizers: The optimizer of each.
        sums: Sums over the whole batch, which are means.
    """

    players: Sequence[Player]
    optimizers: list[keras.optimizers.Optimizer]
    sums: Sums

    def is_finite(self, trusting: bool = False) -> tf.Tensor:
        """Scalar bool: no loss and no gradient is NaN, infinite or too large.

        Args:
            trusting: Leave out gradients that show in their optimizer's variables.
        """
        values = [self.sums.losses[player.loss] for player in self.players]
        for player, optimizer, gradients in self._each():
            if isinstance(optimizer, _LossScale):
                continue  # it handles overflowing gradients itself
            if trusting and player.active is None and keeps_nan(optimizer):
                continue
            values += [gradient for gradient in gradients if gradient is not None]
        return all_squarable(values)

    def apply(self) -> bool:
        """Moves the players that are active."""
        for player, optimizer, gradients in self._each():

            def move(
                player: Player = player,
                optimizer: keras.optimizers.Optimizer = optimizer,
                gradients: list = gradients,
            ) -> bool:
                with _as_needed(optimizer):
                    optimizer.apply(gradients, player.variables)
                return True

            if player.active is None:
                move()
            else:
                tf.cond(player.active(self.sums.terms), move, lambda: False)
        return True

    def _each(self) -> Any:
        return zip(self.players, self.optimizers, self.sums.gradients, strict=True)


def turns(players: Sequence[Player]) -> list[list[Player]]:
    """The players that move at once, turn by turn, in one training step."""
    most = max(player.steps for player in players)
    return [[p for p in players if p.steps >= most - i] for i in range(most)]


def turn_of(model: keras.Model, players: Sequence[Player], sums: Sums) -> Turn:
    """The turn of players, from sums over the whole batch."""
    optimizers = [getattr(model, player.optimizer_name) for player in players]
    return Turn(players, optimizers, sums)


def build_optimizers(model: keras.Model) -> None:
    """Builds each optimizer for the variables of its player, if the model is built."""
    for player in model.players if model.built else ():
        optimizer = getattr(model, player.optimizer_name)
        if not optimizer.built:
            optimizer.build(player.variables)


@contextlib.contextmanager
def _as_needed(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Within it, an optimizer moves variables where they are, by gradients as given.

    Keras adds up gradients over replicas, which here is done, by a function that keeps
    each traced step alive. Its `use_ema` is replaced by `_average`.
    """
    changed = []
    if isinstance(optimizer, _LossScale):
        optimizer._tf_apply = optimizer._common_apply
        changed.append((optimizer, "_tf_apply"))
        optimizer = optimizer.inner_optimizer
    base = next(k for k in type(optimizer).__mro__ if k.__name__ == "BaseOptimizer")
    for name in _DISTRIBUTED:
        setattr(optimizer, name, getattr(base, name).__get__(optimizer))
        changed.append((optimizer, name))
    optimizer._update_model_variables_moving_average = functools.partial(
        _average, optimizer
    )
    changed.append((optimizer, "_update_model_variables_moving_average"))
    try:
        yield
    finally:
        for owner, name in changed:
            delattr(owner, name)


def _average(
    optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]
) -> None:
    """Moves the averages of `use_ema`; in step t of momentum `(1 + t) / (10 + t)`.

    It rises to `ema_momentum`: with that from the start, as in Keras, the average of a
    short run would be that of its first steps.
    """
    if not optimizer.use_ema:
        return
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.float32)
    momentum = tf.minimum(optimizer.ema_momentum, (1 + step) / (10 + step))
    momentum = tf.where(step > 0, momentum, 0.0)
    averages = optimizer._model_variables_moving_average
    for variable, average in zip(variables, averages, strict=True):
        if average is not None:
            weight = tf.cast(momentum, average.dtype)
            average.assign(weight * average + (1 - weight) * variable)


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


def state(model: keras.Model) -> list[keras.Variable]:
    """Every variable that a training step changes."""
    optimizers = [getattr(model, player.optimizer_name) for player in model.players]
    return [*model.variables, *(v for o in optimizers for v in o.variables)]


def optimizers_are_finite(model: keras.Model) -> tf.Tensor:
    """Scalar bool: no optimizer that `keeps_nan` has met a gradient of NaN or Inf."""
    optimizers = [getattr(model, player.optimizer_name) for player in model.players]
    variables = [v for o in optimizers if keeps_nan(o) for v in o.variables]
    floats = [v for v in variables if tf.as_dtype(v.dtype).is_floating]
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in floats])


def all_squarable(tensors: Iterable[tf.Tensor]) -> tf.Tensor:
    """Scalar bool: no value is NaN, infinite, or too large to be squared."""
    return tf.reduce_all([tf.reduce_all(tf.abs(t) < LIMIT) for t in tensors])


def keeps_nan(optimizer: keras.optimizers.Optimizer) -> bool:
    """True if a non-finite gradient leaves non-finite slot variables."""
    if type(optimizer) not in SQUARING:  # a subclass may do as it likes
        return False
    return all(getattr(optimizer, name) is None for name in CHANGING)
