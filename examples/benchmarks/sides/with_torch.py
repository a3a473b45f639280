"""The benchmark's models by hand in PyTorch: eager or compiled, fused Adam."""

import functools
import os

import torch
from sides.torch_ladder import Ladder
from torch import nn
from torch.nn import functional

LATENT = 32


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


class PixelCNN(nn.Module):
    """tfvae's gated network: 24 features, five blocks, windows of 7 and 5."""

    def __init__(self, p=24, num_blocks=5):
        super().__init__()
        self.blocks, inputs, reach = nn.ModuleList(), 1, 3
        for i in range(num_blocks):
            block = nn.ModuleDict(
                {
                    "v": nn.Conv2d(inputs, 2 * p, (reach + (i > 0), 2 * reach + 1)),
                    "across": nn.Conv2d(2 * p, 2 * p, 1),
                    "h": nn.Conv2d(inputs, 2 * p, (1, reach + (i > 0))),
                    "out": nn.Conv2d(p, 3 * p, 1),
                }
            )
            self.blocks.append(block)
            inputs, reach = p, 2
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(2 * p, 2 * p, 1), nn.ReLU(), nn.Conv2d(2 * p, 1, 1)
        )

    def forward(self, x):
        """Logits of all pixels."""

        def gate(y):
            a, b = y.chunk(2, 1)
            return a.tanh() * b.sigmoid()

        v, h, total, reach = x, x, 0, 3
        for i, block in enumerate(self.blocks):
            above = functional.pad(v, (reach, reach, reach, 0))
            before = functional.pad(h, (reach, 0, 0, 0))
            if not i:  # without the row, or the pixel, itself
                above, before = above[:, :, :-1], before[..., :-1]
            y = block["v"](above)
            out = block["out"](gate(block["h"](before) + block["across"](y)))
            residual, skip = out.split([24, 48], 1)
            v, h = (gate(y) + v, residual + h) if i else (gate(y), residual)
            total, reach = total + skip, 2
        return self.head(total)


def vae_loss(encoder, decoder):
    """The function from x to the negative ELBO."""

    def loss(x):
        loc, raw_scale = encoder(x).chunk(2, -1)
        scale = functional.softplus(raw_scale) + 1e-4
        logits = decoder(loc + scale * torch.randn_like(loc))
        kl = ((scale**2 + loc**2 - 1) / 2 - scale.log()).sum(-1)
        return kl.mean() + nll(logits, x)

    return loss


def nll(logits, x):
    """Bernoulli negative log-likelihood, summed over pixels."""
    total = functional.binary_cross_entropy_with_logits(
        logits.flatten(1), x.flatten(1), reduction="none"
    )
    return total.sum(-1).mean()


def ladder_loss(module, x):
    """The negative ELBO of a ladder."""
    logits, kl = module(x)
    return kl.mean() + nll(logits, x)


def single(model, compiled):
    """A function that trains a model of one loss on a batch, and its module."""
    if model == "pixelcnn":
        module = PixelCNN()
        loss = lambda x: nll(module(x), x)  # noqa: E731
    elif model == "ladder":
        module = Ladder()
        loss = functools.partial(ladder_loss, module)
    else:
        encoder, decoder = convolutional() if model == "conv" else mlp()
        module, loss = nn.ModuleList([encoder, decoder]), vae_loss(encoder, decoder)
    optimizer = torch.optim.Adam(module.parameters(), 1e-3, fused=True)
    loss = torch.compile(loss) if compiled else loss

    def step(x):
        optimizer.zero_grad(set_to_none=True)
        value = loss(x)
        value.backward()
        optimizer.step()
        return value

    return step, module


def dcgan(compiled):
    """The same of a DCGAN, trained as in PyTorch's tutorial: first the discriminator.

    But what is real and what is generated go through it in one pass.
    """
    generator = nn.Sequential(
        nn.Linear(64, 6272, bias=False), nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(6272, 512), nn.LeakyReLU(0.2), nn.Linear(512, 1),
    )  # fmt: skip
    modules = nn.ModuleList([generator, discriminator])
    options = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
    adams = [torch.optim.Adam(module.parameters(), **options) for module in modules]
    generate, judge = map(torch.compile, modules) if compiled else modules

    def step(x):
        fake = generate(torch.randn(len(x), 64))
        real, false = judge(torch.cat([x, fake.detach()])).chunk(2)
        against = functional.softplus(-real).mean() + functional.softplus(false).mean()
        adams[1].zero_grad(set_to_none=True)
        against.backward()
        adams[1].step()
        adams[0].zero_grad(set_to_none=True)
        functional.softplus(-judge(fake)).mean().backward()
        adams[0].step()
        return against

    return step, modules


def train(x, turns, model, batch_size):
    """Trains for as many epochs as there are turns."""
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    compiled = turns.option == "compile"
    step, module = dcgan(compiled) if model == "dcgan" else single(model, compiled)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    if model != "mlp":  # the layout of oneDNN's fast kernels
        module.to(memory_format=torch.channels_last)
    for _ in range(turns.count):
        turns.begin()
        losses = []
        for rows in torch.randperm(len(x)).split(batch_size):
            losses.append(step(x[rows]).detach())
        turns.end(float(torch.stack(losses).mean()))
