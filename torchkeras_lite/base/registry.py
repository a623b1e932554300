"""Public and custom names of classes and functions, for configs and files.

Rooms publish what they export; users register their own with `register_keras_serializable` or lend it for
a while with `CustomObjectScope`. A config can only name what stands in one of these tables: no import
path from a file is ever followed.
"""

import contextvars

_public: dict[str, dict[str, object]] = {}
_public_names: dict[object, tuple[str, str]] = {}
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


def public_name(cls):
    """Return `("keras.layers", "Dense")` for a public class, else `None`."""
    return _public_names.get(cls)


def public_object(module, name):
    """Return the public class or function called `name` in `module`, else `None`."""
    return _public.get(module, {}).get(name)


def public_members(module):
    """Return the names and objects published for `module`."""
    return dict(_public.get(module, {}))


def public_class(name):
    """Return the public class called `name`, a layer if there is one (old files name no room)."""
    for members in (_public.get("keras.layers", {}), *_public.values()):
        if isinstance(members.get(name), type):
            return members[name]
    return None


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
                f"Cannot register class {target.__name__}: it has no `get_config()` method, "
                "so it could not be written. Add one that returns the constructor's arguments."
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
