"""From what a caller passes (tensors, arrays, lists) to two tensors of one dtype, device and rank."""

import functools
import numbers

import numpy as np
import torch

from torchkeras_lite.base import config, nested
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.dtypes import torch_dtype, widened
from torchkeras_lite.engine.keras_tensor import KerasTensor, record_function


def on_symbols(function):
    """Decorate a loss function so that a call with symbolic tensors becomes a call in the graph."""

    @functools.wraps(function)
    def called(y_true, y_pred, *args, **kwargs):
        if isinstance(y_pred, KerasTensor) or isinstance(y_true, KerasTensor):
            return record_function(called, (y_true, y_pred, *args), kwargs)
        return function(y_true, y_pred, *args, **kwargs)

    return called


def to_tensor(value, dtype=None, device=None):
    """Return `value` as a tensor of the torch dtype `dtype` (its own when `None`) on `device`.

    Without `device` a tensor stays where it is, and anything else goes to the default device.
    A list of tensors is stacked.
    """
    if isinstance(value, torch.Tensor):
        if (dtype is None or value.dtype is dtype) and (device is None or value.device == device):
            return value
        return value.to(device=device, dtype=dtype)
    if isinstance(value, (list, tuple)) and any(
        isinstance(leaf, torch.Tensor) for leaf in nested.flatten(value)
    ):
        device = device_of(value) if device is None else device
        return torch.stack([to_tensor(part, dtype, device) for part in value])
    device = default_device() if device is None else device
    if isinstance(value, (list, tuple, numbers.Number)) and not isinstance(value, np.generic):
        return torch.as_tensor(value, dtype=dtype, device=device)
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(
            f"Expected a tensor, an array or a list of numbers, got {type(value).__name__}. "
            "Pass numbers of one shape."
        )
    if array.dtype.name == "bfloat16":  # torch can't read this NumPy extension type
        return torch.as_tensor(array.astype("float32"), dtype=dtype or torch.bfloat16, device=device)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch warns about the first and refuses the second
    return widened(torch.as_tensor(array, dtype=dtype, device=device))


def device_of(structure):
    """Return the device of the first tensor in `structure`, the default device where it holds none."""
    if isinstance(structure, torch.Tensor):
        return structure.device
    tensors = (leaf for leaf in nested.flatten(structure) if isinstance(leaf, torch.Tensor))
    first = next(tensors, None)
    return default_device() if first is None else first.device


def to_tensors(structure, dtype=None, device=None):
    """Apply `to_tensor` to every leaf; a list or tuple of plain numbers is one leaf."""
    if isinstance(structure, torch.Tensor) or not nested.is_nested(structure):
        return to_tensor(structure, dtype, device)
    is_array = isinstance(structure, (list, tuple)) and all(
        isinstance(leaf, (numbers.Number, np.generic)) for leaf in nested.flatten(structure)
    )
    if is_array:
        return to_tensor(structure, dtype, device)
    return nested.map_structure(lambda leaf: to_tensor(leaf, dtype, device), structure)


def match_ranks(first, second):
    """Give two tensors one rank where a trailing axis of size 1 is all that is between them.

    That axis is added to a tensor of rank 1, else taken from the other. `(n,)` against `(n, 1)` would
    broadcast to `(n, n)`.

    Source: Keras 3, what every loss class does with `y_true` and `y_pred`.
    """
    if first.ndim == second.ndim + 1 and first.shape[-1] == 1:
        return (first, second.unsqueeze(-1)) if second.ndim == 1 else (first.squeeze(-1), second)
    if second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        return (first.unsqueeze(-1), second) if first.ndim == 1 else (first, second.squeeze(-1))
    return first, second


def can_broadcast(first, second):
    """Whether tensors of these two shapes can be multiplied."""
    return all(a == b or a == 1 or b == 1 for a, b in zip(reversed(first), reversed(second), strict=False))


def match_structures(y_true, y_pred):
    """Apply `match_ranks` to two tensors, or leaf by leaf to two structures of one form."""
    if isinstance(y_true, torch.Tensor) and isinstance(y_pred, torch.Tensor):
        return (y_true, y_pred) if y_true.ndim == y_pred.ndim else match_ranks(y_true, y_pred)
    if not nested.same_structure(y_true, y_pred):
        raise ValueError(
            f"Expected `y_true` and `y_pred` of one structure, got y_true {_outline(y_true)} and y_pred "
            f"{_outline(y_pred)}. Pass the same keys and lengths in both."
        )
    leaves = zip(nested.flatten(y_true), nested.flatten(y_pred), strict=True)
    pairs = [match_ranks(a, b) for a, b in leaves]
    return nested.pack_like(y_true, [a for a, _ in pairs]), nested.pack_like(y_pred, [b for _, b in pairs])


def _outline(structure):
    return nested.map_structure(lambda leaf: tuple(leaf.shape), structure)


def predictions(y_pred):
    """Return `y_pred` as a floating-point tensor."""
    y_pred = to_tensor(y_pred)
    return y_pred if y_pred.is_floating_point() else y_pred.to(torch_dtype(config.floatx()))


def matched(owner, y_true, y_pred, *, same_shape=False, remedy="Pass one target for each prediction."):
    """Return `y_true` and `y_pred` as floating-point tensors of one dtype, device and shape.

    Args:
        owner: Name of the loss, for messages.
        y_true: Targets; they take the dtype and device of `y_pred`.
        y_pred: Predictions.
        same_shape: Refuse shapes that would have to be broadcast.
        remedy: Last sentence of the message.

    Raises:
        ValueError: the shapes don't fit.
    """
    y_pred = predictions(y_pred)
    y_true = to_tensor(y_true, y_pred.dtype, y_pred.device)
    if y_true.shape == y_pred.shape:
        return y_true, y_pred
    given = tuple(y_true.shape), tuple(y_pred.shape)
    y_true, y_pred = match_ranks(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        if same_shape or not can_broadcast(y_true.shape, y_pred.shape):
            raise ValueError(
                f"{owner}: `y_true` and `y_pred` must have the same shape, got y_true of shape {given[0]} "
                f"and y_pred of shape {given[1]}. {remedy}"
            )
        y_true, y_pred = torch.broadcast_tensors(y_true, y_pred)
    return y_true, y_pred
