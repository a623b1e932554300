"""What the operations on images are given."""

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.imaging import FILL_MODES
from torchkeras_lite.ops.inputs import as_tensor

TRANSFORM_INTERPOLATIONS = ("bilinear", "nearest")


def as_batch(owner, images, data_format):
    """Return images as a batch of 4 axes, whether they were one, and the data format.

    Raises:
        ValueError: another number of axes, an unknown data format.
    """
    images = as_tensor(images)
    data_format = config.standardize_data_format(data_format, owner)
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{owner}: Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). "
            f"Received input with shape: images.shape={tuple(images.shape)}."
        )
    return images if images.ndim == 4 else images.unsqueeze(0), images.ndim == 4, data_format


def as_given(images, batched):
    """Return a batch as it is, or its only image."""
    return images if batched else images.squeeze(0)


def check_transform(owner, interpolation, fill_mode="constant"):
    """Refuse unknown names.

    Raises:
        ValueError: there is one.
    """
    one_of(owner, "interpolation", interpolation, TRANSFORM_INTERPOLATIONS)
    one_of(owner, "fill_mode", fill_mode, FILL_MODES)


def spatial_axes(data_format, ndim=4):
    """Return the axes of height and width."""
    first = ndim - 3 if data_format == "channels_last" else ndim - 2
    return first, first + 1
