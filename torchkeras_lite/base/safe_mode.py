"""Whether configs may hold the code of Python functions: never, unless the caller says so.

The permission belongs to a context (a thread, a task), so that it reaches neither other threads nor later
loads, and nothing that a config can name changes it.
"""

import contextlib
import contextvars

_safe: contextvars.ContextVar[bool | None] = contextvars.ContextVar("safe_mode", default=None)


def in_safe_mode():
    """Return whether code in configs is refused in this context; `None` where nobody has said."""
    return _safe.get()


@contextlib.contextmanager
def safe_mode_scope(safe_mode):
    """Refuse code in configs inside, or with `safe_mode=False` allow it.

    Raises:
        TypeError: `safe_mode` is no boolean.
    """
    if not isinstance(safe_mode, bool):
        raise TypeError(f"`safe_mode` must be True or False, got {safe_mode!r:.200}.")
    token = _safe.set(safe_mode)
    try:
        yield
    finally:
        _safe.reset(token)


def enable_unsafe_deserialization():
    """Let configs read in this thread from now on hold Python lambdas, whose code is then run.

    Source: Keras 3 `keras.config.enable_unsafe_deserialization`. Differs: other threads stay safe, and
    no config can call it.
    """
    _safe.set(False)
