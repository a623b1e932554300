"""Convolutions with kernels in Keras's layout: spatial axes, input channels, filters."""

import torch.nn.functional as F

from torchkeras_lite.base.checks import int_tuple
from torchkeras_lite.base.windows import same_padding
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors, to_common
from torchkeras_lite.ops.nn_windows import Windows

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operation(tensors=2)
def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolve sequences, images or volumes with a kernel.

    Args:
        inputs: Tensor (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        kernel: Tensor (..., channels / groups, filters), where the number of groups follows from the
            channels of both.
        strides: Step of the window, an integer or one for each spatial axis.
        padding: `"valid"`: only windows inside; `"same"`: ceil(size / strides) of them, with zeros outside.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        dilation_rate: Distance of the values in a window, an integer or one for each spatial axis.

    Raises:
        ValueError: shapes that do not go together, unknown names.

    Source: Keras 3 `keras.ops.conv`; torch's `F.conv2d` and its like.
    """
    inputs, kernel = to_common(as_tensors([inputs, kernel]))
    windows = Windows("conv", inputs, padding, data_format)
    x, channels = windows.x, kernel.shape[-2]
    if kernel.ndim != windows.rank + 2:
        raise ValueError(
            f"conv: expected a kernel of {windows.rank + 2} axes for inputs of shape "
            f"{tuple(windows.inputs.shape)}, got shape {tuple(kernel.shape)}. Pass (spatial axes..., input "
            "channels, filters)."
        )
    if x.shape[1] % channels:
        raise ValueError(
            "conv: The number of input channels must be evenly divisible by that of the kernel (without "
            "groups, input channels must match the kernel). Received: inputs of shape "
            f"{tuple(windows.inputs.shape)} and a kernel of shape {tuple(kernel.shape)}. The last axis but "
            "one of the kernel are the input channels of a group."
        )
    weight = kernel.movedim((-1, -2), (0, 1))
    return windows.to_user(_convolve(windows, x, weight, strides, dilation_rate, x.shape[1] // channels))


@operation(tensors=2)
def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolve every channel by itself.

    Args:
        inputs: Tensor (batch, steps, channels) or (batch, height, width, channels), or channels first.
        kernel: Tensor (..., channels, multiplier).
        strides, padding, data_format, dilation_rate: See `conv`.

    Returns:
        A tensor with channels * multiplier channels.

    Source: Keras 3 `keras.ops.depthwise_conv`.
    """
    inputs, kernel = to_common(as_tensors([inputs, kernel]))
    windows = Windows("depthwise_conv", inputs, padding, data_format)
    outputs = _convolve_depthwise(windows, windows.x, kernel, strides, dilation_rate)
    return windows.to_user(outputs)


@operation(tensors=3)
def separable_conv(
    inputs,
    depthwise_kernel,
    pointwise_kernel,
    strides=1,
    padding="valid",
    data_format=None,
    dilation_rate=1,
):
    """Convolve every channel by itself, then mix the channels of each place.

    Args:
        inputs, strides, padding, data_format, dilation_rate: See `depthwise_conv`.
        depthwise_kernel: Tensor (..., channels, multiplier).
        pointwise_kernel: Tensor (1, ..., 1, channels * multiplier, filters).

    Source: Keras 3 `keras.ops.separable_conv`.
    """
    inputs, depthwise, pointwise = to_common(as_tensors([inputs, depthwise_kernel, pointwise_kernel]))
    windows = Windows("separable_conv", inputs, padding, data_format)
    x = _convolve_depthwise(windows, windows.x, depthwise, strides, dilation_rate)
    x = _CONVOLUTIONS[windows.rank](x, pointwise.movedim((-1, -2), (0, 1)))
    return windows.to_user(x)


def _convolve_depthwise(windows, x, kernel, strides, dilation_rate):
    channels = kernel.shape[-2]
    if channels != x.shape[1]:
        raise ValueError(
            f"{windows.owner}: input channels must match the kernel's axis -2, got {x.shape[1]} and a "
            f"kernel of shape {tuple(kernel.shape)}."
        )
    weight = kernel.flatten(-2).movedim(-1, 0).unsqueeze(1)  # (channels * multiplier, 1, ...)
    return _convolve(windows, x, weight, strides, dilation_rate, channels)


def _convolve(windows, x, weight, strides, dilation_rate, groups):
    strides = windows.sizes("strides", strides)
    dilations = windows.sizes("dilation_rate", dilation_rate)
    padding = 0
    if windows.same:
        spans = [(w - 1) * d + 1 for w, d in zip(weight.shape[2:], dilations, strict=True)]
        ends = [same_padding(*axis) for axis in zip(x.shape[2:], spans, strides, strict=True)]
        if all(before == after for before, after in ends):
            padding = tuple(before for before, _ in ends)
        else:
            x = F.pad(x, [pad for pair in reversed(ends) for pad in pair])
    return _CONVOLUTIONS[windows.rank](x, weight, None, strides, padding, dilations, groups)


@operation(tensors=2)
def conv_transpose(
    inputs,
    kernel,
    strides=1,
    padding="valid",
    output_padding=None,
    data_format=None,
    dilation_rate=1,
):
    """Convolve in reverse: spread every value over a window of the output.

    Args:
        inputs: Tensor (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        kernel: Tensor (..., filters, channels).
        strides: Distance of the windows of neighbouring values, an integer or one for each axis.
        padding: `"valid"`: all values that an input reaches, `(size - 1) * strides + max(window, strides)`;
            `"same"`: `size * strides` values.
        output_padding: How many values are added at the end, less than `strides`, counted from `(size - 1) *
            strides + window` (`"valid"`) or `(size - 1) * strides + window % 2` (`"same"`); `None`: the
            sizes above.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        dilation_rate: Distance of the values in a window, an integer or one for each axis.

    Raises:
        ValueError: shapes that do not go together, unknown names, an output padding of `strides` or more.

    Source: Keras 3 `keras.ops.conv_transpose`; torch's `F.conv_transpose2d` and its like.
    """
    inputs, kernel = to_common(as_tensors([inputs, kernel]))
    windows = Windows("conv_transpose", inputs, padding, data_format)
    strides = windows.sizes("strides", strides)
    dilations = windows.sizes("dilation_rate", dilation_rate)
    if output_padding is not None:
        output_padding = int_tuple(
            "conv_transpose", "output_padding", output_padding, windows.rank, allow_zero=True
        )
        if any(extra >= stride for extra, stride in zip(output_padding, strides, strict=True)):
            raise ValueError(
                "conv_transpose: `output_padding` must be less than `strides`, got output_padding="
                f"{output_padding} and strides={strides}."
            )
    spans = [(w - 1) * d + 1 for w, d in zip(kernel.shape[:-2], dilations, strict=True)]
    if kernel.shape[-1] != windows.x.shape[1]:
        raise ValueError(
            f"conv_transpose: input channels must match the kernel, got inputs of shape "
            f"{tuple(inputs.shape)} and a kernel of shape {tuple(kernel.shape)}. The kernel's axes are the "
            "spatial ones, filters, input channels."
        )
    crops = [
        _crop(span, stride, windows.same, None if output_padding is None else output_padding[axis])
        for axis, (span, stride) in enumerate(zip(spans, strides, strict=True))
    ]
    outputs = _TRANSPOSED[windows.rank](
        windows.x, kernel.movedim((-1, -2), (0, 1)), None, strides, 0, 0, 1, dilations
    )
    for axis, (before, after) in enumerate(crops, 2):
        outputs = outputs.narrow(axis, before, outputs.shape[axis] - before - max(after, 0))
    if any(after < 0 for _, after in crops):
        outputs = F.pad(outputs, [pad for _, after in reversed(crops) for pad in (0, max(-after, 0))])
    return windows.to_user(outputs)


def _crop(span, stride, same, output_padding):
    """Return how much of the full result is cut off before and after; negative: zeros are added."""
    if output_padding is None:
        crop = span - stride if same else min(span - stride, 0)
    else:
        crop = (span // 2 * 2 if same else 0) - output_padding
    before = max(crop // 2, 0)
    return before, crop - before


@operation
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """Return the windows of images as columns.

    Args:
        x: Tensor (batch, channels, height, width).
        kernel_size: Size of the window, an integer or a pair, as the following.
        dilation: Distance of the values in a window.
        padding: Zeros added at both ends of each axis.
        stride: Step of the window.

    Shapes:
        `(batch, channels, height, width)` -> `(batch, channels * window, windows)`

    Source: Keras 3 `keras.ops.unfold`; torch's `F.unfold`.
    """
    x = as_tensor(x)
    if x.ndim != 4:
        raise ValueError(
            f"unfold: `x` must be a 4D tensor, got shape {tuple(x.shape)}. Pass a batch of images."
        )
    return F.unfold(x, kernel_size, dilation, padding, stride)


@operation
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Return images that are the sum of windows, given as columns: the reverse of `unfold`.

    Args:
        x: Tensor (batch, channels * window, windows).
        output_size: Height and width of the images.
        kernel_size, dilation, padding, stride: See `unfold`.

    Source: Keras 3 `keras.ops.fold`; torch's `F.fold`.
    """
    x = as_tensor(x)
    if x.ndim != 3:
        raise ValueError(
            f"fold: `x` must be a 3D tensor (batch, channels * window, windows), got shape {tuple(x.shape)}."
        )
    return F.fold(x, output_size, kernel_size, dilation, padding, stride)


def _check_blocks(owner, block_size, ndim):
    if isinstance(block_size, bool) or not isinstance(block_size, int) or block_size < 2:
        raise ValueError(
            f"{owner}: `block_size` must be at least 2. Received: block_size={block_size}. Pass an integer."
        )
    if ndim != 4:
        raise ValueError(f"{owner}: expected a batch of images of 4 axes, got {ndim} axes.")


@operation
def depth_to_space(x, block_size, data_format="channels_last"):
    """Spread groups of channels over blocks of pixels.

    Args:
        x: Tensor of images (batch, height, width, channels), or channels first.
        block_size: Height and width of the blocks, 2 or more; its square divides the channels.
        data_format: Layout of `x`; `None`: the configured one.

    Shapes:
        `(batch, height, width, channels)` -> `(batch, height * block, width * block, channels / block**2)`

    Raises:
        ValueError: another block size, number of axes or of channels.

    Source: Keras 3 `keras.ops.depth_to_space`. With `"channels_first"` it is torch's `F.pixel_shuffle`;
    with `"channels_last"` the channels of the result change fastest, not slowest, as in Keras.
    """
    x = as_tensor(x)
    _check_blocks("depth_to_space", block_size, x.ndim)
    windows = Windows("depth_to_space", x, "valid", data_format)
    channels = windows.x.shape[1]
    if channels % block_size**2:
        raise ValueError(
            f"depth_to_space: the channels must be divisible by block_size**2 = {block_size**2}, got images "
            f"of shape {tuple(x.shape)}."
        )
    if not windows.channels_last:
        return F.pixel_shuffle(x, block_size)
    blocks = windows.x.unflatten(1, (block_size, block_size, -1))  # (batch, block, block, depth, h, w)
    blocks = blocks.permute(0, 3, 4, 1, 5, 2)
    return windows.to_user(blocks.flatten(4).flatten(2, 3))


@operation
def space_to_depth(x, block_size, data_format="channels_last"):
    """Gather blocks of pixels in the channels: the reverse of `depth_to_space`.

    Args:
        x, block_size, data_format: See `depth_to_space`; the block size divides height and width.

    Raises:
        ValueError: another block size, number of axes, height or width.

    Source: Keras 3 `keras.ops.space_to_depth`. See `depth_to_space` for the order of the channels.
    """
    x = as_tensor(x)
    _check_blocks("space_to_depth", block_size, x.ndim)
    windows = Windows("space_to_depth", x, "valid", data_format)
    if any(size % block_size for size in windows.x.shape[2:]):
        raise ValueError(
            f"space_to_depth: height and width must be divisible by block_size={block_size}, got images of "
            f"shape {tuple(x.shape)}."
        )
    if not windows.channels_last:
        return F.pixel_unshuffle(x, block_size)
    blocks = windows.x.unflatten(3, (-1, block_size)).unflatten(2, (-1, block_size))
    blocks = blocks.permute(0, 3, 5, 1, 2, 4)  # (batch, block, block, channels, h, w)
    return windows.to_user(blocks.flatten(1, 3))
