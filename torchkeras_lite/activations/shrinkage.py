"""Activations that pull values towards zero."""

import torch.nn.functional as F

from torchkeras_lite.activations.inputs import as_tensor


def hard_shrink(x, threshold=0.5):
    """Return `x` where `|x| > threshold`, else 0.

    Source: Keras 3 `keras.activations.hard_shrink`; torch's `F.hardshrink`.
    """
    return F.hardshrink(as_tensor(x), threshold)


def soft_shrink(x, threshold=0.5):
    """Return `x` moved by `threshold` towards 0, and 0 where `|x| <= threshold`.

    Source: Keras 3 `keras.activations.soft_shrink`; torch's `F.softshrink`.
    """
    return F.softshrink(as_tensor(x), threshold)


def tanh_shrink(x):
    """Return `x - tanh(x)`.

    Source: Keras 3 `keras.activations.tanh_shrink`; torch's `F.tanhshrink`.
    """
    return F.tanhshrink(as_tensor(x))
