"""Speed of a VAE's `predict`, `encode`, `evaluate`, `log_marginal`, and a short `fit`.

784-400-400-z32, Bernoulli pixels. Prints images a second, and the share of the best
rate at which this machine multiplies matrices: what a product of weights would need.
`predict` and `evaluate` are also compared with the bare steps, as graphs in a loop over
chunks of the same size.
"""

import argparse
import time

import numpy as np
import tensorflow as tf

import tfvae

# MFLOP of one image: through the encoder, through the decoder.
ENCODER, DECODER = 1.00, 0.97
DRAWS = 100

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--rows", type=int, default=10_000)
parser.add_argument("--runs", type=int, default=7)
options = parser.parse_args()


def seconds(function):
    """The shortest of some runs after a first one, which compiles."""
    function()
    times = []
    for _ in range(options.runs):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def product(size=3000):
    """Seconds for a GFLOP of TensorFlow's product of two float32 matrices."""
    a = tf.ones([size, size])
    return seconds(lambda: (a @ a).numpy()) / (2e-9 * size**3)


x = (np.random.default_rng(0).random([options.rows, 28, 28, 1]) < 0.2).astype("float32")
model = tfvae.VAE(
    tfvae.networks.mlp_encoder(x.shape[1:], [400, 400]),
    tfvae.networks.mlp_decoder(x.shape[1:], [400, 400]),
    latent_dim=32,
)
model.compile()
test = tf.function(model.test_step, autograph=False)
forward = tf.function(model.predict_step, autograph=False)
CHUNK = 512
chunks = [tf.constant(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)]


def bare_predict():
    """The outputs of the chunks in one array."""
    return np.concatenate([forward(chunk).numpy() for chunk in chunks])


def bare_evaluate():
    """The terms after the last chunk."""
    model.reset_metrics()
    for chunk in chunks:
        logs = test(chunk)
    return {name: float(value) for name, value in logs.items()}


few = x[: max(1, options.rows // 20)]
jobs = {
    "bare predict step": (x, ENCODER + DECODER, bare_predict),
    "bare test step": (x, ENCODER + DECODER, bare_evaluate),
    "predict": (x, ENCODER + DECODER, lambda: model.predict(x, verbose=0)),
    "evaluate": (x, ENCODER + DECODER, lambda: model.evaluate(x, verbose=0)),
    "encode": (x, ENCODER, lambda: model.encode(x)),
    f"log_marginal, {DRAWS} draws": (
        few,
        ENCODER + DRAWS * DECODER,
        lambda: model.log_marginal(few, DRAWS),
    ),
}
peak = 1 / product()
print(f"product of matrices: {peak:.0f} GFLOP/s")
rates = {}
for name, (rows, mflop, job) in jobs.items():
    rates[name] = rate = len(rows) / seconds(job)
    share = rate * mflop / 1e3 / peak
    print(f"{name:25} {rate:8.0f} images/s  {share:4.0%} of that")
for bare, method in (("bare predict step", "predict"), ("bare test step", "evaluate")):
    print(f"{method} takes {rates[bare] / rates[method]:.2f} times the {bare}")
few = x[:128]
milliseconds = seconds(lambda: model.fit(few, batch_size=128, verbose=0)) * 1e3
print(f"fit of one step takes {milliseconds:.0f} ms")
