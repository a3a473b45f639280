"""Likelihoods `p(x | z)`: layers from latents to distributions of x."""

from tfvae.likelihoods.base import Likelihood
from tfvae.likelihoods.categorical import Categorical
from tfvae.likelihoods.logistic import DiscretizedLogistic
from tfvae.likelihoods.logit import Bernoulli, ContinuousBernoulli
from tfvae.likelihoods.normal import Normal, NormalMixture

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Likelihood",
    "Normal",
    "NormalMixture",
]
