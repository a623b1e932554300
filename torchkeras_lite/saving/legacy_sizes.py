"""The sizes of tensors in graphs of TensorFlow, where `tf.shape(x)` is a tensor like others.

Sizes that are known are numbers, and what follows from them is computed at once; the others are
`UnknownSize`s, which a reshape (as its -1), a cast and the making of zeros or ones can take.
"""

from torchkeras_lite import ops


class UnknownSize:
    """The size of an axis that is known only when the model runs.

    Args:
        source: The tensor; `None` for what was computed from such sizes.
        axis: Number of the axis.
    """

    def __init__(self, source=None, axis=0):
        self.source = source
        self.axis = axis

    def __mul__(self, other):
        return UnknownSize()

    __rmul__ = __add__ = __radd__ = __sub__ = __rsub__ = __floordiv__ = __mod__ = __truediv__ = __mul__

    def count(self, name):
        """Return the size as a tensor; `name` is the operation that asks."""
        if self.source is None:
            raise ValueError(f"{name!r} of a number computed from sizes that are not known")
        rank = len(self.source.shape)
        line = self.source[tuple(slice(None) if axis == self.axis else 0 for axis in range(rank))]
        return ops.sum(ops.cast(ops.ones_like(line), "int32"))


class KnownSize(int):
    """The size of an axis that is known, with where it comes from, as an `UnknownSize`."""

    def __new__(cls, size, source, axis):
        """Return a number with a source."""
        made = super().__new__(cls, size)
        made.source, made.axis = source, axis
        return made


def counted(size):
    """Return the numbers below a size of a tensor as a symbolic tensor, `None` for a plain number."""
    source = getattr(size, "source", None)
    if source is None:
        return None
    line = source[tuple(slice(None) if axis == size.axis else 0 for axis in range(len(source.shape)))]
    return ops.subtract(ops.cumsum(ops.cast(ops.ones_like(line), "int32"), axis=0), 1)


class Sizes:
    """The shape of a tensor, `tf.shape(x)`: numbers and `UnknownSize`s. (A list would be many outputs.)

    Args:
        sizes: The sizes.
        source: The tensor.
    """

    def __init__(self, sizes, source=None):
        self.sizes = list(sizes)
        self.source = source

    def __iter__(self):
        return iter(self.sizes)


def listed(value):
    """Return one size, or several, as a list."""
    return list(value) if isinstance(value, (list, tuple, Sizes)) else [value]


def numbers(values):
    """Return sizes for an operation that takes plain numbers, at most one of them -1 for an unknown one."""
    values = listed(values)
    unknown = sum(isinstance(value, UnknownSize) or value == -1 for value in values)
    if unknown > 1:
        raise ValueError("with several sizes that are known only when the model runs")
    return [-1 if isinstance(value, UnknownSize) else int(value) for value in values]


def filled(value):
    """Return a recipe that makes a tensor of `value`, whose first sizes may be unknown."""

    def fill(dims, number=value, dtype=None, name=None):
        sizes = listed(dims)
        unknown = [axis for axis, size in enumerate(sizes) if isinstance(size, UnknownSize)]
        dtype = dtype or "float32"
        if not unknown:
            return ops.full([int(size) for size in sizes], number, dtype)
        size = sizes[unknown[0]]
        if len(unknown) > 1 or size.source is None:
            raise ValueError("with a number computed from sizes that are not known, or several of them")
        others = [axis for axis in range(len(size.source.shape)) if axis != size.axis]
        line = ops.sum(ops.zeros_like(size.source), axis=others) if others else ops.zeros_like(size.source)
        line = ops.reshape(line, [-1 if axis == unknown[0] else 1 for axis in range(len(sizes))])
        tiled = ops.tile(line, [1 if axis == unknown[0] else int(size) for axis, size in enumerate(sizes)])
        return ops.cast(tiled if number == 0 else ops.add(tiled, number), dtype)

    return fill
