"""Typical inputs of signatures, which show the ranges of numbers to quantize."""

import numpy as np

from tfvae import checks

# More change little in what ranges are found.
NUM_ROWS = 100


def examples(model, signatures, data):
    """What a TFLite converter calls for its representative data set.

    Args:
        model: A built model.
        signatures: Dict of `Signature` by name, none of them random.
        data: x `[rows, *event_shape]`, or `(x, u)` of a conditional model.

    Raises:
        ValueError: Where it is missing, empty or does not fit the model.
    """
    if data is None:
        checks.fail("given: it shows the ranges of numbers", representative_data=data)
    inputs = _inputs(model, signatures, data)

    def yield_all():
        num_rows = len(inputs["x"])
        for name, signature in signatures.items():
            batch = signature.inputs[0].shape[0] or 1
            for begin in range(0, num_rows, batch):
                rows = (begin + np.arange(batch)) % num_rows
                yield name, {s.name: inputs[s.name][rows] for s in signature.inputs}

    return yield_all


def _inputs(model, signatures, data):
    """Rows of every input by name: data, their latents, noise."""
    x, context = data if isinstance(data, tuple) else (data, None)
    context = context if context is None else context[:NUM_ROWS]
    try:
        x = model.check_inputs(x)[:NUM_ROWS]
        inputs = {"x": x, **model.condition.given(context, len(x))}
    except (TypeError, ValueError) as error:
        message = f"`representative_data` must fit the model. {error}"
        raise type(error)(message) from error
    if not len(x):
        checks.fail("one row or more", representative_data=list(x.shape))
    rng = np.random.default_rng(0)
    for spec in (spec for s in signatures.values() for spec in s.inputs):
        if spec.name == "z" and "encode" in model.signatures():
            inputs["z"] = model.run("encode", **inputs)["z"].numpy()
        elif spec.name not in inputs:
            inputs[spec.name] = _draw(model, spec, rng, len(x))
    return inputs


def _draw(model, spec, rng, num_rows):
    shape = [num_rows, *spec.shape[1:]]
    if spec.dtype.is_bool:
        return rng.random(shape) < 0.5
    if spec.name == "noise" and model.noise == "uniform":
        return rng.random(shape, "float32")
    return rng.standard_normal(shape, "float32")
