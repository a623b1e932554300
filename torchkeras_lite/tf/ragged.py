"""`RaggedTensor`: rows of different lengths, as `tf.strings.split` returns them."""

import itertools

import numpy as np
import torch

from torchkeras_lite.tf.arranging import concat
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.data_stages import pad_batch
from torchkeras_lite.tf.shapes import TensorShape
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.unknown import missing


class RaggedTensor:
    """Rows of different lengths.

    Args:
        rows: Tensors, or texts, of which only the first axis differs.

    Source: `tf.RaggedTensor`. Differs: it holds rows and computes nothing; make it a tensor by `to_tensor`.
    """

    def __init__(self, rows):
        self._rows = list(rows)

    @classmethod
    def from_row_lengths(cls, values, row_lengths, name=None, validate=True):
        """Return the rows that `values` falls into."""
        ends = np.cumsum(convert(row_lengths).tolist())
        values, starts = convert(values), [0, *ends[:-1]]
        return cls([values[start:end] for start, end in zip(starts, ends, strict=True)])

    @classmethod
    def from_row_splits(cls, values, row_splits, name=None, validate=True):
        """Return the rows of `values` between each place and the next."""
        places, values = convert(row_splits).tolist(), convert(values)
        return cls([values[start:end] for start, end in itertools.pairwise(places)])

    @property
    def values(self):
        """All rows, one after the other."""
        return concat(self._rows, 0)

    flat_values = values

    @property
    def dtype(self):
        """Dtype of the rows."""
        return self._rows[0].dtype

    @property
    def shape(self):
        """Shape, `None` for the axis whose length differs."""
        return TensorShape((len(self._rows), None, *self._rows[0].shape[1:]))

    def row_lengths(self, axis=1, name=None):
        """Return the length of each row."""
        return wrap(torch.tensor([len(row) for row in self._rows]))

    def nrows(self, out_type=None, name=None):
        """Return the number of rows, a tensor."""
        return wrap(torch.tensor(len(self._rows)))

    def bounding_shape(self, axis=None, name=None, out_type=None):
        """Return the shape of the tensor that holds all rows."""
        return wrap(torch.tensor(tuple(self.to_tensor().shape)))

    def to_tensor(self, default_value=None, name=None, shape=None):
        """Return a tensor, rows filled up with `default_value` (0 or `""`) or cut to `shape`."""
        rows = [row if isinstance(row, torch.Tensor) else row.view(np.ndarray) for row in self._rows]
        size = None
        if shape is not None and shape[1] is not None:
            size = [int(shape[1])]
            rows = [row[: size[0]] for row in rows]
        return convert(pad_batch(rows, size and [*size, *rows[0].shape[1:]], default_value))

    def to_list(self):
        """Return nested lists; text is bytes."""
        return [row.numpy().tolist() for row in self._rows]

    def numpy(self):
        """Return an array of arrays."""
        cells = np.empty(len(self._rows), dtype=object)
        cells[:] = [row.numpy() for row in self._rows]
        return cells

    def __getitem__(self, key):
        found = self._rows[key]
        return RaggedTensor(found) if isinstance(key, slice) else found

    def __len__(self):
        return len(self._rows)

    def __iter__(self):
        return iter(self._rows)

    def __repr__(self):
        return f"<tf.RaggedTensor {self.to_list()}>"


def constant(pylist, dtype=None, ragged_rank=None, inner_shape=None, name=None, row_splits_dtype=None):
    """Return the rows of nested lists."""
    return RaggedTensor([convert(row, dtype) if len(row) else _empty(pylist, dtype) for row in pylist])


def _empty(pylist, dtype):
    sample = next((convert(row, dtype) for row in pylist if len(row)), convert([], dtype))
    return sample[:0]


def stack(values, axis=0, name=None):
    """Return tensors as the rows of a ragged tensor."""
    return RaggedTensor(map(convert, values))


__all__ = ["RaggedTensor", "constant", "stack"]
__getattr__ = missing("tf.ragged", {"map_flat_values": "a list comprehension over its rows"})
