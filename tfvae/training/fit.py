"""Keras's `compile`, `fit`, `evaluate` and `predict`, with checks and at full speed."""

import warnings

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.data.prefetch import STEPS, arrays_to_dataset
from tfvae.inputs import (
    beside,
    check_batch_size,
    first_batch,
    is_stream,
    split,
    unzip,
)
from tfvae.signatures import CHUNK
from tfvae.training import xla_loop
from tfvae.training.finite import StopOnNonFinite


class Fitting:
    """Mixed into a `keras.Model` with `check_inputs` and `seed_generator`."""

    # Steps in a block and in an epoch, of a running `fit`.
    loop_options = 1, None

    def compile(
        self,
        optimizer="adam",
        *,
        jit_compile="auto",
        steps_per_execution="auto",
        **kwargs,
    ):
        """Configures training, as `keras.Model.compile` does, without a loss.

        Args:
            optimizer: A Keras optimizer or its name.
            jit_compile: Whether XLA compiles training. `"auto"` does so where that is
                safe and faster: on a CPU for layers of Keras and of this package, but
                not with convolutions, recurrent layers or dropout.
            steps_per_execution: Batches between two returns to Python. `"auto"` takes
                20 under XLA, or 1 where a callback of your own has a hook for batches.
            **kwargs: Keras's `run_eagerly` and `auto_scale_loss`.

        Raises:
            TypeError: Where a loss or metrics are given, or steps are no integer.
            ValueError: Where the learning rate is negative or not finite, or another
                argument none of its values.
        """
        checked_options(kwargs)
        optimizer = checked_optimizer(optimizer)
        checks.one_of([True, False, "auto"], jit_compile=jit_compile)
        if steps_per_execution != "auto":
            checks.integer(steps_per_execution=steps_per_execution)
        self.compile_options = {
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
        }
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            expected = "called outside of a strategy with more than one replica"
            checks.fail(expected, compile=type(tf.distribute.get_strategy()).__name__)
        steps = 1 if steps_per_execution == "auto" else steps_per_execution
        with warnings.catch_warnings():
            if jit_compile == "auto" and not kwargs.get("run_eagerly"):
                jit_compile = xla_loop.is_faster(self) or "auto"
                warnings.simplefilter("ignore")  # of a wish that was not the user's
            super().compile(
                optimizer, jit_compile=jit_compile, steps_per_execution=steps, **kwargs
            )
        self._build_optimizer()

    def get_compile_config(self):
        """What `compile` was asked for, so that "auto" is decided anew on loading."""
        config = super().get_compile_config()
        return config and config | self.compile_options

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
            x: Data: an array, a pair `(x, y)`, or a `tf.data.Dataset`, `PyDataset` or
                generator whose elements are `x`, `(x,)` or `(x, y)`.
            y: What the model is conditional on; else nothing, or x again.
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
        if isinstance(x, tuple):
            x, y = beside(x, y)
        if validation_split and validation_data is None:
            (x, y), validation_data = split(x, y, validation_split)
        repeat = kwargs.get("steps_per_epoch") is not None
        x = self._feed(x, y, batch_size, self._turn_seed if shuffle else None, repeat)
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation_data = self._feed(*unzip(validation_data), size)
        self._build_optimizer()
        callbacks = _with_guard(callbacks, self)
        self.loop_options = (
            self._steps_in_block(callbacks),
            kwargs.get("steps_per_epoch"),
        )
        history = super().fit(
            x,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            shuffle=shuffle and isinstance(x, keras.utils.PyDataset),
            **kwargs,
        )
        self.loop_options = 1, None
        self.finish_fit()
        return history

    def finish_fit(self):
        """Called at the end of `fit`: a place for warnings. Nothing by default."""

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Means of loss and terms, as `keras.Model.evaluate`, after checking the data.

        Args:
            x: Data, as in `fit`.
            y: As in `fit`.
            batch_size: Rows in a batch of an array, 512 when left out.
            **kwargs: Keras's other arguments.

        Returns:
            A list in the order of `report_names`, or a dict where `return_dict=True`.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has checked it
            _check_no_weights(kwargs)
            x, y = self._feed(x, y, CHUNK if batch_size is None else batch_size), None
        kwargs.pop("sample_weight", None)
        as_dict = kwargs.pop("return_dict", False)
        logs = super().evaluate(x, y, return_dict=True, **kwargs)
        logs = {name: logs[name] for name in self.report.names}
        return logs if as_dict else list(logs.values())

    def predict(self, x, batch_size=None, **kwargs):
        """The outputs of `call` as an array, as `keras.Model.predict`.

        Args:
            x: Data, as in `fit`.
            batch_size: Rows in a batch of an array, 512 when left out.
            **kwargs: Keras's other arguments.

        Returns:
            An array `[batch, ...]`.
        """
        x = self._feed(x, None, CHUNK if batch_size is None else batch_size)
        return super().predict(x, **kwargs)

    def make_train_function(self, force=False):
        """Under XLA: many steps in one call, see `XLALoop`."""
        own_step = type(self).train_step is not type(self)._guarded_step
        if not self.jit_compile or self.run_eagerly or own_step:
            super().make_train_function(force)
            return
        if force or not isinstance(self.train_function, xla_loop.XLALoop):
            strict = self.compile_options["jit_compile"] is True
            self.train_function = xla_loop.XLALoop(self, strict)
        num_steps, steps_per_epoch = self.loop_options
        self.train_function.start(num_steps, self.steps_per_execution, steps_per_epoch)

    def make_test_function(self, force=False):
        """Outside of XLA, which makes nothing faster without gradients and updates."""
        self.jit_compile, before = False, self.jit_compile
        super().make_test_function(force)
        self.jit_compile = before

    def make_predict_function(self, force=False):
        """Outside of XLA, as `make_test_function`."""
        self.jit_compile, before = False, self.jit_compile
        super().make_predict_function(force)
        self.jit_compile = before
        return self.predict_function

    def _flatten_metrics_in_order(self, logs):
        # For what Keras gives as a list: `train_on_batch`, `test_on_batch`.
        return [logs[name] for name in self.report_names if name in logs]

    def _feed(self, x, y=None, batch_size=None, shuffle=None, repeat=False):
        batch_size = check_batch_size(batch_size)
        if isinstance(x, tuple):
            x, y = beside(x, y)
        if is_stream(x):
            first, x = first_batch(x)
            self.check_pair(*unzip(first))
            return x
        arrays = self.check_pair(x, y)
        if not len(arrays[0]):
            checks.fail("an array with at least one example", x=x)
        return arrays_to_dataset(arrays, batch_size, shuffle, repeat)

    def _steps_in_block(self, callbacks):
        asked = self.compile_options["steps_per_execution"]
        if asked != "auto":
            return asked
        callbacks = getattr(callbacks, "callbacks", callbacks)
        return 1 if any(map(xla_loop.watches_batches, callbacks)) else STEPS

    def _build_optimizer(self):
        if self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _turn_seed(self):
        base = tf.cast(self.seed_generator.state.value, tf.int32)[:1]
        base = tf.concat([base, tf.constant([1], tf.int32)], 0)  # not a noise seed
        step = tf.convert_to_tensor(self.optimizer.iterations)
        return tf.random.experimental.stateless_fold_in(base, step)


def checked_options(options):
    """Refuses those of Keras's `compile` that make a loss."""
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if options.get(name):
            expected = "left out: the model has its own objective"
            checks.fail(expected, error=TypeError, **{name: options[name]})


def checked_optimizer(optimizer, name="optimizer"):
    """The Keras optimizer, or that of a name, if its learning rate is one."""
    if optimizer is None:
        checks.fail("a Keras optimizer", error=TypeError, **{name: None})
    optimizer = keras.optimizers.get(optimizer)
    rate = float(tf.convert_to_tensor(optimizer.learning_rate))
    checks.number(minimum=0, learning_rate=rate)
    return optimizer


def _check_no_weights(kwargs):
    for name in ("sample_weight", "class_weight"):
        if kwargs.get(name) is not None:
            checks.fail("left out", error=TypeError, **{name: kwargs[name]})


def _with_guard(callbacks, model):
    """The callbacks, a list or a `CallbackList`, with a `StopOnNonFinite` in front."""
    guard = StopOnNonFinite()
    if isinstance(callbacks, keras.callbacks.CallbackList):
        guard.set_model(model)
        callbacks.callbacks.insert(0, guard)
        return callbacks
    return [guard, *keras.tree.flatten([callbacks] if callbacks else [])]
