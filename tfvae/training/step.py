"""One training step, for any number of players with losses of their own."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae import seeds
from tfvae.training.players import Player, Rows, Sums, state, turn_of, turns


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

    def update(self, function: Callable[..., tf.Tensor], *args: Any) -> tf.Tensor:
        """Calls a function that changes variables, and gives a tensor."""
        return function(*args)


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

    def move(players: list[Player], finite: tf.Tensor, sums: Sums) -> tf.Tensor:
        turn = turn_of(model, players, sums)
        finite &= turn.is_finite()
        tf.cond(finite, turn.apply, lambda: False)
        return finite

    def finish(finite: tf.Tensor, sums: Sums, before: list[tf.Tensor]) -> tf.Tensor:
        def restore() -> bool:
            for variable, value in zip(kept, before, strict=True):
                variable.assign(value)
            return False

        tf.cond(finite, lambda: True, restore)
        model.skipped.update_state(finite)
        return _report(model, sums, finite)

    for players in schedule:
        share = functools.partial(shares, model, players)
        sums = replicas.total(share, data)
        finite = replicas.update(functools.partial(move, players), finite, sums)
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

    def share(rows: Rows) -> Sums:
        some = rows._replace(num_rows=tf.maximum(rows.num_rows, 1))  # no NaN for none
        return shares(model, (), some, training=False)

    sums = replicas.total(share, data)
    replicas.update(functools.partial(_report, model), sums)
    return model.report.result()


def shares(
    model: keras.Model, players: Sequence[Player], rows: Rows, training: bool = True
) -> Sums:
    """Terms, losses, and gradients of the players, who do not move, for some rows."""
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


def _report(
    model: keras.Model, sums: Sums, finite: tf.Tensor | bool = True
) -> tf.Tensor:
    """Adds a batch to the model's report; returns its number of rows."""
    means = sums.terms | sums.losses
    means = tf.stack([means[name] for name in model.report_names])
    model.report.update_state(means * sums.count, sums.count, finite)
    return sums.count
