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
        x = _crop_to(x, size)
    elif pad_to_aspect_ratio:
        x = _pad_to(x, size, fill_value)
    return to_user(_resize(x, tuple(size), interpolation, antialias), data_format)


def _crop_to(x, size):
    (height, width), (new_height, new_width) = x.shape[2:], size
    kept_height = max(min(height, int(width * new_height / new_width)), 1)
    kept_width = max(min(width, int(height * new_width / new_height)), 1)
    top, left = int((height - kept_height) / 2), int((width - kept_width) / 2)
    return x[:, :, top : top + kept_height, left : left + kept_width]


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
