"""Public and custom names of classes and functions, for configs and files.

Rooms publish what they export; users register their own with `register_keras_serializable` or lend it for
a while with `CustomObjectScope`. A config can only name what stands in one of these tables: no import
path from a file is ever followed.
"""

import contextvars

_public: dict[str, dict[str, object]] = {}
_public_names: dict[object, tuple[str, str]] = {}
_public_files: dict[tuple[str, str], type] = {}
_custom: dict[str, object] = {}
_custom_names: dict[object, str] = {}
_NOTHING: dict = {}
_scoped: contextvars.ContextVar[dict] = contextvars.ContextVar("custom_objects", default=_NOTHING)


def publish(room, objects, aliases=()):
    """Make `objects` (a mapping of names) known as the public members of `keras.<room>`.

    Args:
        room: `"layers"`, `"initializers"`, ...; `""` for `keras` itself.
        objects: Name to class or function. Where one object has several names, the one equal to its
            `__name__` is written into configs.
        aliases: Further rooms (older paths) under which the names are found.
    """
    module = f"keras.{room}".rstrip(".")
    for name, value in objects.items():
        for place in (module, *(f"keras.{alias}" for alias in aliases)):
            _public.setdefault(place, {})[name] = value
        if isinstance(value, type) and (value not in _public_names or name == value.__name__):
            _public_names[value] = (module, name)


def publish_as(module, cls):
    """Make `cls` known by a path of Keras's source tree alone, which it is also written with."""
    _public_files[module, cls.__name__] = cls
    _public_names[cls] = (module, cls.__name__)


def public_name(cls):
    """Return `("keras.layers", "Dense")` for a public class, else `None`."""
    return _public_names.get(cls)


def public_object(module, name):
    """Return the public class or function called `name` in `module`, else `None`."""
    return _public.get(module, {}).get(name)


# The kinds of objects that a config may name, each with the rooms that hold them.
KINDS = {
    "activations": ("activations",),
    "constraints": ("constraints",),
    "distillation": ("distillation",),
    "dtype_policies": ("dtype_policies",),
    "engine": ("models",),
    "initializers": ("initializers",),
    "layers": ("layers",),
    "losses": ("losses",),
    "metrics": ("metrics",),
    "models": ("models",),
    "optimizers": ("optimizers", "optimizers.schedules"),
    "quantizers": ("quantizers",),
    "random": ("random",),
    "regularizers": ("regularizers",),
    "utils": ("utils",),
}
KERAS_PACKAGES = ("keras", "tf_keras", "tensorflow", "torchkeras_lite")
FUNCTION_ROOMS = ("activations", "losses", "metrics", "constraints", "initializers", "regularizers")


def is_keras_module(module):
    """Whether `module`, a path from a config, is one of Keras's own, public or not."""
    return isinstance(module, str) and module.partition(".")[0] in KERAS_PACKAGES


def find_public_class(module, name):
    """Return the public class that a config's `module` and `class_name` stand for, else `None`.

    The path says no more than the kind: `keras.src.backend.torch.optimizers.torch_adam` is an optimizer's.
    """
    if (module, name) in _public_files:
        return _public_files[module, name]
    parts = module.split(".") if module else []
    rooms = next((KINDS[part] for part in parts if part in KINDS), None)
    if rooms is None:
        found = public_object("keras", name) or (None if len(parts) > 1 else public_class(name))
        return found if isinstance(found, type) else None
    places = (module, *(f"keras.{room}" for room in rooms))
    named = (public_object(place, name) for place in places)
    return next((found for found in named if isinstance(found, type)), None)


def find_public_function(module, name):
    """Return the public function (or class) of a kind that configs name as functions, else `None`."""
    parts = set((module or "builtins").split("."))
    named = [room for room in FUNCTION_ROOMS if room in parts]
    for room in named or (FUNCTION_ROOMS if parts <= {"builtins", "keras"} else ()):
        found = public_object(f"keras.{room}", name)
        if found is not None:
            return found
    return None


def public_members(module):
    """Return the names and objects published for `module`."""
    return dict(_public.get(module, {}))


def public_class(name):
    """Return the public class called `name`, a layer if there is one (old files name no room)."""
    rooms = ("layers", *dict.fromkeys(room for kind in KINDS.values() for room in kind))
    named = (public_object(f"keras.{room}", name) for room in rooms)
    return next((found for found in named if isinstance(found, type)), None)


def register_keras_serializable(package="Custom", name=None):
    """Decorate a class or function so that configs and files can name it as `package>name`.

    Args:
        package: Your project's name, which keeps names of different projects apart.
        name: The name in files; that of the class or function when not given.

    Raises:
        ValueError: a class without `get_config`.

    Source: Keras 3 `keras.saving.register_keras_serializable`.
    """

    def register(target):
        if isinstance(target, type) and not hasattr(target, "get_config"):
            raise ValueError(
                "Cannot register a class that does not have a get_config() method, because it could not be "
                f"written: {target.__name__}. Add one that returns the constructor's arguments."
            )
        registered_name = f"{package}>{name or target.__name__}"
        _custom[registered_name] = target
        _custom_names[target] = registered_name
        return target

    return register


def get_registered_name(obj):
    """Return the name `obj` was registered under, else its own `__name__`."""
    try:
        return _custom_names.get(obj, obj.__name__)
    except TypeError:
        return obj.__name__


def get_registered_object(name, custom_objects=None, module_objects=None):
    """Return what `name` stands for in open scopes, registrations or the mappings given."""
    for table in (_scoped.get(), _custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def get_registered_by_last_name(name):
    """Return what was registered as `<any package>><name>` (files of Keras before 3.7 lack the package)."""
    return next((value for key, value in _custom.items() if key.endswith(f">{name}")), None)


def get_scoped_object(name, default=None):
    """Return what an open `CustomObjectScope` calls `name`, else `default`."""
    return _scoped.get().get(name, default)


def get_custom_objects():
    """Return the table of registered objects; entries put into it count as registered."""
    return _custom


class CustomObjectScope:
    """Context manager inside which the names in `custom_objects` are known to configs and files.

    Args:
        custom_objects: Mapping of names to classes and functions.

    Source: Keras 3 `keras.saving.CustomObjectScope`.
    """

    def __init__(self, custom_objects):
        self.custom_objects = dict(custom_objects or {})
        self._tokens = []

    def __enter__(self):
        self._tokens.append(_scoped.set({**_scoped.get(), **self.custom_objects}))
        return self

    def __exit__(self, *exception):
        _scoped.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope
