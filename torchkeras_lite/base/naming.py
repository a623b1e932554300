"""Automatic names (`dense`, `dense_1`, ...) and paths (`sequential/dense/kernel`), by Keras's rules."""

import contextlib
import contextvars
import re
from collections import Counter

_used_names: Counter[str] = Counter()
_scopes: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("scopes", default=())


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


@contextlib.contextmanager
def name_scope(name):
    """Make the paths of what is built inside start with `name/`."""
    token = _scopes.set((*_scopes.get(), name))
    try:
        yield
    finally:
        _scopes.reset(token)


def current_path():
    """Return the names of the open scopes, joined by `/`."""
    return "/".join(_scopes.get())
