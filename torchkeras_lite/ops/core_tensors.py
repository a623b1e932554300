"""Tensors made, cast, read and written in parts."""

import torch

from torchkeras_lite.base import dtypes
from torchkeras_lite.engine.keras_tensor import KerasTensor, any_symbolic, record_function
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.engine.weights import to_numpy
from torchkeras_lite.ops.inputs import as_tensor, as_tensors

_REDUCTIONS = {"mul": "prod", "max": "amax", "min": "amin"}


@operation
def cast(x, dtype):
    """Return `x` in another dtype; of complex numbers, real dtypes keep the real part.

    Source: Keras 3 `keras.ops.cast`; torch's `Tensor.to`.
    """
    x = x if isinstance(x, torch.Tensor) else as_tensor(x)
    dtype = dtypes.TORCH_DTYPES.get(dtype) or dtypes.torch_dtype(dtype)
    return (x.real if x.is_complex() and not dtype.is_complex else x).to(dtype)


@operation
def saturate_cast(x, dtype):
    """Return `x` in another dtype; what is beyond its range becomes its end.

    Source: Keras 3 `keras.ops.saturate_cast`.
    """
    asked = getattr(torch, dtypes.standardize_dtype(dtype))  # of uint16, not of what holds it
    x, dtype = as_tensor(x), dtypes.torch_dtype(dtype)
    if dtype == torch.bool:
        return x.clamp(0, 1).to(dtype)
    if x.dtype == torch.bool or x.is_complex() or dtype.is_complex:
        return cast(x, dtype)
    x = x.long() if x.dtype in (torch.uint16, torch.uint32) else x  # which torch cannot clamp
    least, most = _range(asked)
    own_least, own_most = _range(x.dtype)
    clamped = x.clamp(max(least, own_least), min(most, own_most)).to(dtype)
    if x.is_floating_point() and not dtype.is_floating_point:  # whose ends floats may not have
        return clamped.masked_fill(x >= most, most).masked_fill(x <= least, least)
    return clamped


def _range(dtype):
    limits = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
    return limits.min, limits.max


@operation
def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """Return `x` as a tensor.

    Args:
        x: Tensor, array, number, nested list, or a weight, whose value is returned.
        dtype: Dtype of the result. `None`: that of tensors and arrays; of numbers, `int32` and `floatx()`.
        sparse, ragged: Only `False` or `None`: there are no such tensors here.

    Raises:
        ValueError: `sparse=True`, `ragged=True`, something that is no numbers.

    Source: Keras 3 `keras.ops.convert_to_tensor`. Differs: a tensor stays on its device.
    """
    for argument, value in (("sparse", sparse), ("ragged", ragged)):
        if value:
            raise ValueError(
                f"convert_to_tensor: `{argument}=True` is not supported with torch. Pass dense values."
            )
    if dtype is None:
        return as_tensor(x)
    dtype = dtypes.torch_dtype(dtype)
    tensor = as_tensor(x, dtype)
    return tensor if tensor.dtype == dtype else cast(tensor, dtype)


def convert_to_numpy(x):
    """Return `x`, a tensor, weight, number or nested list, as a NumPy array.

    Source: Keras 3 `keras.ops.convert_to_numpy`. Differs: bfloat16, which NumPy lacks, becomes float32.
    """
    if isinstance(x, KerasTensor):
        raise ValueError("convert_to_numpy: a symbolic tensor has no values. Call a model on data first.")
    return to_numpy(as_tensor(x))


def is_tensor(x):
    """Return whether `x` is a torch tensor.

    Source: Keras 3 `keras.ops.is_tensor`.
    """
    return isinstance(x, torch.Tensor)


def shape(x):
    """Return the shape of `x` as a tuple, with `None` for what is unknown of a symbolic tensor.

    Source: Keras 3 `keras.ops.shape`.
    """
    given = getattr(x, "shape", None)
    return tuple(as_tensor(x).shape if given is None else given)


def dtype(x):
    """Return the dtype of `x` as Keras names it: `"float32"`.

    Source: Keras 3 `keras.ops.dtype`.
    """
    given = getattr(x, "dtype", None)
    return dtypes.standardize_dtype(as_tensor(x).dtype if given is None else given)


@operation
def stop_gradient(variable):
    """Return the values of a tensor or weight, through which no gradient passes.

    Source: Keras 3 `keras.ops.stop_gradient`; torch's `Tensor.detach`.
    """
    return as_tensor(variable).detach()


@operation(tensors=2)
def scatter(indices, values, shape):
    """Return zeros with values added at places.

    Args:
        indices: Integers (..., k), places on the first `k` axes of `shape`.
        values: Tensor, one number or slice for each place.
        shape: Shape of the result.

    Source: Keras 3 `keras.ops.scatter`; torch's `index_put`.
    """
    indices, values = as_tensors([indices, values])
    start = values.new_zeros(tuple(shape))
    return start.index_put(_places(indices), values, accumulate=True)


def _places(indices):
    return tuple(places.long() for places in indices.unbind(-1))


@operation(tensors=3)
def scatter_update(inputs, indices, updates, reduction=None):
    """Return a copy of a tensor with updates at places.

    Args:
        inputs: Tensor.
        indices: Integers (..., k), places on the first `k` axes of `inputs`.
        updates: Tensor, one number or slice for each place.
        reduction: What is done with the value there and all updates of a place: `None` takes one of them,
            `"add"`, `"mul"`, `"max"` or `"min"`.

    Raises:
        ValueError: another reduction.

    Source: Keras 3 `keras.ops.scatter_update`; torch's `index_put` and `scatter_reduce`.
    """
    inputs, indices, updates = as_tensors([inputs, indices, updates])
    updates, places = updates.to(inputs.dtype), _places(indices)
    if reduction in (None, "add"):
        return inputs.index_put(places, updates, accumulate=reduction == "add")
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"scatter_update: Invalid reduction: {reduction}. Supported values are: None, 'add', 'max', "
            "'min', 'mul'."
        )
    count = len(places)
    rows = torch.zeros_like(places[0])
    for place, size in zip(places, inputs.shape[:count], strict=True):
        rows = rows * size + place.remainder(size)
    rest = inputs.shape[count:]
    updates = updates.expand(*rows.shape, *rest).reshape(-1, *rest)
    rows = rows.reshape(-1, *(1 for _ in rest)).expand(updates.shape)
    flat = inputs.reshape(-1, *rest).scatter_reduce(0, rows, updates, _REDUCTIONS[reduction])
    return flat.reshape(inputs.shape)


@operation
def unstack(x, num=None, axis=0):
    """Return the slices of a tensor along an axis, as a tuple.

    Args:
        x: Tensor.
        num: Size of the axis, where a symbolic tensor does not know it.
        axis: The axis, which the slices lack.

    Raises:
        ValueError: `num` is not the size of the axis.

    Source: Keras 3 `keras.ops.unstack`; torch's `Tensor.unbind`.
    """
    x = as_tensor(x)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"unstack: axis {axis} is out of bounds for a tensor of shape {tuple(x.shape)}.")
    if num is not None and not x.is_meta and x.shape[axis] != num:
        raise ValueError(
            f"unstack: expected axis {axis} of size num={num}, got an input of shape {tuple(x.shape)}."
        )
    return x.unbind(axis) if num is None else tuple(x.select(axis, place) for place in range(num))


def _unstack_spec(x, num=None, axis=0):
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"unstack: axis {axis} is out of bounds for a tensor of shape {x.shape}.")
    axis %= x.ndim
    num = x.shape[axis] if num is None else num
    if num is None:
        raise ValueError(
            f"unstack: Cannot infer argument `num` from shape {x.shape}, with axis {axis} unknown. Pass it."
        )
    return tuple(KerasTensor((*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype) for _ in range(num))


unstack.compute_output_spec = _unstack_spec


def custom_gradient(f):
    """Let a function say what its gradient is.

    Args:
        f: Function of tensors that returns a pair: its result, a tensor or a tuple of them; and a function
            `grad(*args, upstream=None)` of the gradient of the result, given as `upstream` or as the only
            arguments, that returns the gradients of the tensors.

    Returns:
        A function of the same tensors that returns the result alone.

    Source: Keras 3 `keras.ops.custom_gradient`; torch's `torch.autograd.Function`.
    """

    def called(*args):
        if any_symbolic(args):
            return record_function(called, args, {}, name=getattr(f, "__name__", "custom_gradient"))
        return _CustomGradient.apply(f, *(as_tensor(x) for x in args))

    return called


class _CustomGradient(torch.autograd.Function):
    """Runs the function forward, and the function that it returned backward."""

    @staticmethod
    def forward(ctx, function, *args):
        outputs, ctx.gradient = function(*args)
        return tuple(outputs) if isinstance(outputs, list) else outputs

    @staticmethod
    def backward(ctx, *upstream):
        gradients = ctx.gradient(*upstream)
        gradients = gradients if isinstance(gradients, (tuple, list)) else (gradients,)
        wanted = len(ctx.needs_input_grad) - 1
        return None, *gradients, *(None for _ in range(wanted - len(gradients)))
