"""Small models, made-up data and checks that hold for every class in a list."""

import keras
import numpy as np
import tensorflow as tf

import tfvae

SHAPE = (8, 8, 1)


def encoder(shape=SHAPE):
    return tfvae.networks.mlp_encoder(shape, [16])


def decoder(shape=SHAPE, params_size=1):
    return tfvae.networks.mlp_decoder(shape, [16], params_size=params_size)


POSTERIORS = {
    "MeanField": lambda: tfvae.posteriors.MeanField(encoder(), 3),
    "FullCovariance": lambda: tfvae.posteriors.FullCovariance(encoder(), 3),
    "IAF": lambda: tfvae.posteriors.IAF(encoder(), 3, hidden_units=[16, 16]),
    "IAF-affine": lambda: tfvae.posteriors.IAF(
        encoder(), 3, 1, hidden_units=[], transform="affine", context_dim=4
    ),
    "PlanarFlow": lambda: tfvae.posteriors.PlanarFlow(encoder(), 3, num_flows=3),
    "Auxiliary": lambda: tfvae.posteriors.Auxiliary(
        encoder(), 3, 2, hidden_units=[16], context_dim=8
    ),
    "FlowPosterior": lambda: tfvae.posteriors.FlowPosterior(
        encoder(),
        3,
        tfvae.flows.Coupling(3, 2, hidden_units=[8], transform="spline", context_dim=4),
    ),
}
GAUSSIAN = ["MeanField", "FullCovariance"]

FLOWS = {
    "Autoregressive": lambda **kwargs: tfvae.flows.Autoregressive(
        3, 3, hidden_units=[16, 16], context_dim=4, **kwargs
    ),
    "Autoregressive-affine": lambda **kwargs: tfvae.flows.Autoregressive(
        3, hidden_units=[16], transform="affine", **kwargs
    ),
    "Autoregressive-spline": lambda **kwargs: tfvae.flows.Autoregressive(
        3, hidden_units=[16], transform="spline", activation="tanh", **kwargs
    ),
    "Coupling": lambda **kwargs: tfvae.flows.Coupling(
        3, hidden_units=[16], context_dim=4, **kwargs
    ),
    "Coupling-spline": lambda **kwargs: tfvae.flows.Coupling(
        3, 2, hidden_units=[], transform="spline", **kwargs
    ),
    "Planar": lambda **kwargs: tfvae.flows.Planar(3, 4, **kwargs),
    "Radial": lambda **kwargs: tfvae.flows.Radial(3, 4, **kwargs),
    "Inverse": lambda **kwargs: tfvae.flows.Inverse(
        tfvae.flows.Autoregressive(3, hidden_units=[16], context_dim=4, **kwargs),
        **kwargs,
    ),
}

LAYERS = {
    "GatedDense": lambda **kwargs: tfvae.layers.GatedDense(4, **kwargs),
    "MaskedDense": lambda **kwargs: tfvae.layers.MaskedDense(
        [1, 2, 3], [1, 2, 2, 3], **kwargs
    ),
    "MaskedMLP": lambda **kwargs: tfvae.layers.MaskedMLP(
        3, 2, [8, 7], order="random", seed=1, direct=True, **kwargs
    ),
    "MaskedAutoencoder": lambda **kwargs: tfvae.layers.MaskedAutoencoder(
        (3,), [8, 7], 2, order="random", direct=True, **kwargs
    ),
    "ContextMLP": lambda **kwargs: tfvae.layers.ContextMLP(2, [8, 7], **kwargs),
}

LIKELIHOODS = {
    "Bernoulli": lambda: tfvae.likelihoods.Bernoulli(decoder()),
    "Categorical": lambda: tfvae.likelihoods.Categorical(decoder(params_size=4), 4),
    "ContinuousBernoulli": lambda: tfvae.likelihoods.ContinuousBernoulli(decoder()),
    "DiscretizedLogistic": lambda: tfvae.likelihoods.DiscretizedLogistic(
        decoder(params_size=6), levels=16, num_components=2
    ),
    "Normal": lambda: tfvae.likelihoods.Normal(decoder(), 0.5),
    "NormalMixture": lambda: tfvae.likelihoods.NormalMixture(
        decoder(params_size=6), num_components=2
    ),
    "Normal-learned": lambda: tfvae.likelihoods.Normal(
        decoder(), "learned", initial_scale=0.1
    ),
    "Normal-predicted": lambda: tfvae.likelihoods.Normal(
        decoder(params_size=2), "predicted", loc_activation="sigmoid"
    ),
}

OBJECTIVES = {
    "ELBO": tfvae.objectives.ELBO,
    "ELBO-warm-up": lambda: tfvae.objectives.ELBO(tfvae.objectives.warm_up(2)),
    "ELBO-capacity": lambda: tfvae.objectives.ELBO(4.0, capacity=2.0),
    "ELBO-free-bits": lambda: tfvae.objectives.ELBO(free_bits=0.5),
    "ELBO-sampled": lambda: tfvae.objectives.ELBO(analytic_kl=False, num_samples=2),
    "IWAEBound": tfvae.objectives.IWAEBound,
    "IWAEBound-warm-up": lambda: tfvae.objectives.IWAEBound(
        2, beta=tfvae.objectives.warm_up(2)
    ),
    "ELBO-contrast": lambda: tfvae.objectives.ELBO(contrast=0.5),
    "TotalCorrelation": lambda: tfvae.objectives.TotalCorrelation(1000, beta=6.0),
}

PRIORS = {
    "StandardNormal": lambda: tfvae.priors.StandardNormal(3),
    "FlowPrior": lambda: tfvae.priors.FlowPrior(3),
    "FlowPrior-Planar": lambda: tfvae.priors.FlowPrior(
        3, tfvae.flows.Inverse(tfvae.flows.Planar(3, 2))
    ),
    "ConditionalNormal": lambda: tfvae.priors.ConditionalNormal(3, num_classes=4),
    "ConditionalLaplace": lambda: tfvae.priors.ConditionalLaplace(
        3, context_shape=(2,), network=keras.layers.Dense(5), has_loc=False
    ),
}

MODELS = {
    "VAE": lambda: tfvae.VAE(encoder(), decoder(), latent_dim=3),
    "BetaVAE": lambda: tfvae.BetaVAE(encoder(), decoder(), latent_dim=3, beta=2.0),
    "IWAE": lambda: tfvae.IWAE(encoder(), decoder(), latent_dim=3, num_samples=4),
    "FullCovarianceVAE": lambda: tfvae.FullCovarianceVAE(
        encoder(), tfvae.likelihoods.Normal(decoder(), "learned"), latent_dim=3
    ),
    "IAFVAE": lambda: tfvae.IAFVAE(
        encoder(), decoder(), latent_dim=3, hidden_units=[16]
    ),
    "PlanarFlowVAE": lambda: tfvae.PlanarFlowVAE(
        encoder(), decoder(), latent_dim=3, num_flows=2
    ),
    "AuxiliaryVAE": lambda: tfvae.AuxiliaryVAE(
        encoder(), decoder(), latent_dim=3, hidden_units=[16], context_dim=8
    ),
    "VAE-FlowPrior": lambda: tfvae.VAE(
        encoder(),
        decoder(),
        latent_dim=3,
        prior=tfvae.priors.FlowPrior(
            3, tfvae.flows.Inverse(tfvae.flows.Autoregressive(3, hidden_units=[8]))
        ),
    ),
    "VAE-conv": lambda: tfvae.VAE(
        tfvae.networks.conv_encoder(SHAPE, [4, 4], 16),
        tfvae.networks.conv_decoder(SHAPE, [4, 4], 16),
        objective=tfvae.objectives.ELBO(tfvae.objectives.warm_up(2)),
        latent_dim=3,
    ),
    "VAE-resnet": lambda: tfvae.VAE(
        tfvae.networks.resnet_encoder(SHAPE, [4, 4], 16),
        tfvae.networks.resnet_decoder(SHAPE, [4, 4], 16),
        latent_dim=3,
    ),
    "LadderVAE": lambda: tfvae.ResNetVAE(
        SHAPE, [(1, 1, 3), (4, 1, 2)], units=[8, 8], filters=4, flow_units=6
    ),
    "LadderVAE-mean-field": lambda: tfvae.LadderVAE(
        tfvae.networks.mlp_encoder(SHAPE, [8]),
        [tfvae.layers.TopDownBlock(2, 4, posterior="mean_field") for _ in range(2)],
        keras.Sequential(
            [
                keras.layers.Flatten(),
                keras.layers.Dense(64),
                keras.layers.Reshape(SHAPE),
            ]
        ),
        objective=tfvae.objectives.ELBO(
            tfvae.objectives.warm_up(2), free_bits=0.1, free_bits_per="group"
        ),
    ),
    "VAE-own-networks": lambda: tfvae.VAE(
        keras.Sequential(
            [
                keras.layers.Flatten(),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(8, "relu"),
                keras.layers.Dropout(0.1),
            ]
        ),
        keras.Sequential([keras.layers.Dense(64), keras.layers.Reshape(SHAPE)]),
        latent_dim=2,
    ),
}

AUTOREGRESSIVE = {
    "MADE": lambda: tfvae.MADE(tfvae.layers.MaskedAutoencoder(SHAPE, [32])),
    "MADE-masks": lambda: tfvae.MADE(
        tfvae.layers.MaskedAutoencoder(
            SHAPE, [32, 32], order="random", direct=True, sampled=True, num_masks=3
        )
    ),
    "MADE-Categorical": lambda: tfvae.MADE(
        tfvae.likelihoods.Categorical(
            tfvae.layers.MaskedAutoencoder(SHAPE, [32], params_size=4), levels=4
        )
    ),
    "MADE-NormalMixture": lambda: tfvae.MADE(
        tfvae.likelihoods.NormalMixture(
            tfvae.layers.MaskedAutoencoder(SHAPE, [32], params_size=6),
            num_components=2,
        )
    ),
    "PixelCNN": lambda: tfvae.PixelCNN(
        tfvae.layers.GatedPixelNetwork(SHAPE, 8, 3, first_kernel_size=5)
    ),
    "PixelCNN-residual-DiscretizedLogistic": lambda: tfvae.PixelCNN(
        tfvae.likelihoods.DiscretizedLogistic(
            tfvae.layers.ResidualPixelNetwork(SHAPE, 8, 2, params_size=6),
            num_components=2,
        )
    ),
    "PixelRNN-row": lambda: tfvae.PixelRNN(tfvae.layers.RowLSTM(SHAPE, 4, 2)),
    "PixelRNN-diagonal": lambda: tfvae.PixelRNN(
        tfvae.layers.DiagonalBiLSTM(SHAPE, 4, 2)
    ),
}


def images(num_rows=64, shape=SHAPE, seed=0):
    """Binary images in which rows of pixels go together."""
    rng = np.random.default_rng(seed)
    rows = rng.random((num_rows, shape[0], *[1] * (len(shape) - 1))) < 0.5
    flips = rng.random((num_rows, *shape)) < 0.1
    return (rows ^ flips).astype("float32")


def state(model):
    """Every number that training changes: weights, seeds, optimizer."""
    variables = [*model.variables, *model.optimizer.variables]
    return [variable.numpy() for variable in variables]


def assert_same_state(ours, theirs):
    for a, b in zip(state(ours), state(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_config_round_trip(part):
    """A class described by its config is built again with the same config."""
    twin = type(part).from_config(part.get_config())
    assert twin.get_config() == part.get_config()
    return twin


def gradients(function, value):
    """Value and gradient of `function` at `value`."""
    value = tf.constant(value, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return result, tape.gradient(result, value)
