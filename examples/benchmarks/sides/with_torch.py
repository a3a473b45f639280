"""The benchmark's VAE by hand in PyTorch: eager or compiled, fused Adam."""

import os

import torch
from torch import nn
from torch.nn import functional

LATENT, BATCH = 32, 128


def mlp():
    """784-400-400-64 and 32-400-400-784."""
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 400), nn.ReLU(),
        nn.Linear(400, 400), nn.ReLU(),
        nn.Linear(400, 2 * LATENT),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(LATENT, 400), nn.ReLU(),
        nn.Linear(400, 400), nn.ReLU(),
        nn.Linear(400, 784),
    )  # fmt: skip
    return encoder, decoder


def convolutional():
    """Two convolutions and two dense layers; the way back, and a last convolution."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3136, 256), nn.ReLU(),
        nn.Linear(256, 2 * LATENT),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(LATENT, 256), nn.ReLU(),
        nn.Linear(256, 3136), nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 64, 3, 2, 1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 3, 2, 1, output_padding=1), nn.ReLU(),
        nn.Conv2d(32, 1, 3, 1, 1),
        nn.Flatten(),
    )  # fmt: skip
    return encoder, decoder


def train(x, turns, conv):
    """Trains for as many epochs as there are turns."""
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    encoder, decoder = convolutional() if conv else mlp()
    model = nn.ModuleList([encoder, decoder])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    if conv:  # the layout of oneDNN's fast kernels
        model = model.to(memory_format=torch.channels_last)

    def loss(x):
        loc, raw_scale = encoder(x).chunk(2, -1)
        scale = functional.softplus(raw_scale) + 1e-4
        logits = decoder(loc + scale * torch.randn_like(loc))
        reconstruction = -functional.binary_cross_entropy_with_logits(
            logits, x.flatten(1), reduction="none"
        ).sum(-1)
        kl = ((scale**2 + loc**2 - 1) / 2 - scale.log()).sum(-1)
        return (kl - reconstruction).mean()

    if turns.option == "compile":
        loss = torch.compile(loss)
    for _ in range(turns.count):
        turns.begin()
        losses = []
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            value = loss(x[rows])
            value.backward()
            optimizer.step()
            losses.append(value.detach())
        turns.end(float(torch.stack(losses).mean()))
