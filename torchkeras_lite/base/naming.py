"""Automatic names (`dense`, `dense_1`, ...) and paths (`sequential/dense/kernel`), by Keras's rules."""

import contextvars
import re
from collections import Counter

_used_names: Counter[str] = Counter()
_scopes: contextvars.ContextVar[tuple["name_scope", ...]] = contextvars.ContextVar("scopes", default=())


def to_snake_case(name):
    """`BatchNormalization` -> `batch_normalization`, `ReLU` -> `re_lu`, `Conv2D` -> `conv2d`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(prefix):
    """Return `prefix` the first time, then `prefix_1`, `prefix_2`, ... until `reset_names`."""
    count = _used_names[prefix]
    _used_names[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def auto_name(instance):
    """Return a fresh automatic name for an object, from its class."""
    return unique_name(to_snake_case(type(instance).__name__))


def reset_names():
    """Restart all automatic numbering (what `clear_session` does)."""
    _used_names.clear()


class name_scope:
    """Make the paths of what is built inside start with `name/`.

    Args:
        name: A name without `/`.
        caller: Whose scope it is. The same caller's scope of the same name directly inside counts once.
        deduplicate: Whether it counts once; `False` repeats the name.
        override_parent: A path that takes the place of the open scopes around it.

    Raises:
        ValueError: `name` is no string or has a `/`.

    Source: Keras 3 `keras.name_scope`.
    """

    def __init__(self, name, caller=None, deduplicate=True, override_parent=None):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"name_scope: `name` must be a string and cannot contain character `/`, got name={name!r}."
            )
        self.name = name
        self.caller = caller
        self.deduplicate = deduplicate
        self.override_parent = override_parent
        self._tokens = []

    def __enter__(self):
        scopes = _scopes.get()
        top = scopes[-1] if scopes else None
        repeats = top is not None and self.caller is not None and top.caller is self.caller
        if not (self.deduplicate and repeats and top.name == self.name):
            scopes = (*scopes, self)
        self._tokens.append(_scopes.set(scopes))
        return self

    def __exit__(self, *exception):
        _scopes.reset(self._tokens.pop())


def current_path():
    """Return the names of the open scopes, joined by `/`."""
    parts = []
    for scope in _scopes.get():
        if scope.override_parent is not None:
            parts = [part for part in scope.override_parent.split("/") if part]
        parts.append(scope.name)
    return "/".join(parts)
