"""Images turned, moved, sheared, scaled: every output pixel says where in the input it is read."""

import torch

from torchkeras_lite.imaging.coordinates import sample
from torchkeras_lite.imaging.layout import computing_dtype


def affine_transform(
    images,
    transforms,
    interpolation="bilinear",
    fill_mode="constant",
    fill_value=0.0,
    data_format="channels_last",
):
    """Return images of the same size, read at transformed places.

    Args:
        images: Batch of images.
        transforms: Tensor (batch, 8), or (1, 8) for all images. A row a0 a1 a2 b0 b1 b2 c0 c1 sends the
            output point (x, y) to the input point ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), where
            k = c0 x + c1 y + 1.
        interpolation, fill_mode, fill_value, data_format: See `coordinates.sample`.
    """
    axis = 1 if data_format == "channels_last" else 2
    columns, rows = transformed_places(transforms, images.shape[axis], images.shape[axis + 1], images)
    return sample(images, columns, rows, interpolation, fill_mode, fill_value, data_format)


def transformed_places(transforms, height, width, images):
    """Return the columns and rows (batch, height, width) to which `transforms` send the pixels."""
    work = computing_dtype(images.dtype)
    t = transforms.to(device=images.device, dtype=work).expand(images.shape[0], 8)[:, :, None, None]
    x = torch.arange(width, device=images.device, dtype=work)
    y = torch.arange(height, device=images.device, dtype=work)[:, None]
    depth = t[:, 6] * x + t[:, 7] * y + 1
    columns = (t[:, 0] * x + t[:, 1] * y + t[:, 2]) / depth
    rows = (t[:, 3] * x + t[:, 4] * y + t[:, 5]) / depth
    return columns, rows
