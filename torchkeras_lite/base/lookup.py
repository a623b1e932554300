"""One way from an identifier (a name, a class, a config, an object) to an object, for every room."""

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.checks import suggestion


class Lookup:
    """The names of one room, and `get` over them.

    Args:
        kind: What the room holds, for messages: `"initializer"`, `"loss"`, ...
        objects: Mapping of every accepted name to a class or function. Names are matched as written,
            then in lower case.
        instance_of: Class (or tuple of classes) whose instances pass through unchanged.
        remedy: What else can be passed, for the message about an unknown name.
    """

    def __init__(self, kind, objects, *, instance_of=(), remedy="a callable"):
        self.kind = kind
        self.objects = dict(objects)
        self.lowered = {name.lower(): value for name, value in reversed(self.objects.items())}
        self.instance_of = instance_of
        self.remedy = remedy

    def find(self, name):
        """Return the class or function called `name`, looking first at the user's own objects.

        Raises:
            ValueError: nothing has that name.
        """
        found = registry.get_registered_object(name)
        if found is None:
            found = self.objects.get(name, self.lowered.get(name.lower()))
        if found is None:
            known = sorted({key for key in self.objects if key == key.lower()} or self.objects)
            more = f", and {len(known) - 16} more" if len(known) > 18 else ""
            raise ValueError(
                f"Could not interpret {self.kind} identifier: {name!r}{suggestion(name, self.objects)} "
                f"Known: {', '.join(known[:16] if more else known)}{more}. Or pass {self.remedy}."
            )
        return found

    def get(self, identifier, *, instantiate=True):
        """Return the object that `identifier` stands for.

        A name gives an instance of its class (the class with `instantiate=False`) or its function; a class
        gives an instance; a config dict is read; callables and instances pass through; `None` stays `None`.

        Raises:
            ValueError: an unknown name, or something of another kind.
        """
        if identifier is None or (self.instance_of and isinstance(identifier, self.instance_of)):
            return identifier
        if isinstance(identifier, dict):
            return self._read(identifier)
        found = self.find(identifier) if isinstance(identifier, str) else identifier
        if isinstance(found, type):
            return found() if instantiate else found
        if callable(found):
            return found
        raise ValueError(
            f"Could not interpret {self.kind} identifier: {identifier!r} of type "
            f"{type(identifier).__name__}. "
            f"Expected a name, a config dict or {self.remedy}."
        )

    def _read(self, config):
        """Return the object of a config; one that names no module is looked up among this room's names."""
        name = config.get("class_name")
        known = None
        if (
            config.get("module") is None
            and isinstance(name, str)
            and registry.get_registered_object(name) is None
        ):
            known = self.objects.get(name, self.lowered.get(name.lower()))
        if known is None:
            return serialization.deserialize_keras_object(config)
        place = registry.public_name(known) if isinstance(known, type) else None
        if place is None:
            return known
        module, name = place
        return serialization.deserialize_keras_object({**config, "module": module, "class_name": name})
