"""`keras.backend` of Keras 2: `K.mean(x, axis=-1)` and its like, as scripts of ten years write them.

Each name does what it did, with one `DeprecationWarning` that says what to write today.
"""

import functools
import warnings

from torchkeras_lite.legacy import backend_math, backend_nn, backend_values

_ROOMS = (backend_math, backend_nn, backend_values)
_told: set[str] = set()


def _old(name, function):
    """Return `function` so that its first call warns that the name is Keras 2's."""

    @functools.wraps(function)
    def called(*args, **kwargs):
        if name not in _told:
            _told.add(name)
            warnings.warn(
                f"`keras.backend.{name}` is Keras 2's; write `keras.{function.instead}`.",
                DeprecationWarning,
                stacklevel=2,
            )
        return function(*args, **kwargs)

    called.__name__ = name
    return called


FUNCTIONS = {name: _old(name, function) for room in _ROOMS for name, function in room.FUNCTIONS.items()}
