"""Training of several players, each on a loss of its own with its own optimizer."""

import functools

import keras
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.signatures import Signature
from tfvae.training.finite import all_squarable
from tfvae.training.fit import checked_optimizer, checked_options

_LossScale = keras.optimizers.LossScaleOptimizer


class Adversarial:
    """Mixed into a `GenerativeModel`: `terms` gives a loss for each of the `players`.

    Player p moves the trainable variables of its `parts` down the gradient of the mean
    of `terms()["p_loss"]`, all players from the same state and in one step. A batch of
    which one loss or gradient is not finite changes nothing. `model.optimizer`, and so
    callbacks that change it, is that of the first player.
    """

    # No loss of a game says how good it was.
    monitor = None
    # Names, the first of one that always moves.
    players = ()
    # Keras layers of each player.
    parts = {}

    @property
    def turns(self):
        """The players that move at once, turn by turn in a step: all of them."""
        return (self.players,)

    @property
    def report_names(self):
        """See `GenerativeModel`."""
        return self.term_names

    def moves(self, terms):
        """Which players move, given the terms: a dict of scalar bools; all of them."""
        return dict.fromkeys(self.players, True)

    def update(self, data):
        """See `GenerativeModel`."""
        finite = True
        for players in self.turns:
            terms, gradients = self._gradients(self.unpack(data), players)
            self._apply(terms, gradients)
            finite &= self._all_finite(terms, gradients)
        self._reported(terms)
        return finite

    def test_step(self, data):
        """The same terms as in training, without a move."""
        return self._reported(self._terms_of(self.unpack(data), training=False))

    def state(self):
        """Every variable that a training step changes."""
        own = [v for player in self.players for v in self._optimizer(player).variables]
        return [*self.variables, *own]

    def discriminate(self, x, y=None):
        """Logits of the discriminator, `[batch]`: high where x looks real.

        Args:
            x: Data `[batch, *event_shape]`.
            y: Labels `[batch]`, or one for all, where the model is conditional.

        Raises:
            TypeError: Where x holds no real numbers.
            ValueError: Where x or y does not fit the model.
        """
        x = self.check_inputs(x)
        given = self.condition.given(y, len(x))
        return self.run("discriminate", x=x, **given)["logits"]

    def get_compile_config(self):
        """What `compile` was asked for, with every optimizer."""
        config = super().get_compile_config()
        if not config:
            return config
        serialize = keras.saving.serialize_keras_object
        return self.compile_options | {
            f"{player}_optimizer": serialize(self._optimizer(player))
            for player in self.players
        }

    def _compile(self, optimizers, **kwargs):
        """Keras's `compile` with an optimizer for each player."""
        if "optimizer" in kwargs:
            names = ", ".join(f"{player}_optimizer" for player in self.players)
            checks.fail(f"left out for {names}", optimizer=kwargs["optimizer"])
        checked_options(kwargs)
        scaled = self.dtype_policy.name == "mixed_float16"
        scaled = scaled and kwargs.get("auto_scale_loss", True)
        copies, seen = {}, set()
        for player in self.players:
            optimizer = checked_optimizer(optimizers[player], f"{player}_optimizer")
            if id(optimizer) in seen:  # one given to several: each has its own state
                optimizer = optimizer.from_config(optimizer.get_config())
            seen.add(id(optimizer))
            if scaled and not isinstance(optimizer, _LossScale):
                optimizer = _LossScale(optimizer)
            copies[player] = optimizer
        for player, optimizer in copies.items():
            setattr(self, f"{player}_optimizer", optimizer)
        first = copies[self.players[0]]
        # Which Keras would call with the variables of all.
        first.finalize_variable_values = self._take_averages
        super().compile(first, **kwargs)

    def _restore(self, values):
        for variable, value in zip(self.state(), values, strict=True):
            variable.assign(value)
        return False

    def _take_averages(self, _):
        """Has each optimizer with `use_ema` put its averages in place of weights."""
        for player in self.players:
            optimizer = self._optimizer(player)
            take = type(optimizer).finalize_variable_values
            take(optimizer, self._variables(player))

    def _attempt(self, inputs):
        finite, before = True, []
        if len(self.turns) > 1:  # a later turn may not be finite
            before = [tf.identity(v.value) for v in self.state()]
        for players in self.turns:
            terms, gradients = self._gradients(inputs, players)
            finite &= self._all_finite(terms, gradients)
            apply = functools.partial(self._apply, terms, gradients)
            tf.cond(finite, apply, lambda: False)
        if before:
            tf.cond(finite, lambda: True, functools.partial(self._restore, before))
        return finite, functools.partial(self._reported, terms)

    def _discriminate_signature(self):
        """The signature of `discriminate`, by its name."""
        x = tf.TensorSpec([None, *self.event_shape], tf.float32, name="x")
        specs = (x, *self.condition.specs())
        return {"discriminate": Signature(self._discriminate, specs)}

    def _discriminate(self, x, y=None):
        return {"logits": self.discriminator(x, self.condition.context(y))[0]}

    def _optimizer(self, player):
        return getattr(self, f"{player}_optimizer")

    def _variables(self, player):
        return [v for part in self.parts[player] for v in part.trainable_variables]

    def _build_optimizer(self):
        for player in self.players:
            optimizer = self._optimizer(player)
            if self.built and not optimizer.built:
                optimizer.build(self._variables(player))

    def _terms_of(self, inputs, training):
        with tf.control_dependencies(tf.nest.flatten(inputs)):  # no seed without data
            seed = seeds.from_generator(self.seed_generator)
        return self.terms(inputs, seed, training=training)

    def _gradients(self, inputs, players):
        with tf.GradientTape(persistent=True) as tape:
            terms = self._terms_of(inputs, training=True)
            penalty = tf.add_n([0.0, *self.losses])
            losses = [
                self._optimizer(player).scale_loss(
                    penalty + tf.reduce_mean(terms[f"{player}_loss"])
                )
                for player in players
            ]
        pairs = zip(players, losses, strict=True)
        gradients = {p: tape.gradient(loss, self._variables(p)) for p, loss in pairs}
        del tape
        return terms, gradients

    def _all_finite(self, terms, gradients):
        values = [terms[f"{player}_loss"] for player in gradients]
        for player, steps in gradients.items():
            # One that scales losses handles overflowing gradients itself.
            if not isinstance(self._optimizer(player), _LossScale):
                values += [step for step in steps if step is not None]
        return all_squarable(values)

    def _apply(self, terms, gradients):
        moving = self.moves(terms)
        for player, steps in gradients.items():
            move = functools.partial(self._move, player, steps)
            if moving[player] is True:
                move()
            else:
                tf.cond(moving[player], move, lambda: False)
        return True

    def _move(self, player, gradients):
        self._optimizer(player).apply(gradients, self._variables(player))
        return True

    def _reported(self, terms, finite=True):
        size = tf.shape(terms[self.term_names[0]])[0]
        sums = tf.stack([tf.reduce_sum(terms[name]) for name in self.term_names])
        self.report.update_state(sums, size, finite)
        return self.report.result()
