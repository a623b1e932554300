"""NumPy's functions on objects that hold a tensor: without help, NumPy calls torch's method of the same name,
with arguments that torch does not know.
"""

from torchkeras_lite.base import nested


class ReadByNumpy:
    """Mixin: `np.mean(weight)` and all other functions of NumPy see what `numpy()` returns."""

    def __array_function__(self, function, types, args, kwargs):
        args, kwargs = nested.map_structure(_read, (args, kwargs))
        return function(*args, **kwargs)


def _read(leaf):
    return leaf.numpy() if isinstance(leaf, ReadByNumpy) else leaf
