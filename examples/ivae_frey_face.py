"""An identifiable VAE of a video and its time, and a VAE: do two runs agree?"""

import argparse
import pathlib

import keras
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", choices=["digits", "frey_face"], default="digits")
parser.add_argument("--manual-dir", help="folder with frey_rawface.mat")
parser.add_argument("--epochs", type=int, default=200)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("ivae"))
options = parser.parse_args()
splits = tfvae.data.load(options.data, labels=True, manual_dir=options.manual_dir)
train, _, test = ([np.concatenate(a) for a in zip(*s, strict=True)] for s in splits)
segment = 50 if options.data == "frey_face" else 1  # frames; u of digits is the label
train[1], test[1], time = train[1] // segment, test[1] // segment, test[1]


def run(kind, seed, units, **of_u):
    """Latents of held-out images, and images of five steps along each latent."""
    keras.utils.set_random_seed(seed)
    shape, seen = test[0].shape[1:], slice(2 if of_u else 1)
    decoder = tfvae.networks.mlp_decoder(shape, [128])
    p_x = tfvae.likelihoods.Normal(decoder, "learned", loc_activation="sigmoid")
    model = kind(tfvae.networks.mlp_encoder(shape, units), p_x, latent_dim=6, **of_u)
    model.compile(keras.optimizers.Adam(2e-3), jit_compile=False)  # few steps
    model.fit(*train[seen], batch_size=64, epochs=options.epochs, verbose=0)
    elbo = model.evaluate(*test[seen], verbose=0, return_dict=True)["elbo"]
    z = np.asarray(model.encode(*test[seen]))
    within = np.mean([z[test[1] == u].var(axis=0) / z.var(axis=0) for u in test[1]])
    print(f"{kind.__name__}: ELBO {elbo:.1f} nats; u explains {1 - within:.0%} of z")
    walk = z.mean(0) + np.linspace(-2, 2, 5)[:, None] * np.diag(z.std(0))[:, None]
    return z, np.reshape(model.decode(walk.reshape(-1, 6)), (6, 5, *shape))


rows, lines = [], Figure((10, 4), layout="constrained").subplots(1, 2)
of_u = {"num_classes": int(train[1].max()) + 1}  # seen by one more layer of 128 units
models = (tfvae.IVAE, [128], of_u), (tfvae.FullCovarianceVAE, [128, 128], {})
for axes, (kind, units, kwargs) in zip(lines, models, strict=True):
    (z, x), (again, y) = (run(kind, seed, units, **kwargs) for seed in range(2))
    mcc = [tfvae.metrics.mcc(z, again, linear_map=linear) for linear in (False, True)]
    print("agreement of two runs, MCC: {:.3f}, up to a linear map {:.3f}".format(*mcc))
    r = np.corrcoef(z, again, rowvar=False)[:6, 6:]
    match = enumerate(linear_sum_assignment(-np.abs(r))[1])  # one to one, as in MCC
    y = np.stack([y[j, :: int(np.sign(r[i, j]))] for i, j in match])
    order = np.argsort(-x.std(axis=1).mean(axis=(1, 2, 3)))  # what moves most is above
    rows += [x[order], gap := np.ones_like(x[:, :1]), y[order], gap]
    axes.plot(time, (z / z.std(0))[:, order] - 5 * np.arange(6), ".", markersize=2)
options.out.mkdir(parents=True, exist_ok=True)
lines[0].figure.savefig(options.out / "time.png")
x = np.concatenate(rows[:-1], axis=1).reshape(-1, *x.shape[2:])
grid = tfvae.plots.image_grid(x, columns=23, title="An iVAE twice, a VAE twice")
grid.savefig(options.out / "components.png")
