"""Classes described by their constructor: arguments checked, kept and saved."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Self, TypeVar

import keras

from tfvae import checks

Class = TypeVar("Class", bound=type)

# Arguments that are Keras models or layers, and activations by name or function.
Network = Annotated[
    keras.layers.Layer,
    functools.partial(checks.instance, keras.layers.Layer, "a Keras model or layer"),
]
Activation = str | Callable[..., Any] | None


class Configurable:
    """Config round trip for classes that keep each argument under its own name.

    Mixed in before a Keras class, or used alone for plain objects. A subclass writes
    neither checks, `self.units = units` nor `get_config`: its constructor checks each
    argument by its annotation (see `checks.by_annotation`), keeps it under its name
    unless the body already did, and its signature gives the config.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _checking_and_keeping(cls.__init__)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments in a form that JSON can hold."""
        inherited = getattr(super(), "get_config", dict)()
        serialize = keras.saving.serialize_keras_object
        own = {name: serialize(getattr(self, name)) for name in self._arguments()}
        return {**inherited, **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns an instance built from what `get_config` gave."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(**{name: deserialize(value) for name, value in config.items()})

    @classmethod
    def _arguments(cls) -> list[str]:
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]


def _checking_and_keeping(init: Callable) -> Callable:
    """The constructor, which checks its arguments first and keeps them last."""
    signature = inspect.signature(init)
    names = [p.name for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        arguments = signature.bind(self, *args, **kwargs)
        arguments.apply_defaults()
        checks.by_annotation(init, arguments.arguments)
        init(*arguments.args, **arguments.kwargs)
        for name in names[1:]:
            if name not in vars(self) and not hasattr(type(self), name):
                setattr(self, name, arguments.arguments[name])

    # Keras reads the signature of the function itself, not of what it wraps.
    checked.__signature__ = signature
    return checked


def register(cls: Class) -> Class:
    """Class decorator: registers with Keras under the package name `tfvae`."""
    return keras.saving.register_keras_serializable("tfvae")(cls)
