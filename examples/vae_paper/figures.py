"""Figures 2, 4 and 5 of the VAE paper, from what bounds.py left in a folder.

The curves of our runs are in curves/: `--runs examples/vae_paper/curves`.
"""

import argparse
import json
import pathlib

import matplotlib.pyplot as plt
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--runs", type=pathlib.Path, default="vae_paper")
parser.add_argument("--out", type=pathlib.Path, default="pictures")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)


def save(figure, name):
    """Writes a PNG in few colours, which is small."""
    from PIL import Image

    path = options.out / f"vae_paper_{name}.png"
    figure.savefig(path, dpi=80, bbox_inches="tight")
    plt.close(figure)
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE).save(
        path, optimize=True
    )
    print(path)


def bounds(data, paths):
    """Figure 2: a panel for each latent size."""
    figure, panels = plt.subplots(
        1, len(paths), figsize=[3 * len(paths), 3], sharey=True, squeeze=False
    )
    for panel, path in zip(panels[0], paths, strict=True):
        seen, train, test = np.array(json.loads(path.read_text())).T
        panel.semilogx(seen, train, "r-", label="train")
        panel.semilogx(seen, test, "r--", label="test")
        panel.set(title=f"{data}, $N_z = {latents(path)}$", xlabel="samples seen")
        print(f"{path.stem}: train {train[-1]:.2f}, test {test[-1]:.2f}")
        print(f"  best test {test.max():.2f} at {seen[test.argmax()]:.0f}")
    # The first steps fall far below what the figure is about.
    panels[0, 0].set_ylim(bottom=0 if data == "frey_face" else -160)
    panels[0, 0].set_ylabel("ELBO in nats")
    panels[0, 0].legend()
    return figure


def latents(path):
    """The latent size in a file's name."""
    return int(path.stem.split("-")[1])


names = {path.stem.split("-")[0] for path in options.runs.glob("*-*.json")}
for data in sorted(names - {"marginal"}):
    paths = sorted(options.runs.glob(f"{data}-*.json"), key=latents)
    save(bounds(data, paths), f"figure_2_{data}")
    for path in (path for path in paths if path.with_suffix(".keras").exists()):
        model = tfvae.load(path.with_suffix(".keras"))
        if latents(path) == 2:
            save(tfvae.plots.manifold(model), f"figure_4_{data}")
        if latents(path) <= 20:
            save(tfvae.plots.samples(model, 100), f"figure_5_{path.stem}")
