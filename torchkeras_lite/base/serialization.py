"""Objects to plain configs and back, in the form Keras 3 writes: `{module, class_name, config,
registered_name}`.

Reading never imports what a config names and never runs code from it: classes come from the public tables,
from registrations and from `custom_objects` alone.
"""

import types

import numpy as np
import torch

from torchkeras_lite.base import dtypes, registry
from torchkeras_lite.base.checks import suggestion

PLAIN = (str, int, float, bool, type(None))


def serialize_keras_object(obj):
    """Return a structure of plain values that `deserialize_keras_object` turns back into `obj`.

    Args:
        obj: A plain value, a list, tuple or dict, an array or tensor, a function, or an object that has
            `get_config()`.

    Raises:
        TypeError: an object without `get_config()`.

    Source: Keras 3 `keras.saving.serialize_keras_object`. Lambdas raise here: their bytecode is never
    written.
    """
    if isinstance(obj, PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        return (
            type(obj)(map(serialize_keras_object, obj))
            if type(obj) in (list, tuple)
            else [serialize_keras_object(part) for part in obj]
        )
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, (np.ndarray, torch.Tensor)):
        kind = "__numpy__" if isinstance(obj, np.ndarray) else "__tensor__"
        values = obj.detach().cpu().numpy() if isinstance(obj, torch.Tensor) else obj
        return {
            "class_name": kind,
            "config": {"value": values.tolist(), "dtype": dtypes.standardize_dtype(obj.dtype)},
        }
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": {k: serialize_keras_object(v) for k, v in parts.items()}}
    if isinstance(obj, torch.dtype):
        return dtypes.standardize_dtype(obj)
    if isinstance(obj, type):
        return _class_reference(obj)
    if isinstance(obj, types.LambdaType) and obj.__name__ == "<lambda>":
        raise TypeError(
            "Cannot serialize a lambda. Define a named function and register it with "
            "`@saving.register_keras_serializable()`."
        )
    if not hasattr(obj, "get_config"):
        if callable(obj) and hasattr(obj, "__name__"):
            return {
                "module": "builtins",
                "class_name": "function",
                "config": registry.get_registered_name(obj),
                "registered_name": "function",
            }
        raise TypeError(
            f"Cannot serialize object {obj!r} of type {type(obj).__name__}: it has no `get_config()` method. "
            "Add one that returns the constructor's arguments."
        )
    written = {**_class_reference(type(obj)), "config": _plain_config(obj)}
    for key, method in (("build_config", "get_build_config"), ("compile_config", "get_compile_config")):
        state = getattr(obj, method, lambda: None)()
        if state is not None:
            written[key] = serialize_keras_object(state)
    return written


def _plain_config(obj):
    config = obj.get_config()
    return {key: serialize_keras_object(value) for key, value in config.items()}


def _class_reference(cls):
    public = registry.public_name(cls)
    module, name = public or (None, cls.__name__)
    return {
        "module": module,
        "class_name": name,
        "config": None,
        "registered_name": None if public else registry.get_registered_name(cls),
    }


def _literal(class_name, config):
    value = config.get("value")
    match class_name:
        case "__numpy__":
            return np.array(value, dtype=config["dtype"])
        case "__tensor__":
            return torch.tensor(value, dtype=dtypes.torch_dtype(config["dtype"]))
        case "__bytes__":
            return value.encode()
        case "__ellipsis__":
            return Ellipsis
        case "__slice__":
            return slice(*(deserialize_keras_object(config[key]) for key in ("start", "stop", "step")))
        case "__tuple__":
            return tuple(deserialize_keras_object(part) for part in value)
        case "__lambda__":
            raise ValueError(
                "The config holds the bytecode of a Python lambda, which is not run. Give the function by "
                "name through `custom_objects`."
            )
    return NotImplemented


def find_class(config, custom_objects=None):
    """Return the class (or function) that `config` names.

    Raises:
        TypeError: nothing of that name is public, registered or in `custom_objects`.
    """
    class_name, module = config["class_name"], config.get("module")
    registered = config.get("registered_name") or class_name
    for name in (registered, class_name):
        found = registry.get_registered_object(name, custom_objects)
        if found is not None:
            return found
    found = registry.public_object(module, class_name) if module else None
    if found is None:
        found = registry.public_class(class_name)
    if found is not None:
        return found
    known = [*(custom_objects or {}), *registry.public_members(module)]
    raise TypeError(
        f"Could not locate class '{class_name}' of module {module!r}{suggestion(class_name, known)} Register "
        "it with "
        "`@saving.register_keras_serializable()` or pass it in `custom_objects`."
    )


def deserialize_keras_object(config, custom_objects=None, safe_mode=True):
    """Return the object that `config` describes (the reverse of `serialize_keras_object`).

    Args:
        config: What `serialize_keras_object` returned, or Keras wrote.
        custom_objects: Mapping of names to the classes and functions that are not public and not registered.
        safe_mode: Accepted as in Keras. Code in a config is never run, whatever this says.

    Raises:
        TypeError: a class or function of an unknown name.
        ValueError: a config that holds code.

    Source: Keras 3 `keras.saving.deserialize_keras_object`.
    """
    if custom_objects:
        with registry.CustomObjectScope(custom_objects):
            return deserialize_keras_object(config)
    if isinstance(config, PLAIN):
        return config
    if isinstance(config, (list, tuple)):
        return type(config)(map(deserialize_keras_object, config))
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value) for key, value in config.items()}
    class_name, inner = config["class_name"], config["config"]
    if class_name == "function":
        return _find_function(inner)
    if isinstance(inner, dict):
        literal = _literal(class_name, inner)
        if literal is not NotImplemented:
            return literal
    found = find_class(config)
    if inner is None:
        return found
    if not isinstance(found, type):
        return found
    if hasattr(found, "from_config"):
        instance = found.from_config(inner)
    else:
        instance = found(**deserialize_keras_object(inner))
    build_config = config.get("build_config")
    if build_config and hasattr(instance, "build_from_config") and not getattr(instance, "built", True):
        instance.build_from_config(build_config)
    compile_config = config.get("compile_config")
    if compile_config and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(compile_config)
    return instance


def _find_function(name):
    found = registry.get_registered_object(name)
    for module in ("keras.activations", "keras.losses", "keras.metrics", "keras.ops"):
        found = found or registry.public_object(module, name)
    if found is None:
        raise TypeError(
            f"Could not locate function '{name}'. Register it with "
            "`@saving.register_keras_serializable()` or pass it in `custom_objects`."
        )
    return found
