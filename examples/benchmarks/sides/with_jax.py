"""The benchmark's VAE by hand in JAX: step by step under jit, buffers donated."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn, random

LATENT, BATCH = 32, 128
DIMS = ("NHWC", "HWIO", "NHWC")


def weights(key, *shape):
    """A pair of Glorot-uniform kernel and zero bias."""
    area = np.prod(shape[:-2], initial=1)
    bound = (6 / (area * (shape[-2] + shape[-1]))) ** 0.5
    return random.uniform(key, shape, minval=-bound, maxval=bound), jnp.zeros(shape[-1])


def dense(layer, h):
    """A dense layer."""
    return h @ layer[0] + layer[1]


def mlp_encoder(p, x):
    """784-400-400-64."""
    h = nn.relu(dense(p[1], nn.relu(dense(p[0], x.reshape(len(x), -1)))))
    return dense(p[2], h)


def mlp_decoder(p, z):
    """32-400-400-784."""
    return dense(p[2], nn.relu(dense(p[1], nn.relu(dense(p[0], z)))))


def conv_encoder(p, x):
    """Two 3 x 3 convolutions of stride 2, two dense layers."""
    for kernel, bias in p[:2]:
        x = lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=DIMS)
        x = nn.relu(x + bias)
    return dense(p[3], nn.relu(dense(p[2], x.reshape(len(x), -1))))


def conv_decoder(p, z):
    """Two dense layers, two transposed convolutions of stride 2, a convolution."""
    h = nn.relu(dense(p[1], nn.relu(dense(p[0], z)))).reshape(-1, 7, 7, 64)
    for kernel, bias in p[2:4]:
        h = nn.relu(lax.conv_transpose(h, kernel, (2, 2), "SAME") + bias)
    kernel, bias = p[4]
    h = lax.conv_general_dilated(h, kernel, (1, 1), "SAME", dimension_numbers=DIMS)
    return (h + bias).reshape(len(z), -1)


SHAPES = {
    False: (
        [(784, 400), (400, 400), (400, 2 * LATENT)],
        [(LATENT, 400), (400, 400), (400, 784)],
    ),
    True: (
        [(3, 3, 1, 32), (3, 3, 32, 64), (3136, 256), (256, 2 * LATENT)],
        [(LATENT, 256), (256, 3136), (3, 3, 64, 64), (3, 3, 64, 32), (3, 3, 32, 1)],
    ),
}


def make_step(conv):
    """The compiled training step: VAE loss, gradient, Adam."""
    encoder, decoder = (
        (conv_encoder, conv_decoder) if conv else (mlp_encoder, mlp_decoder)
    )

    def loss(params, x, key):
        loc, raw_scale = jnp.split(encoder(params[0], x), 2, axis=-1)
        scale = nn.softplus(raw_scale) + 1e-4
        z = loc + scale * random.normal(key, loc.shape)
        logits, x = decoder(params[1], z), x.reshape(len(x), -1)
        reconstruction = jnp.sum(x * logits - nn.softplus(logits), axis=-1)
        kl = jnp.sum((scale**2 + loc**2 - 1) / 2 - jnp.log(scale), axis=-1)
        return jnp.mean(kl - reconstruction)

    def step(state, x):
        params, mean, square, count, key = state
        key, noise = random.split(key)
        value, grads = jax.value_and_grad(loss)(params, x, noise)
        count = count + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, grads)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, grads)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), params, mean, square
        )
        return (params, mean, square, count, key), value

    return jax.jit(step, donate_argnums=0)


def train(x, turns, conv):
    """Trains for as many epochs as there are turns."""
    keys = iter(random.split(random.key(0), 20))
    params = [[weights(next(keys), *s) for s in part] for part in SHAPES[conv]]
    zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
    state, step = (params, *zeros, jnp.float32(0), next(keys)), make_step(conv)
    rng = np.random.default_rng(0)
    for _ in range(turns.count):
        turns.begin()
        order = rng.permutation(len(x))
        losses = []
        for start in range(0, len(x), BATCH):
            state, value = step(state, x[order[start : start + BATCH]])
            losses.append(value)
        turns.end(float(jnp.stack(losses).mean()))
