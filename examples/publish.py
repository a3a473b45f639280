"""Train the small models of `savedmodels` and publish them: one command for each."""

import argparse
import pathlib

from tfvae import export
from tfvae.runs import publish, report, training
from tfvae.runs.config import configure

SMALL = ["hidden_units=[128,128]", "activation=relu", "latent_dim=16", "epochs=300"]
SETTINGS = {
    "vae_mnist": SMALL,
    "beta_vae_mnist": [*SMALL, "latent_dim=10"],
    "full_covariance_vae_mnist": SMALL,
    "planar_flow_vae_mnist": SMALL,
    "iaf_vae_mnist": [
        *SMALL,
        "hidden_units=[112,112]",
        "num_flows=1",
        "context_dim=16",
    ],
    "auxiliary_vae_mnist": [*SMALL, "auxiliary_dim=16", "context_dim=64"],
    "iwae_mnist": SMALL,
    "ivae_tcl": [],
    "made_mnist": [
        "hidden_units=[200]",
        "num_masks=1",
        "sampled=false",
        "direct=false",
        "epochs=300",
    ],
    "pixelcnn_mnist": ["source=binarized_mnist"],
    "gan_mnist": ["filters=6", "latent_dim=32"],
    "vaegan_fashion_mnist": ["filters=5", "latent_dim=32"],
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("name", help=f"{', '.join(SETTINGS)}, or another preset")
parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs"))
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("savedmodels"))
options = parser.parse_args()

run = training.Run(options.runs / options.name)
if not run.model_file.exists():  # else only published
    changes = [*SETTINGS.get(options.name, []), *options.set]
    training.start(run.path, configure(options.name, changes)).fit()
if not (run.path / "metrics.json").exists():
    report.evaluate(run)
print("Published", publish.publish(run, options.out / options.name))
export.serving_config(options.out)
