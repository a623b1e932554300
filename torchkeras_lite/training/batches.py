"""Batches of arrays, a number of batches an epoch, batches with weights for classes."""

import itertools

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.training import transfer
from torchkeras_lite.training.arrays import (
    check_lengths,
    fit_dtypes,
    is_array_like,
    map_arrays,
    to_input,
    to_tensor,
)

CUT_AT_ONCE = 256  # slices of a tensor that are cut together, which is cheaper than one by one
SHARE_OF_MEMORY = 0.25  # of what is free on an accelerator may be taken by arrays kept there


class Batches:
    """What the loops iterate over: tuples `(x, y, sample_weight)` of tensors on `device`.

    Iterating gives one epoch. `len` is the number of batches where it is known, else a `TypeError`.

    Attributes:
        device: Where batches go.
        num_rows: Number of rows of an epoch, `None` where it is not known.
        waited: Seconds that the epoch waited for its data so far; 0 where data lies in memory.
    """

    device = None
    num_rows = None
    waited = 0.0

    def first(self):
        """Return the first batch, for building a model; the first epoch will see it again."""
        raise NotImplementedError

    def only(self):
        """Return the one batch that there is."""
        return next(iter(self))

    def begin_epoch(self):
        """Before the batches of an epoch."""

    def end_epoch(self):
        """After the batches of an epoch."""

    def remedy(self):
        """Return what to raise where epochs wait for their data, or `None`."""
        return None

    def close(self):
        """Let go of workers and of what is still open."""


class WrappedBatches(Batches):
    """Batches made from those of another source.

    Args:
        batches: The source.
    """

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    @property
    def device(self):
        """Where batches go."""
        return self.batches.device

    @device.setter
    def device(self, device):
        self.batches.device = device

    @property
    def waited(self):
        """Seconds that the epoch waited for its data."""
        return self.batches.waited

    def first(self):
        """Return the first batch."""
        return self.batches.first()

    def begin_epoch(self):
        """Tell the source."""
        self.batches.begin_epoch()

    def end_epoch(self):
        """Tell the source."""
        self.batches.end_epoch()

    def remedy(self):
        """Return what the source says."""
        return self.batches.remedy()

    def close(self):
        """Close the source."""
        self.batches.close()


class ArrayBatches(Batches):
    """Batches of arrays and tensors, nested as they were given.

    The arrays become tensors once, before the first epoch. A shuffled epoch takes rows by a permutation; one
    in order takes slices, which are views. Arrays that take little of an accelerator's memory are kept there.

    Args:
        x: Inputs.
        y: Targets, or `None`.
        sample_weight: Weights, or `None`.
        batch_size: Rows a batch; the last batch may be smaller.
        shuffle: `True`: new order every epoch; `"batch"`: batches in a new order, rows inside as they are;
            `False`.
        dtype: Torch dtype of floating-point values.
        device: Where batches go.
        input_dtypes: Torch dtypes of the flat inputs, where the model fixes them.

    Raises:
        ValueError: numbers of rows that differ, or no rows.
    """

    def __init__(
        self, x, y=None, sample_weight=None, *, batch_size, shuffle, dtype, device, input_dtypes=None
    ):
        convert = lambda array: to_tensor(array, dtype)
        parts = {
            "x": map_arrays(lambda array: to_input(array, dtype), x),
            "y": map_arrays(convert, y),
            "sample_weight": map_arrays(convert, sample_weight),
        }
        self.num_rows = check_lengths(parts)
        if input_dtypes is not None:
            parts["x"] = fit_dtypes(parts["x"], input_dtypes)
        self._template = tuple(parts.values())
        self._flat = [leaf for part in self._template for leaf in nested.flatten(part)]
        self._simple = all(not isinstance(part, (list, tuple, dict)) for part in self._template)
        self.bounds = None  # of this process's rows of a batch from `start` to `stop`, where it is divided
        self.moves = True
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.device = device

    @property
    def device(self):
        """Where batches go."""
        return self._device

    @device.setter
    def device(self, device):
        self._device = device
        if device.type == "cpu":
            return
        size = sum(t.numel() * t.element_size() for t in self._tensors() if t.device != device)
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")
        if size < free * SHARE_OF_MEMORY:
            self._flat = [transfer.to_device(t, device) for t in self._flat]

    def _tensors(self):
        return [t for t in self._flat if isinstance(t, torch.Tensor)]

    def __len__(self):
        return -(-self.num_rows // self.batch_size)

    def first(self):
        """Return the first rows as a batch, for building a model."""
        return transfer.moved(self._packed([_slice(t, 0, self.batch_size) for t in self._flat]), self.device)

    def only(self):
        """Return all rows as one batch."""
        return super().only() if self.bounds or self.moves_data else self._packed(self._flat)

    @property
    def moves_data(self):
        """Whether batches still have to go to the device."""
        return self.moves and any(tensor.device != self.device for tensor in self._tensors())

    def _packed(self, flat):
        return tuple(flat) if self._simple else nested.pack_like(self._template, flat)

    def __iter__(self):
        device = self.device
        if not self.moves_data:
            return self._epoch()
        if device.type == "cuda":
            return transfer.ahead(self._epoch(), device)
        return (transfer.moved(batch, device) for batch in self._epoch())

    def _epoch(self):
        if self.shuffle is True:
            order = torch.randperm(self.num_rows)
            orders = {tensor.device: order.to(tensor.device) for tensor in self._tensors()}
            orders[None] = order.numpy()  # of strings
            columns = [_chosen(leaf, orders, self._slices) for leaf in self._flat]
        else:
            starts = None
            if self.shuffle == "batch":
                starts = (torch.randperm(len(self)) * self.batch_size).tolist()
            columns = [self._slices(leaf, starts) for leaf in self._flat]
        flat = zip(*columns, strict=False)  # those of `None` have no end
        yield from flat if self._simple else (nested.pack_like(self._template, leaves) for leaves in flat)

    def _slices(self, rows, starts=None):
        """Return the slices of one array for the batches of an epoch."""
        if rows is None:
            return itertools.repeat(None)
        if starts is None and self.bounds is None and isinstance(rows, torch.Tensor):
            if len(rows) <= self.batch_size:
                return (rows,)
            parts = rows.split(self.batch_size * CUT_AT_ONCE)
            return (piece for part in parts for piece in part.split(self.batch_size))
        starts = range(0, self.num_rows, self.batch_size) if starts is None else starts
        return (rows[slice(*self._limits(start))] for start in starts)

    def _limits(self, start):
        stop = min(start + self.batch_size, self.num_rows)
        return (start, stop) if self.bounds is None else self.bounds(start, stop)


def _slice(rows, start, stop):
    return None if rows is None else rows[start:stop]


def _chosen(rows, orders, slices):
    """Return the rows of a tensor, or of an array of strings, that each slice of an order chooses."""
    if rows is None:
        return itertools.repeat(None)
    if isinstance(rows, torch.Tensor):
        return (rows.index_select(0, places) for places in slices(orders[rows.device]))
    return (rows[places] for places in slices(orders[None]))


class SteppedBatches(WrappedBatches):
    """A fixed number of batches an epoch; the next epoch goes on where the last one stopped.

    Args:
        batches: The source.
        steps: Batches an epoch. Where the source ends inside an epoch, that epoch is shorter and the next
            one begins anew.
    """

    def __init__(self, batches, steps):
        super().__init__(batches)
        self.steps = steps
        self._rest = None

    def __len__(self):
        return self.steps

    def __iter__(self):
        for count in range(self.steps):
            if self._rest is None:
                self._rest = iter(self.batches)
            batch = next(self._rest, None)
            if batch is None and count == 0:  # the source ended with the last epoch
                self._rest = iter(self.batches)
                batch = next(self._rest, None)
            if batch is None:
                self._rest = None
                return
            yield batch

    def close(self):
        """Close what is left of the source."""
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        super().close()


class ClassWeighted(WrappedBatches):
    """Batches of another source with a weight for each sample's class.

    Args:
        batches: The source.
        class_weight: Mapping of class numbers to weights.
    """

    def __init__(self, batches, class_weight):
        super().__init__(batches)
        self.class_weight = class_weight

    def __iter__(self):
        for x, y, sample_weight in self.batches:
            yield x, y, weights_of_classes(y, self.class_weight, sample_weight).to(y.device)


def weights_of_classes(y, class_weight, sample_weight=None):
    """Return a weight for each sample from the weight of its class; classes that are not named weigh 1.

    Args:
        y: Class numbers, shape `(batch,)` or `(batch, 1)`, or one-hot rows.
        class_weight: Mapping of class numbers to weights.
        sample_weight: Weights of the samples, shape `(batch,)` or `(batch, 1)`, that the others multiply.

    Raises:
        ValueError: targets of several outputs; weights for each step of a sample.
    """
    classes = class_numbers(y)
    table = torch.ones(max(map(int, class_weight)) + 2)  # the last entry is for all that are not named
    for number, weight in class_weight.items():
        table[int(number)] = float(weight)
    table[-1] = 1.0
    known = (classes >= 0) & (classes < len(table) - 1)
    weights = table.to(classes.device)[classes.where(known, len(table) - 1)]
    if sample_weight is None:
        return weights
    given = to_tensor(sample_weight, torch.float32)
    if given.numel() != len(weights):
        raise ValueError(
            f"`class_weight` multiplies one weight a sample, and `sample_weight` has the shape "
            f"{tuple(given.shape)} for {len(weights)} samples. Multiply them into `sample_weight`."
        )
    return weights * given.reshape(-1).to(weights.device)


def class_numbers(y):
    """Return the class number of each sample from class numbers or one-hot rows.

    Raises:
        ValueError: targets of several outputs.
    """
    if y is None or (not is_array_like(y) and isinstance(y, (list, tuple, dict))):
        raise ValueError(
            "`class_weight` is only supported for models with a single output. Use `sample_weight` instead."
        )
    y = to_tensor(y, torch.float32)
    if y.ndim > 1 and y.shape[-1] > 1:
        return y.argmax(-1)
    return y.reshape(y.shape[0], -1)[:, 0].round().long()
