"""Modules that stand for those of Keras and TensorFlow, and what is in them."""

import dis
import importlib
import sys
import types
from dataclasses import dataclass

from torchkeras_lite.as_keras.private_members import MEMBERS
from torchkeras_lite.as_keras.private_modules import MODULES
from torchkeras_lite.base import old_rooms
from torchkeras_lite.base.old_names import tell
from torchkeras_lite.legacy import keras_names as names
from torchkeras_lite.saving.places import KERAS_VERSION

# Rooms of Keras's sources whose modules may have any name: what is in them is looked up by its own name.
PRIVATE = ("src", "engine", "legacy", "_tf_keras", "api", "python", "saving", "dtype_policies", "optimizers")
_IMPORT_FROM = dis.opmap["IMPORT_FROM"]


@dataclass(frozen=True)
class Target:
    """What an alias stands for.

    Args:
        room: The public module, or namespace, that has its members.
        path: Path in Keras, `"layers.convolutional"`; `None` for a room of the facade.
    """

    room: object
    path: str | None = None


def target_of(fullname, as_member=False):
    """Return the `Target` of a module's name, or `None` where there is no such module.

    Args:
        fullname: The name.
        as_member: Whether it may be anything in its room, and not a module.
    """
    path = names.keras_path(fullname)
    if path is None:
        return _facade_target(fullname)
    path = _without_versions(path)
    public = names.room(path) or _room(path)
    if public is not None:
        return Target(public, path)
    first, _, last = path.rpartition(".")
    is_module = last in MODULES or path in PRIVATE or not (as_member or last[:1].isupper())
    is_old = names.inner_room(first, last) is not None or (
        last in old_rooms.MODULES.get(first, ()) and not as_member
    )
    if is_old or (path.split(".")[0] in PRIVATE and is_module):
        place = names.nearest_room(path.removeprefix("src.").removeprefix("engine."))
        return Target(names.room(place), path)
    return None


def _without_versions(path):
    """Return a path without Keras's own names of versions: `keras.api._v2.keras.layers` is `layers`."""
    parts = [part for part in path.split(".") if part not in ("_v1", "_v2", "v1", "v2", "compat")]
    if parts[:2] == ["api", "keras"]:
        parts = parts[2:]
    return ".".join(parts)


def _room(path):
    """Return the room at `path`, one that is opened on demand or that has an older name too, or `None`."""
    found = importlib.import_module(names.PACKAGE)
    for part in path.split("."):
        found, _ = names.member(found, part)
        if not isinstance(found, types.ModuleType):
            return None
    return found


def _facade_target(fullname):
    found = importlib.import_module(f"{names.PACKAGE}.{names.FACADE}")
    parts = [part for part in fullname.split(".")[1:] if part not in ("compat", "python", "v1", "v2")]
    for part in parts:
        found = getattr(found, part, None)
        if found is None or callable(found):
            return None
    return Target(found)


class Alias(types.ModuleType):
    """A module of Keras or TensorFlow whose members are those of this package, looked up when asked for.

    Args:
        name: Its full name.
        target: What it stands for.
    """

    def __init__(self, name, target):
        super().__init__(name, getattr(target.room, "__doc__", None))
        self.__dict__["_target"] = target
        path = target.path
        if path in ("", "src.version"):
            self.__version__ = KERAS_VERSION
            self.version = lambda: KERAS_VERSION
        elif path is None and "." not in name:
            self.__version__ = target.room.__version__
        elif path is not None and names.room(path) is None and path.split(".")[0] not in PRIVATE:
            place = names.nearest_room(path)
            tell(f"the module `{name}`", f"import from `{names.PACKAGE}{'.' if place else ''}{place}`")

    def __getattr__(self, name):
        if name == "__all__":
            return _public(self._target.room)
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name in MODULES and self._is_private_module(name):
            return importlib.import_module(f"{self.__name__}.{name}")
        try:
            found = self._member(name)
        except AttributeError as error:
            if target_of(f"{self.__name__}.{name}", as_member=True) is not None:
                return importlib.import_module(f"{self.__name__}.{name}")
            if _is_from_import(sys._getframe(1)):
                raise ImportError(f"cannot import name {name!r} from {self.__name__!r}: {error}") from None
            raise
        is_room = isinstance(found, types.ModuleType) and target_of(f"{self.__name__}.{name}", as_member=True)
        return importlib.import_module(f"{self.__name__}.{name}") if is_room else found

    def _is_private_module(self, name):
        """Whether `name` is a module of Keras's sources here, and not a member of the room that this is."""
        path = self._target.path
        if path == "src":
            return True
        if path is None or path.split(".")[0] not in PRIVATE or names.has(path, name):
            return False
        return not names.has(names.nearest_room(path.removeprefix("src.")), name)

    def __repr__(self):
        return f"<module {self.__name__!r} of torchkeras_lite>"

    def __dir__(self):
        return sorted({*super().__dir__(), *_public(self._target.room)})

    def __reduce__(self):
        return imported, (self.__name__,)

    def _member(self, name):
        room, path = self._target.room, self._target.path
        if path is None:
            return getattr(room, name)
        if name in MEMBERS and path.split(".")[0] == "src":
            return MEMBERS[name]
        if names.has(path, name) or (names.room(path) is None and name in getattr(room, "__all__", ())):
            return getattr(room, name)
        place = names.place_of(path.removeprefix("src.").removeprefix("engine."), name)
        if place is None:
            raise AttributeError(f"{names.unknown(path, name)} ({self.__name__}.{name})")
        return getattr(names.room(place), name)


def imported(name):
    """Return a module by its name: what a pickle of one asks for, in whatever process reads it."""
    return importlib.import_module(name)


def _public(room):
    return list(getattr(room, "__all__", None) or [name for name in dir(room) if not name.startswith("_")])


def _is_from_import(frame):
    """Whether the code of a frame is at a `from ... import`, whose error then says what is nearest."""
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM
