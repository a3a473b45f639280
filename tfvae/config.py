"""The base of everything that is described by its constructor's arguments."""

import inspect

import keras


class Configurable:
    """Config round trip for classes that keep each argument under its own name.

    Mixed in before a Keras class, or used alone for plain objects. A subclass writes
    neither `get_config` nor `from_config`: the signature of its `__init__` says it all,
    and arguments may be Keras objects themselves.
    """

    def get_config(self):
        """Returns the constructor's arguments in a form that JSON can hold."""
        inherited = getattr(super(), "get_config", dict)()
        serialize = keras.saving.serialize_keras_object
        own = {name: serialize(getattr(self, name)) for name in self._arguments()}
        return {**inherited, **own}

    @classmethod
    def from_config(cls, config):
        """Returns an instance built from what `get_config` gave."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(**{name: deserialize(value) for name, value in config.items()})

    @classmethod
    def _arguments(cls):
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]


def register(cls):
    """Class decorator: registers with Keras under the package name `tfvae`."""
    return keras.saving.register_keras_serializable("tfvae")(cls)
