"""Images made larger or smaller."""

import torch
import torch.nn.functional as F

from torchkeras_lite.imaging.layout import as_dtype, computing_dtype, to_torch, to_user
from torchkeras_lite.imaging.resampling import area_matrix, resampling_matrix

# Keras's names, and torch's.
INTERPOLATIONS = {
    "bilinear": "bilinear",
    "nearest": "nearest-exact",
    "bicubic": "bicubic",
    "lanczos3": None,
    "lanczos5": None,
}
# What TensorFlow has besides, for its images in folders.
MORE_INTERPOLATIONS = ("area", "gaussian", "mitchellcubic")
# What `F.interpolate` calls, which itself takes no `out`.
INTO = {
    "bilinear": torch.ops.aten.upsample_bilinear2d.out,
    "bicubic": torch.ops.aten.upsample_bicubic2d.out,
}


def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    data_format="channels_last",
    *,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_value=0.0,
):
    """Return images of another size.

    Args:
        images: Batch of images.
        size: (height, width).
        interpolation: One of `INTERPOLATIONS` or `MORE_INTERPOLATIONS`.
        antialias: Whether smaller images are smoothed, so that no pixel goes unseen.
        data_format: Layout of `images`.
        crop_to_aspect_ratio: Whether the largest part in the middle of the new form is taken, so that nothing
            is stretched.
        pad_to_aspect_ratio: Whether images get edges to have the new form before they are resized.
        fill_value: The number in these edges.

    Returns:
        Images of the dtype of `images`; integers are rounded.
    """
    x = to_torch(images, data_format)
    if crop_to_aspect_ratio:
        rows, columns = middle(x.shape[2:], size)
        x = x[:, :, rows, columns]
    elif pad_to_aspect_ratio:
        x = _pad_to(x, size, fill_value)
    return to_user(_resize(x, tuple(size), interpolation, antialias), data_format)


def resize_into(out, image, interpolation="bilinear", *, pad_to_aspect_ratio=False):
    """Write one image to another of another size, without memory of its own where torch can do so.

    Args:
        out: Float tensor (height, width, channels) on the CPU.
        image: Tensor of the dtype of `out`, with as many channels.
        interpolation, pad_to_aspect_ratio: See `resize`.
    """
    size = tuple(out.shape[:2])
    if interpolation in INTO and not pad_to_aspect_ratio and tuple(image.shape[:2]) != size:
        images, rows = (to_torch(pixels[None], "channels_last") for pixels in (image, out))
        INTO[interpolation](images, size, False, out=rows)
    else:
        out.copy_(resize(image[None], size, interpolation, pad_to_aspect_ratio=pad_to_aspect_ratio)[0])


def middle(shape, size):
    """Return the slices of the rows and columns in the middle of `shape` that have the form of `size`."""
    (height, width), (new_height, new_width) = shape, size
    kept_height = max(min(height, int(width * new_height / new_width)), 1)
    kept_width = max(min(width, int(height * new_width / new_height)), 1)
    top, left = int((height - kept_height) / 2), int((width - kept_width) / 2)
    return slice(top, top + kept_height), slice(left, left + kept_width)


def _pad_to(x, size, fill_value):
    (height, width), (new_height, new_width) = x.shape[2:], size
    padded_height = max(height, int(width * new_height / new_width))
    padded_width = max(width, int(height * new_width / new_height))
    top, left = (padded_height - height) // 2, (padded_width - width) // 2
    # Keras adds the same at both ends, and resizes away the pixel that an odd number lacks.
    return F.pad(x, (left, left, top, top), value=fill_value)


def _resize(x, size, interpolation, antialias):
    if tuple(x.shape[2:]) == size:
        return x
    mode = INTERPOLATIONS.get(interpolation)
    if mode == "nearest-exact":
        if x.is_floating_point() or x.dtype == torch.uint8:
            return F.interpolate(x, size, mode=mode)
        rows, columns = (_nearest(old, new, x.device) for old, new in zip(x.shape[2:], size, strict=True))
        return x[:, :, rows[:, None], columns]
    work = x.to(computing_dtype(x.dtype))
    if mode is None:
        rows, columns = (
            area_matrix(old, new, work)
            if interpolation == "area"
            else resampling_matrix(old, new, new / old, 0.0, interpolation, antialias, work)
            for old, new in zip(x.shape[2:], size, strict=True)
        )
        work = rows @ work @ columns.T
    else:
        work = F.interpolate(work, size, mode=mode, align_corners=False, antialias=antialias)
    return as_dtype(work, x.dtype)


def _nearest(length, new_length, device):
    """Return the places that are nearest to the centres of `new_length` pixels."""
    places = (torch.arange(new_length, device=device, dtype=torch.float32) + 0.5) * (length / new_length)
    return places.long().clamp(max=length - 1)
