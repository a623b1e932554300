"""Pooling."""

import torch
import torch.nn.functional as F

from torchkeras_lite.base.windows import same_padding
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import to_float
from torchkeras_lite.ops.nn_windows import Windows

_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
_ADAPTIVE_AVERAGE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


@operation
def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """Return the greatest value in each window.

    Args:
        inputs: Tensor (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        pool_size: Size of the window, an integer or one for each spatial axis.
        strides: Step of the window, likewise; `None`: `pool_size`.
        padding: `"valid"`: only windows inside; `"same"`: ceil(size / strides) of them, and what lies
            outside counts for nothing.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: sizes that are no positive integers, unknown names.

    Source: Keras 3 `keras.ops.max_pool`; torch's `F.max_pool2d` and its like.
    """
    windows = Windows("max_pool", inputs, padding, data_format)
    window = windows.sizes("pool_size", pool_size)
    steps = window if strides is None else windows.sizes("strides", strides)
    x, padding = windows.x, 0
    if windows.same:
        least = -torch.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
        x, padding = _pad(x, window, steps, least)
    return windows.to_user(_MAX[windows.rank](x, window, steps, padding))


@operation
def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """Return the mean of each window.

    Args:
        inputs, pool_size, strides, padding, data_format: See `max_pool`.

    Source: Keras 3 `keras.ops.average_pool`; torch's `F.avg_pool2d` and its like. Differs from torch: padding
    is not averaged.
    """
    windows = Windows("average_pool", to_float(inputs), padding, data_format)
    window = windows.sizes("pool_size", pool_size)
    steps = window if strides is None else windows.sizes("strides", strides)
    pool, x = _AVERAGE[windows.rank], windows.x
    if not windows.same:
        return windows.to_user(pool(x, window, steps))
    padded, padding = _pad(x, window, steps, 0.0)
    if padded is x:
        return windows.to_user(pool(x, window, steps, padding, count_include_pad=False))
    inside, _ = _pad(x.new_ones((1, 1, *x.shape[2:])), window, steps, 0.0)
    return windows.to_user(pool(padded, window, steps) / pool(inside, window, steps))


def _pad(x, window, strides, value):
    """Return `x` and the padding at both ends that torch shall add; uneven padding is added here."""
    ends = [same_padding(*axis) for axis in zip(x.shape[2:], window, strides, strict=True)]
    if all(before == after for before, after in ends):
        return x, tuple(before for before, _ in ends)
    return F.pad(x, [pad for pair in reversed(ends) for pad in pair], value=value), 0


@operation
def adaptive_max_pool(inputs, output_size, data_format=None):
    """Return the greatest values of as many windows as the output has places.

    Args:
        inputs: Tensor (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        output_size: Sizes of the output's spatial axes, an integer or one for each. Window `i` of `n` goes
            from floor(i * size / n) to ceil((i + 1) * size / n).
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Source: Keras 3 `keras.ops.adaptive_max_pool`.
    """
    windows = Windows("adaptive_max_pool", to_float(inputs), "valid", data_format)
    sizes = windows.sizes("output_size", output_size)
    return windows.to_user(_ADAPTIVE_MAX[windows.rank](windows.x, sizes))


@operation
def adaptive_average_pool(inputs, output_size, data_format=None):
    """Return the means of as many windows as the output has places.

    Args:
        inputs, output_size, data_format: See `adaptive_max_pool`.

    Source: Keras 3 `keras.ops.adaptive_average_pool`.
    """
    windows = Windows("adaptive_average_pool", to_float(inputs), "valid", data_format)
    sizes = windows.sizes("output_size", output_size)
    return windows.to_user(_ADAPTIVE_AVERAGE[windows.rank](windows.x, sizes))
