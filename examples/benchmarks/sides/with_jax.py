"""The benchmark's models by hand in JAX: step by step, or an epoch in `lax.scan`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn, random

LATENT = 32
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


def conv(layer, x, rows=0, left=0, right=0):
    """A convolution over so many zeros above and beside the image."""
    padding = ((rows, 0), (left, right))
    y = lax.conv_general_dilated(x, layer[0], (1, 1), padding, dimension_numbers=DIMS)
    return y + layer[1]


def gate(y):
    """`tanh(a) sigmoid(b)`."""
    a, b = jnp.split(y, 2, axis=-1)
    return jnp.tanh(a) * nn.sigmoid(b)


def pixelcnn(params, x):
    """The gated network of tfvae: 24 features, five blocks, windows of 7 and 5."""
    *blocks, head = params
    v, h, total, reach = x, x, 0, 3
    for i, (down, across, side, out) in enumerate(blocks):
        if i:
            y = conv(down, v, reach, reach, reach)
            z = conv(side, h, 0, reach)
        else:  # without the row, or the pixel, itself
            y = conv(down, v, reach, reach, reach)[:, :-1]
            z = conv(side, h, 0, reach)[:, :, :-1]
        residual, skip = jnp.split(conv(out, gate(z + conv(across, y))), [24], axis=-1)
        v, h = (gate(y) + v, residual + h) if i else (gate(y), residual)
        total, reach = total + skip, 2
    return conv(head[1], nn.relu(conv(head[0], nn.relu(total))))


def block_shapes(inputs, rows, columns, p=24):
    """Kernels of a block of PixelCNN."""
    out = [(1, 1, 2 * p, 2 * p), (1, columns, inputs, 2 * p), (1, 1, p, 3 * p)]
    return [(rows, 2 * (rows if inputs == 1 else rows - 1) + 1, inputs, 2 * p), *out]


SHAPES = {
    "mlp": (
        [(784, 400), (400, 400), (400, 2 * LATENT)],
        [(LATENT, 400), (400, 400), (400, 784)],
    ),
    "conv": (
        [(3, 3, 1, 32), (3, 3, 32, 64), (3136, 256), (256, 2 * LATENT)],
        [(LATENT, 256), (256, 3136), (3, 3, 64, 64), (3, 3, 64, 32), (3, 3, 32, 1)],
    ),
    "pixelcnn": (
        block_shapes(1, 3, 3),
        *[block_shapes(24, 3, 3)] * 4,
        [(1, 1, 48, 48), (1, 1, 48, 1)],
    ),
}


def nll(logits, x):
    """Bernoulli negative log-likelihood, summed over pixels."""
    logits, x = logits.reshape(len(x), -1), x.reshape(len(x), -1)
    return jnp.mean(jnp.sum(nn.softplus(logits) - x * logits, axis=-1))


def vae_loss(encoder, decoder):
    """The function of parameters, x and a key to the negative ELBO."""

    def loss(params, x, key):
        loc, raw_scale = jnp.split(encoder(params[0], x), 2, axis=-1)
        scale = nn.softplus(raw_scale) + 1e-4
        logits = decoder(params[1], loc + scale * random.normal(key, loc.shape))
        kl = jnp.sum((scale**2 + loc**2 - 1) / 2 - jnp.log(scale), axis=-1)
        return jnp.mean(kl) + nll(logits, x)

    return loss


LOSSES = {
    "mlp": vae_loss(mlp_encoder, mlp_decoder),
    "conv": vae_loss(conv_encoder, conv_decoder),
    "pixelcnn": lambda params, x, key: nll(pixelcnn(params, x), x),
}


def make_step(loss):
    """The training step: gradient and Adam."""

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

    return step


def make_epoch(step, x):
    """An epoch in one call: batches are gathered, and steps taken, in the program."""
    x = jnp.asarray(x)

    def epoch(state, table):
        return lax.scan(lambda state, rows: step(state, x[rows]), state, table)

    return epoch


def train(x, turns, model, batch_size):
    """Trains for as many epochs as there are turns."""
    keys = iter(random.split(random.key(0), 40))
    params = [[weights(next(keys), *s) for s in part] for part in SHAPES[model]]
    zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
    state = params, *zeros, jnp.float32(0), next(keys)
    step, rng = make_step(LOSSES[model]), np.random.default_rng(0)
    run = jax.jit(step, donate_argnums=0)
    scan = jax.jit(make_epoch(step, x), donate_argnums=0)
    for _ in range(turns.count):
        turns.begin()
        order, values = rng.permutation(len(x)), []
        if turns.option == "scan":  # but for a smaller last batch
            whole = len(x) // batch_size * batch_size
            state, values = scan(state, order[:whole].reshape(-1, batch_size))
            values, order = list(values), order[whole:]
        for start in range(0, len(order), batch_size):
            state, value = run(state, x[order[start : start + batch_size]])
            values.append(value)
        turns.end(float(np.mean(values)))
