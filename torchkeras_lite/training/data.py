"""Data to batches: arrays are indexed by a permutation of their rows, other iterables are passed on."""

import numpy as np
import torch

from torchkeras_lite.base import nested


def unpack_x_y_sample_weight(data):
    """Return `(x, y, sample_weight)` from a batch `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ValueError: a tuple of another length.

    Source: Keras 3 `keras.utils.unpack_x_y_sample_weight`.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if 1 <= len(data) <= 3:
        return (*data, *(None,) * (3 - len(data)))
    raise ValueError(
        "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, got a tuple of "
        f"{len(data)} elements."
    )


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """Return the parts of a batch as the shortest tuple that holds them.

    Source: Keras 3 `keras.utils.pack_x_y_sample_weight`.
    """
    if y is None:
        return x if not isinstance(x, (list, tuple)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def is_array(value):
    """Whether `value` holds rows.

    An array, tensor, data frame or series, or an object that NumPy can convert.
    """
    return isinstance(value, (np.ndarray, torch.Tensor)) or hasattr(value, "__array__")


def is_array_like(value):
    """Whether `value` is an array, or nested lists of numbers."""
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(
            isinstance(v, (int, float, bool, np.generic)) or _is_numbers(v) for v in value
        )
    return is_array(value)


def _is_numbers(value):
    return isinstance(value, (list, tuple)) and is_array_like(value)


def is_arrays(structure):
    """Whether all leaves of a nested structure are arrays."""
    if structure is None:
        return False
    if is_array_like(structure):
        return True
    if isinstance(structure, dict):
        return all(map(is_arrays, structure.values()))
    return isinstance(structure, (list, tuple)) and len(structure) > 0 and all(map(is_arrays, structure))


def map_arrays(function, structure):
    """Apply `function` to every array in a nested structure.

    Lists of numbers count as one array, `None` stays.
    """
    if structure is None:
        return None
    if is_array_like(structure):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_arrays(function, value) for key, value in structure.items()}
    return nested.like(structure, [map_arrays(function, value) for value in structure])


def to_tensor(array, dtype):
    """Return an array as a tensor without a copy where possible; 64-bit floats become `dtype`.

    Raises:
        ValueError: values that torch cannot hold.
    """
    if not isinstance(array, torch.Tensor):
        array = np.asarray(array)
        if array.dtype == object or array.dtype.kind in "USM":
            raise ValueError(
                f"Failed to convert an array of dtype {array.dtype} to a tensor. Encode text and objects as "
                "numbers first."
            )
        if not array.flags.writeable or any(stride < 0 for stride in array.strides):
            array = array.copy()
        array = torch.from_numpy(array) if array.ndim else torch.as_tensor(array)
    if array.is_floating_point() and array.dtype is not dtype:
        array = array.to(dtype)
    return array.detach()


def check_lengths(parts):
    """Return the common number of rows of `{"x": ..., "y": ...}`.

    Raises:
        ValueError: the numbers differ, or there are no rows.
    """
    sizes = {
        name: [len(array) if array.ndim else None for array in nested.flatten(part)]
        for name, part in parts.items()
        if part is not None
    }
    found = {size for part in sizes.values() for size in part}
    if len(found) != 1 or None in found:
        listed = " ".join(f"'{name}' sizes: {', '.join(map(str, part))}" for name, part in sizes.items())
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. "
            f"{listed}"
        )
    return found.pop()


def split(parts, fraction):
    """Return the parts before and after the last `fraction` of the rows.

    Raises:
        ValueError: a fraction outside (0, 1), data without a length, or nothing left on one side.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"`validation_split` must be between 0 and 1, got {fraction}. Pass the fraction to hold out."
        )
    if not all(part is None or is_arrays(part) for part in parts):
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays. Pass "
            "`validation_data` for other data."
        )
    arrays = [a for part in parts for a in nested.flatten(map_arrays(np_or_tensor, part)) if a is not None]
    count = len(arrays[0])
    cut = int(np.floor(count * (1 - fraction)))
    if cut == 0 or cut == count:
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation "
            "and training set as "
            f"specified by `validation_split={fraction}`. Either provide more data, or a different value."
        )
    first = tuple(map_arrays(lambda a: np_or_tensor(a)[:cut], part) for part in parts)
    second = tuple(map_arrays(lambda a: np_or_tensor(a)[cut:], part) for part in parts)
    return first, second


def np_or_tensor(array):
    """Return a data frame or a list of numbers as an array; arrays and tensors stay."""
    return array if isinstance(array, (np.ndarray, torch.Tensor)) else np.asarray(array)


class ArrayBatches:
    """Batches of arrays and tensors, nested as they were given.

    The arrays become tensors once, before the first epoch. A shuffled epoch takes rows by a permutation; one
    in order takes slices, which are views.

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
        ValueError: numbers of rows that differ.
    """

    def __init__(
        self, x, y=None, sample_weight=None, *, batch_size, shuffle, dtype, device, input_dtypes=None
    ):
        convert = lambda array: to_tensor(array, dtype)
        parts = {
            "x": map_arrays(convert, x),
            "y": map_arrays(convert, y),
            "sample_weight": map_arrays(convert, sample_weight),
        }
        self.num_rows = check_lengths(parts)
        if input_dtypes is not None:
            parts["x"] = _fit_dtypes(parts["x"], input_dtypes)
        self._template = tuple(parts.values())
        self._flat = [leaf for part in self._template for leaf in nested.flatten(part)]
        self._simple = all(not isinstance(part, (list, tuple, dict)) for part in self._template)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.device = device
        self._keep_on(device)

    def _keep_on(self, device):
        """Keep the arrays on the accelerator for good where they take little of its memory."""
        if device.type == "cpu":
            return
        size = sum(t.numel() * t.element_size() for t in self._flat if t is not None)
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 4 * size + 1
        if size < free / 4:
            self._flat = [None if t is None else t.to(device) for t in self._flat]

    def __len__(self):
        return -(-self.num_rows // self.batch_size)

    def first(self):
        """Return the first rows as a batch, for building a model."""
        return self._take(lambda t: t[: self.batch_size])

    def _take(self, rows):
        device = self.device
        flat = []
        for tensor in self._flat:
            if tensor is not None:
                tensor = rows(tensor)
                if tensor.device != device:
                    tensor = tensor.to(device, non_blocking=True)
            flat.append(tensor)
        if self._simple:
            return tuple(flat)
        return nested.pack_like(self._template, flat)

    def __iter__(self):
        count, size = self.num_rows, self.batch_size
        if self.shuffle is True:
            order = torch.randperm(count)
            device = next(t.device for t in self._flat if t is not None)
            order = order.to(device) if device.type != "cpu" else order
            for start in range(0, count, size):
                rows = order[start : start + size]
                yield self._take(lambda t, rows=rows: t.index_select(0, rows))
            return
        starts = range(0, count, size)
        if self.shuffle == "batch":
            starts = [starts[i] for i in torch.randperm(len(starts)).tolist()]
        for start in starts:
            yield self._take(lambda t, start=start: t[start : start + size])


class IterableBatches:
    """Batches from anything that can be iterated: a `DataLoader`, a generator, a list of batches.

    Args:
        source: The iterable; each element is `x`, `(x, y)` or `(x, y, sample_weight)` of arrays or tensors.
        dtype: Torch dtype of floating-point values.
        device: Where batches go.
        input_dtypes: Torch dtypes of the flat inputs, where the model fixes them.
    """

    def __init__(self, source, *, dtype, device, input_dtypes=None):
        self.source = source
        self.dtype = dtype
        self.device = device
        self.input_dtypes = input_dtypes
        self._once = iter(source) is source
        self._peeked = []

    def __len__(self):
        return len(self.source)  # TypeError where it is not known

    def first(self):
        """Return the first batch, which the first epoch will see again."""
        batch = next(iter(self.source))
        if self._once:
            self._peeked.append(batch)
        return self._convert(batch)

    def _convert(self, batch):
        x, y, sample_weight = unpack_x_y_sample_weight(batch)

        def convert(array):
            return to_tensor(array, self.dtype).to(self.device, non_blocking=True)

        x = map_arrays(convert, x)
        if self.input_dtypes is not None:
            x = _fit_dtypes(x, self.input_dtypes)
        return x, map_arrays(convert, y), map_arrays(convert, sample_weight)

    def __iter__(self):
        while self._peeked:
            yield self._convert(self._peeked.pop(0))
        for batch in self.source:
            yield self._convert(batch)


class SteppedBatches:
    """A fixed number of batches an epoch; the next epoch goes on where the last one stopped.

    Args:
        batches: The source.
        steps: Batches an epoch. Where the source ends inside an epoch, that epoch is shorter and the next
            one begins anew.
    """

    def __init__(self, batches, steps):
        self.batches = batches
        self.steps = steps
        self._rest = None

    def __len__(self):
        return self.steps

    @property
    def device(self):
        """Where batches go."""
        return self.batches.device

    @device.setter
    def device(self, device):
        self.batches.device = device

    def first(self):
        """Return the first batch."""
        return self.batches.first()

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


def _fit_dtypes(x, dtypes):
    """Cast integer inputs to floats where the model's inputs are floats."""
    flat = nested.flatten(x)
    if len(flat) != len(dtypes):
        return x
    cast = [
        t.to(dtype) if t is not None and dtype.is_floating_point and not t.is_floating_point() else t
        for t, dtype in zip(flat, dtypes, strict=True)
    ]
    return nested.pack_like(x, cast)


def make_batches(
    model, x, y=None, sample_weight=None, *, batch_size=None, shuffle=False, steps=None, class_weight=None
):
    """Return batches for `model` from what `fit`, `evaluate` or `predict` were given.

    Raises:
        ValueError: targets beside data that holds its own, numbers of rows that differ, something that is no
            data.
    """
    dtype, device = model.compute_torch_dtype, model.data_device
    input_dtypes = model.input_torch_dtypes(x)
    if is_arrays(x):
        if sample_weight is None and class_weight is not None:
            sample_weight = weights_of_classes(y, class_weight)
        if batch_size is not None and int(batch_size) <= 0:
            raise ValueError(f"`batch_size` must be a positive integer, got {batch_size}.")
        batches = ArrayBatches(
            x,
            y,
            sample_weight,
            batch_size=int(batch_size or 32),
            shuffle=shuffle,
            dtype=dtype,
            device=device,
            input_dtypes=input_dtypes,
        )
        return batches if steps is None else SteppedBatches(batches, steps)
    if x is None or isinstance(x, (int, float, str)):
        raise ValueError(
            "Expected data as arrays, tensors, nested lists or dicts of them, or an iterable of batches; "
            f"got {x!r}."
        )
    if y is not None or sample_weight is not None:
        raise ValueError(
            f"`y` and `sample_weight` must be left out when `x` is a {type(x).__name__}: its batches hold "
            "the targets "
            "themselves, as (x, y) or (x, y, sample_weight)."
        )
    if not hasattr(x, "__iter__"):
        if hasattr(x, "__getitem__") and hasattr(x, "__len__"):  # a map-style Dataset of torch
            x = torch.utils.data.DataLoader(x, batch_size=int(batch_size or 32), shuffle=bool(shuffle))
        else:
            raise ValueError(
                f"Unrecognized data type: x={x!r} (of type {type(x)}). Pass arrays, or an iterable of "
                "batches."
            )
    batches = IterableBatches(x, dtype=dtype, device=device, input_dtypes=input_dtypes)
    if class_weight is not None:
        batches = ClassWeighted(batches, class_weight)
    return batches if steps is None else SteppedBatches(batches, steps)


class ClassWeighted:
    """Batches of another source with a weight for each sample's class.

    Args:
        batches: The source.
        class_weight: Mapping of class numbers to weights.
    """

    def __init__(self, batches, class_weight):
        self.batches = batches
        self.class_weight = class_weight

    def __len__(self):
        return len(self.batches)

    def first(self):
        """Return the first batch."""
        return self.batches.first()

    @property
    def device(self):
        """Where batches go."""
        return self.batches.device

    @device.setter
    def device(self, device):
        self.batches.device = device

    def __iter__(self):
        for x, y, sample_weight in self.batches:
            weight = weights_of_classes(y, self.class_weight)
            if sample_weight is not None:
                raise ValueError("You cannot use `class_weight` and `sample_weight` at the same time.")
            yield x, y, weight.to(y.device)


def weights_of_classes(y, class_weight):
    """Return a weight for each sample from the weight of its class; classes that are not named weigh 1.

    Args:
        y: Class numbers, shape `(batch,)` or `(batch, 1)`, or one-hot rows.
        class_weight: Mapping of class numbers to weights.

    Raises:
        ValueError: targets of several outputs.
    """
    if y is None or (not is_array_like(y) and isinstance(y, (list, tuple, dict))):
        raise ValueError(
            "`class_weight` is only supported for models with a single output. Use `sample_weight` instead."
        )
    y = to_tensor(y, torch.float32)
    classes = (
        y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(y.shape[0], -1)[:, 0].round().long()
    )
    table = torch.ones(max(max(map(int, class_weight)) + 1, int(classes.max()) + 1 if len(classes) else 1))
    for number, weight in class_weight.items():
        table[int(number)] = float(weight)
    return table.to(classes.device)[classes]
