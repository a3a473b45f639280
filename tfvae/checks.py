"""Checks of arguments, before anything changes."""

import difflib
import functools
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

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

    `units: PositiveInt` is `Annotated[int, integer]`: the value becomes the result of
    `integer(units=value)`. None passes if the annotation allows it.
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


def fail(
    expected: str,
    *,
    error: type[Exception] = ValueError,
    hint: str = "",
    **received: Any,
) -> NoReturn:
    """Raises an error that names the argument, what it must be and what came.

    Args:
        expected: Description of a right argument, to follow "must be".
        error: Class of the exception.
        hint: A further sentence that says how to mend it.
        **received: The one wrong argument by name.
    """
    ((name, value),) = received.items()
    text = f"`{name}` must be {expected}. Received: {name}={_short(value)}."
    raise error(f"{text} {hint}".rstrip())


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    if hasattr(value, "dtype") and len(getattr(value, "shape", ())):
        return f"an array of {value.dtype} of shape {list(value.shape)}"
    return repr(value)


def integer(*, minimum: int = 1, maximum: float = math.inf, **argument: Any) -> int:
    """Returns the one named argument if it is an integer within its bounds."""
    ((_, value),) = argument.items()
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (is_integer and minimum <= value <= maximum):
        error = ValueError if is_integer else TypeError
        fail(f"an integer {_bounds(minimum, maximum)}", error=error, **argument)
    return int(value)


def number(
    *, minimum: float = -math.inf, maximum: float = math.inf, **argument: Any
) -> float:
    """Returns the one named argument if it is a finite number within its bounds."""
    ((_, value),) = argument.items()
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and minimum <= value <= maximum):
        expected = f"a finite number {_bounds(minimum, maximum)}".rstrip()
        fail(expected, error=ValueError if is_number else TypeError, **argument)
    return float(value)


def _bounds(minimum: float, maximum: float) -> str:
    least = f"of at least {minimum}" if minimum > -math.inf else ""
    most = f"of at most {maximum}" if maximum < math.inf else ""
    return " and ".join(filter(None, [least, most]))


def one_of(choices: Iterable, **argument: Any) -> Any:
    """Returns the one named argument if it is a choice, else names the nearest."""
    ((_, value),) = argument.items()
    if value not in list(choices):  # whose members need no hash
        near = difflib.get_close_matches(str(value), map(str, choices), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else ""
        fail(f"one of {sorted(map(str, choices))}", hint=hint, **argument)
    return value


def width(size: int, of: str, **argument: Any) -> None:
    """Checks that the one named tensor is `[..., size]`, or None if `size` is 0."""
    ((name, value),) = argument.items()
    shape = None if value is None else list(value.shape)
    if (0 if shape is None else [None, *shape][-1]) != size:
        expected = f"of shape [..., {size}]" if size else "None"
        fail(f"{expected}, as `{of}`", **{name: shape})


def booleans(shape: Sequence[int], **argument: Any) -> np.ndarray:
    """Returns the one named argument as booleans broadcast to a shape."""
    ((name, value),) = argument.items()
    value = np.asarray(value)
    if value.dtype != bool:
        fail("booleans", error=TypeError, **{name: value.dtype})
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        fail(f"of a shape that fits {list(shape)}", **{name: list(value.shape)})


def rows(num_rows: int, **argument: Any) -> None:
    """Checks that the one named array has as many rows as x."""
    ((name, value),) = argument.items()
    if len(value) != num_rows:
        fail(f"of {num_rows} rows, as x", **{name: f"of {len(value)} rows"})


def labels(num_classes: int, num_rows: int, **argument: Any) -> np.ndarray:
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


def instance(kind: type | tuple, expected: str, **argument: Any) -> Any:
    """Returns the one named argument if it is an instance of `kind`."""
    ((_, value),) = argument.items()
    if not isinstance(value, kind):
        fail(expected, error=TypeError, **argument)
    return value


def integers(*, minimum: int = 1, empty: bool = False, **argument: Any) -> list[int]:
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


def event_shape(**argument: Any) -> tuple[int, ...]:
    """Returns the one named shape as a tuple of positive integers."""
    ((name, value),) = argument.items()
    if hasattr(value, "as_list"):  # a tf.TensorShape, as data sets have it
        value = tuple(value)
    return tuple(integers(**{name: value}))


def image_shape(**argument: Any) -> tuple[int, int, int]:
    """Returns the one named argument as `(height, width, channels)`."""
    ((name, value),) = argument.items()
    shape = event_shape(**argument)
    if len(shape) != 3:
        fail("(height, width, channels)", hint="Name the channels too.", **argument)
    return shape


def array(
    shape: Sequence[int],
    *,
    low: float = -math.inf,
    high: float = math.inf,
    because: str = "",
    **argument: Any,
) -> np.ndarray:
    """Returns the one named argument as a float32 array `[batch, *shape]`.

    Its values must be finite and lie in `[low, high]`; `because` names the part of the
    model that needs them, for the message.
    """
    ((name, _),) = argument.items()
    value = real(**argument)
    _check_shape(name, value.shape, tuple(shape))
    if value.size:
        _check_range(name, value, low, high, because)
    return value.astype("float32", copy=False)


def real(**argument: Any) -> np.ndarray:
    """Returns the one named argument as an array of real numbers."""
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


def _check_shape(name: str, received: tuple, shape: tuple) -> None:
    if len(received) == len(shape) + 1 and all(
        have in (None, want) for have, want in zip(received[1:], shape, strict=True)
    ):
        return
    raise ValueError(
        f"`{name}` must be of shape [batch, {', '.join(map(str, shape))}]. "
        f"Received: {name} of shape {list(received)}. {_shape_hint(received, shape)}"
    )


def _shape_hint(received: tuple, shape: tuple) -> str:
    if shape[-1] == 1 and received[1:] == shape[:-1]:
        return "Add the channel: x[..., None]."
    if received == shape:
        return "Add the batch dimension: x[None]."
    if len(shape) == 3 and received[1:] == (shape[2], *shape[:2]):
        return "Put channels last: np.moveaxis(x, 1, -1)."
    if None not in received[1:] and math.prod(received[1:]) == math.prod(shape):
        return f"Reshape it: x.reshape(-1, {', '.join(map(str, shape))})."
    return "The model was built for other data."


def _check_range(
    name: str, value: np.ndarray, low: float, high: float, because: str
) -> None:
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
