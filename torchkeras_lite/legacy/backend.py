"""`keras.backend` of Keras 2: `K.mean(x, axis=-1)` and its like, as scripts of ten years write them.

Each name does what it did, with one `DeprecationWarning` that says what to write today.
"""

import functools

from torchkeras_lite.base.old_names import tell
from torchkeras_lite.legacy import backend_graph, backend_math, backend_nn, backend_values

_ROOMS = (backend_graph, backend_math, backend_nn, backend_values)


def _old(name, function):
    """Return `function` so that its first call warns that the name is Keras 2's."""

    @functools.wraps(function)
    def called(*args, **kwargs):
        tell(f"`keras.backend.{name}`", f"write `keras.{function.instead}`")
        return function(*args, **kwargs)

    called.__name__ = name
    return called


FUNCTIONS = {name: _old(name, function) for room in _ROOMS for name, function in room.FUNCTIONS.items()}
