"""What elements are read from by their numbers, one by one or a batch at a time.

Numbers come as a `range`, which can be read without a copy, or as an integer tensor.
"""

import bisect

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.data.collate import as_column, collate


def listed(indices):
    """Return numbers as something that gives Python integers."""
    return indices if isinstance(indices, range) else indices.tolist()


def chosen(indices, order):
    """Return the numbers at the places `order`, a slice or numbers."""
    if isinstance(order, slice):
        return indices[order]
    if isinstance(order, range):
        return indices[order.start : order.stop : order.step]
    if isinstance(indices, range):
        return order if indices == range(len(indices)) else order * indices.step + indices.start
    return indices[order]


def apply(function, element):
    """Call `function` with an element; a tuple gives several arguments."""
    return function(*element) if isinstance(element, tuple) else function(element)


class View:
    """Elements that can be read by number; `one` is a subclass's own."""

    def one(self, index):
        """Return the element `index`, an integer."""
        raise NotImplementedError

    def many(self, indices):
        """Return the elements `indices` as a batch."""
        return collate([self.one(index) for index in listed(indices)])


class Slices(View):
    """The rows of arrays in a nested structure.

    Args:
        structure: Arrays, tensors and lists of one length, in tuples and dicts.

    Raises:
        ValueError: different lengths.
    """

    def __init__(self, structure):
        self.columns = _columns(structure)
        lengths = {len(column) for column in nested.flatten(self.columns)}
        if len(lengths) != 1:
            raise ValueError(
                f"Dataset: the arrays have different lengths: {sorted(lengths)}. Pass arrays with one first "
                "axis."
            )
        self.length = lengths.pop()

    def one(self, index):
        """Return a row."""
        return nested.map_structure(lambda column: column[index], self.columns)

    def many(self, indices):
        """Return rows; for a `range` they share the memory of the arrays."""
        if isinstance(indices, range):
            place = slice(indices.start, indices.stop, indices.step)
            return nested.map_structure(lambda column: column[place], self.columns)
        return nested.map_structure(lambda column: _gather(column, indices), self.columns)


def _columns(structure):
    """Return the structure with its leaves as columns; a list is one leaf, as in `tf.data`."""
    if isinstance(structure, dict):
        return {key: _columns(value) for key, value in structure.items()}
    if isinstance(structure, tuple):
        return nested.like(structure, [_columns(value) for value in structure])
    return as_column(structure)


def _gather(column, indices):
    if isinstance(column, torch.Tensor):
        return column[indices.to(column.device)]
    return column[indices.numpy()]


class Numbers(View):
    """Integers `start + index * step`, as tensors."""

    def __init__(self, start=0, step=1, dtype=torch.int64):
        self.start, self.step, self.dtype = start, step, dtype

    def one(self, index):
        """Return one number."""
        return torch.tensor(self.start + index * self.step, dtype=self.dtype)

    def many(self, indices):
        """Return numbers."""
        if isinstance(indices, range):
            indices = torch.arange(indices.start, indices.stop, indices.step)
        return (indices * self.step + self.start).to(self.dtype)


class Items(View):
    """The members of a sequence: anything with `__getitem__`."""

    def __init__(self, sequence):
        self.sequence = sequence

    def one(self, index):
        """Return a member."""
        return self.sequence[index]


class Mapped(View):
    """Elements of another view, each given to a function."""

    def __init__(self, view, function):
        self.view, self.function = view, function

    def one(self, index):
        """Return what the function makes of an element."""
        return apply(self.function, self.view.one(index))


class Zipped(View):
    """Elements of several runs side by side, by their places in them."""

    def __init__(self, template, runs):
        self.template, self.runs = template, runs

    def one(self, index):
        """Return a nested structure of elements."""
        return nested.pack_like(self.template, [view.one(int(indices[index])) for view, indices in self.runs])

    def many(self, indices):
        """Return a nested structure of batches."""
        return nested.pack_like(self.template, [view.many(chosen(own, indices)) for view, own in self.runs])


class Joined(View):
    """Several runs, one after the other, by the places in their sum."""

    def __init__(self, runs):
        self.runs = runs
        self.ends = torch.tensor([len(indices) for _, indices in runs]).cumsum(0).tolist()

    def one(self, index):
        """Return an element of the run that holds the place."""
        run = bisect.bisect_right(self.ends, index)
        view, indices = self.runs[run]
        return view.one(int(indices[index - (self.ends[run - 1] if run else 0)]))


def as_one(runs, count):
    """Return the first `count` elements of runs, or all where there are fewer, as one run."""
    kept = []
    for view, indices in runs:
        kept.append((view, indices[:count]))
        count -= len(kept[-1][1])
        if count <= 0:
            break
    if len(kept) == 1:
        return kept[0]
    view = Joined(kept)
    return view, range(view.ends[-1] if kept else 0)
