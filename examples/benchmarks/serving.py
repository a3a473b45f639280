"""Cost of a request: a model's methods and its SavedModel beside a bare function.

A bare function is a hand-made `tf.function` of the same computation without checks or
chunks, its concrete function called by position. All take arrays and give arrays, in
turns; prints the median of each in microseconds, the median of its ratio to the bare
function in the same turn, and the rows a second of the SavedModel's signature.
"""

import argparse
import tempfile
import time

import numpy as np
import tensorflow as tf

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--model", choices=["vae", "iaf_vae"], default="vae")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--runs", type=int, default=1000)
options = parser.parse_args()

SHAPE = (28, 28, 1)
LATENTS = 32
kinds = {"vae": tfvae.VAE, "iaf_vae": tfvae.IAFVAE}
model = kinds[options.model](
    tfvae.networks.mlp_encoder(SHAPE, [400, 400]),
    tfvae.networks.mlp_decoder(SHAPE, [400, 400]),
    latent_dim=LATENTS,
)
path = tfvae.export.to_saved_model(model, tempfile.mkdtemp())
served = tf.saved_model.load(str(path)).signatures
rng = np.random.default_rng(options.seed)


def bare(name):
    """A signature as a concrete function that takes its inputs by position."""
    signature = model.signatures()[name]
    names = [spec.name for spec in signature.inputs]
    function = tf.function(
        lambda *values: signature.function(**dict(zip(names, values, strict=True))),
        autograph=False,
    )
    return function.get_concrete_function(*signature.specs)


def requests(batch_size):
    """Name and input of signatures, and the method that gives the same."""
    x = rng.random((batch_size, *SHAPE), "float32")
    z = rng.normal(size=(batch_size, LATENTS)).astype("float32")
    seeds = np.array([[options.seed, i] for i in range(batch_size)], "int32")
    yield "encode", {"x": x}, lambda: model.encode(x)
    yield "decode", {"z": z}, lambda: model.decode(z)
    yield (
        "sample",
        {"seed": seeds},
        lambda: model.sample(batch_size, seed=options.seed),
    )


def measure(name, inputs, method):
    """Medians in seconds, and of the ratios to the bare function: three of each."""
    ((key, value),) = inputs.items()
    function, signature = bare(name), served[name]
    jobs = [
        lambda: [*function(tf.convert_to_tensor(value)).values()][0],
        method,
        lambda: [*signature(**{key: tf.convert_to_tensor(value)}).values()][0],
    ]
    turns = np.array([[seconds(job) for job in jobs] for _ in range(options.runs + 1)])
    turns = turns[1:]  # the first is slow: memory, other traces
    return np.median(turns, axis=0), np.median(turns / turns[:, :1], axis=0)


def seconds(job):
    """Seconds of a call whose answer has arrived as an array."""
    begin = time.perf_counter()
    np.asarray(job())
    return time.perf_counter() - begin


print(f"{'':10} {'rows':>4} {'bare':>9} {'method':>16} {'SavedModel':>16}")
for batch_size in (1, 64):
    for name, inputs, method in requests(batch_size):
        times, ratios = measure(name, inputs, method)
        cells = [
            f"{t * 1e6:6.0f} us {r:4.2f} x" for t, r in zip(times, ratios, strict=True)
        ]
        rate = batch_size / times[2]
        print(
            f"{name:10} {batch_size:4} {times[0] * 1e6:6.0f} us {cells[1]:>16} "
            f"{cells[2]:>16} {rate:9.0f} rows/s",
            flush=True,
        )
