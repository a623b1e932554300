"""The user's layout of images outside, torch's inside, and the dtype in between."""

import torch


def to_torch(images, data_format):
    """Return images as a view of shape (batch, channels, height, width)."""
    return images.permute(0, 3, 1, 2) if data_format == "channels_last" else images


def to_user(images, data_format):
    """Return images of shape (batch, channels, height, width) as a view in the user's layout."""
    return images.permute(0, 2, 3, 1) if data_format == "channels_last" else images


def computing_dtype(dtype):
    """Return the dtype in which places and weights are computed: float32, or float64 for float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def as_dtype(values, dtype):
    """Return floats as `dtype`; integers are rounded and kept within their range."""
    if values.dtype == dtype or dtype.is_floating_point or dtype.is_complex:
        return values.to(dtype)
    if dtype == torch.bool:
        return values.round().to(dtype)
    limits = torch.iinfo(dtype)
    return values.round().clamp(limits.min, limits.max).to(dtype)
