"""The base of every model: training step, seeds, reports, guarded updates."""

import abc

import keras
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.config import Configurable
from tfvae.models import feeding
from tfvae.models.guard import FiniteGuard, Report, Skipped, all_finite
from tfvae.models.signatures import Answering


class GenerativeModel(Configurable, Answering, keras.Model, abc.ABC):
    """Abstract: a Keras model that is trained by maximising `terms()["objective"]`.

    A subclass gives `term_names`, `terms`, `check_inputs`, `signatures` and `call`.
    The base owns the training step and its guard: a batch whose loss or gradient is not
    finite leaves weights, optimizer and seeds as they were.

    Args:
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()
        self.report = Report(["loss", *self.term_names], name="report")
        self.skipped = Skipped(name="skipped")

    @property
    @abc.abstractmethod
    def term_names(self):
        """Names of what `terms` gives beside the objective, in the order of reports."""

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

    def unpack(self, data):
        """The inputs in an element of a data set: `x`, `(x,)` or `(x, x)`."""
        return tf.cast(feeding.unzip(data)[0], tf.float32)

    @property
    def metrics(self):
        return [self.report]

    def compile(self, optimizer="adam", **kwargs):
        """Configures training, as `keras.Model.compile` does, without a loss.

        Args:
            optimizer: A Keras optimizer or its name.
            **kwargs: Keras's `jit_compile`, `steps_per_execution`, `run_eagerly` and
                `auto_scale_loss`.

        Raises:
            TypeError: Where a loss or metrics are given.
            ValueError: Where the learning rate is negative or not finite.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name):
                expected = "left out: the model has its own objective"
                checks.fail(expected, error=TypeError, **{name: kwargs[name]})
        optimizer = keras.optimizers.get(optimizer)
        checks.number(minimum=0, learning_rate=float(optimizer.learning_rate))
        super().compile(optimizer, **kwargs)
        self._build_optimizer()

    def compile_from_config(self, config):
        """Compiles as before saving."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        *,
        validation_data=None,
        validation_split=0.0,
        shuffle=True,
        validation_batch_size=None,
        **kwargs,
    ):
        """Trains as `keras.Model.fit` does, after checking the data.

        Arrays are shuffled anew in every epoch, in an order that depends only on the
        model's seed and the optimizer's step count.

        Args:
            x: Data: an array, or a `tf.data.Dataset`, `PyDataset` or generator whose
                elements are `x`, `(x,)` or `(x, x)`.
            y: Nothing, or x again.
            batch_size: Rows in a batch of an array, 32 when left out.
            epochs: Number of the epoch to stop after.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_data: Data of the same kinds as x.
            validation_split: Share of an array to hold out, from its end.
            shuffle: Whether to shuffle an array.
            validation_batch_size: As `batch_size`, for validation.
            **kwargs: Keras's `initial_epoch`, `steps_per_epoch`, `validation_steps` and
                `validation_freq`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            TypeError: Where the data are no real numbers, or weights are given.
            ValueError: Where the data do not fit the model.
            FloatingPointError: After ten batches in a row with NaN or Inf.
        """
        self._assert_compile_called("fit")
        checks.integer(minimum=0, epochs=epochs)
        _check_no_weights(kwargs)
        if validation_split:
            feeding.same_target(x, y)
            x, validation_data = feeding.split(x, validation_split)
            y = None
        repeat = kwargs.get("steps_per_epoch") is not None
        x = self._feed(x, y, batch_size, self._turn_seed if shuffle else None, repeat)
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation_data = self._feed(*feeding.unzip(validation_data), size)
        self._build_optimizer()
        history = super().fit(
            x,
            epochs=epochs,
            verbose=verbose,
            callbacks=_with_guard(callbacks),
            validation_data=validation_data,
            shuffle=shuffle and isinstance(x, keras.utils.PyDataset),
            **kwargs,
        )
        self.finish_fit()
        return history

    def finish_fit(self):
        """Called at the end of `fit`: a place for warnings. Nothing by default."""

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Means of loss and terms, as `keras.Model.evaluate`, after checking the data.

        Args:
            x: Data, as in `fit`.
            y: Nothing, or x again.
            batch_size: Rows in a batch of an array, 32 when left out.
            **kwargs: Keras's other arguments.

        Returns:
            A list `[loss, *term_names]`, or a dict where `return_dict=True`.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has checked it
            _check_no_weights(kwargs)
            x, y = self._feed(x, y, batch_size), None
        kwargs.pop("sample_weight", None)
        as_dict = kwargs.pop("return_dict", False)
        logs = super().evaluate(x, y, return_dict=True, **kwargs)
        logs = {name: logs[name] for name in self.report.names}
        return logs if as_dict else list(logs.values())

    def predict(self, x, batch_size=None, **kwargs):
        """The outputs of `call` as an array, as `keras.Model.predict`.

        Args:
            x: Data, as in `fit`.
            batch_size: Rows in a batch of an array, 32 when left out.
            **kwargs: Keras's other arguments.

        Returns:
            An array `[batch, ...]`.
        """
        return super().predict(self._feed(x, None, batch_size), **kwargs)

    def train_step(self, data):
        """One guarded step of the optimizer on a batch."""
        inputs = self.unpack(data)
        state = self.non_trainable_variables  # seeds, moving averages
        before = [tf.identity(variable) for variable in state]
        with tf.GradientTape() as tape:
            loss, terms = self._loss(inputs, training=True)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        finite = self._finite(loss, gradients)
        self._apply_if(finite, gradients)
        for variable, value in zip(state, before, strict=True):
            variable.assign(tf.where(finite, variable, value))
        self.skipped.update_state(finite)
        return self._reported(loss, terms, finite)

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

    def _feed(self, x, y=None, batch_size=None, shuffle=None, repeat=False):
        batch_size = feeding.check_batch_size(batch_size)
        if feeding.is_stream(x):
            first, x = feeding.first_batch(x)
            x_first, y_first = feeding.unzip(first)
            feeding.same_target(x_first, y_first)
            self.check_inputs(x_first)
            return x
        feeding.same_target(x, y)
        x = self.check_inputs(x)
        if not len(x):
            checks.fail("an array with at least one example", x=x)
        return feeding.arrays_to_dataset([x], batch_size, shuffle, repeat)

    def _build_optimizer(self):
        if self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _turn_seed(self):
        base = tf.cast(self.seed_generator.state.value, tf.int32)[:1]
        base = tf.concat([base, tf.constant([1], tf.int32)], 0)  # not a noise seed
        step = self.optimizer.iterations.value
        return tf.random.experimental.stateless_fold_in(base, step)

    def _loss(self, inputs, training):
        seed = seeds.from_generator(self.seed_generator)
        terms = self.terms(inputs, seed, training=training)
        penalty = tf.add_n([0.0, *self.losses])
        return penalty - tf.reduce_mean(terms["objective"]), terms

    def _finite(self, loss, gradients):
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            return tf.math.is_finite(loss)  # it handles overflowing gradients itself
        return all_finite([loss, *(g for g in gradients if g is not None)])

    def _apply_if(self, finite, gradients):
        def apply():
            self.optimizer.apply(gradients, self.trainable_variables)
            return True

        tf.cond(finite, apply, lambda: False)

    def _reported(self, loss, terms, finite=True):
        size = tf.shape(terms["objective"])[0]
        sums = [tf.reduce_sum(terms[name]) for name in self.term_names]
        sums = tf.stack([loss * tf.cast(size, tf.float32), *sums])
        self.report.update_state(sums, size, finite)
        return self.report.result()

    def _seed_states(self):
        return [v for v in self.variables if v.name == "seed_generator_state"]


def _check_no_weights(kwargs):
    for name in ("sample_weight", "class_weight"):
        if kwargs.get(name) is not None:
            checks.fail("left out", error=TypeError, **{name: kwargs[name]})


def _with_guard(callbacks):
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(FiniteGuard())
        return callbacks
    if not isinstance(callbacks, (list, tuple, type(None))):
        callbacks = [callbacks]
    return [FiniteGuard(), *(callbacks or [])]
