"""Activations that keep positive values and dampen negative ones: ReLU and its variants."""

import torch
import torch.nn.functional as F

from torchkeras_lite.activations.inputs import as_tensor


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """Rectified linear unit: `max(x, 0)`, with Keras's three generalizations.

    Args:
        x: Tensor of any shape.
        negative_slope: Slope at or below `threshold`: there the value is `negative_slope * (x - threshold)`.
        max_value: Largest value above `threshold`; `None` for no limit.
        threshold: Values above it pass, others are dampened.

    Source: Keras 3 `keras.activations.relu`. With the defaults this is `torch.relu`.
    """
    if not isinstance(x, torch.Tensor):
        x = as_tensor(x)
    if max_value is None and not threshold:
        return F.leaky_relu(x, negative_slope) if negative_slope else torch.relu(x)
    if threshold:
        above = F.threshold(x, threshold, 0.0)
    else:
        above = F.relu6(x) if max_value == 6 else torch.relu(x)
    if max_value is not None and (threshold or max_value != 6):
        above = torch.clamp(above, min=0.0, max=max_value)
    return above - negative_slope * torch.relu(threshold - x) if negative_slope else above


def relu6(x):
    """Rectified linear unit that stops at 6: `min(max(x, 0), 6)`.

    Source: Keras 3 `keras.activations.relu6`; torch's `F.relu6`.
    """
    return F.relu6(as_tensor(x))


def leaky_relu(x, negative_slope=0.2):
    """Leaky rectified linear unit: `x` where positive, else `negative_slope * x`.

    Source: Keras 3 `keras.activations.leaky_relu`. Differs from torch: slope 0.2, where `F.leaky_relu` has
    0.01 (and Keras's layer `LeakyReLU` 0.3).
    """
    return F.leaky_relu(as_tensor(x), negative_slope)


def elu(x, alpha=1.0):
    """Exponential linear unit: `x` where positive, else `alpha * (exp(x) - 1)`.

    Source: Keras 3 `keras.activations.elu`; torch's `F.elu`; Clevert et al. 2015 (arXiv:1511.07289).
    """
    return F.elu(as_tensor(x), alpha)


def selu(x):
    """Scaled exponential linear unit, which keeps mean 0 and variance 1 with `lecun_normal` kernels.

    Source: Keras 3 `keras.activations.selu`; torch's `F.selu`; Klambauer et al. 2017 (arXiv:1706.02515).
    """
    return F.selu(as_tensor(x))


def celu(x, alpha=1.0):
    """Smooth exponential linear unit: `max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))`.

    Source: Keras 3 `keras.activations.celu`; torch's `F.celu`; Barron 2017 (arXiv:1704.07483).
    """
    return F.celu(as_tensor(x), alpha)


def threshold(x, threshold, default_value):
    """Return `x` where it is above `threshold`, else `default_value`.

    Source: Keras 3 `keras.activations.threshold`; torch's `F.threshold`.
    """
    return F.threshold(as_tensor(x), threshold, default_value)
