"""Calls of operations in the configs of graphs, in the form that Keras writes.

Keras has a class for every operation: `ops.mean(x, axis=1)` and `x + 1` are written as a `Mean` with the
setting `axis` and as an `Add`.
"""

import functools
import inspect

import numpy as np
import torch

from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine.keras_tensor import record_function
from torchkeras_lite.engine.operation import find_operation, operation_of
from torchkeras_lite.saving.legacy_recipes import MODULE, run_recipe


def is_known(call):
    """Whether `call` calls an operation that Keras has a class for, or one with a config of its own."""
    return call.owner is not call or operation_of(call) is not None


def _bound(call):
    """Return the arguments of a call by the names of the function's parameters, defaults too."""
    info = operation_of(call)
    bound = inspect.signature(info.function).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return info, bound.arguments


def operation_entry(call):
    """Return module, class and settings of the operation that `call` calls."""
    info, arguments = _bound(call)
    settings = {name: serialize_keras_object(arguments[name]) for name in info.settings if name in arguments}
    parameters = inspect.signature(info.function).parameters
    for name in info.settings:
        if parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            settings.pop(name, None)
    return {
        "module": info.module,
        "class_name": info.class_name,
        "config": {"name": call.name, **settings},
        "registered_name": info.class_name,
    }


def call_arguments(call):
    """Return the arguments of a call without its settings: positional ones, and by name.

    Keras writes by name what stands behind a setting in the function's signature.
    """
    if call.owner is not call:
        return call.args, call.kwargs
    info, arguments = _bound(call)
    args, kwargs, behind = [], {}, False
    for name, parameter in inspect.signature(info.function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            args += arguments[name]
        elif name in info.settings:
            behind = True
        elif behind:
            kwargs[name] = arguments[name]
        else:
            args.append(arguments[name])
    return args, kwargs


def serialize_constant(value):
    """Return an argument that is no symbolic tensor as plain values; tensors are written as arrays."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        array = value.float() if value.dtype is torch.bfloat16 else value
        return serialize_keras_object(np.asarray(array))
    return serialize_keras_object(value)


def find(entry):
    """Return what calls the operation that an entry of a config describes, `None` for a layer.

    Raises:
        ValueError: settings that the operation does not have.
    """
    module = entry.get("module") or ""
    if module == MODULE:
        return functools.partial(run_recipe, entry)
    if not module.startswith(("keras.src.ops.", "keras.ops.")):
        return None
    function = find_operation(module, entry["class_name"])
    return None if function is None else _Reader(function, entry)


class _Reader:
    """Records the call of an operation that a config describes, under the name it has there."""

    def __init__(self, function, entry):
        self.function = function
        self.name = entry["name"]
        config = {key: value for key, value in entry["config"].items() if key != "name"}
        self.settings = {key: deserialize_keras_object(value) for key, value in config.items()}
        unknown = set(self.settings) - set(function.operation.settings)
        if unknown:
            raise ValueError(
                f"The config of the operation '{self.name}' has settings {sorted(unknown)} that "
                f"`ops.{function.__name__}` does not have; it has {list(function.operation.settings)}."
            )

    def __call__(self, *args, **kwargs):
        info, settings = self.function.operation, dict(self.settings)
        if info.takes_any:  # `einsum(subscripts, *operands)`
            parameters = inspect.signature(info.function).parameters.values()
            leading = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
            args = (*(settings.pop(name) for name in leading), *args)
        if info.class_name == "GetItem":
            args = (args[0], _as_key(args[1]))
        return record_function(self.function, args, {**settings, **kwargs}, name=self.name)


def _as_key(key):
    """Return an index; tuples are lists in configs."""
    return tuple(map(_as_key, key)) if isinstance(key, list) else deserialize_keras_object(key)
