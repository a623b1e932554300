"""Configs in the form of Keras 2: a class name with a config, or the name of a function."""

from torchkeras_lite.base import registry
from torchkeras_lite.base.checks import suggestion

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance):
    """Return `{"class_name": ..., "config": ...}` for an object, the name of a function, `None` for `None`.

    Raises:
        ValueError: `instance` is neither.

    Source: Keras 3 `keras.legacy.saving.serialize_keras_object`.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        name = registry.get_registered_name(type(instance))
        return {"class_name": name, "config": _plain(instance.get_config())}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(
        f"serialize_keras_object: {instance!r} cannot be serialized because it doesn't implement "
        "`get_config()`. Define it."
    )


def deserialize_keras_object(
    identifier, module_objects=None, custom_objects=None, printable_module_name="object"
):
    """Return the object or function that `identifier` describes.

    Args:
        identifier: What `serialize_keras_object` returned.
        module_objects: Names that are known, a dict.
        custom_objects: Further names, which come first.
        printable_module_name: What kind of thing it is, for messages.

    Raises:
        ValueError: an unknown name, or something that is no identifier.

    Source: Keras 3 `keras.legacy.saving.deserialize_keras_object`.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        if "class_name" not in identifier or "config" not in identifier:
            raise ValueError(
                f"Improper config format for {identifier}. Expected a dict with keys `class_name` and "
                "`config`."
            )
        cls = _find(identifier["class_name"], module_objects, custom_objects, printable_module_name)
        with registry.CustomObjectScope(custom_objects):
            if hasattr(cls, "from_config"):
                return cls.from_config(identifier["config"])
            return cls(**identifier["config"])
    if isinstance(identifier, str):
        found = _find(identifier, module_objects, custom_objects, printable_module_name)
        return found() if isinstance(found, type) else found
    if callable(identifier):
        return identifier
    raise ValueError(
        f"Could not interpret serialized {printable_module_name}: {identifier!r}. Pass a config, a name or a "
        "function."
    )


def _find(name, module_objects, custom_objects, kind):
    tables = (custom_objects or {}, module_objects or {})
    found = registry.get_registered_object(name, *tables)
    if found is None:
        found = registry.public_class(name)
    if found is None:
        known = [key for table in tables for key in table]
        raise ValueError(
            f"Unknown {kind}: '{name}'{suggestion(name, known)} Pass it in `custom_objects`, or "
            "register it with "
            "`saving.register_keras_serializable`."
        )
    return found


def _plain(config):
    """Return a config whose objects are written in the form of Keras 2 too."""
    if isinstance(config, dict):
        if "class_name" in config and "config" in config:
            name = config.get("registered_name") or config["class_name"]
            return {"class_name": name, "config": _plain(config["config"])}
        return {key: _plain(value) for key, value in config.items()}
    return [_plain(part) for part in config] if isinstance(config, list) else config
