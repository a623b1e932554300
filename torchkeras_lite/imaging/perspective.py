"""Images seen from another side."""

import torch

from torchkeras_lite.imaging.affine import affine_transform
from torchkeras_lite.imaging.layout import computing_dtype


def perspective_transform(
    images,
    start_points,
    end_points,
    interpolation="bilinear",
    fill_value=0.0,
    data_format="channels_last",
):
    """Return images in which four points of the input lie at four other places.

    Args:
        images: Batch of images.
        start_points: Tensor (batch, 4, 2) of points (x, y) of the input.
        end_points: Where they are in the output.
        interpolation, fill_value, data_format: See `coordinates.sample`.
    """
    work = computing_dtype(images.dtype)
    transforms = perspective_vectors(end_points.to(work), start_points.to(work))
    return affine_transform(images, transforms, interpolation, "constant", fill_value, data_format)


def perspective_vectors(points, targets):
    """Return the transforms (batch, 8), as `affine_transform` takes them, that send points to targets.

    Args:
        points, targets: Tensors (batch, 4, 2) of points (x, y), no three of them on a line.
    """
    x, y = points.unbind(-1)
    ones, zeros = torch.ones_like(x), torch.zeros_like(x)
    u, v = targets.unbind(-1)
    for_u = torch.stack([x, y, ones, zeros, zeros, zeros, -u * x, -u * y], -1)  # (batch, 4, 8)
    for_v = torch.stack([zeros, zeros, zeros, x, y, ones, -v * x, -v * y], -1)
    return torch.linalg.solve(torch.cat([for_u, for_v], 1), torch.cat([u, v], 1))
