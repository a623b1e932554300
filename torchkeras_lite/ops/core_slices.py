"""Parts of tensors read and written."""

import builtins

import torch

from torchkeras_lite.engine.keras_tensor import KerasTensor, is_symbolic
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors


def _check_lengths(owner, ndim, **numbers):
    for name, given in numbers.items():
        if len(given) != ndim:
            raise ValueError(
                f"{owner}: The number of dimensions in `{name}` must match the number of dimensions in "
                f"`inputs`. Received: {ndim} and {name}={given}. Pass one number for each axis."
            )


def _slices(owner, ndim, start_indices, sizes):
    _check_lengths(owner, ndim, start_indices=start_indices, shape=sizes)
    if isinstance(start_indices, torch.Tensor):
        start_indices = start_indices.tolist()
    ends = [
        None if size == -1 else int(start) + int(size)
        for start, size in zip(start_indices, sizes, strict=True)
    ]
    return tuple(builtins.slice(int(start), end) for start, end in zip(start_indices, ends, strict=True))


@operation(tensors=2)
def slice(inputs, start_indices, shape):
    """Return a part of a tensor, a view.

    Args:
        inputs: Tensor.
        start_indices: Where the part begins, an integer for each axis.
        shape: Shape of the part; -1 is all that is left.

    Raises:
        ValueError: not one number for each axis.

    Source: Keras 3 `keras.ops.slice`.
    """
    inputs = as_tensor(inputs)
    return inputs[_slices("slice", inputs.ndim, start_indices, shape)]


def _slice_spec(inputs, start_indices, shape):
    """Return the spec of the part that was asked for: an axis of unknown size is taken to be long enough."""
    starts = [None] * len(shape) if is_symbolic(start_indices) else [int(start) for start in start_indices]
    _check_lengths("slice", inputs.ndim, start_indices=starts, shape=shape)
    sizes = []
    for length, start, size in zip(inputs.shape, starts, shape, strict=True):
        left = None if length is None or start is None else len(range(length)[start:])
        wanted = None if size == -1 else int(size)
        sizes.append(wanted if left is None else left if wanted is None else min(wanted, left))
    return KerasTensor(sizes, inputs.dtype)


slice.compute_output_spec = _slice_spec


@operation(tensors=3)
def slice_update(inputs, start_indices, updates):
    """Return a copy of a tensor with a part overwritten.

    Args:
        inputs: Tensor.
        start_indices: Where the part begins, an integer for each axis.
        updates: The new values of the part.

    Source: Keras 3 `keras.ops.slice_update`.
    """
    inputs, updates = as_tensors([inputs, updates])
    outputs = inputs.clone()
    outputs[_slices("slice_update", inputs.ndim, start_indices, updates.shape)] = updates.to(inputs.dtype)
    return outputs
