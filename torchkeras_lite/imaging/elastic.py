"""Images bent as if printed on rubber."""

import torch

from torchkeras_lite.imaging.blur import gaussian_blur
from torchkeras_lite.imaging.coordinates import sample
from torchkeras_lite.imaging.layout import computing_dtype


def elastic_transform(
    images,
    noise,
    alpha,
    sigma,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    data_format="channels_last",
    *,
    size=None,
):
    """Return images whose pixels are read at places moved by smooth noise.

    Args:
        images: Batch of images.
        noise: Tensor (batch, height, width, 2) of standard normal values, for the columns and the rows.
        alpha: How strong the moves are, a number or a tensor (batch,).
        sigma: Standard deviation of the Gaussian that smooths the noise, in pixels, a number; with `size`
            also a tensor (batch,).
        interpolation, fill_mode, fill_value, data_format: See `coordinates.sample`.
        size: How many rows and columns are smoothed over, an odd integer; by default 6 `sigma`.

    Source: Keras 3; Simard et al. 2003, "Best practices for convolutional neural networks".
    """
    work = computing_dtype(images.dtype)
    size = max(1, int(6 * sigma) | 1) if size is None else size
    sigma = torch.as_tensor(sigma, device=images.device, dtype=work)
    noise = noise.to(work) * sigma.reshape(-1, 1, 1, 1)
    moves = gaussian_blur(noise, (size, size), torch.stack([sigma, sigma], -1))
    moves = moves * torch.as_tensor(alpha, device=images.device, dtype=work).reshape(-1, 1, 1, 1)
    height, width = moves.shape[1:3]
    columns = torch.arange(width, device=images.device, dtype=work) + moves[..., 0]
    rows = torch.arange(height, device=images.device, dtype=work)[:, None] + moves[..., 1]
    return sample(images, columns, rows, interpolation, fill_mode, fill_value, data_format)
