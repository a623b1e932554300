"""Windows of images, and images with other edges."""

import torch.nn.functional as F

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import int_tuple, one_of
from torchkeras_lite.base.windows import same_padding
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.image.arguments import as_batch, as_given, spatial_axes
from torchkeras_lite.ops.inputs import as_tensor


@operation
def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """Return the windows of images (or of volumes), each as one vector.

    Args:
        images: One image or a batch. With a `size` of three numbers: volumes, see `extract_patches_3d`.
        size: Size of the windows, an integer or a pair.
        strides: Their distance, likewise; `None`: `size`.
        dilation_rate: Distance of the values in a window, an integer or a pair.
        padding: `"valid"`: only windows inside; `"same"`: ceil(size / strides) of them, with zeros outside.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Returns:
        A tensor (batch, rows, columns, window * channels), where the channels change fastest; with
        `"channels_first"` these are on axis 1.

    Raises:
        ValueError: unknown names, another number of axes.

    Source: Keras 3 `keras.ops.image.extract_patches`; torch's `Tensor.unfold`.
    """
    if isinstance(size, (list, tuple)) and len(size) == 3:
        return extract_patches_3d(images, size, strides, dilation_rate, padding, data_format)
    return _extract("extract_patches", images, size, strides, dilation_rate, padding, data_format, 2)


@operation
def extract_patches_3d(volumes, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """Return the windows of volumes, each as one vector.

    Args:
        volumes: One volume (depth, height, width, channels) or a batch, or channels first.
        size, strides, dilation_rate: See `extract_patches`; three numbers instead of pairs.
        padding, data_format: See `extract_patches`.

    Source: Keras 3 `keras.ops.image.extract_patches_3d`.
    """
    return _extract("extract_patches_3d", volumes, size, strides, dilation_rate, padding, data_format, 3)


def _window_size(owner, size, rank):
    kind = {2: "2 or 3", 3: "3"}[rank]
    if not isinstance(size, int) and not (
        isinstance(size, (list, tuple)) and all(isinstance(side, int) for side in size)
    ):
        raise TypeError(
            f"{owner}: Invalid `size` argument. Expected an int or a tuple of length {kind}. Received: "
            f"size={size} of type {type(size).__name__}"
        )
    if isinstance(size, (list, tuple)) and len(size) != rank:
        error = ValueError if rank == 2 else TypeError
        raise error(
            f"{owner}: Invalid `size` argument. Expected a tuple of length {kind}. Received: size={size}"
        )
    return int_tuple(owner, "size", size, rank)


def _extract(owner, images, size, strides, dilation_rate, padding, data_format, rank):
    size = _window_size(owner, size, rank)
    strides = size if strides is None else int_tuple(owner, "strides", strides, rank)
    dilations = int_tuple(owner, "dilation_rate", dilation_rate, rank)
    one_of(owner, "padding", padding, ("valid", "same"))
    images = as_tensor(images)
    if images.ndim not in (rank + 1, rank + 2):
        raise ValueError(
            f"{owner}: expected {rank + 1} axes for one of them or {rank + 2} for a batch, got an input of "
            f"shape {tuple(images.shape)}."
        )
    batched = images.ndim == rank + 2
    x = images if batched else images.unsqueeze(0)
    last = config.standardize_data_format(data_format, owner) == "channels_last"
    x = x if last else x.movedim(1, -1)
    spans = [(w - 1) * d + 1 for w, d in zip(size, dilations, strict=True)]
    if padding == "same":
        ends = [same_padding(*axis) for axis in zip(x.shape[1:-1], spans, strides, strict=True)]
        x = F.pad(x, [0, 0, *(pad for pair in reversed(ends) for pad in pair)])
    for axis, (span, stride) in enumerate(zip(spans, strides, strict=True), 1):
        x = x.unfold(axis, span, stride)  # the windows' axes come last
    x = x[(..., *(slice(None, None, dilation) for dilation in dilations))]
    x = x.movedim(rank + 1, -1).flatten(rank + 1)  # (batch, ..., window * channels)
    return as_given(x if last else x.movedim(-1, 1), batched)


def _edges(owner, before, after, size, target, words):
    """Return what is added or cut off before and after an axis, of which three numbers say the fourth."""
    before_name, after_name, target_name, sign = words
    given = [value for value in (before, after, target) if value is not None]
    if len(given) != 2:
        raise ValueError(
            f"{owner}: Must specify exactly two of {before_name}, {after_name}, {target_name}. Received: "
            f"{before_name}={before}, {after_name}={after}, {target_name}={target}."
        )
    change = None if target is None else sign * (target - size)
    before = change - after if before is None else before
    after = change - before if after is None else after
    for name, value in ((target_name, target), (before_name, before), (after_name, after)):
        if value is not None and value < 0:
            raise ValueError(
                f"{owner}: {name} must be >= 0. Received: {name}={value} for an axis of size {size}. Choose "
                "other numbers."
            )
    return before, after


@operation
def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Return images with zeros around them.

    Args:
        images: One image or a batch.
        top_padding, bottom_padding, target_height: Rows above, rows below, rows in all: exactly two of them.
        left_padding, right_padding, target_width: Columns, likewise.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: one or three of them, negative numbers, another number of axes.

    Source: Keras 3 `keras.ops.image.pad_images`.
    """
    images, batched, data_format = as_batch("pad_images", images, data_format)
    rows, columns = spatial_axes(data_format)
    top, bottom = _edges(
        "pad_images",
        top_padding,
        bottom_padding,
        images.shape[rows],
        target_height,
        ("top_padding", "bottom_padding", "target_height", 1),
    )
    left, right = _edges(
        "pad_images",
        left_padding,
        right_padding,
        images.shape[columns],
        target_width,
        ("left_padding", "right_padding", "target_width", 1),
    )
    last = (0, 0) if data_format == "channels_last" else ()
    return as_given(F.pad(images, (*last, left, right, top, bottom)), batched)


@operation
def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Return a part of images, a view.

    Args:
        images: One image or a batch.
        top_cropping, bottom_cropping, target_height: Rows cut off above, below, rows left: exactly two.
        left_cropping, right_cropping, target_width: Columns, likewise.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: one or three of them, negative numbers, nothing left, another number of axes.

    Source: Keras 3 `keras.ops.image.crop_images`.
    """
    images, batched, data_format = as_batch("crop_images", images, data_format)
    rows, columns = spatial_axes(data_format)
    top, bottom = _edges(
        "crop_images",
        top_cropping,
        bottom_cropping,
        images.shape[rows],
        target_height,
        ("top_cropping", "bottom_cropping", "target_height", -1),
    )
    left, right = _edges(
        "crop_images",
        left_cropping,
        right_cropping,
        images.shape[columns],
        target_width,
        ("left_cropping", "right_cropping", "target_width", -1),
    )
    height, width = images.shape[rows] - top - bottom, images.shape[columns] - left - right
    if height <= 0 or width <= 0:
        raise ValueError(
            f"crop_images: nothing is left of images of shape {tuple(images.shape)}: target_height "
            f"and target_width must be > 0. Received: {height} rows and {width} columns."
        )
    return as_given(images.narrow(rows, top, height).narrow(columns, left, width), batched)
