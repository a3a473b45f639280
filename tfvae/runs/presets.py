"""The presets: data, model and training settings that go together.

Plain data, so that the command line can list them without TensorFlow.
"""

from tfvae import checks
from tfvae.runs import other_presets
from tfvae.runs.preset import LONG, MNIST, Preset

_RESIDUAL = LONG | dict(
    epochs=45,
    batch_size=64,
    learning_rate=3e-3,
    weight_decay=0.01,
    clip=100.0,
    patience=40,
)
_DIGITS = dict(source="digits", binarize=None)
_SMALL = dict(latent_dim=8, hidden_units=[256, 128], activation="relu", scale="learned")
_LARGE = dict(latent_dim=50, hidden_units=[300, 300], activation="glu")
_WARM = dict(warm_up=0.25)
_RESNET = dict(
    latent_dim=32, filters=[16, 32, 32], units=450, activation="silu", warm_up=0.02
)
_QUICK = dict(
    epochs=150,
    batch_size=64,
    learning_rate=2e-3,
    decay=1.0,
    weight_decay=0.0,
    patience=30,
    seed=0,
)


def _score(log_p: float) -> str:
    by = "by `tfvae evaluate --samples 1000`"
    return f"with --data binarized_mnist: test log p(x) {log_p:.2f} nats, {by}"


PRESETS = {
    "vae_digits": Preset(
        "VAE on scikit-learn's 8 x 8 digits: no download, under a minute",
        data=_DIGITS,
        build=("gaussian_mlp",),
        model=_SMALL,
        training=_QUICK,
    ),
    "vae_2d_digits": Preset(
        "VAE with two latents on the digits, for pictures of the whole latent space",
        data=_DIGITS,
        build=("gaussian_mlp",),
        model=_SMALL | dict(latent_dim=2),
        training=_QUICK,
    ),
    "vae_mnist": Preset(
        "VAE with dense networks on dynamically binarized MNIST",
        data=MNIST,
        build=("mlp", "VAE"),
        model=_LARGE | _WARM,
        training=LONG,
    ),
    "beta_vae_mnist": Preset(
        "beta-VAE: a heavier KL, fewer and cleaner latents",
        data=MNIST,
        build=("mlp", "BetaVAE"),
        model=_LARGE | dict(latent_dim=10, beta=4.0),
        training=LONG,
    ),
    "beta_vae_sprites": Preset(
        "beta-VAE on sprites of known position, scale and rotation: no download",
        data=dict(source="sprites", binarize=None, image_size=[32, 32]),
        build=("mlp", "BetaVAE"),
        model=dict(latent_dim=10, hidden_units=[512, 256], activation="relu", beta=4.0),
        training=LONG | dict(epochs=60, batch_size=64, weight_decay=0.0),
        labels=False,  # a sprite has five
    ),
    "ivae_tcl": Preset(
        "Identifiable VAE on artificial mixtures of sources in segments: no download",
        data=dict(source="nonlinear_ica", binarize=None),
        build=("ivae",),
        model=dict(
            latent_dim=5,
            num_classes=40,
            hidden_units=[64, 64, 64],
            activation="leaky_relu",
            contrast=0.3,
        ),
        training=LONG
        | {
            "epochs": 256,  # 40,000 steps
            "batch_size": 256,
            "learning_rate": 5e-3,
            "weight_decay": 0.0,
        },
        conditional=True,
    ),
    "full_covariance_vae_mnist": Preset(
        "VAE whose posterior is a Gaussian of full covariance",
        data=MNIST,
        build=("mlp", "FullCovarianceVAE"),
        model=_LARGE | _WARM,
        training=LONG | dict(epochs=300),  # takes as long as the VAE's 400
        score=_score(-85.59),
    ),
    "iwae_mnist": Preset(
        "Importance-weighted autoencoder with five draws",
        data=MNIST,
        build=("mlp", "IWAE"),
        model=_LARGE | _WARM | dict(num_samples=5),
        training=LONG | dict(epochs=200),  # takes as long as the VAE's 400
        score=_score(-86.60),
    ),
    "iaf_vae_mnist": Preset(
        "VAE whose posterior is an inverse autoregressive flow",
        data=MNIST,
        build=("mlp", "IAFVAE"),
        model=_LARGE | _WARM | dict(num_flows=2, transform="gated", context_dim=64),
        training=LONG | dict(epochs=300),  # takes as long as the VAE's 400
        score=_score(-85.51),
    ),
    "resnet_vae_mnist": Preset(
        "Residual convolutional VAE: the IAF paper's for MNIST, without the flow",
        data=MNIST,
        build=("resnet", "VAE"),
        model=_RESNET,
        training=_RESIDUAL,
    ),
    "resnet_iaf_vae_mnist": Preset(
        "Residual convolutional VAE with an inverse autoregressive flow as posterior",
        data=MNIST,
        build=("resnet", "IAFVAE"),
        model=_RESNET | dict(num_flows=2, hidden_units=[320, 320]),
        training=_RESIDUAL,
    ),
    "ladder_vae_mnist": Preset(
        "Ladder of latents, coarse to fine, with masked convolutions as posterior",
        data=MNIST,
        build=("ladder",),
        model=dict(
            levels=[[1, 1, 16], [7, 3, 8]],
            units=[128, 48],
            filters=16,
            posterior="iaf",
            warm_up=0.02,
            free_bits=0.0,
        ),
        training=_RESIDUAL | dict(epochs=32),
    ),
    "resnet_vae_cifar10": Preset(
        "ResNet VAE of the IAF paper for CIFAR-10, 20 levels of 160 maps: for GPUs",
        data=dict(source="cifar10", binarize=None),
        build=("ladder",),
        model=dict(
            levels=[[8, 10, 32], [16, 10, 32]],
            units=[160, 160],
            posterior="iaf",
            warm_up=0.01,
            free_bits=0.25,
            num_components=5,
            filters=160,
            flow_units=160,
        ),
        training=_RESIDUAL | dict(epochs=400, batch_size=128, learning_rate=2e-3),
    ),
    "planar_flow_vae_mnist": Preset(
        "VAE whose posterior is a planar flow",
        data=MNIST,
        build=("mlp", "PlanarFlowVAE"),
        model=_LARGE | _WARM | dict(num_flows=10),
        training=LONG | dict(epochs=300),  # takes as long as the VAE's 400
    ),
    "auxiliary_vae_mnist": Preset(
        "VAE whose posterior has auxiliary latent variables",
        data=MNIST,
        build=("mlp", "AuxiliaryVAE"),
        model=_LARGE | _WARM | dict(auxiliary_dim=50, context_dim=128),
        training=LONG | dict(epochs=300),  # takes as long as the VAE's 400
    ),
    "vae_binarized_mnist": Preset(
        "VAE on MNIST as binarized once and for all by Larochelle",
        data=dict(source="binarized_mnist", binarize=None),
        build=("mlp", "VAE"),
        model=_LARGE | _WARM,
        training=LONG,
        labels=False,
        score="test log p(x) -86.85 nats, by `tfvae evaluate --samples 1000`",
    ),
    "conv_vae_fashion_mnist": Preset(
        "Convolutional VAE on Fashion-MNIST",
        data=dict(source="fashion_mnist", binarize="dynamic"),
        build=("conv", "VAE"),
        model=dict(latent_dim=16, filters=[32, 64], units=256),
        training=LONG | dict(epochs=20),
    ),
    "vae_frey_face": Preset(
        "VAE with the paper's Gaussian decoder on the Frey Face video",
        data=dict(source="frey_face", binarize=None),
        build=("gaussian_mlp",),
        model=dict(
            latent_dim=10, hidden_units=[200], activation="tanh", scale="predicted"
        ),
        training=LONG | dict(epochs=1000, weight_decay=0.0),
        labels=False,  # its labels are frame numbers
    ),
    **other_presets.PRESETS,
}

# The preset that is trained when none is named.
DEFAULT = "vae_digits"


def get(name: str) -> Preset:
    """Returns the preset of this name; an error names the nearest one."""
    return PRESETS[checks.one_of(PRESETS, preset=name)]
