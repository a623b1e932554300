"""Modules that older Keras had inside its rooms: `from torchkeras_lite.layers.convolutional import Conv2D`.

Python asks here last, when it has found no file of that name; nothing is made before.
"""

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys

from torchkeras_lite.base.old_names import tell_module
from torchkeras_lite.base.old_rooms import MODULES, RENAMED

_MORE_ROOMS = ("layers", "models", "utils")


class OldModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the old modules of a package, which `old_rooms` lists.

    Args:
        package: Name of the package.
    """

    def __init__(self, package):
        self.package = package

    def find_spec(self, fullname, path=None, target=None):
        """Return the spec of an old module; `None` for any other name."""
        if not fullname.startswith(f"{self.package}.") or self._room(fullname) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        """Leave it to Python to make the module."""

    def exec_module(self, module):
        """Let the members of the module be those of its room."""
        name = module.__name__
        place = self._room(name)
        tell_module(name, place)
        room = importlib.import_module(place)
        module.__doc__ = f"An older name for members of `{place}`."
        module.__all__ = [name for name in getattr(room, "__all__", dir(room)) if not name.startswith("_")]
        module.__dir__ = lambda: sorted(module.__all__)
        module.__getattr__ = functools.partial(self._member, name, room)

    def _room(self, fullname):
        """Return the module that has what was in an old module, or `None`."""
        place, _, name = fullname.removeprefix(f"{self.package}.").rpartition(".")
        if name in MODULES.get(place, {}):
            return f"{self.package}.{MODULES[place][name]}".rstrip(".")
        renamed = RENAMED.get(place, {}).get(name, "")
        is_module = renamed.rpartition(".")[0] in ("", "legacy")
        return f"{self.package}.{renamed}" if renamed and is_module else None

    def _member(self, module, room, name):
        if not name.startswith("_"):
            for one in (room, *(importlib.import_module(f"{self.package}.{more}") for more in _MORE_ROOMS)):
                if hasattr(one, name):
                    return getattr(one, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")


def know_old_modules(package):
    """Let Python find the old modules of `package`, where it finds none of that name."""
    if not any(isinstance(finder, OldModules) and finder.package == package for finder in sys.meta_path):
        sys.meta_path.append(OldModules(package))
