"""Statistics of tensors, and normalization by them."""

import warnings

import torch
import torch.nn.functional as F

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import refuse_unknown
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors, to_common, to_float

_HALF = torch.finfo(torch.float16)


def _axes(axis):
    return list(axis) if isinstance(axis, (list, tuple)) else [axis]


@operation
def moments(x, axes, keepdims=False, synchronized=False):
    """Return the mean and the variance (of the whole population) over axes.

    Args:
        x: Tensor; 16-bit floats are summed in float32.
        axes: An axis or several.
        keepdims: Whether the axes stay, with size 1.
        synchronized: Whether the processes of `torch.distributed` share their values; only `False`.

    Raises:
        NotImplementedError: `synchronized=True`.

    Source: Keras 3 `keras.ops.moments`; torch's `torch.var_mean`.
    """
    if synchronized:
        raise NotImplementedError(
            "moments: Argument synchronized=True is not supported; use `BatchNormalization` "
            "with synchronized=True."
        )
    x = to_float(x)
    half = x.dtype in (torch.float16, torch.bfloat16)
    variance, mean = torch.var_mean(x.float() if half else x, _axes(axes), correction=0, keepdim=keepdims)
    if not half:
        return mean, variance
    if x.dtype == torch.float16:
        mean, variance = (v.clamp(_HALF.min, _HALF.max) for v in (mean, variance))
    return mean.to(x.dtype), variance.to(x.dtype)


@operation(tensors=("x", "mean", "variance", "offset", "scale"), name="BatchNorm")
def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """Return `(x - mean) / sqrt(variance + epsilon) * scale + offset`.

    Args:
        x: Tensor.
        mean, variance: Tensors of one axis, as long as `axis` of `x`.
        axis: The axis of `x` that has its own statistics.
        offset, scale: Tensors like `mean`, or `None`.
        epsilon: Added to the variance.

    Raises:
        ValueError: another shape.

    Source: Keras 3 `keras.ops.batch_normalization`.
    """
    given = {"mean": mean, "variance": variance, "offset": offset, "scale": scale}
    known = {name: value for name, value in given.items() if value is not None}
    x, *values = as_tensors([x, *known.values()])
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    for name, value in zip(known, values, strict=True):
        if tuple(value.shape) != (x.shape[axis],):
            raise ValueError(
                f"batch_normalization: `{name}` must be a vector of length {x.shape[axis]}, as axis {axis} "
                f"of `x`. Received: {name} of shape {tuple(value.shape)}, x of shape {tuple(x.shape)}."
            )
    known = {name: value.reshape(shape) for name, value in zip(known, values, strict=True)}
    factor = torch.rsqrt(known["variance"] + epsilon) * known.get("scale", 1)
    return x * factor + (known.get("offset", 0) - known["mean"] * factor)


@operation(tensors=("x", "gamma", "beta"), name="LayerNorm")
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    """Return `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with statistics over axes of `x`.

    Args:
        x: Tensor.
        gamma, beta: Tensors of the sizes of the axes, or `None`.
        axis: An axis, or several that are normalized over together.
        epsilon: Added to the variance; `None`: `config.epsilon()`.
        **kwargs: `rms_scaling=True`, the old and odd option by which the mean is not subtracted;
            `rms_normalization` does it right.

    Raises:
        TypeError: other arguments.

    Source: Keras 3 `keras.ops.layer_normalization`; torch's `F.layer_norm`, whose axes are the last ones.
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    refuse_unknown("layer_normalization", kwargs, ("rms_scaling",))
    x, epsilon = to_float(x), config.epsilon() if epsilon is None else epsilon
    x, order, count = _normalized_last(x, axis)
    sizes = x.shape[x.ndim - count :]
    gamma, beta = (_like(w, x, sizes) for w in (gamma, beta))
    if rms_scaling:
        warnings.warn(
            "You passed `rms_scaling=True`, which is deprecated: it divides by the deviation from the mean. "
            "Use `rms_normalization`.",
            stacklevel=3,
        )
        last = tuple(range(-count, 0))
        outputs = x * torch.rsqrt(x.var(last, correction=0, keepdim=True) + epsilon)
        outputs = outputs if gamma is None else outputs * gamma
    else:
        outputs = F.layer_norm(x, sizes, gamma, beta, epsilon)
    return outputs if order is None else outputs.permute(order)


def _normalized_last(x, axis):
    """Return `x` with some axes put last, the permutation back (`None`: nothing moved), and their number."""
    if axis == -1:
        return x, None, 1
    axes = sorted({one % x.ndim for one in _axes(axis)})
    order = [one for one in range(x.ndim) if one not in axes] + axes
    if order == list(range(x.ndim)):
        return x, None, len(axes)
    return x.permute(order), [order.index(one) for one in range(x.ndim)], len(axes)


def _like(weights, x, sizes):
    """Return weights, or `None`, as a tensor of these sizes, in the dtype of `x`."""
    return None if weights is None else as_tensors([x, weights])[1].to(x.dtype).reshape(sizes)


@operation(tensors=("x", "scale"), name="RMSNorm")
def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """Return `x / sqrt(mean(x**2) + epsilon) * scale`, with means over axes of `x`.

    Args:
        x: Tensor.
        scale: Tensor of the sizes of the axes, or `None`.
        axis: An axis, or several that are normalized over together.
        epsilon: Added to the mean of the squares; `None`: `config.epsilon()`.

    Source: Keras 3 `keras.ops.rms_normalization`; torch's `F.rms_norm`, whose axes are the last ones.
    """
    x, epsilon = to_float(x), config.epsilon() if epsilon is None else epsilon
    x, order, count = _normalized_last(x, axis)
    sizes = x.shape[x.ndim - count :]
    outputs = F.rms_norm(x, sizes, _like(scale, x, sizes), epsilon)
    return outputs if order is None else outputs.permute(order)


@operation
def normalize(x, axis=-1, order=2, epsilon=None):
    """Return `x` divided by its norm over axes; what is smaller than `epsilon` is divided by that.

    Args:
        x: Tensor.
        axis: An axis or several.
        order: Order of the norm, an integer of 1 or more.
        epsilon: Least number to divide by; `None`: `config.epsilon()`.

    Raises:
        ValueError: another order.

    Source: Keras 3 `keras.ops.normalize`; torch's `F.normalize`.
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(
            f"normalize: Argument `order` must be an int >= 1. Received: order={order}. Pass 2 for the "
            "Euclidean norm."
        )
    x, epsilon = to_float(x), config.epsilon() if epsilon is None else epsilon
    if not isinstance(axis, (list, tuple)):
        return F.normalize(x, order, axis, epsilon)
    norms = torch.linalg.vector_norm(x, order, tuple(axis), keepdim=True)
    return x / norms.clamp(min=epsilon)


@operation(tensors=2, name="PSNR")
def psnr(x1, x2, max_val):
    """Return the peak signal-to-noise ratio of two tensors, in decibels.

    Args:
        x1, x2: Tensors of one shape.
        max_val: Largest value that is possible.

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.ops.psnr`.
    """
    x1, x2 = to_common(as_tensors([x1, x2]))
    if x1.shape != x2.shape:
        raise ValueError(
            f"psnr: Input shapes {tuple(x1.shape)} and {tuple(x2.shape)} must match for PSNR calculation."
        )
    x1, x2 = to_float(x1), to_float(x2)
    peak = as_tensor(max_val).to(device=x1.device, dtype=x1.dtype)
    return 20 * torch.log10(peak) - 10 * torch.log10(F.mse_loss(x1, x2))


@operation(tensors=2)
def polar(abs_, angle):
    """Return complex numbers from absolute values and angles in radians.

    Source: Keras 3 `keras.ops.polar`; torch's `torch.polar`.
    """
    absolute, angle = to_common([to_float(x) for x in as_tensors([abs_, angle])])
    return torch.polar(absolute, angle)
