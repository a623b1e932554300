"""Where the names of Keras and TensorFlow are in this package."""

import importlib
import types
import warnings

from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.base.old_rooms import GONE, RENAMED
from torchkeras_lite.legacy.backend_graph import FUNCTIONS as GRAPH

PACKAGE = "torchkeras_lite"
KERAS = ("tensorflow.python.keras", "tensorflow.keras", "tensorflow.compat.v1.keras", "tf_keras", "keras")
FACADE = "tf"
# Modules inside of Keras's rooms, from which scripts import: what is in them is in the room.
INNER = (
    "advanced_activations",
    "convolutional",
    "convolutional_recurrent",
    "core",
    "embeddings",
    "experimental",
    "local",
    "merge",
    "noise",
    "normalization",
    "pooling",
    "preprocessing",
    "recurrent",
    "wrappers",
)
ROOMS = (
    "layers",
    "models",
    "optimizers",
    "losses",
    "metrics",
    "callbacks",
    "utils",
    "backend",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "ops",
    "saving",
    "random",
    "optimizers.schedules",
    "preprocessing.image",
    "preprocessing.text",
    "preprocessing.sequence",
    "applications",
    "datasets",
)


def keras_path(module):
    """Return the part behind `keras` of a module's path in Keras, `""` for Keras itself, else `None`."""
    for start in KERAS:
        if module == start or module.startswith(f"{start}."):
            return module[len(start) + 1 :]
    return None


def is_tensorflow(module):
    """Whether the path of a module is one of TensorFlow, and not of its Keras."""
    return keras_path(module) is None and (module == "tensorflow" or module.startswith("tensorflow."))


def room(place):
    """Return the public room at `place` (`""` is the package), or `None`."""
    found = importlib.import_module(PACKAGE)
    for part in filter(None, place.split(".")):
        if part not in getattr(found, "__all__", ()):
            return None
        found = getattr(found, part)
        if not isinstance(found, types.ModuleType):
            return None
    return found


def nearest_room(place):
    """Return the longest public room that `place` begins with: `"layers"` for `"layers.core"`."""
    parts = place.split(".") if place else []
    while parts and room(".".join(parts)) is None:
        parts.pop()
    return ".".join(parts)


def place_of(path, name):
    """Return the public room that has `name` of Keras's module `path`, or `None`.

    First the module itself, then the rooms that its path begins with, then all rooms.
    """
    nearest = nearest_room(path).split(".")
    ways = [".".join(nearest[:length]) for length in range(len(nearest), 0, -1)]
    for place in (*ways, *(ROOMS if path else ())):
        if name == "*" or has(place, name):
            return place
    return "" if has("", name) else None


def inner_room(path, name):
    """Return the room that has what is in the module `name` of Keras's `path`, or `None`."""
    place = nearest_room(path)
    return place if path and place and name in INNER and not has(place, name) else None


def has(place, name):
    """Whether the room at `place` has a public or an old member called `name`."""
    if name in RENAMED.get(place, ()) or name in GONE.get(place, ()):
        return True
    found = room(place)
    return found is not None and (name in getattr(found, "__all__", ()) or member(found, name)[0] is not None)


def member(owner, name):
    """Return the member of a module or class and `None`, or `None` and what is said of its absence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = getattr(owner, name)
        except AttributeError as error:
            return None, str(error)
    if isinstance(found, types.ModuleType) and not found.__name__.startswith(PACKAGE):
        return None, f"`{name}` is a module of another package"
    inner = isinstance(found, types.ModuleType) and name not in getattr(owner, "__all__", (name,))
    if inner and found.__name__ == f"{owner.__name__}.{name}" and not owner.__name__.endswith(".legacy"):
        return None, f"`{name}` is no public room"
    return found, None


def old_member(place, name):
    """Return what is said of an old member of a room, or `None`."""
    if name in RENAMED.get(place, ()):
        target = RENAMED[place][name]
        write = f": write `keras.{target}`" if not target.startswith("legacy.") else ""
        return f"`{name}` is a name of an older Keras{write}; it works, with a warning"
    if name in GONE.get(place, ()):
        return f"`{name}` is gone: {GONE[place][name]}"
    if place == "backend" and name in GRAPH:
        return f"`keras.backend.{name}` is of an older Keras: write {GRAPH[name].instead}"
    return None


def unknown(place, name):
    """Return what is said of a name that no room has."""
    found = room(nearest_room(place))
    return f"{PACKAGE} has no `{name}`{suggestion(name, getattr(found, '__all__', ()))}"
