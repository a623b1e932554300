"""Activations as operations. Integers become `floatx()` where a value between them is meant."""

import warnings

import torch
import torch.nn.functional as F

from torchkeras_lite import activations
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, to_float


@operation
def relu(x):
    """Return `max(x, 0)`.

    Source: Keras 3 `keras.ops.relu`.
    """
    return torch.relu(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def relu6(x):
    """Return `min(max(x, 0), 6)`.

    Source: Keras 3 `keras.ops.relu6`.
    """
    return F.relu6(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def leaky_relu(x, negative_slope=0.2):
    """Return `x` where it is positive, else `negative_slope * x`.

    Source: Keras 3 `keras.ops.leaky_relu`. Differs from torch: `F.leaky_relu` has a slope of 0.01.
    """
    return F.leaky_relu(to_float(x), negative_slope)


@operation
def elu(x, alpha=1.0):
    """Return `x` where it is positive, else `alpha * (exp(x) - 1)`.

    Source: Keras 3 `keras.ops.elu`.
    """
    return F.elu(to_float(x), alpha)


@operation
def selu(x):
    """Return the scaled exponential linear unit, `1.0507 * elu(x, 1.6733)`.

    Source: Keras 3 `keras.ops.selu`.
    """
    return F.selu(to_float(x))


@operation
def celu(x, alpha=1.0):
    """Return `max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))`.

    Source: Keras 3 `keras.ops.celu`.
    """
    return F.celu(to_float(x), alpha)


@operation
def threshold(x, threshold, default_value):
    """Return `x` where it is above `threshold`, else `default_value`.

    Source: Keras 3 `keras.ops.threshold`.
    """
    return F.threshold(x if isinstance(x, Tensor) else as_tensor(x), threshold, default_value)


@operation
def sigmoid(x):
    """Return `1 / (1 + exp(-x))`.

    Source: Keras 3 `keras.ops.sigmoid`.
    """
    return torch.sigmoid(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def sparse_sigmoid(x):
    """Return 0 up to -1, 1 from 1 on, and a line between.

    Source: Keras 3 `keras.ops.sparse_sigmoid`.
    """
    return activations.sparse_sigmoid(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def hard_sigmoid(x):
    """Return `relu6(x + 3) / 6`.

    Source: Keras 3 `keras.ops.hard_sigmoid`.
    """
    return F.hardsigmoid(to_float(x))


@operation
def log_sigmoid(x):
    """Return the logarithm of the sigmoid, without overflow.

    Source: Keras 3 `keras.ops.log_sigmoid`.
    """
    return F.logsigmoid(to_float(x))


@operation
def hard_tanh(x):
    """Return `x` clipped to [-1, 1].

    Source: Keras 3 `keras.ops.hard_tanh`.
    """
    return F.hardtanh(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def softsign(x):
    """Return `x / (1 + |x|)`.

    Source: Keras 3 `keras.ops.softsign`.
    """
    return F.softsign(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def softplus(x):
    """Return `log(1 + exp(x))`.

    Source: Keras 3 `keras.ops.softplus`.
    """
    return F.softplus(to_float(x))


@operation
def squareplus(x, b=4):
    """Return `(x + sqrt(x**2 + b)) / 2`.

    Source: Keras 3 `keras.ops.squareplus`.
    """
    return activations.squareplus(x if isinstance(x, Tensor) else as_tensor(x), b)


@operation
def sparse_plus(x):
    """Return 0 up to -1, `x` from 1 on, and `(x + 1)**2 / 4` between.

    Source: Keras 3 `keras.ops.sparse_plus`.
    """
    return activations.sparse_plus(to_float(x))


@operation
def silu(x):
    """Return `x * sigmoid(x)`, also known as swish.

    Source: Keras 3 `keras.ops.silu`.
    """
    return F.silu(to_float(x))


@operation
def hard_silu(x):
    """Return `x * relu6(x + 3) / 6`, also known as hard swish.

    Source: Keras 3 `keras.ops.hard_silu`.
    """
    return F.hardswish(to_float(x))


@operation
def gelu(x, approximate=True):
    """Return `x * P(X <= x)` for a standard normal `X`.

    Args:
        x: Tensor.
        approximate: Whether to use the approximation by tanh.

    Source: Keras 3 `keras.ops.gelu`. Differs from torch and `keras.activations.gelu`, which are exact by
    default.
    """
    return F.gelu(to_float(x), approximate="tanh" if approximate else "none")


@operation
def glu(x, axis=-1):
    """Return the first half of `x` along `axis` times the sigmoid of the second half.

    Source: Keras 3 `keras.ops.glu`.
    """
    return F.glu(to_float(x), axis)


@operation
def tanh_shrink(x):
    """Return `x - tanh(x)`.

    Source: Keras 3 `keras.ops.tanh_shrink`.
    """
    return F.tanhshrink(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def hard_shrink(x, threshold=0.5):
    """Return `x` where `|x| > threshold`, else 0.

    Source: Keras 3 `keras.ops.hard_shrink`.
    """
    return F.hardshrink(to_float(x), threshold)


@operation
def soft_shrink(x, threshold=0.5):
    """Return `x` moved by `threshold` towards 0, and 0 where `|x| <= threshold`.

    Source: Keras 3 `keras.ops.soft_shrink`.
    """
    return F.softshrink(to_float(x), threshold)


@operation
def softmax(x, axis=-1):
    """Return positive values that sum to 1 along `axis`.

    Args:
        x: Scores.
        axis: An axis, several as a tuple, or `None` for all of them together. One of size 1 gives a warning.

    Raises:
        ValueError: an axis that `x` does not have.

    Source: Keras 3 `keras.ops.softmax`.
    """
    x = to_float(x)
    if type(axis) is int and _axis_size("softmax", x, axis) != 1:
        return torch.softmax(x, axis)
    if isinstance(axis, int):
        warnings.warn(
            f"You are using a softmax over axis {axis} of a tensor of shape {tuple(x.shape)}. This axis has "
            "size 1. The softmax operation will always return the value 1, which is likely not what you "
            "intended. Did you mean to use a sigmoid instead?",
            stacklevel=3,
        )
    return activations.softmax(x, axis)


def _axis_size(owner, x, axis):
    """Return the size of an axis, which torch on the meta device does not check."""
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{owner}: axis {axis} is out of bounds for a tensor of shape {tuple(x.shape)}.")
    return x.shape[axis]


@operation
def log_softmax(x, axis=-1):
    """Return the logarithm of the softmax, without overflow.

    Args:
        x: Scores.
        axis: An axis, several as a tuple, or `None` for all of them together.

    Source: Keras 3 `keras.ops.log_softmax`.
    """
    x = to_float(x)
    if isinstance(axis, int):
        _axis_size("log_softmax", x, axis)
    return activations.log_softmax(x, axis)


@operation
def sparsemax(x, axis=-1):
    """Return the sparsemax of scores along `axis`. See `activations.sparsemax`.

    Source: Keras 3 `keras.ops.sparsemax`.
    """
    return activations.sparsemax(x if isinstance(x, Tensor) else as_tensor(x), axis)


swish = silu
hard_swish = hard_silu
