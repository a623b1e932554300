"""New tensors, on the default device: filled, counted, spaced. Without a dtype they have `floatx()`."""

import operator

import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors, to_common, to_float
from torchkeras_lite.ops.shapes import sizes


def _float_or(dtype):
    return torch_dtype(config.floatx() if dtype is None else dtype)


@operation
def array(x, dtype=None):
    """Return `x` as a tensor.

    Args:
        x: Tensor, array, number or nested lists.
        dtype: Dtype; `None`: that of an array or tensor; `floatx()` or `int32` for Python's numbers.
    """
    x = as_tensor(x)
    return x if dtype is None else x.to(torch_dtype(dtype))


def zeros(shape, dtype=None):
    """Return a tensor of zeros."""
    return torch.zeros(sizes(shape), dtype=_float_or(dtype), device=default_device())


def ones(shape, dtype=None):
    """Return a tensor of ones."""
    return torch.ones(sizes(shape), dtype=_float_or(dtype), device=default_device())


def empty(shape, dtype=None):
    """Return a tensor whose values are whatever stood in memory."""
    return torch.empty(sizes(shape), dtype=_float_or(dtype), device=default_device())


def full(shape, fill_value, dtype=None):
    """Return a tensor filled with a number, or with a tensor that is broadcast."""
    filling = as_tensor(fill_value).to(default_device(), _float_or(dtype))
    return torch.broadcast_to(filling, sizes(shape)).clone()


def _like(dtype):
    return None if dtype is None else torch_dtype(dtype)


@operation
def zeros_like(x, dtype=None):
    """Return zeros of the shape, and by default the dtype, of `x`."""
    return torch.zeros_like(as_tensor(x), dtype=_like(dtype))


@operation
def ones_like(x, dtype=None):
    """Return ones of the shape, and by default the dtype, of `x`."""
    return torch.ones_like(as_tensor(x), dtype=_like(dtype))


@operation
def empty_like(x, dtype=None):
    """Return a tensor of the shape, and by default the dtype, of `x`, with any values."""
    return torch.empty_like(as_tensor(x), dtype=_like(dtype))


@operation(tensors=2)
def full_like(x, fill_value, dtype=None):
    """Return a tensor of the shape, and by default the dtype, of `x`, filled with a value."""
    x = as_tensor(x)
    filling = as_tensor(fill_value).to(x.device, x.dtype if dtype is None else torch_dtype(dtype))
    return torch.broadcast_to(filling, x.shape).clone()


def eye(N, M=None, k=0, dtype=None):
    """Return a matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N: Number of rows.
        M: Number of columns; `None`: as many.
        k: Which diagonal: 0 the main one, positive above it.
        dtype: Dtype, `floatx()` when not given.
    """
    rows, columns = _count("eye", "N", N), _count("eye", "M", N if M is None else M)
    if k == 0:
        return torch.eye(rows, columns, dtype=_float_or(dtype), device=default_device())
    row = torch.arange(rows, device=default_device()).unsqueeze(-1)
    return (torch.arange(columns, device=default_device()) - row == k).to(_float_or(dtype))


def _count(function, argument, value):
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: `{argument}` must be an integer, got {value!r}.") from None


def identity(n, dtype=None):
    """Return the identity matrix with `n` rows."""
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """Return a matrix with ones on and below diagonal number `k`. See `eye` for the arguments."""
    return torch.tril(ones((int(N), int(N if M is None else M)), dtype), k)


def arange(start, stop=None, step=None, dtype=None):
    """Return evenly spaced values from `start` up to but not including `stop`.

    Args:
        start: First value; with nothing else, the end of a range from 0.
        stop: End.
        step: Distance, 1 when not given.
        dtype: Dtype; `None`: `int32` for integers, else `floatx()`.
    """
    given = [value.item() if hasattr(value, "item") else value for value in (start, stop, step)]
    start, stop, step = given
    if dtype is None:
        is_whole = all(isinstance(value, int) for value in given if value is not None)
        dtype = "int32" if is_whole else config.floatx()
    start, stop = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    return torch.arange(start, stop, step, dtype=torch_dtype(dtype), device=default_device())


@operation(tensors=2)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """Return evenly spaced values from `start` to `stop`.

    Args:
        start, stop: First and last value: numbers, or tensors, for each of whose places there is a row.
        num: How many values.
        endpoint: Whether `stop` is one of them.
        retstep: Whether to return the distance too, as a tuple.
        dtype: Dtype; `None`: that of the limits, `floatx()` for integers.
        axis: Axis of the values in the result, where the limits are tensors.

    Raises:
        ValueError: a negative `num`.
    """
    values, step = _spaced("linspace", start, stop, num, endpoint, axis)
    if dtype is not None:
        dtype = torch_dtype(dtype)
        values = (values if dtype.is_floating_point else torch.floor(values)).to(dtype)
    return (values, step) if retstep else values


def _spaced(name, start, stop, num, endpoint, axis):
    if num < 0:
        raise ValueError(f"{name}: `num` must be a non-negative integer, got num={num}.")
    start, stop = (to_float(limit) for limit in _limits(start, stop))
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else torch.full_like(start + stop, torch.nan)
    if start.ndim == stop.ndim == 0 and endpoint:
        return torch.linspace(start, stop, num, dtype=step.dtype, device=start.device), step
    places = torch.arange(num, dtype=step.dtype, device=start.device)
    places = places.reshape(-1, *[1] * step.ndim)
    values = start + places * step if parts > 0 else start + places * (stop - start)
    if endpoint and num > 1:
        values = torch.cat([values[:-1], torch.broadcast_to(stop, step.shape).unsqueeze(0)])
    return (values if axis == 0 else torch.moveaxis(values, 0, axis)), step


def _limits(start, stop):
    return to_common(as_tensors([start, stop]))


@operation(tensors=2)
def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """Return `base` to the power of evenly spaced values. See `linspace` for the other arguments."""
    exponents, _ = _spaced("logspace", start, stop, num, endpoint, axis)
    values = torch.pow(base, exponents)
    return values if dtype is None else values.to(torch_dtype(dtype))


@operation(tensors=2)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """Return values from `start` to `stop`, each the same multiple of the one before.

    Limits are of one sign and not 0. See `linspace` for the other arguments.
    """
    start, stop = (to_float(limit) for limit in _limits(start, stop))
    sign = torch.sign(start)
    exponents, _ = _spaced("geomspace", torch.log(sign * start), torch.log(sign * stop), num, endpoint, axis)
    sign = sign if sign.ndim == 0 else torch.moveaxis(sign.unsqueeze(0), 0, axis)
    values = sign * torch.exp(exponents)
    return values if dtype is None else values.to(torch_dtype(dtype))


@operation
def vander(x, N=None, increasing=False):
    """Return the matrix whose columns are the powers of a vector.

    Args:
        x: Tensor with one axis.
        N: Number of columns; `None`: as many as values.
        increasing: Whether the powers ascend from left to right.
    """
    x = as_tensor(x)
    x = x.to(torch.int32) if x.dtype is torch.bool else x
    powers = torch.arange(x.shape[0] if N is None else N, device=x.device)
    powers = powers.to(x.dtype) if increasing else powers.flip(0).to(x.dtype)
    return torch.pow(x.unsqueeze(-1), powers)
