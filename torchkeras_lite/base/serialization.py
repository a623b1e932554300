"""Objects to plain configs and back, in the form Keras 3 writes: `{module, class_name, config,
registered_name}`.

Reading never imports what a config names and never runs code from it: classes come from the public tables,
from registrations and from `custom_objects` alone. Bytecode of lambdas is the exception that the caller must
ask for, see `safe_mode`.
"""

import contextlib
import contextvars
import inspect
import types
import warnings

import numpy as np
import torch

from torchkeras_lite.base import dtypes, lambda_code, nested, registry, torch_modules
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.safe_mode import in_safe_mode, safe_mode_scope

PLAIN = (str, int, float, bool, type(None))
_written: contextvars.ContextVar[dict | None] = contextvars.ContextVar("written", default=None)
_read: contextvars.ContextVar[dict | None] = contextvars.ContextVar("read", default=None)
_checks: list = []
_postponed: contextvars.ContextVar[list | None] = contextvars.ContextVar("postponed", default=None)


@contextlib.contextmanager
def object_sharing_scope():
    """Read an object that is held in several places of one config as one object."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def serialize_with_sharing(obj):
    """As `serialize_keras_object`; objects that are held in several places get a `shared_object_id`.

    Raises:
        ValueError: a list or dict of a config that contains itself.
    """
    seen = {}
    token = _written.set(seen)
    try:
        written = serialize_keras_object(obj)
    except RecursionError:
        raise ValueError(
            f"The config of {type(obj).__name__} '{getattr(obj, 'name', '')}' cannot be written: a list or "
            "dict that a `get_config()` returns contains itself, or is nested too deep. Leave it out."
        ) from None
    finally:
        _written.reset(token)
    _forget_single(written, {identity for identity, (_, count) in seen.items() if count > 1})
    return written


def _forget_single(written, shared):
    """Drop the ids of objects that were met once. (Before that they cannot be told: configs are copied.)"""
    if isinstance(written, dict):
        if "shared_object_id" in written and written["shared_object_id"] not in shared:
            del written["shared_object_id"]
        for part in written.values():
            _forget_single(part, shared)
    elif isinstance(written, (list, tuple)):
        for part in written:
            _forget_single(part, shared)


@contextlib.contextmanager
def postponed_compilation():
    """Collect `(model, compile config)` pairs inside, instead of compiling models as they are read."""
    pairs = []
    token = _postponed.set(pairs)
    try:
        yield pairs
    finally:
        _postponed.reset(token)


def serialize_keras_object(obj):
    """Return a structure of plain values that `deserialize_keras_object` turns back into `obj`.

    Args:
        obj: A plain value, a list, tuple or dict, an array or tensor, a function, or an object that has
            `get_config()`.

    Raises:
        TypeError: an object without `get_config()`.

    Source: Keras 3 `keras.saving.serialize_keras_object`. A lambda is written as bytecode, with a warning:
    it is read with `safe_mode=False` alone.
    """
    if isinstance(obj, PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        written = map(serialize_keras_object, obj)
        return tuple(written) if isinstance(obj, tuple) else list(written)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and not obj.ndim):
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
        return torch_modules.class_entry(obj) or _class_reference(obj)
    if isinstance(obj, types.LambdaType) and obj.__name__ == "<lambda>":
        return _lambda_config(obj)
    if not hasattr(obj, "get_config"):
        return _without_config(obj)
    written = {**_class_reference(type(obj)), "config": _plain_config(obj)}
    _note_sharing(obj, written)
    for key, method in (("build_config", "get_build_config"), ("compile_config", "get_compile_config")):
        state = getattr(obj, method, lambda: None)()
        if state is not None:
            written[key] = serialize_keras_object(state)
    forms = obj.get_compile_forms(written["config"]) if _keeps_forms(obj, written) else None
    if forms is not None:  # Keras, which has no such key, finds no loss rather than another one
        written["compile_forms"] = forms
        written["compile_config"]["loss"] = None
    return written


def _keeps_forms(obj, written):
    return "compile_config" in written and hasattr(obj, "get_compile_forms") and written["config"] is not None


def with_marks(structure):
    """Return a written structure with marks for the tuples in it, which JSON has not."""
    if isinstance(structure, dict):
        written = "class_name" in structure and "config" in structure
        return structure if written else {key: with_marks(part) for key, part in structure.items()}
    if isinstance(structure, tuple):
        return {"class_name": "__tuple__", "config": {"value": list(map(with_marks, structure))}}
    return list(map(with_marks, structure)) if isinstance(structure, list) else structure


def without_marks(structure):
    """Return a structure of plain values as it was before `with_marks`."""
    if isinstance(structure, dict) and structure.get("class_name") == "__tuple__":
        return tuple(map(without_marks, structure["config"]["value"]))
    if isinstance(structure, dict):
        return {key: without_marks(part) for key, part in structure.items()}
    return list(map(without_marks, structure)) if isinstance(structure, list) else structure


def _without_config(obj):
    """Return what is written for a module or loss of torch, or for a function."""
    if isinstance(obj, torch.nn.Module):
        written = torch_modules.module_entry(obj, serialize_keras_object)
        _note_sharing(obj, written)
        return written
    entry = torch_modules.function_entry(obj)
    if entry is not None:
        return entry
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


def _lambda_config(function):
    warnings.warn(
        f"The object being serialized includes a `lambda` ({_source_of(function)}). This is unsafe: "
        "to reload "
        "it, `safe_mode=False` must be passed to the loading function. Use a named function, registered with "
        "`@saving.register_keras_serializable()`, instead.",
        stacklevel=3,
    )
    return {"class_name": "__lambda__", "config": {"value": lambda_code.dump_function(function)}}


def _source_of(function):
    try:
        return inspect.getsource(function).strip()
    except (OSError, TypeError):
        return "of unknown source"


def _note_sharing(obj, written):
    seen = _written.get()
    if seen is not None:
        _, count = seen.get(id(obj), (None, 0))
        seen[id(obj)] = obj, count + 1  # the object is kept, so that its id stays its own
        written["shared_object_id"] = id(obj)


def _plain_config(obj):
    config = obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"The `get_config()` method of {obj} should return a dict. It returned: {config}")
    return {key: serialize_keras_object(value) for key, value in config.items()}


def _class_reference(cls):
    public = registry.public_name(cls)
    module, name = public or (cls.__module__, cls.__name__)
    if public is None and registry.is_keras_module(module):
        module = None
    private = public is None or module.startswith("keras.src")
    return {
        "module": None if module == "__main__" else module,
        "class_name": name,
        "config": None,
        "registered_name": registry.get_registered_name(cls) if private else None,
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
            if in_safe_mode() is not False:
                raise ValueError(
                    "The config holds the bytecode of a Python lambda, as of a `Lambda` layer, and running "
                    "it would be arbitrary code execution, so it is refused. If you trust where it comes "
                    "from, pass `safe_mode=False` to the loading function; else give the function by name "
                    "through `custom_objects`."
                )
            return lambda_code.load_function(config if value is None else value)
    return NotImplemented


def find_class(config, custom_objects=None):
    """Return the class that `config` names.

    Raises:
        TypeError: nothing of that name is public, registered or in `custom_objects`; names that are no text.
        ValueError: a public class with the registered name of another.
    """
    class_name, module = config["class_name"], config.get("module")
    if module == torch_modules.MODULE:
        return torch_modules.find_class(class_name)
    registered = config.get("registered_name")
    for what, value in (("class_name", class_name), ("module", module), ("registered_name", registered)):
        if not isinstance(value, str) and (value is not None or what == "class_name"):
            raise TypeError(f"Expected `{what}` in a config to be a string, got {value!r}.")
    public = registry.find_public_class(module, class_name) if registry.is_keras_module(module) else None
    names = [registered] if registered else []
    if public is None or "registered_name" not in config:
        names.append(class_name)
    for name in names:
        found = registry.get_registered_object(name, custom_objects)
        if found is not None:
            return found
    if public is not None and registered not in (None, "", class_name):
        raise ValueError(
            f"The config gives the registered name {registered!r}, which nothing has, and "
            f"'{module}.{class_name}' "
            "resolved to a Keras built-in, which has none. Register your class or pass it in "
            "`custom_objects`."
        )
    if public is None and module is None:
        public = registry.find_public_class(None, class_name)
    if public is not None:
        return public
    known = [*(custom_objects or {}), *registry.public_members(module)]
    raise TypeError(
        f"Could not locate class '{class_name}' of module {module!r}{suggestion(class_name, known)} Modules "
        "that a config names are never imported. Register the class with "
        "`@saving.register_keras_serializable()` or pass it in `custom_objects`."
    )


def checks_configs(check):
    """Have `check(config, custom_objects)` look through every outermost config before it is read."""
    _checks.append(check)
    return check


@contextlib.contextmanager
def outermost(config, custom_objects=None, safe_mode=True):
    """Look through `config` from end to end before anything is made of it inside the block.

    Inside a load, or another such block, that was done.

    Raises:
        TypeError: a class or function of an unknown name.
        ValueError: a config that holds code.
    """
    if in_safe_mode() is not None:
        yield
        return
    with safe_mode_scope(safe_mode):
        if isinstance(config, (dict, list, tuple)):
            with registry.CustomObjectScope(custom_objects):
                for check in _checks:
                    check(config, custom_objects)
        yield


def deserialize_keras_object(config, custom_objects=None, safe_mode=True, **kwargs):
    """Return the object that `config` describes (the reverse of `serialize_keras_object`).

    Args:
        config: What `serialize_keras_object` returned, or Keras wrote.
        custom_objects: Mapping of names to the classes and functions that are not public and not registered.
        safe_mode: `False` allows the bytecode of Python lambdas in the config, which is then run. Inside a
            load, what the load was told counts. A mapping, which stands here where programs for Keras 2 pass
            `custom_objects` by position, counts as `True`, as in Keras.
        **kwargs: Keras's `module_objects`: a mapping of further names, of which `config` may be one: that of
            a class means an object made without arguments; and `printable_module_name`, what an object is
            called in messages of older Keras, which counts for nothing here.

    Raises:
        TypeError: a class or function of an unknown name, a config of another form.
        ValueError: a config that holds code.

    Source: Keras 3 `keras.saving.deserialize_keras_object`.
    """
    module_objects = kwargs.pop("module_objects", None) or {}
    safe_mode = isinstance(safe_mode, dict) or safe_mode
    if isinstance(config, str) and config in module_objects:
        found = module_objects[config]
        return found() if isinstance(found, type) else found
    custom_objects = {**module_objects, **(custom_objects or {})}
    kwargs.pop("printable_module_name", None)
    if kwargs:
        raise TypeError(f"deserialize_keras_object: unknown argument `{next(iter(kwargs))}`.")
    if in_safe_mode() is None:
        with outermost(config, custom_objects, safe_mode):
            return deserialize_keras_object(config, custom_objects)
    if custom_objects:
        with registry.CustomObjectScope(custom_objects):
            return _deserialize(config)
    return _deserialize(config)


def _deserialize(config):
    if isinstance(config, str):
        return registry.get_scoped_object(config, config)
    if isinstance(config, PLAIN):
        return config
    if isinstance(config, (list, tuple)):
        return nested.like(config, list(map(_deserialize, config)))
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(value) for key, value in config.items()}
    class_name, inner = config["class_name"], config["config"]
    if class_name == "__typespec__":
        raise TypeError(
            f"Expected 'config' to be a list or a tuple, and a package that knows TensorFlow's types, got "
            f"{inner!r}. Save the model without type specs."
        )
    if class_name == "function":
        return find_function(config)
    if isinstance(inner, dict):
        literal = _literal(class_name, inner)
        if literal is not NotImplemented:
            return literal
    shared, shared_id = _read.get(), config.get("shared_object_id")
    if shared is not None and shared_id is not None and shared_id in shared:
        return shared[shared_id]
    instance = _instance(config)
    if shared is not None and shared_id is not None:
        shared[shared_id] = instance
    return instance


def _instance(config):
    found, inner = find_class(config), config["config"]
    if config.get("module") == torch_modules.MODULE:
        return torch_modules.from_entry(config, deserialize_keras_object, default_device())
    if inner is None or not isinstance(found, type):
        return found
    if not isinstance(inner, dict):
        raise TypeError(
            f"Expected 'config' to be a dict for '{config['class_name']}', got {inner!r} of type "
            f"{type(inner).__name__}."
        )
    if not hasattr(found, "from_config"):
        raise TypeError(
            f"Unable to reconstruct an instance of '{config['class_name']}': the class has no "
            "`from_config()` method. Add the class method `from_config(cls, config)`, which may be "
            "`return cls(**config)`."
        )
    forms = config.get("compile_forms") or {}
    if "outputs" in forms:
        inner = {**inner, "output_layers": without_marks(forms["outputs"])}
    try:
        instance = found.from_config(inner)
        build_config = config.get("build_config")
        if build_config and hasattr(instance, "build_from_config") and not getattr(instance, "built", True):
            instance.build_from_config(build_config)
            instance.built = True
    except TypeError as error:
        raise TypeError(
            f"{found} could not be deserialized properly: {error}. Please ensure that objects (layers, "
            "models etc.) that `get_config()` writes are explicitly deserialized in `from_config()` (or in "
            "the constructor), with `saving.deserialize_keras_object(config)`. The config: "
            f"{_shortened(inner)}"
        ) from error
    compile_config = config.get("compile_config")
    if compile_config and hasattr(instance, "compile_from_config"):
        if forms:
            compile_config = {**compile_config, "loss": forms["loss"]}
        if _postponed.get() is None:
            instance.compile_from_config(compile_config)
        else:
            _postponed.get().append((instance, compile_config))
    return instance


def _shortened(config, length=2000):
    text = repr(config)
    return text if len(text) <= length else f"{text[:length]}..."


def find_function(config):
    """Return the function that `config`, of class name "function", names.

    Raises:
        TypeError: nothing of that name is public, registered or in scope, or the name is no text.
    """
    name, module = config["config"], config.get("module")
    if not isinstance(name, str):
        raise TypeError(
            f"Expected 'config' to be a non-null str for a function, its name, got {name!r} of type "
            f"{type(name).__name__}."
        )
    if module == torch_modules.FUNCTIONS:
        return torch_modules.find_function(name)
    found = registry.get_registered_object(name)
    if found is None and isinstance(config.get("registered_name"), str):
        found = registry.get_registered_object(config["registered_name"])
    if found is None and module == "builtins":
        found = registry.get_registered_by_last_name(name)
    if found is None and (module in (None, "builtins") or registry.is_keras_module(module)):
        found = registry.find_public_function(module, name)
        if found is not None and config.get("registered_name") not in (None, "", "function", name):
            raise ValueError(
                f"The config gives the registered name {config['registered_name']!r}, which nothing has, and "
                f"'{name}' resolved to a Keras built-in, which has none. Register your function."
            )
    if found is None:
        raise TypeError(
            f"Could not locate function '{name}' of module {module!r} among the activations, losses, metrics "
            "and their like, which are all that a config may name. Register it with "
            "`@saving.register_keras_serializable()` or pass it in `custom_objects`."
        )
    return found
