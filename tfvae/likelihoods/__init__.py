"""Likelihoods `p(x | z)`: layers from latents to distributions of x."""

from tfvae.likelihoods.base import Likelihood
from tfvae.likelihoods.categorical import Categorical
from tfvae.likelihoods.logit import Bernoulli, ContinuousBernoulli
from tfvae.likelihoods.normal import Normal, NormalMixture

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Likelihood",
    "Normal",
    "NormalMixture",
]
