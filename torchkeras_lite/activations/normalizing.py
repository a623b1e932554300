"""Activations that turn the scores along an axis into a distribution: softmax and its relatives."""

import torch

from torchkeras_lite.activations.inputs import as_tensor


def softmax(x, axis=-1):
    """Softmax: positive values that sum to 1 along `axis`.

    Args:
        x: Tensor of scores.
        axis: An axis, several as a tuple or list, or `None` for all of them together.

    Source: Keras 3 `keras.activations.softmax`; torch's `torch.softmax`, which takes one axis only.
    """
    x = as_tensor(x)
    if axis is None or isinstance(axis, (list, tuple)):
        return torch.exp(log_softmax(x, axis))
    return torch.softmax(x, axis)


def log_softmax(x, axis=-1):
    """Logarithm of the softmax along `axis`, without overflow.

    Args:
        x: Tensor of scores.
        axis: An axis, several as a tuple or list, or `None` for all of them together.

    Source: Keras 3 `keras.activations.log_softmax`; torch's `torch.log_softmax`, which takes one axis only.
    """
    x = as_tensor(x)
    if axis is None or isinstance(axis, (list, tuple)):
        axes = tuple(range(x.ndim)) if axis is None else tuple(axis)
        return x - torch.logsumexp(x, axes, keepdim=True)
    return torch.log_softmax(x, axis)


def sparsemax(x, axis=-1):
    """Sparsemax: what scores have above a threshold, which follows from the scores along `axis`; else 0.

    Args:
        x: Tensor of scores.
        axis: The axis of the scores.

    Source: Keras 3 `keras.activations.sparsemax`; Martins and Astudillo 2016 (arXiv:1602.02068). As in
    Keras, the threshold takes the sum of all partial sums of the greatest scores, where the paper takes the
    last of them; so the values sum to 1 only where the greatest score exceeds the next by 1 or more.
    """
    x = as_tensor(x)
    descending = torch.sort(x, axis, descending=True)[0]
    sums = torch.cumsum(descending, axis)
    counts = torch.cumsum(torch.ones_like(descending), axis)
    inside = descending - (sums - 1) / counts > 0
    kept = torch.where(inside, sums, 0.0)
    threshold = (torch.sum(kept, axis, keepdim=True) - 1) / torch.sum(inside, axis, keepdim=True)
    return torch.clamp(x - threshold, min=0.0)
