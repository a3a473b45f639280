"""Raw examples as pipelines of batches: scaled, binarized, dequantized, seeded."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data import sources
from tfvae.data.batches import EpochCounter, batches
from tfvae.data.parts import Part
from tfvae.data.sources import Examples

# Images that share one draw of fixed noise. A seed's noise depends on it: keep it.
_BLOCK = 256


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """Batches of raw examples: integers from 0 to `peak`, or floats if it is None.

    The other fields are as in `load`.
    """

    peak: int | None
    binarize: str | None
    dequantize: bool
    batch_size: int
    shuffle: bool
    cache: bool
    seed: int

    def __call__(self, name: str, examples: Examples) -> tf.data.Dataset:
        """The pipeline of the split of this name."""
        is_drawn = self.dequantize or self.binarize in ("static", "dynamic")
        fixed = is_drawn and (name != "train" or self.binarize == "static")
        read = None
        if isinstance(examples, sources.Lazy):
            if fixed:
                examples = examples.dataset()
            else:
                read, examples = examples.batch, examples.rows
        if fixed:
            examples = self._drawn_once(name, examples)
        if self.cache and isinstance(examples, tf.data.Dataset):
            blocks = zip(*examples.batch(1024).as_numpy_iterator(), strict=True)
            examples = tuple(np.concatenate(parts) for parts in blocks)

        def finish(batch: tuple[tf.Tensor, ...], seed: tf.Tensor, place: Any) -> Any:
            x, *label = read(*batch) if read else batch
            if read and self.peak == 1:
                message = (
                    "`source` must hold integers of one range: they begin as 0 and 1"
                )
                tf.debugging.assert_less_equal(x, tf.ones([], x.dtype), message)
            x = tf.cast(x, tf.float32) if fixed else self._values(x, seed, place)
            return (x, *label) if label else x

        counter = EpochCounter()
        options = {"shuffle": self.shuffle and name == "train", "finish": finish}

        def make(part: Part | None = None) -> tf.data.Dataset:
            in_order = self.batch_size, self.seed, counter
            dataset = batches(examples, *in_order, part=part, **options)
            dataset.epoch_counter, dataset.of_part = counter, make
            return dataset

        return make()

    def _drawn_once(self, name: str, examples: Examples) -> tf.data.Dataset:
        """Examples with noise that depends on seed and split alone."""
        if not isinstance(examples, tf.data.Dataset):
            examples = tf.data.Dataset.from_tensor_slices(examples)
        dtype = tf.uint8 if self.binarize else tf.float32
        split_seed = self.seed, sources.NAMES.index(name)

        def draw(block: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple:
            x, *label = batch
            seed = tf.constant(split_seed, tf.int64)
            seed = tf.random.experimental.stateless_fold_in(seed, block)
            return (tf.cast(self._values(x, seed), dtype), *label)

        drawn = examples.batch(_BLOCK).enumerate().map(draw).unbatch()
        return drawn.apply(tf.data.experimental.assert_cardinality(len(examples)))

    def _values(
        self, x: tf.Tensor, seed: tf.Tensor, place: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Float32 of the shape of `x`; the noise is a function of `seed`.

        Args:
            x: Raw rows.
            seed: int32 `[2]`.
            place: If they are rows of a batch, the number of the first and of all.
        """
        x = tf.cast(x, tf.float32)

        def noise() -> tf.Tensor:
            shape = tf.shape(x)
            if place is None:
                return tf.random.stateless_uniform(shape, seed)
            first, num_rows = tf.unstack(place)
            whole = tf.concat([[num_rows], shape[1:]], axis=0)
            u = tf.random.stateless_uniform(whole, seed)
            return u[first : first + shape[0]]

        if self.dequantize:
            return (x + noise()) / (self.peak + 1)
        x = x / (self.peak or 1)
        if self.binarize is None:
            return x
        u = 0.5 if self.binarize == "threshold" else noise()
        return tf.cast(x > u, tf.float32)
