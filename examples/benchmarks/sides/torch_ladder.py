"""The ladder of `tfvae.ResNetVAE` by hand in PyTorch: four levels, two scales."""

import math

import torch
from torch import nn
from torch.nn import functional

ONE = math.log(math.expm1(1.0))


def positive(raw):
    """1 for 0."""
    return functional.softplus(raw + ONE) + 1e-4


class Bottleneck(nn.Module):
    """1 x 1, k x k and 1 x 1 convolutions, with a second input in the middle."""

    def __init__(self, inputs, outputs, units, kernel, side=0):
        super().__init__()
        self.first = nn.Conv2d(inputs, units, 1)
        self.middle = nn.Conv2d(units, units, kernel, padding=kernel // 2)
        self.last = nn.Conv2d(units, outputs, 1)
        self.side = nn.Conv2d(side, units, 1, bias=False) if side else None
        nn.init.zeros_(self.last.weight)

    def forward(self, x, side=None):
        x = self.first(functional.silu(x))
        if side is not None:
            x = x + self.side(functional.silu(side))
        return self.last(functional.silu(self.middle(functional.silu(x))))


class Down(nn.Module):
    """Residual block that halves height and width."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 2, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, 2)

    def forward(self, x):
        branch = self.second(functional.silu(self.first(functional.silu(x))))
        return branch + self.shortcut(x)


class Up(nn.Module):
    """Residual block that doubles height and width."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.second = nn.ConvTranspose2d(outputs, outputs, 3, 2, 1, output_padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.twice = nn.Upsample(scale_factor=2)

    def forward(self, x):
        branch = self.second(functional.silu(self.first(functional.silu(x))))
        return branch + self.twice(self.shortcut(x))


class Masked(nn.Module):
    """Causal convolution in the order of rows, columns and channels."""

    def __init__(self, degrees, out_degrees, reach, strict):
        super().__init__()
        self.reach = reach
        shape = len(out_degrees), len(degrees), reach + 1, 2 * reach + 1
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        nn.init.xavier_uniform_(self.weight)
        mask, below = torch.ones(shape), torch.tensor(out_degrees)[:, None]
        mask[:, :, -1, reach + 1 :] = 0
        above = torch.tensor(degrees)
        mask[:, :, -1, reach] = (above < below if strict else above <= below).float()
        self.register_buffer("mask", mask)

    def forward(self, x):
        r = self.reach
        x = functional.pad(x, (r, r, r, 0))
        return functional.conv2d(x, self.weight * self.mask, self.bias)


class Level(nn.Module):
    """Prior, posterior with a masked step, and the way down."""

    def __init__(self, channels, units, kernel, flow_units=32):
        super().__init__()
        self.sizes = channels, channels, flow_units
        half, reach = units // 2, kernel // 2
        self.above = Bottleneck(units, 2 * channels + units, half, kernel)
        outputs = 2 * channels + flow_units
        self.beside = Bottleneck(units, outputs, half, kernel, side=units)
        self.onto = nn.Conv2d(channels, units, 1)
        self.below = Bottleneck(units, units, half, kernel)
        degrees = list(range(channels))
        hidden = [i * channels // flow_units for i in range(flow_units)]
        self.first = Masked(degrees, hidden, reach, strict=True)
        self.last = Masked(hidden, degrees * 2, reach, strict=False)

    def forward(self, h, features):
        channels = self.sizes[0]
        loc, raw, change = self.above(h).split([channels, channels, h.shape[1]], 1)
        h = h + change
        m, s, context = self.beside(h, features).split(self.sizes, 1)
        s, noise = positive(s), torch.randn_like(m)
        z = m + s * noise
        shift, gate = self.last(functional.silu(self.first(z) + context)).chunk(2, 1)
        gate = 1e-3 + (1 - 1e-3) * torch.sigmoid(gate + 2)
        log_q = -(noise**2) / 2 - s.log() - gate.log()
        z = gate * z + (1 - gate) * shift
        kl = (log_q + z**2 / 2).sum((1, 2, 3))
        h = h + self.onto(loc + positive(raw) * z)
        return h + self.below(h), kl


class Ladder(nn.Module):
    """Encoder, four levels and decoder; a call gives logits and KL."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(Down(1, 24), Down(24, 48))
        self.fine = nn.ModuleList([Bottleneck(48, 48, 24, 3) for _ in range(3)])
        self.dense = nn.Linear(7 * 7 * 48, 128)
        self.coarse = Bottleneck(128, 128, 64, 1)
        self.start = nn.Parameter(0.1 * torch.randn(1, 128, 1, 1))
        self.top = Level(16, 128, 1)
        self.grow = nn.Linear(128, 7 * 7 * 48)
        self.levels = nn.ModuleList([Level(8, 48, 3) for _ in range(3)])
        self.decoder = nn.Sequential(
            Up(48, 32), Up(32, 16), nn.SiLU(), nn.Conv2d(16, 1, 3, 1, 1)
        )

    def forward(self, x):
        fine = self.stem(x)
        for branch in self.fine:
            fine = fine + branch(fine)
        coarse = self.dense(functional.silu(fine).flatten(1))[..., None, None]
        coarse = coarse + self.coarse(coarse)
        h, kl = self.top(self.start.expand(len(x), -1, -1, -1), coarse)
        h = self.grow(h.flatten(1)).unflatten(1, (48, 7, 7))
        h = h.contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            h, more = level(h, fine)
            kl = kl + more
        return self.decoder(h), kl
