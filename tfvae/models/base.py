"""The base of every model: training step, seeds, reports, guarded updates."""

import abc
import functools

import keras
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.config import Configurable
from tfvae.inputs import same_target, to_array, to_arrays, unzip
from tfvae.models.condition import Condition
from tfvae.signatures import Answering
from tfvae.training.finite import RunningMeans, SkippedBatches, all_squarable, keeps_nan
from tfvae.training.fit import Fitting


class GenerativeModel(Configurable, Answering, Fitting, keras.Model, abc.ABC):
    """Abstract: a Keras model that is trained by maximising `terms()["objective"]`.

    A subclass gives `term_names`, `terms`, `check_inputs`, `signatures` and `call`.
    The base owns the training step and its guard: a batch whose loss or gradient is not
    finite leaves weights, optimizer and seeds as they were.

    Args:
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # What x is conditional on; nothing by default.
    condition = Condition("y", None, 0)
    # Distribution of the noise that `lite_signatures` take.
    noise = "standard normal"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()
        self.report = RunningMeans(self.report_names, name="report")
        self.skipped = SkippedBatches(name="skipped")

    @property
    @abc.abstractmethod
    def term_names(self):
        """Names of what `terms` gives beside the objective, in the order of reports."""

    @property
    def support(self):
        """Least and greatest value that an element of x may have."""
        return self.likelihood.support

    @property
    def monitor(self):
        """Name of the term that says how good an epoch was, or None: more is better."""
        return self.term_names[0]

    @property
    def report_names(self):
        """Names of what `fit` and `evaluate` report."""
        return ("loss", *self.term_names)

    @abc.abstractmethod
    def terms(self, inputs, seed, training=False):
        """What is maximised and what is reported, in nats for each example.

        Args:
            inputs: As `unpack` gives them.
            seed: int32 `[2]`, or `[batch, 2]` with one row for each example.
            training: Passed on to the networks.

        Returns:
            A dict of tensors `[batch]`: `"objective"` and the `term_names`.
        """

    @abc.abstractmethod
    def check_inputs(self, x):
        """What a user gave as data, as checked float32 arrays; builds the model.

        Raises:
            TypeError: Where it holds no real numbers.
            ValueError: Where shape or values do not fit the model.
        """

    def check_pair(self, x, y):
        """The checked arrays that a batch consists of.

        Args:
            x: An array, as in `check_inputs`.
            y: What came as its target: what x is conditional on, else x again or None.

        Returns:
            A tuple of arrays.
        """
        if not self.condition:
            same_target(x, y)
            return (self.check_inputs(x),)
        x = self.check_inputs(x)
        return x, self.condition.check(y, len(x))

    def check_data(self, x, u=None):
        """Data as checked arrays by name: x, and what it is conditional on.

        Args:
            x: Data, a pair of it and of what it is conditional on, or a data set.
            u: What it is conditional on, where that is not in x.

        Raises:
            TypeError: Where x holds no real numbers, or u no labels.
            ValueError: Where x or u does not fit the model.
        """
        if u is None:
            x, u = to_arrays(x)
            if not self.condition:
                same_target(x, u)
                u = None
        x = self.check_inputs(x)
        return {"x": x, **self.condition.given(u, len(x))}

    def unpack(self, data):
        """The inputs in an element of a data set: x, or `(x, y)` where y counts."""
        x, y = unzip(data)
        x = tf.cast(x, tf.float32)
        return (x, y) if self.condition else x

    @property
    def metrics(self):
        return [self.report]

    def train_step(self, data):
        """One step of the optimizer; a batch that is not finite changes nothing."""
        state = self.non_trainable_variables  # seeds, moving averages
        before = [tf.identity(variable) for variable in state]
        finite, report = self._attempt(self.unpack(data))
        for variable, value in zip(state, before, strict=True):
            variable.assign(tf.where(finite, variable, value))
        self.skipped.update_state(finite)
        return report(finite)

    _guarded_step = train_step  # a subclass with another one trains without blocks

    def update(self, data):
        """One step, whatever comes of it, for blocks.

        Returns:
            Scalar bool: False where it was not finite, unless the optimizer `keeps_nan`
            that, where it is cheaper to find.
        """
        loss, terms, gradients = self._gradients(self.unpack(data))
        self.optimizer.apply(gradients, self.trainable_variables)
        self._reported(loss, terms)
        return self._finite(loss, [] if keeps_nan(self.optimizer) else gradients)

    def state(self):
        """Every variable that a training step changes."""
        return [*self.variables, *self.optimizer.variables]

    def test_step(self, data):
        """The same terms as in training, without an update."""
        return self._reported(*self._loss(self.unpack(data), training=False))

    def predict_step(self, data):
        """The outputs of `call` for a batch."""
        return self(self.unpack(data), training=False)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for i, state in enumerate(self._seed_states()):
            store[f"seed_{i}"] = state.numpy()

    def load_own_variables(self, store):
        values = {name: store[name] for name in store.keys()}
        for i, state in enumerate(self._seed_states()):
            state.assign(values.pop(f"seed_{i}"))
        super().load_own_variables(values)

    def _check_built(self):
        if not self.built:
            raise ValueError(
                "The model must be built first. Received: a network of unknown input "
                "shape. Call the model on data, or model.build((None, *event_shape))."
            )

    def _attempt(self, inputs):
        """Updates the weights if that is finite; says whether, and how to report it."""
        loss, terms, gradients = self._gradients(inputs)
        finite = self._finite(loss, gradients)

        def apply():
            self.optimizer.apply(gradients, self.trainable_variables)
            return True

        tf.cond(finite, apply, lambda: False)
        return finite, functools.partial(self._reported, loss, terms)

    def _build_for(self, input_shape):
        """Builds the model where a network knows the shape of x, batch first."""
        if isinstance(input_shape, tuple) and None not in input_shape[1:]:
            self.build((None, *input_shape[1:]))

    def _as_array(self, x):
        """X as an array, whose shape builds the model where nothing has."""
        x = to_array(x)
        if not self.built:
            checks.array(x.shape[1:], x=x)
            self.build((None, *x.shape[1:]))
        return x

    def _sample(self, num_samples, seed, value):
        """What `sample` gives, conditional on a value or None."""
        num_samples = checks.integer(minimum=0, num_samples=num_samples)
        given = self.condition.given(value, num_samples)
        return self.run("sample", seed=seeds.rows(seed, num_samples), **given)["x"]

    def _loss(self, inputs, training):
        with tf.control_dependencies(tf.nest.flatten(inputs)):  # no seed without data
            seed = seeds.from_generator(self.seed_generator)
        terms = self.terms(inputs, seed, training=training)
        penalty = tf.add_n([0.0, *self.losses])
        return penalty - tf.reduce_mean(terms["objective"]), terms

    def _finite(self, loss, gradients):
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            return tf.math.is_finite(loss)  # it handles overflowing gradients itself
        return all_squarable([loss, *(g for g in gradients if g is not None)])

    def _gradients(self, inputs):
        with tf.GradientTape() as tape:
            loss, terms = self._loss(inputs, training=True)
            scaled = self.optimizer.scale_loss(loss)
        return loss, terms, tape.gradient(scaled, self.trainable_variables)

    def _reported(self, loss, terms, finite=True):
        size = tf.shape(terms["objective"])[0]
        sums = [tf.reduce_sum(terms[name]) for name in self.term_names]
        sums = tf.stack([loss * tf.cast(size, tf.float32), *sums])
        self.report.update_state(sums, size, finite)
        return self.report.result()

    def _seed_states(self):
        return [v for v in self.variables if v.name == "seed_generator_state"]
