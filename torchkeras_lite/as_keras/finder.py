"""What Python asks for modules called `keras` and `tensorflow`."""

import dis
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

from torchkeras_lite.as_keras.modules import Alias, target_of

PACKAGES = ("keras", "tf_keras", "tensorflow")
CHILDREN = str(Path(__file__).with_name("children"))
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_STANDARD = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib")})
_MACHINERY = ("importlib", "_frozen_importlib", "sitecustomize", __name__)


class Hidden(ModuleNotFoundError):
    """An installed module is asked for that is not there for who asks."""


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of Keras and TensorFlow in this package, before anything that is installed.

    Attributes:
        facade: Whether TensorFlow was asked for, so that the facade stands for it: by the program itself, or
            for its Keras by a package.
    """

    facade = False

    def find_spec(self, fullname, path=None, target=None):
        """Return the spec of an alias; `None` for other modules, and for TensorFlow where nobody asked."""
        package = fullname.partition(".")[0]
        if package not in PACKAGES:
            return None
        if package != "keras" and not self._is_asked_for():
            return self._absent(fullname)
        if target_of(fullname, as_member=_asks_for_member()) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def _is_asked_for(self):
        if not self.facade:
            frame = _asker()
            self.facade = frame is None or not _is_installed(frame) or _asks_for_keras(frame)
        return self.facade

    def _absent(self, fullname):
        """Say that a module is not there, even where it is installed.

        Raises:
            Hidden: it is installed, and would be found by the next finder.
        """
        if "." in fullname or any(
            finder.find_spec(fullname, None)
            for finder in sys.meta_path
            if finder is not self and hasattr(finder, "find_spec")
        ):
            raise Hidden(
                f"No module named {fullname!r}: torchkeras_lite.as_keras stands for Keras here, and only the "
                "program itself may ask for its TensorFlow facade.",
                name=fullname,
            )
        return None

    def create_module(self, spec):
        """Return the module."""
        return Alias(spec.name, target_of(spec.name))

    def exec_module(self, module):
        """Do nothing: an alias looks its members up when they are asked for."""


def _is_installed(frame):
    """Whether the code of a frame is that of an installed package."""
    return not _INSTALLED.isdisjoint(Path(frame.f_code.co_filename).parts)


def _is_standard(frame):
    """Whether the code of a frame is Python's own, which asks for others."""
    file = frame.f_code.co_filename
    return frame.f_globals.get("__name__", "").startswith(_MACHINERY) or (
        file.startswith(_STANDARD) and not _is_installed(frame)
    )


def _asker():
    """Return the frame of the code that asks for a module."""
    frame = sys._getframe(1)
    while frame is not None and _is_standard(frame):
        frame = frame.f_back
    return frame


def _asks_for_keras(frame):
    """Whether a frame is at `import tensorflow.keras`, `from tensorflow import keras` or the like."""
    names = ()
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset == frame.f_lasti:
            if instruction.opname != "IMPORT_NAME":
                return False
            path = instruction.argval
            return ".keras" in path or (path == "tensorflow" and names == ("keras",))
        names = instruction.argval if instruction.opname == "LOAD_CONST" else names
    return False


def _asks_for_member():
    """Whether `from room import name` asks if the name is a module, because the room has no such member."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "_handle_fromlist":
        if not _is_standard(frame):
            return False
        frame = frame.f_back
    return frame is not None


def _without_hidden(find_spec):
    """Return `importlib.util.find_spec` with `None` for hidden modules: an error is no answer to who asks.

    (The compiler of torch asks for TensorFlow when it is imported.)
    """

    @functools.wraps(find_spec)
    def called(name, package=None):
        try:
            return find_spec(name, package)
        except Hidden:
            return None

    return called


def install():
    """Let `keras` and `tensorflow` mean this package from now on, in this process and those that it starts.

    Raises:
        RuntimeError: the real ones were imported already.
    """
    loaded = [name for name in PACKAGES if name in sys.modules and not isinstance(sys.modules[name], Alias)]
    if loaded:
        raise RuntimeError(
            f"torchkeras_lite.as_keras: {' and '.join(map(repr, loaded))} was imported before. Put "
            "`import torchkeras_lite.as_keras` in front of that import."
        )
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
        importlib.util.find_spec = _without_hidden(importlib.util.find_spec)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if CHILDREN not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (CHILDREN, *paths)))
