"""`StringTensor`: text and bytes, which torch has no tensors of, in a NumPy array."""

import numpy as np
import torch

from torchkeras_lite.base import text
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.shapes import TensorShape
from torchkeras_lite.tf.tensor import wrap


class StringTensor(np.ndarray):
    """An array of byte strings that answers like a tensor of dtype `tf.string`.

    It is made by `tf.constant("text")`, and goes into `tf.strings`, `tf.data` and the layers that read text.
    Being a NumPy array of Python objects, it can be indexed and iterated; `numpy()` gives bytes.
    """

    def __new__(cls, value):
        """Make it from text, bytes, or nested lists or arrays of them; text is encoded as UTF-8."""
        array = value if isinstance(value, np.ndarray) else text.text_array("tf.constant", value)
        flat = [one if isinstance(one, bytes) else str(one).encode() for one in array.reshape(-1).tolist()]
        cells = np.empty(len(flat), dtype=object)
        cells[:] = flat
        return cells.reshape(np.ndarray.shape.__get__(array)).view(cls)

    @property
    def dtype(self):
        """`tf.string`."""
        return dtypes.string

    @property  # type: ignore[misc]
    def shape(self):
        """Shape with TensorFlow's methods."""
        return TensorShape(np.ndarray.shape.__get__(self))

    def get_shape(self):
        """Return the shape."""
        return self.shape

    def numpy(self):
        """Return bytes, or a NumPy array of them."""
        return self.item() if self.ndim == 0 else self.view(np.ndarray)

    def map(self, function):
        """Return the results of `function`, which gets and returns `str`, on every cell."""
        return StringTensor(self.results(function, object))

    def results(self, function, dtype):
        """Return the results of `function` on the decoded cells as an array of a NumPy dtype."""
        cells = np.empty(self.size, dtype=dtype)
        for index, one in enumerate(self.reshape(-1).view(np.ndarray)):
            cells[index] = function(one.decode())
        return cells.reshape(tuple(self.shape))

    def __getitem__(self, key):
        found = self.view(np.ndarray)[_plain_key(key)]
        return StringTensor(found) if isinstance(found, (np.ndarray, bytes)) else found

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def _compared(self, other):
        equal = self.view(np.ndarray) == StringTensor(other).view(np.ndarray)
        return wrap(torch.from_numpy(np.asarray(equal, bool)))

    def __eq__(self, other):
        return self._compared(other)

    def __ne__(self, other):
        return ~self._compared(other)

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __add__(self, other):
        return StringTensor(np.asarray(self.view(np.ndarray) + StringTensor(other).view(np.ndarray)))

    def __radd__(self, other):
        return StringTensor(other) + self

    def __bool__(self):
        return bool(self.item())

    def __str__(self):
        return f"tf.Tensor({self.numpy()}, shape={self.shape}, dtype=string)"

    def __repr__(self):
        return f"<tf.Tensor: shape={self.shape}, dtype=string, numpy={self.numpy()!r}>"

    def __format__(self, spec):
        return format(self.numpy() if self.ndim == 0 and spec else str(self), spec)


def is_text(value):
    """Whether `value` is text: a string, bytes, or an array or nested lists of them."""
    return (
        isinstance(value, text.STRINGS)
        or text.is_text(value)
        or text.is_text_list(value)
        or _is_listed(value)
    )


def _is_listed(value):
    return isinstance(value, (list, tuple)) and len(value) > 0 and text.is_text(value[0])


def _plain_key(key):
    if isinstance(key, tuple):
        return tuple(map(_plain_key, key))
    return np.asarray(key.cpu()) if isinstance(key, torch.Tensor) else key
