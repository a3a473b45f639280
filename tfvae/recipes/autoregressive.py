"""Presets of autoregressive models."""

import functools

from tfvae import assembly, layers
from tfvae.models import MADE, PixelCNN, PixelRNN
from tfvae.recipes.preset import LONG, MNIST, Preset

_PIXEL_BY_PIXEL = LONG | {
    "epochs": 14,
    "batch_size": 25,
    "learning_rate": 6e-3,
    "weight_decay": 0.0,
}

PRESETS = {
    "made_mnist": Preset(
        "Masked autoencoder: exact likelihood, pixel by pixel",
        data=MNIST,
        build=functools.partial(assembly.over, MADE, layers.MaskedAutoencoder),
        model={
            "hidden_units": [1000, 1000],
            "order": "natural",
            "activation": "relu",
            "direct": True,
            "sampled": True,
            "num_masks": 8,
        },
        training=LONG | {"epochs": 85},
        score="with --data binarized_mnist: test log p(x) -90.06 nats",
    ),
    "pixelcnn_mnist": Preset(
        "Gated PixelCNN: exact likelihood by convolutions, sharp samples",
        data=MNIST,
        build=functools.partial(assembly.over, PixelCNN, layers.GatedPixelNetwork),
        model={
            "filters": 16,
            "num_blocks": 5,
            "kernel_size": 5,
            "first_kernel_size": 27,  # covers a whole image
        },
        training=_PIXEL_BY_PIXEL,
        score="with --data binarized_mnist: test log p(x) -83.22 nats",
    ),
    "row_lstm_mnist": Preset(
        "PixelRNN whose LSTMs go row by row",
        data=MNIST,
        build=functools.partial(assembly.over, PixelRNN, layers.RowLSTM),
        model={
            "filters": 16,
            "num_blocks": 5,
            "kernel_size": 3,
            "first_kernel_size": 7,
        },
        training=_PIXEL_BY_PIXEL | {"epochs": 16},
        score="with --data binarized_mnist: test log p(x) -82.72 nats",
    ),
    "diagonal_bilstm_mnist": Preset(
        "PixelRNN whose LSTMs go along the diagonals and see all earlier pixels",
        data=MNIST,
        build=functools.partial(assembly.over, PixelRNN, layers.DiagonalBiLSTM),
        model={"filters": 16, "num_blocks": 4, "first_kernel_size": 7},
        training=_PIXEL_BY_PIXEL | {"epochs": 9},
        score="with --data binarized_mnist: test log p(x) -80.11 nats",
    ),
}
