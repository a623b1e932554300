"""Images blurred by a Gaussian."""

import torch
import torch.nn.functional as F

from torchkeras_lite.imaging.layout import as_dtype, computing_dtype, to_torch, to_user


def gaussian_weights(size, sigma):
    """Return the `size` weights (..., size), of sum 1, of Gaussians around the middle.

    Args:
        size: How many.
        sigma: Standard deviations, a tensor; at 0 only the middle counts.
    """
    places = torch.arange(size, device=sigma.device, dtype=sigma.dtype) - (size - 1) / 2
    return torch.softmax(-0.5 * (places / sigma.clamp(min=1e-6)[..., None]).square(), -1)


def gaussian_blur(images, kernel_size, sigma, data_format="channels_last"):
    """Return images blurred by a Gaussian; outside they are 0.

    Args:
        images: Batch of images.
        kernel_size: How many columns and how many rows count, two integers.
        sigma: Standard deviations along the columns and the rows, in pixels: two numbers, or a tensor (2,)
            or (batch, 2).
        data_format: Layout of `images`.

    Returns:
        Images of the dtype of `images`; integers are rounded.
    """
    work = computing_dtype(images.dtype)
    sigma = torch.as_tensor(sigma, dtype=work, device=images.device)
    x = to_torch(images, data_format)
    batch, channels = x.shape[:2]
    blurred = x.to(work)
    if sigma.ndim == 2:  # every image has its own weights, so it becomes channels
        blurred = blurred.reshape(1, batch * channels, *x.shape[2:])
        sigma = sigma.repeat_interleave(channels, 0)
    else:
        sigma = sigma.expand(channels, 2)
    along_width = gaussian_weights(kernel_size[0], sigma[:, 0])[:, None, None, :]
    along_height = gaussian_weights(kernel_size[1], sigma[:, 1])[:, None, :, None]
    blurred = F.conv2d(blurred, along_width, padding="same", groups=sigma.shape[0])
    blurred = F.conv2d(blurred, along_height, padding="same", groups=sigma.shape[0])
    return to_user(as_dtype(blurred, images.dtype).reshape(x.shape), data_format)
