"""Frames of the package that one call enters: how many, in how many files."""

import pathlib
import sys
import tempfile

import numpy as np

import tfvae

FOLDER = str(pathlib.Path(tfvae.__file__).parent)
x = (np.random.default_rng(0).random([64, 8, 8, 1]) < 0.5).astype("float32")
u = np.arange(64) % 4
critic, encoder = (tfvae.networks.mlp_encoder((8, 8, 1), [16]) for _ in range(2))
decoder = tfvae.networks.mlp_decoder((8, 8, 1), [16])
vae = tfvae.VAE(encoder, decoder, latent_dim=2)
ivae = tfvae.IVAE(encoder, decoder, latent_dim=2, num_classes=4)
gan = tfvae.GAN(decoder, critic, latent_dim=2)
CALLS = {
    "VAE.fit": lambda: vae.fit(x, verbose=0),
    "IVAE.fit": lambda: ivae.fit(x, u, verbose=0),
    "decode": lambda: vae.decode(np.zeros([5, 2])),
    "sample": lambda: vae.sample(5, seed=0),
    "GAN.fit": lambda: gan.fit(x, verbose=0),
    "to_saved_model": lambda: tfvae.export.to_saved_model(vae, tempfile.mkdtemp()),
}
entered = []
for model in (vae, ivae, gan):
    model.compile()
print("| first call | calls | files | changes of file |\n| --- | --- | --- | --- |")
for name, call in CALLS.items():
    entered = []
    sys.setprofile(lambda f, event, _, to=entered: to.append((event, f.f_code)))
    call()
    sys.setprofile(None)
    codes = [code for event, code in entered if event == "call"]
    codes = [c for c in codes if FOLDER in c.co_filename and c.co_name[0] != "<"]
    files = [code.co_filename for code in codes]
    changes = sum(a != b for a, b in zip(files, files[1:], strict=False))
    print(f"| {name} | {len(files)} | {len(set(files))} | {changes} |")
