import keras
import numpy as np
import scipy.stats
import tensorflow as tf

from tfvae import seeds


def test_a_row_depends_on_its_seed_alone():
    rows = seeds.rows(3, 10)
    np.testing.assert_array_equal(rows[7], [3, 7])
    many, few = seeds.normal(rows, [10, 4]), seeds.normal(rows[7:8], [1, 4])
    np.testing.assert_array_equal(many[7:8], few)


def test_rows_are_independent_standard_normals():
    noise = seeds.normal(seeds.rows(0, 2000), [2000, 3]).numpy()
    # False-alarm rate 1e-6 for each test.
    assert scipy.stats.kstest(noise.ravel(), "norm").pvalue > 1e-6
    assert abs(np.corrcoef(noise[:-1, 0], noise[1:, 0])[0, 1]) < 5 / 2000**0.5
    assert abs(np.corrcoef(noise.T)[0, 1]) < 5 / 2000**0.5


def test_xla_gives_the_same_numbers():
    seed = tf.constant([3, 7])
    compiled = tf.function(seeds.normal, jit_compile=True)
    ours, theirs = seeds.normal(seed, [50, 5]), compiled(seed, [50, 5])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_numbers_are_finite_whatever_the_bits():
    bits = tf.constant([0, -1, 2**40, -(2**40), 2**63 - 1, -(2**63)], tf.int64)
    for jit_compile in (False, True):
        convert = tf.function(seeds._normal, jit_compile=jit_compile)
        expected = scipy.stats.norm.ppf((np.array(bits) // 2**41 + 0.5) / 2**23 + 0.5)
        np.testing.assert_allclose(convert(bits), expected, rtol=1e-4)


def test_a_generator_gives_new_rows_and_the_global_seed_repeats_them():
    generator = keras.random.SeedGenerator(0)
    assert (seeds.rows(generator, 2) != seeds.rows(generator, 2)).numpy().any()
    keras.utils.set_random_seed(1)
    first = seeds.rows(None, 2)
    keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(first, seeds.rows(None, 2))


def test_no_rows_give_no_noise():
    assert seeds.normal(seeds.rows(0, 0), [0, 4]).shape == (0, 4)
