"""Every model that is exported, with weights, and what it is asked."""

import keras
import numpy as np
import pytest

import tfvae
from tests.checks import AUTOREGRESSIVE, MODELS, POSTERIORS, SHAPE, decoder, encoder

EXPORTED_AS_THEY_ARE = [
    "VAE",
    "IWAE",
    "LadderVAE",
    "VAE-resnet",
    "VAE-own-networks",
    "IAFVAE",
    "PlanarFlowVAE",
    "AuxiliaryVAE",
    "VAE-FlowPrior",
]
EXPORTED = {
    **{name: MODELS[name] for name in EXPORTED_AS_THEY_ARE},
    **AUTOREGRESSIVE,
    "IVAE-labels": lambda: tfvae.IVAE(
        encoder(), decoder(), latent_dim=3, num_classes=3
    ),
    "IVAE-ConditionalLaplace": lambda: tfvae.IVAE(
        encoder(),
        decoder(),
        latent_dim=3,
        prior=tfvae.priors.ConditionalLaplace(3, context_shape=(2,)),
    ),
    "MADE-labels": lambda: tfvae.MADE(
        tfvae.layers.MaskedAutoencoder(SHAPE, [32], context_dim=3), num_classes=3
    ),
    "PixelCNN-labels": lambda: tfvae.PixelCNN(
        tfvae.layers.GatedPixelNetwork(SHAPE, 8, 2, first_kernel_size=3, context_dim=3),
        num_classes=3,
    ),
    "GAN": lambda: tfvae.GAN(decoder(), encoder(), latent_dim=3),
    "GAN-labels": lambda: tfvae.GAN(
        decoder(),
        tfvae.layers.Discriminator(
            encoder(), num_classes=3, spectral_normalization=True
        ),
        latent_dim=3,
        num_classes=3,
    ),
    "VAEGAN": lambda: tfvae.VAEGAN(encoder(), decoder(), encoder(), latent_dim=3),
    "BetaVAE-conv-ContinuousBernoulli": lambda: tfvae.BetaVAE(
        tfvae.networks.conv_encoder(SHAPE, [4], 16),
        tfvae.likelihoods.ContinuousBernoulli(
            tfvae.networks.conv_decoder(SHAPE, [4], 16)
        ),
        latent_dim=3,
    ),
    "VAE-spline-posterior": lambda: tfvae.VAE(
        POSTERIORS["FlowPosterior"](), decoder(), latent_dim=3
    ),
    "FullCovarianceVAE-Normal-predicted": lambda: tfvae.FullCovarianceVAE(
        encoder(),
        tfvae.likelihoods.Normal(decoder(params_size=2), "predicted"),
        latent_dim=3,
    ),
}

# One for each set of signatures; the others are exported in the slow part of the suite.
FAMILIES = ["IVAE-labels", "MADE-labels", "GAN-labels", "VAEGAN"]


def families(names):
    """Names for `pytest.mark.parametrize`, slow but for one of each set."""
    slow = pytest.mark.slow
    return [n if n in FAMILIES else pytest.param(n, marks=slow) for n in names]


def build(name):
    """A model with an optimizer, and weights of which none is zero."""
    model = EXPORTED[name]()
    model.build((None, *SHAPE))
    model.compile("adam")
    for weight in model.trainable_variables:
        weight.assign(keras.random.normal(weight.shape, stddev=0.3, seed=1))
    return model


def inputs_of(signature, num_rows):
    examples = signature.example(7)
    return {name: value[:num_rows] for name, value in examples.items()}


def assert_same(answer, wanted):
    assert answer.keys() == wanted.keys()
    for name, value in wanted.items():  # 1e-5: what an exporter lets through
        np.testing.assert_allclose(answer[name], value, rtol=1e-5, atol=1e-5)
