"""Kinds of the argument `activation` of networks."""

import functools
from typing import Annotated, Any

import keras

from tfvae import checks, config


def _activation(*, gated: bool = False, **argument: Any) -> Any:
    """Returns the one named argument if Keras has it, or if it is the "glu" of MLPs."""
    ((_, activation),) = argument.items()
    glu = isinstance(activation, str) and activation == "glu"
    try:
        known = gated if glu else callable(keras.activations.get(activation))
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        expected = "a function, the name of one in keras.activations, or of MLPs 'glu'"
        checks.fail(expected, **argument)
    return activation


_gated_too = functools.partial(_activation, gated=True)
Activation = Annotated[config.Activation, _activation]
MLPActivation = Annotated[config.Activation, _gated_too]
