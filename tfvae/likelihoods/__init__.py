"""Likelihoods `p(x | z)`: layers from latents to distributions of x."""

from tfvae.likelihoods.base import Likelihood
from tfvae.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from tfvae.likelihoods.color import ColorLogistic
from tfvae.likelihoods.discrete import Categorical, DiscretizedLogistic
from tfvae.likelihoods.normal import Normal, NormalMixture

__all__ = [
    "Bernoulli",
    "Categorical",
    "ColorLogistic",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Likelihood",
    "Normal",
    "NormalMixture",
]
