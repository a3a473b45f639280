"""One training step, for any number of players with losses of their own."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae import seeds

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
                optimizer.apply(gradients, player.variables)
                return True

            if player.active is None:
                move()
            else:
                tf.cond(player.active(self.sums.terms), move, lambda: False)
        return True

    def _each(self) -> Any:
        return zip(self.players, self.optimizers, self.sums.gradients, strict=True)


class OneReplica:
    """A batch that is whole, and variables that are there once."""

    def __init__(self, model: keras.Model):
        self.model = model

    def total(self, function: Callable[[Rows], Sums], data: Any) -> Sums:
        """The sums that a function gives for the `Rows` of a batch."""
        batch = [part for part in tf.nest.flatten(data) if part is not None]
        with tf.control_dependencies(batch):  # no seed without data
            seed = seeds.from_generator(self.model.seed_generator)
        return function(Rows(data, seed, tf.cast(tf.shape(batch[0])[0], tf.float32)))

    def update(self, function: Callable[..., None], *args: Any) -> None:
        """Calls a function that changes variables."""
        function(*args)


def guarded_step(
    model: keras.Model, data: Any, replicas: OneReplica | None = None
) -> dict[str, tf.Tensor]:
    """One training step; a batch that is not finite leaves everything as it was.

    Args:
        model: The model.
        data: An element of a data set.
        replicas: What shares the work, with the methods of `OneReplica`.
    """
    replicas = replicas or OneReplica(model)
    schedule = turns(model.players)
    # Seeds and moving averages; all, if a later turn may not be finite.
    kept = state(model) if len(schedule) > 1 else model.non_trainable_variables
    before = [tf.identity(variable) for variable in kept]
    finite = tf.constant(True)

    def move(players: list[Player], finite: tf.Tensor, sums: Sums) -> None:
        tf.cond(finite, turn_of(model, players, sums).apply, lambda: False)

    def finish(finite: tf.Tensor, sums: Sums, before: list[tf.Tensor]) -> None:
        def restore() -> bool:
            for variable, value in zip(kept, before, strict=True):
                variable.assign(value)
            return False

        tf.cond(finite, lambda: True, restore)
        model.skipped.update_state(finite)
        _report(model, sums, finite)

    for players in schedule:
        share = functools.partial(shares, model, players)
        sums = replicas.total(share, data)
        finite &= turn_of(model, players, sums).is_finite()
        replicas.update(functools.partial(move, players), finite, sums)
    replicas.update(finish, finite, sums, before)
    return model.report.result()


def unguarded_step(model: keras.Model, data: Any) -> tf.Tensor:
    """One training step, whatever comes of it, for a loop that can take it back.

    Returns:
        Scalar bool: False if the step was not finite, unless that shows in the
        variables of an optimizer that `keeps_nan`.
    """
    finite = True
    for players in turns(model.players):
        share = functools.partial(shares, model, players)
        sums = OneReplica(model).total(share, data)
        turn = turn_of(model, players, sums)
        turn.apply()
        finite &= turn.is_finite(trusting=True)
    _report(model, sums)
    return finite


def evaluate_step(
    model: keras.Model, data: Any, replicas: OneReplica | None = None
) -> dict[str, tf.Tensor]:
    """The same terms as in training, without a move; arguments as `guarded_step`."""
    replicas = replicas or OneReplica(model)
    share = functools.partial(shares, model, (), training=False)
    sums = replicas.total(share, data)
    replicas.update(functools.partial(_report, model), sums)
    return model.report.result()


def build_optimizers(model: keras.Model) -> None:
    """Builds each optimizer for the variables of its player, if the model is built."""
    for player in model.players if model.built else ():
        optimizer = getattr(model, player.optimizer_name)
        if not optimizer.built:
            optimizer.build(player.variables)


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


def turns(players: Sequence[Player]) -> list[list[Player]]:
    """The players that move at once, turn by turn, in one training step."""
    most = max(player.steps for player in players)
    return [[p for p in players if p.steps >= most - i] for i in range(most)]


def shares(
    model: keras.Model, players: Sequence[Player], rows: Rows, training: bool = True
) -> Sums:
    """What rows add to terms, losses, and gradients of the players, who do not move."""
    optimizers = [getattr(model, player.optimizer_name) for player in players]
    with tf.GradientTape(persistent=len(players) > 1) as tape:
        terms = model.terms(rows.data, rows.seed, training=training)
        size = tf.cast(tf.shape(next(iter(terms.values())))[0], tf.float32)
        penalty = tf.add_n([0.0, *model.losses]) * size / rows.num_rows
        names = [player.loss for player in model.players]
        sums = {k: tf.reduce_sum(term) / rows.num_rows for k, term in terms.items()}
        losses = {name: penalty + sums[name] for name in names}
        pairs = zip(players, optimizers, strict=True)
        scaled = [optimizer.scale_loss(losses[p.loss]) for p, optimizer in pairs]
    pairs = zip(players, scaled, strict=True)
    gradients = [tape.gradient(loss, player.variables) for player, loss in pairs]
    return Sums(sums, losses, gradients, size)


def turn_of(model: keras.Model, players: Sequence[Player], sums: Sums) -> Turn:
    """The turn of players, from sums over the whole batch."""
    optimizers = [getattr(model, player.optimizer_name) for player in players]
    return Turn(players, optimizers, sums)


def state(model: keras.Model) -> list[keras.Variable]:
    """Every variable that a training step changes."""
    optimizers = [getattr(model, player.optimizer_name) for player in model.players]
    return [*model.variables, *(v for o in optimizers for v in o.variables)]


def _report(model: keras.Model, sums: Sums, finite: tf.Tensor | bool = True) -> None:
    """Adds a batch to the model's report."""
    means = sums.terms | sums.losses
    means = tf.stack([means[name] for name in model.report_names])
    model.report.update_state(means * sums.count, sums.count, finite)


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
