"""Frames of the package entered by one call: how many, in how many files.

Prints for each call the number of calls of functions of tfvae, of files, and of changes
from one file to another between two of them.
"""

import pathlib
import sys
import tempfile

import numpy as np

import tfvae

FOLDER = str(pathlib.Path(tfvae.__file__).parent)


def trace(call):
    """Files of the frames of tfvae that a call enters, in their order."""
    files = []

    def note(frame, event, _):
        name = frame.f_code.co_filename
        is_function = not frame.f_code.co_name.startswith("<")
        if event == "call" and name.startswith(FOLDER) and is_function:
            files.append(name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return files


x = (np.random.default_rng(0).random([64, 8, 8, 1]) < 0.5).astype("float32")
u = np.arange(64) % 4
encoder = tfvae.networks.mlp_encoder((8, 8, 1), [16])
networks = encoder, tfvae.networks.mlp_decoder((8, 8, 1), [16])
vae = tfvae.VAE(*networks, latent_dim=2)
ivae = tfvae.IVAE(*networks, latent_dim=2, num_classes=4)
gan = tfvae.GAN(networks[1], tfvae.networks.mlp_encoder((8, 8, 1), [16]), latent_dim=2)
for model in (vae, ivae, gan):
    model.compile()
CALLS = {
    "VAE.fit": lambda: vae.fit(x, verbose=0),
    "IVAE.fit": lambda: ivae.fit(x, u, verbose=0),
    "decode": lambda: vae.decode(np.zeros([5, 2])),
    "sample": lambda: vae.sample(5, seed=0),
    "GAN.fit": lambda: gan.fit(x, verbose=0),
    "to_saved_model": lambda: tfvae.export.to_saved_model(vae, tempfile.mkdtemp()),
}
print("| first call | calls | files | changes of file |\n| --- | --- | --- | --- |")
for name, call in CALLS.items():
    files = trace(call)
    changes = sum(a != b for a, b in zip(files, files[1:], strict=False))
    print(f"| {name} | {len(files)} | {len(set(files))} | {changes} |")
