"""Typical inputs of signatures, which show the ranges of numbers to quantize."""

import numpy as np

from tfvae import checks

# More change little in what ranges are found.
NUM_ROWS = 100


def typical(model, signatures, data):
    """Typical rows of every input by name: data, their latents, noise.

    Args:
        model: A built model.
        signatures: Dict of `Signature` by name, none of them random.
        data: x `[rows, *event_shape]`, `(x, u)` of a conditional model, or a data set.

    Raises:
        ValueError: Where it is missing, empty or does not fit the model.
    """
    if data is None:
        checks.fail("given: it shows the ranges of numbers", representative_data=data)
    try:
        inputs = {k: v[:NUM_ROWS] for k, v in model.check_data(data).items()}
    except (TypeError, ValueError) as error:
        message = f"`representative_data` must fit the model. {error}"
        raise type(error)(message) from error
    num_rows = len(inputs["x"])
    if not num_rows:
        checks.fail("one row or more", representative_data="none")
    rng = np.random.default_rng(0)
    for spec in (spec for s in signatures.values() for spec in s.inputs):
        if spec.name == "z" and "encode" in model.signatures():
            inputs["z"] = model.run("encode", **inputs)["z"].numpy()
        elif spec.name not in inputs:
            inputs[spec.name] = _draw(model, spec, rng, num_rows)
    return inputs


def batch(signature, inputs, begin=0, size=1):
    """So many of the typical rows, from one on; as many as the signature wants."""
    rows = begin + np.arange(signature.inputs[0].shape[0] or size)
    return {s.name: inputs[s.name][rows % len(inputs["x"])] for s in signature.inputs}


def representative_dataset(signatures, inputs):
    """All typical rows for every signature, as a TFLite converter asks for them."""
    for name, signature in signatures.items():
        step = signature.inputs[0].shape[0] or 1
        for begin in range(0, len(inputs["x"]), step):
            yield name, batch(signature, inputs, begin)


def _draw(model, spec, rng, num_rows):
    shape = [num_rows, *spec.shape[1:]]
    if spec.dtype.is_bool:
        return rng.random(shape) < 0.5
    if spec.name == "noise" and model.noise == "uniform":
        return rng.random(shape, "float32")
    return rng.standard_normal(shape, "float32")
