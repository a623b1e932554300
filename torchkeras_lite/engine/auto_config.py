"""Configs without code: the constructor's arguments, each read from the attribute of its name."""

import inspect

from torchkeras_lite import activations
from torchkeras_lite.base import serialization
from torchkeras_lite.base.checks import describe

BASE_ARGUMENTS = ("name", "trainable", "dtype", "activity_regularizer", "autocast", "self")
_NAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)
_MISSING = object()


def configured_class(cls, method, base):
    """Return the class whose constructor arguments the automatic config of `cls` must hold.

    Where a class overrides `get_config` and calls `super().get_config()`, that is the next class above it.
    One that says `passes_config_on` adds to the automatic config of its subclasses.
    """
    mro = [c for c in cls.__mro__ if issubclass(c, base)]
    overriding = [
        i
        for i, c in enumerate(mro)
        if method in c.__dict__ and c is not base and not c.__dict__.get("passes_config_on")
    ]
    return mro[overriding[-1] + 1] if overriding else cls


def constructor_arguments(cls):
    """Return the names of the constructor's own arguments, without those of the base."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.name for p in parameters if p.kind in _NAMED and p.name not in BASE_ARGUMENTS]


def given_arguments(instance, arguments):
    """Return the constructor arguments of `instance` by name, as they were given (or their defaults)."""
    args, kwargs = arguments
    signature = inspect.signature(type(instance).__init__)
    try:
        bound = signature.bind(instance, *args, **kwargs)
    except TypeError:
        return dict(kwargs)
    bound.apply_defaults()
    named = dict(bound.arguments)
    named.pop(next(iter(signature.parameters)), None)  # the instance
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named |= named.pop(parameter.name, {})
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            named.pop(parameter.name, None)
    return named


def serialize_argument(value, name=""):
    """Return the plain form of one argument; activations are written by their bare name, as Keras does."""
    if name.endswith("activation") and callable(value) and not hasattr(value, "get_config"):
        return activations.serialize(value)
    return serialization.serialize_keras_object(value)


def read_config(instance, cls, given):
    """Return the constructor arguments of `cls` as plain values, from the attributes of `instance`.

    Args:
        instance: The object.
        cls: The class whose arguments are wanted.
        given: What the constructor was given, for arguments that are no attributes.

    Raises:
        TypeError: an argument that is kept nowhere, or that cannot be written.
    """
    config = {}
    names = constructor_arguments(cls)
    passed_on = {*given}.difference(constructor_arguments(type(instance)), names, BASE_ARGUMENTS)
    passed_on -= {*instance.__dict__.get("_shape_arguments", ())}
    for name in (*names, *sorted(passed_on)):
        value = instance.__dict__.get(name, _MISSING)
        if value is _MISSING:
            value = instance._modules.get(name, _MISSING)
        if value is _MISSING and name in given:
            value = given[name]
        if value is _MISSING:
            value = getattr(instance, name, _MISSING)
        if value is _MISSING:
            raise TypeError(
                f"{describe(instance)}: the constructor argument `{name}` is kept in no attribute. Keep it "
                "as "
                f"`self.{name}`, or override `get_config()`."
            )
        try:
            _refuse_lambda(value)
            config[name] = serialize_argument(value, name)
        except TypeError as error:
            raise TypeError(
                f"{describe(instance)}: the constructor argument `{name}` cannot be written to a config: "
                f"{error} "
                "Override `get_config()` and `from_config()`."
            ) from error
    return config


def _refuse_lambda(value):
    if getattr(value, "__name__", None) == "<lambda>":
        raise TypeError(
            "it is a lambda, which has no name. Define a named function and register it with "
            "`@saving.register_keras_serializable()`."
        )


def looks_serialized(value):
    """Whether `value` is a config that stands for an object."""
    return isinstance(value, dict) and "class_name" in value and "config" in value


def read_arguments(config, left=()):
    """Return a config's values with the objects in it made, but for those called `left`."""
    return {
        key: serialization.deserialize_keras_object(value)
        if key not in left and _holds_objects(value)
        else value
        for key, value in config.items()
    }


def own_arguments(cls, base):
    """Return the names of arguments that a `get_config` outside of the package writes for `cls`.

    What such a method writes is the affair of its class, which gets it as the config has it.
    """
    mro = [c for c in cls.__mro__ if issubclass(c, base)]
    writers = [i for i, c in enumerate(mro) if "get_config" in c.__dict__ and not _is_packages(c)]
    if not writers:
        return frozenset()
    above = [name for c in mro[writers[-1] + 1 :] for name in constructor_arguments(c)]
    return frozenset(
        name for c in mro[: writers[-1] + 1] for name in constructor_arguments(c) if name not in above
    )


def _is_packages(cls):
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _holds_objects(value):
    if looks_serialized(value):
        return True
    if isinstance(value, dict):
        return any(map(_holds_objects, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_objects, value))
