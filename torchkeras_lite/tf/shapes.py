"""`TensorShape`, the shape of a tensor with TensorFlow's methods, and `TensorSpec`."""

import math

from torchkeras_lite.tf import dtypes


class TensorShape(tuple):
    """A shape: a tuple of sizes, `None` for unknown ones, with TensorFlow's methods.

    Args:
        dims: Sizes; a number stands for one axis. An unknown rank is not represented.

    Source: `tf.TensorShape`. It equals tuples and lists of the same sizes.
    """

    __slots__ = ()

    def __new__(cls, dims=()):
        """Make a shape from sizes."""
        if dims is None:
            raise ValueError(
                "TensorShape: an unknown rank cannot be represented. Give one size an axis, None for unknown."
            )
        return super().__new__(cls, (dims,) if isinstance(dims, int) else dims)

    @property
    def rank(self):
        """Number of axes."""
        return len(self)

    ndims = rank

    @property
    def dims(self):
        """The sizes as a list."""
        return list(self)

    def as_list(self):
        """Return the sizes as a list."""
        return list(self)

    def num_elements(self):
        """Return the product of the sizes, `None` where one is unknown."""
        return math.prod(self) if self.is_fully_defined() else None

    numel = num_elements

    def is_fully_defined(self):
        """Return whether all sizes are known."""
        return None not in self

    def is_compatible_with(self, other):
        """Return whether the two could be shapes of one tensor."""
        return len(self) == len(other) and all(
            a == b or a is None or b is None for a, b in zip(self, other, strict=True)
        )

    def assert_is_compatible_with(self, other):
        """Raise `ValueError` where the two cannot be shapes of one tensor."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {tuple(self)} and {tuple(other)} are incompatible.")

    def assert_has_rank(self, rank):
        """Raise `ValueError` unless there are `rank` axes."""
        if len(self) != rank:
            raise ValueError(f"Shape {tuple(self)} must have rank {rank}.")

    def assert_is_fully_defined(self):
        """Raise `ValueError` where a size is unknown."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {tuple(self)} is not fully defined.")

    def with_rank(self, rank):
        """Return the shape, which must have `rank` axes."""
        self.assert_has_rank(rank)
        return self

    def merge_with(self, other):
        """Return the shape with its unknown sizes taken from `other`."""
        self.assert_is_compatible_with(other)
        return TensorShape(b if a is None else a for a, b in zip(self, other, strict=True))

    def concatenate(self, other):
        """Return the axes of both."""
        return TensorShape((*self, *other))

    def __add__(self, other):
        return self.concatenate(other)

    def __radd__(self, other):
        return TensorShape((*other, *self))

    def __getitem__(self, key):
        found = super().__getitem__(key)
        return TensorShape(found) if isinstance(key, slice) else found

    def __eq__(self, other):
        return isinstance(other, (tuple, list)) and tuple(self) == tuple(other)

    def __ne__(self, other):
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self):
        return f"TensorShape({list(self)})"

    def __str__(self):
        return str(tuple(self))


class TensorSpec:
    """Shape and dtype of a tensor, as in `input_signature` and `output_signature`.

    Args:
        shape: Sizes, `None` for unknown ones; `None` for any shape.
        dtype: The dtype.
        name: A name.

    Source: `tf.TensorSpec`.
    """

    def __init__(self, shape, dtype=dtypes.float32, name=None):
        self.shape = None if shape is None else TensorShape(shape)
        self.dtype = dtypes.as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor, name=None):
        """Return the spec of a tensor."""
        return cls(tensor.shape, tensor.dtype, name)

    def is_compatible_with(self, other):
        """Return whether a tensor or another spec has this dtype and a shape that fits."""
        return self.dtype == other.dtype and (
            self.shape is None or other.shape is None or self.shape.is_compatible_with(other.shape)
        )

    def __eq__(self, other):
        return isinstance(other, TensorSpec) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self):
        return hash((self.shape, self.dtype))

    def __repr__(self):
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype}, name={self.name!r})"
