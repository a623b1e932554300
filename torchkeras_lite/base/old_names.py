"""Names that older Keras had for what is called otherwise today, or is gone: declared in tables.

A table of arguments maps an old name to a `Renamed`, `Dropped` or `Refused`; a table of members maps one to
the public name that does the same. Each is told once, as a `DeprecationWarning` at the user's line.
"""

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from torchkeras_lite.base.old_rooms import GONE, MODULES, RENAMED
from torchkeras_lite.base.warning import warn_user

_told: set[str] = set()


def tell(old, instead):
    """Warn, the first time, that `old` is an older Keras's, and say what to do `instead`."""
    if old not in _told:
        _told.add(old)
        warn_user(f"{old} is of an older Keras; {instead}.", DeprecationWarning)


def tell_module(name, place):
    """Warn, the first time, that the module `name` is an older Keras's; `place` has what was in it."""
    tell(f"the module `{name}`", f"import from `{place}`")


@dataclass(frozen=True)
class Renamed:
    """An argument that has another name: the first of `names` that the callable has.

    `values` maps old values to those of today, others stay as they are; or is a function of the old value.
    """

    names: tuple[str, ...]
    values: dict | Callable | None = None

    def read(self, owner, old, value, known):
        """Return the arguments of today."""
        new = next((name for name in self.names if name in known), self.names[0])
        tell(f"{owner}: the argument `{old}`", f"write `{new}`")
        if callable(self.values):
            return {new: self.values(value)}
        return {new: (self.values or {}).get(value, value) if isinstance(value, (str, bool)) else value}


@dataclass(frozen=True)
class Dropped:
    """An argument that has no effect any more; with `only`, where it has one of these values."""

    only: tuple | None = None
    remedy: str = "leave it out"

    def read(self, owner, old, value, known):
        """Return no argument.

        Raises:
            ValueError: a value that meant something.
        """
        if self.only is not None and not any(value is one or value == one for one in self.only):
            raise ValueError(
                f"{owner}: `{old}` is of an older Keras, and nothing does what {old}={value!r} did. "
                f"Instead, {self.remedy}."
            )
        tell(f"{owner}: the argument `{old}`", "it has no effect here, leave it out")
        return {}


@dataclass(frozen=True)
class Refused:
    """An argument whose meaning nothing has any more."""

    remedy: str

    def read(self, owner, old, value, known):
        """Raise.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"{owner}: the argument `{old}` is of an older Keras. Instead, {self.remedy}.")


def modern_arguments(owner, table, given, known=()):
    """Return the keyword arguments `given` with today's names.

    Args:
        owner: What is called, for messages.
        table: Old names with what became of them.
        given: Keyword arguments. What stands under the name of today goes before.
        known: Names that the callable has; they are never read as old ones.
    """
    arguments: dict = {}
    for name, value in given.items():
        if name in table and name not in known:
            for new, modern in table[name].read(owner, name, value, known).items():
                arguments.setdefault(new, modern)
        else:
            arguments[name] = value
    return arguments


def takes_old(table, owner=None, shows_kwargs=True):
    """Decorate a function so that it also takes the old arguments in `table`, which its signature omits.

    Args:
        table: Old names with what became of them.
        owner: Name for messages; that of the function where not given.
        shows_kwargs: Whether `**kwargs` are in its signature; not where they are old arguments alone, because
            packages pass on all arguments to functions that seem to take any.
    """
    names = frozenset(table)

    def decorate(function):
        label = owner or function.__name__

        @functools.wraps(function)
        def called(*args, **kwargs):
            if not names.isdisjoint(kwargs):
                kwargs = modern_arguments(label, table, kwargs)
            return function(*args, **kwargs)

        called.old_arguments = table
        if not shows_kwargs:
            signature = inspect.signature(function)
            known = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
            called.__signature__ = signature.replace(parameters=known)
        return called

    return decorate


def old_members(room):
    """Return the `__getattr__` of a room that knows its old members and modules, which `old_rooms` lists.

    Args:
        room: Name of the module, `__name__`.
    """
    package, _, place = room.partition(".")
    renamed, gone, modules = (table.get(place, {}) for table in (RENAMED, GONE, MODULES))

    def __getattr__(name):
        label = ".".join(filter(None, ("keras", place, name)))
        if name in renamed:
            found = _at(package, renamed[name])
            tell(f"`{label}`", getattr(found, "instead", None) or f"write `keras.{renamed[name]}`")
            return found
        if name in gone:
            return gone_member(label, gone[name])
        if name in modules:
            tell_module(f"{room}.{name}", f"{package}.{modules[name]}")  # here, at the user's line
            return importlib.import_module(f"{room}.{name}")
        raise AttributeError(f"module {room!r} has no attribute {name!r}")

    return __getattr__


def _at(package, place):
    """Return the room or the member of a room at `place`."""
    home, _, member = place.rpartition(".")
    if home in ("", "legacy"):
        return importlib.import_module(f"{package}.{place}")
    return getattr(importlib.import_module(f"{package}.{home}"), member)


def gone_member(label, remedy):
    """Return a class in place of one (or a function) that is gone: making an object of it raises an error.

    Args:
        label: Its name in scripts, with the room.
        remedy: What to do instead.
    """

    def __init__(self, *args, **kwargs):
        raise NotImplementedError(f"`{label}` is of an older Keras, and is gone. Instead, {remedy}.")

    return type(label.rpartition(".")[2], (), {"__init__": __init__, "__doc__": f"Gone: {remedy}."})
