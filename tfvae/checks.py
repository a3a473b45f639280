"""Checks of arguments: what came, what was expected, before anything changes."""

import difflib
import functools
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar

import numpy as np

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def checked(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorator: checks each argument by its annotation, see `by_annotation`."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checking(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        arguments = signature.bind(*args, **kwargs)
        by_annotation(function, arguments.arguments)
        return function(*arguments.args, **arguments.kwargs)

    return checking


def by_annotation(function: Callable, arguments: dict[str, Any]) -> None:
    """Checks arguments in place, each by the function in its `Annotated` type.

    Such as `units: PositiveInt`, which is `Annotated[int, integer]`: the value becomes
    what `integer(units=value)` returns. Where the annotation allows None, None passes.

    Args:
        function: Function with annotations.
        arguments: Its arguments by name; changed to what the checks return.
    """
    for name, (check, optional) in _checks_of(function).items():
        if name in arguments and not (optional and arguments[name] is None):
            arguments[name] = check(**{name: arguments[name]})


@functools.cache
def _checks_of(function: Callable) -> dict[str, tuple[Callable, bool]]:
    """The check of each argument that has one, and if the argument may be None."""
    found = {}
    for name, hint in typing.get_type_hints(function, include_extras=True).items():
        union = isinstance(hint, types.UnionType) or (
            typing.get_origin(hint) is typing.Union
        )
        members = typing.get_args(hint) if union else (hint,)
        for member in members:
            if typing.get_origin(member) is Annotated:
                found[name] = member.__metadata__[0], type(None) in members
    return found


def fail(expected, *, error=ValueError, hint="", **received):
    """Raises `error`: which argument, what it must be, what came, how to mend it.

    Args:
        expected: What the argument must be, to follow "must be" in the sentence.
        error: Class of the exception.
        hint: A further sentence with the way out.
        **received: The one argument at fault, by name.
    """
    ((name, value),) = received.items()
    text = f"`{name}` must be {expected}. Received: {name}={_short(value)}."
    raise error(f"{text} {hint}".rstrip())


def _short(value):
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    if hasattr(value, "dtype") and len(getattr(value, "shape", ())):
        return f"an array of {value.dtype} of shape {list(value.shape)}"
    return repr(value)


def integer(*, minimum=1, maximum=math.inf, **argument):
    """Returns the one named argument if it is an integer within its bounds."""
    ((_, value),) = argument.items()
    expected = f"an integer {_bounds(minimum, maximum)}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        fail(expected, error=TypeError, **argument)
    if not minimum <= value <= maximum:
        fail(expected, **argument)
    return int(value)


def number(*, minimum=-math.inf, maximum=math.inf, **argument):
    """Returns the one named argument if it is a finite number within its bounds."""
    ((_, value),) = argument.items()
    expected = f"a finite number {_bounds(minimum, maximum)}".rstrip()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        fail(expected, error=TypeError, **argument)
    if not (math.isfinite(value) and minimum <= value <= maximum):
        fail(expected, **argument)
    return float(value)


def _bounds(minimum, maximum):
    least = f"of at least {minimum}" if minimum > -math.inf else ""
    most = f"of at most {maximum}" if maximum < math.inf else ""
    return " and ".join(filter(None, [least, most]))


def one_of(choices, **argument):
    """Returns the one named argument if among `choices`, else names the nearest."""
    ((_, value),) = argument.items()
    if value not in list(choices):  # whose members need no hash
        near = difflib.get_close_matches(str(value), map(str, choices), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else ""
        fail(f"one of {sorted(map(str, choices))}", hint=hint, **argument)
    return value


def width(size, of, **argument):
    """Checks that the one named tensor is `[..., size]`, or None where that is 0."""
    ((name, value),) = argument.items()
    shape = None if value is None else list(value.shape)
    if (0 if shape is None else [None, *shape][-1]) != size:
        expected = f"of shape [..., {size}]" if size else "None"
        fail(f"{expected}, as `{of}`", **{name: shape})


def booleans(shape, **argument):
    """Returns the one named argument as booleans broadcast to a shape."""
    ((name, value),) = argument.items()
    value = np.asarray(value)
    if value.dtype != bool:
        fail("booleans", error=TypeError, **{name: value.dtype})
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        fail(f"of a shape that fits {list(shape)}", **{name: list(value.shape)})


def rows(num_rows, **argument):
    """Checks that the one named array has as many rows as x."""
    ((name, value),) = argument.items()
    if len(value) != num_rows:
        fail(f"of {num_rows} rows, as x", **{name: f"of {len(value)} rows"})


def labels(num_classes, num_rows, **argument):
    """Returns the one named argument as int32 labels `[num_rows]` from 0."""
    ((name, value),) = argument.items()
    expected = f"labels from 0 to {num_classes - 1}, one for each of {num_rows} rows"
    value = np.asarray(value)
    if value.dtype.kind not in "iu":
        hint = "Cast them to integers: .astype(int)."
        fail(expected, error=TypeError, hint=hint, **{name: value.dtype})
    if value.shape != (num_rows,):
        fail(expected, **{name: f"of shape {list(value.shape)}"})
    if value.size and not 0 <= value.min() <= value.max() < num_classes:
        fail(expected, **{name: f"from {value.min()} to {value.max()}"})
    return value.astype("int32")


def latent_variable_model(model, conditional=True):
    """Returns the model if it is one; perhaps `conditional`, on a u."""
    if not hasattr(model, "log_densities"):
        fail("a latent-variable model of tfvae", error=TypeError, model=model)
    if model.prior.condition and not conditional:
        fail("a model of x alone, without u", model=model)
    return model


def apart(**parts):
    """Refuses a layer in two parts: read back from a file it would be two layers."""
    owner = {}
    for name, part in parts.items():
        for layer in part._flatten_layers():
            other = owner.setdefault(id(layer), name)
            if other != name:
                fail(f"a part that shares no layer with `{other}`", **{name: part})


def instance(kind, expected, **argument):
    """Returns the one named argument if it is an instance of `kind`."""
    ((_, value),) = argument.items()
    if not isinstance(value, kind):
        fail(expected, error=TypeError, **argument)
    return value


def integers(*, minimum=1, empty=False, **argument):
    """Returns the one named argument as a list of integers, which may be `empty`."""
    ((name, value),) = argument.items()
    if not isinstance(value, (list, tuple)) or not (value or empty):
        at_least_one = "" if empty else "one or more "
        fail(
            f"a list of {at_least_one}integers of at least {minimum}",
            error=TypeError if not isinstance(value, (list, tuple)) else ValueError,
            **argument,
        )
    return [integer(minimum=minimum, **{name: item}) for item in value]


def event_shape(**argument):
    """Returns the one named argument, or shape, as a tuple of positive integers."""
    ((name, value),) = argument.items()
    if hasattr(value, "as_list"):  # a tf.TensorShape, as data sets have it
        value = tuple(value)
    return tuple(integers(**{name: value}))


def image_shape(**argument):
    """Returns the one named argument as `(height, width, channels)`."""
    ((name, value),) = argument.items()
    shape = event_shape(**argument)
    if len(shape) != 3:
        fail("(height, width, channels)", hint="Name the channels too.", **argument)
    return shape


def array(shape, *, low=-math.inf, high=math.inf, because="", **argument):
    """Returns the one named argument as a float32 array `[batch, *shape]`.

    Args:
        shape: Shape of one example.
        low: Least value allowed.
        high: Greatest value allowed.
        because: What asks for these values, for the message.
        **argument: Anything that `np.asarray` reads as numbers.

    Raises:
        TypeError: Where the values are no real numbers.
        ValueError: Where the batch is empty, has another shape, holds NaN or Inf or
            leaves the range.
    """
    ((name, _),) = argument.items()
    value = real(**argument)
    _check_shape(name, value.shape, tuple(shape))
    if value.size:
        _check_range(name, value, low, high, because)
    return value.astype("float32", copy=False)


def real(**argument):
    """Returns the one named argument as an array of real numbers.

    Raises:
        TypeError: Where it is ragged, complex, or no numbers at all.
    """
    ((name, value),) = argument.items()
    try:
        value = np.asarray(value)
    except (ValueError, TypeError) as error:  # ragged lists, ragged tensors
        raise TypeError(
            f"`{name}` must be an array of real numbers. Received: {name} of type "
            f"{type(value).__name__}, which is not rectangular."
        ) from error
    # ml_dtypes such as bfloat16 are floats of kind "V".
    if value.dtype.kind not in "fiub" and value.dtype.name != "bfloat16":
        raise TypeError(
            f"`{name}` must be an array of real numbers. "
            f"Received: {name} of dtype {value.dtype}."
        )
    return value


def _check_shape(name, received, shape):
    if len(received) == len(shape) + 1 and all(
        have in (None, want) for have, want in zip(received[1:], shape, strict=True)
    ):
        return
    raise ValueError(
        f"`{name}` must be of shape [batch, {', '.join(map(str, shape))}]. "
        f"Received: {name} of shape {list(received)}. {_shape_hint(received, shape)}"
    )


def _shape_hint(received, shape):
    if shape[-1] == 1 and received[1:] == shape[:-1]:
        return "Add the channel: x[..., None]."
    if received == shape:
        return "Add the batch dimension: x[None]."
    if len(shape) == 3 and received[1:] == (shape[2], *shape[:2]):
        return "Put channels last: np.moveaxis(x, 1, -1)."
    if None not in received[1:] and math.prod(received[1:]) == math.prod(shape):
        return f"Reshape it: x.reshape(-1, {', '.join(map(str, shape))})."
    return "The model was built for other data."


def _check_range(name, value, low, high, because):
    least, greatest = float(value.min()), float(value.max())  # NaN wins in both
    if not (math.isfinite(least) and math.isfinite(greatest)):
        raise ValueError(
            f"`{name}` must be finite. Received: {name} with NaN or Inf, "
            f"least {least}, greatest {greatest}."
        )
    if least < low or greatest > high:
        hint = "Scale it: x / 255." if (low, high) == (0, 1) and greatest > 1 else ""
        raise ValueError(
            f"`{name}` must lie in [{low}, {high}]{because and ' for ' + because}. "
            f"Received: {name} with values from {least} to {greatest}. {hint}".rstrip()
        )


# Kinds of arguments, for annotations: `num_flows: PositiveInt = 2`.
PositiveInt = Annotated[int, integer]
NonNegativeInt = Annotated[int, functools.partial(integer, minimum=0)]
NonNegativeFloat = Annotated[float, functools.partial(number, minimum=0)]
# Least of what must be above 0, as scales: still a normal float32 when squared.
PositiveFloat = Annotated[float, functools.partial(number, minimum=1e-6)]
# Widths of layers: one or more, or none as well.
Widths = Annotated[Sequence[int], integers]
AnyWidths = Annotated[Sequence[int], functools.partial(integers, empty=True)]
EventShape = Annotated[Sequence[int], event_shape]
ImageShape = Annotated[Sequence[int], image_shape]
