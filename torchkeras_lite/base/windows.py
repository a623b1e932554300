"""Arithmetic of windows that slide along an axis."""

import torch


def same_padding(size, kernel, stride):
    """Return how many zeros Keras's `"same"` adds `(before, after)` along an axis.

    The output has ceil(size / stride) values. An odd number has the extra zero at the end, unlike torch's
    symmetric padding.
    """
    total = kernel - stride + -size % stride
    if kernel < stride:
        total = torch.sym_max(total, 0)
    return total // 2, total - total // 2
