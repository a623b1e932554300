"""Convolutions and pooling of `tf.nn`: shapes and arguments as TensorFlow's, work by `keras.ops`."""

from torchkeras_lite import ops
from torchkeras_lite.tf.conversion import convert


def _window(value, rank, channels_first=False):
    """Return a stride or size for each spatial axis, from a number or from one number an axis."""
    if isinstance(value, int):
        return (value,) * rank
    value = tuple(int(one) for one in value)
    if len(value) == rank + 2:
        return value[2:] if channels_first else value[1:-1]
    return value * rank if len(value) == 1 else value


def _format(data_format):
    return "channels_first" if data_format and data_format.startswith("NC") else "channels_last"


def _padded(x, padding):
    """Return the input and Keras's name of the padding; explicit widths are added here."""
    if isinstance(padding, str):
        return x, padding.lower()
    return ops.pad(x, [tuple(pair) for pair in padding]), "valid"


def convolution(input, filters, strides=1, padding="VALID", data_format=None, dilations=1, name=None):
    """Convolve sequences, images or volumes.

    Args:
        input: Tensor `(batch, ..., channels)`, or `(batch, channels, ...)` with a `data_format` `"NC..."`.
        filters: Tensor `(..., channels, filters)`.
        strides, dilations: Numbers, one for each spatial axis or for all axes.
        padding: `"SAME"`, `"VALID"`, or widths before and after for each axis.
        data_format: `"NHWC"` and its like, or `"NCHW"`.
        name: Accepted as in TensorFlow.
    """
    input, filters = convert(input), convert(filters)
    rank, form = input.ndim - 2, _format(data_format)
    first = form == "channels_first"
    input, padding = _padded(input, padding)
    steps, gaps = _window(strides, rank, first), _window(dilations or 1, rank, first)
    return ops.conv(input, filters, steps, padding, form, gaps)


def conv1d(input, filters, stride, padding, data_format="NWC", dilations=None, name=None):
    """Convolve sequences; see `convolution`."""
    return convolution(input, filters, stride, padding, data_format, dilations)


def conv2d(input, filters, strides, padding, data_format="NHWC", dilations=None, name=None):
    """Convolve images; see `convolution`."""
    return convolution(input, filters, strides, padding, data_format, dilations)


def conv3d(input, filters, strides, padding, data_format="NDHWC", dilations=None, name=None):
    """Convolve volumes; see `convolution`."""
    return convolution(input, filters, strides, padding, data_format, dilations)


def atrous_conv2d(value, filters, rate, padding, name=None):
    """Convolve images with a kernel whose values are `rate` apart."""
    return convolution(value, filters, 1, padding, "NHWC", rate)


def depthwise_conv2d(input, filter, strides, padding, data_format=None, dilations=None, name=None):
    """Convolve every channel of images by itself, with a kernel `(height, width, channels, multiplier)`."""
    input, form = convert(input), _format(data_format)
    first = form == "channels_first"
    input, padding = _padded(input, padding)
    steps, gaps = _window(strides, 2, first), _window(dilations or 1, 2, first)
    return ops.depthwise_conv(input, convert(filter), steps, padding, form, gaps)


def separable_conv2d(
    input, depthwise_filter, pointwise_filter, strides, padding, data_format=None, dilations=None, name=None
):
    """Convolve every channel by itself, then mix channels."""
    x = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return convolution(x, pointwise_filter, 1, "VALID", data_format)


def _transposed(rank):
    def called(
        input, filters, output_shape, strides, padding="SAME", data_format=None, dilations=None, name=None
    ):
        input, filters = convert(input), convert(filters)
        form = _format(data_format)
        first = form == "channels_first"
        steps, gaps = _window(strides, rank, first), _window(dilations or 1, rank, first)
        wanted = _window(convert(output_shape).tolist(), rank, first)
        x = ops.conv_transpose(input, filters, steps, "valid", None, form, gaps)
        for axis, size in enumerate(wanted):
            given = input.shape[axis + (2 if first else 1)]
            reach = (given - 1) * steps[axis] + (filters.shape[axis] - 1) * gaps[axis] + 1
            before = max(reach - size, 0) // 2 if padding.lower() == "same" else 0
            x = _fitted(x, axis + (2 if first else 1), before, size)
        return x

    called.__name__ = called.__qualname__ = f"conv{rank}d_transpose"
    called.__doc__ = f"""Undo the shape of a convolution of {rank} spatial axes: its gradient.

    The kernel is `(..., filters, channels)`, and `output_shape` the whole shape of the result.
    """
    return called


def _fitted(x, axis, before, size):
    """Return `size` values along an axis, with zeros where there are fewer."""
    x = x.narrow(axis, before, min(size, x.shape[axis] - before))
    return ops.pad(x, [(0, size - x.shape[axis] if at == axis else 0) for at in range(x.ndim)])


conv1d_transpose, conv2d_transpose, conv3d_transpose = map(_transposed, (1, 2, 3))


def _pooling(pool, name, rank=None):
    def called(input, ksize, strides=None, padding="VALID", data_format=None, name=None):
        input, form = convert(input), _format(data_format)
        first, axes = form == "channels_first", rank or input.ndim - 2
        size = _window(ksize, axes, first)
        steps = size if strides is None else _window(strides, axes, first)
        return pool(input, size, steps, padding.lower(), form)

    called.__name__ = called.__qualname__ = name
    called.__doc__ = f"TensorFlow's `tf.nn.{name}`."
    return called


max_pool, max_pool1d, max_pool2d, max_pool3d = (
    _pooling(ops.max_pool, name, rank)
    for name, rank in (("max_pool", None), ("max_pool1d", 1), ("max_pool2d", 2), ("max_pool3d", 3))
)
avg_pool, avg_pool1d, avg_pool2d, avg_pool3d = (
    _pooling(ops.average_pool, name, rank)
    for name, rank in (("avg_pool", None), ("avg_pool1d", 1), ("avg_pool2d", 2), ("avg_pool3d", 3))
)


def depth_to_space(input, block_size, data_format="NHWC", name=None):
    """Return channels laid out as blocks of pixels."""
    return ops.depth_to_space(convert(input), block_size, _format(data_format))


def space_to_depth(input, block_size, data_format="NHWC", name=None):
    """Return blocks of pixels laid out as channels."""
    return ops.space_to_depth(convert(input), block_size, _format(data_format))


__all__ = [
    "atrous_conv2d",
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv1d",
    "conv1d_transpose",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
    "convolution",
    "depth_to_space",
    "depthwise_conv2d",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "separable_conv2d",
    "space_to_depth",
]
