"""Colours and brightness of images."""

import torch
import torch.nn.functional as F

from torchkeras_lite import imaging
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.image.arguments import as_batch, as_given
from torchkeras_lite.ops.inputs import as_tensors, to_common, to_float


def _floats(owner, images, data_format):
    images, batched, data_format = as_batch(owner, images, data_format)
    if not images.is_floating_point():
        raise ValueError(
            f"{owner}: Invalid images dtype: expected float dtype. Received: images.dtype={images.dtype}. "
            "Cast the images, and divide by 255."
        )
    axis = 3 if data_format == "channels_last" else 1
    if images.shape[axis] != 3:
        raise ValueError(
            f"{owner}: Input images must have 3 channels, but received images with {images.shape[axis]} "
            f"channels. Images of shape {tuple(images.shape)} have them on axis {axis - 4}."
        )
    return images, batched, data_format


@operation(name="RGBToGrayscale")
def rgb_to_grayscale(images, data_format=None):
    """Return the brightness of images, in one channel.

    Args:
        images: One image or a batch, with 3 channels or 1.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: another number of axes or channels.

    Source: Keras 3 `keras.ops.image.rgb_to_grayscale`.
    """
    images, batched, data_format = as_batch("rgb_to_grayscale", images, data_format)
    channels = images.shape[3 if data_format == "channels_last" else 1]
    if channels not in (1, 3):
        raise ValueError(
            "rgb_to_grayscale: Invalid channel size: expected 3 (RGB) or 1 (Grayscale). Received input with "
            f"shape: images.shape={tuple(images.shape)}."
        )
    return as_given(imaging.rgb_to_grayscale(images, data_format), batched)


@operation(name="RGBToHSV")
def rgb_to_hsv(images, data_format=None):
    """Return the hue, saturation and value of images.

    Args:
        images: One image or a batch of floats, usually from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: integers, another number of axes or channels.

    Source: Keras 3 `keras.ops.image.rgb_to_hsv`.
    """
    images, batched, data_format = _floats("rgb_to_hsv", images, data_format)
    return as_given(imaging.rgb_to_hsv(images, data_format), batched)


@operation(name="HSVToRGB")
def hsv_to_rgb(images, data_format=None):
    """Return the red, green and blue of images in hue, saturation and value.

    Args:
        images: One image or a batch of floats.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: integers, another number of axes or channels.

    Source: Keras 3 `keras.ops.image.hsv_to_rgb`.
    """
    images, batched, data_format = _floats("hsv_to_rgb", images, data_format)
    return as_given(imaging.hsv_to_rgb(images, data_format), batched)


@operation
def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Return images blurred by a Gaussian; outside they are 0.

    Args:
        images: One image or a batch.
        kernel_size: Size of the window, an integer or a pair.
        sigma: Standard deviations in pixels, a number or a pair. Of both pairs the first is for the width.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: another number of axes.

    Source: Keras 3 `keras.ops.image.gaussian_blur`, whose documentation says that the first of a pair is for
    the height; it is not. Differs: without `data_format`, Keras on torch blurs along the wrong axes; windows
    that are not square, or of even size, are right here.
    """
    images, batched, data_format = as_batch("gaussian_blur", images, data_format)
    kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    sigma = (sigma, sigma) if isinstance(sigma, (int, float)) else sigma
    return as_given(imaging.gaussian_blur(images, kernel_size, sigma, data_format), batched)


@operation
def sobel_edges(images, data_format=None):
    """Return how steeply images rise downwards and to the right, by Sobel's filters.

    Args:
        images: One image or a batch. Outside they are 0.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Returns:
        A tensor like `images` with one more axis at the end, of size 2.

    Raises:
        ValueError: another number of axes.

    Source: Keras 3 `keras.ops.image.sobel_edges`. Differs: single images are allowed.
    """
    images, batched, data_format = as_batch("sobel_edges", images, data_format)
    x = images.permute(0, 3, 1, 2) if data_format == "channels_last" else images
    work = x if x.is_floating_point() else x.float()
    channels = x.shape[1]
    down = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
    kernels = torch.stack([down, down.T]).to(work).unsqueeze(1).repeat(channels, 1, 1, 1)
    edges = F.conv2d(work, kernels, padding=1, groups=channels).unflatten(1, (channels, 2))
    edges = edges.movedim(2, -1).to(images.dtype)  # (batch, channels, height, width, 2)
    return as_given(edges.movedim(1, 3) if data_format == "channels_last" else edges, batched)


@operation(tensors=2, name="SSIM")
def ssim(
    image1,
    image2,
    max_val=1.0,
    filter_size=11,
    filter_sigma=1.5,
    k1=0.01,
    k2=0.03,
    data_format=None,
):
    """Return the structural similarity of images, 1 where they are equal.

    Args:
        image1, image2: Images or batches of one shape, at least as large as the filter.
        max_val: Largest value that is possible.
        filter_size: Size of the Gaussian window.
        filter_sigma: Its standard deviation, in pixels.
        k1, k2: Small numbers that keep divisions steady.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Returns:
        A tensor (batch,), or one number; floats also for integers.

    Raises:
        ValueError: shapes that differ, images smaller than the filter.

    Source: Keras 3 `keras.ops.image.ssim`; Wang et al. 2004, "Image quality assessment". Differs: integers
    give floats, where Keras on torch cuts the result to 0.
    """
    image1, image2 = (to_float(x) for x in to_common(as_tensors([image1, image2])))
    if image1.shape != image2.shape:
        raise ValueError(
            f"ssim: expected images of one shape, got {tuple(image1.shape)} and {tuple(image2.shape)}."
        )
    image1, batched, data_format = as_batch("ssim", image1, data_format)
    image2 = image2.reshape(image1.shape)
    if data_format == "channels_last":
        image1, image2 = image1.permute(0, 3, 1, 2), image2.permute(0, 3, 1, 2)
    if min(image1.shape[2:]) < filter_size:
        raise ValueError(
            f"ssim: expected images of at least {filter_size} rows and columns, the size of the filter, got "
            f"{tuple(image1.shape[2:])}. Pass a smaller `filter_size`."
        )
    weights = imaging.gaussian_weights(filter_size, image1.new_full((), filter_sigma))
    similarity = _similarity(image1, image2, weights, (k1 * max_val) ** 2, (k2 * max_val) ** 2)
    return as_given(similarity.mean((1, 2, 3)), batched)


def _similarity(x, y, weights, c1, c2):
    channels = x.shape[1]
    kernel = (weights[:, None] * weights).expand(channels, 1, -1, -1)
    stacked = torch.cat([x, y, x * x, y * y, x * y])
    mean_x, mean_y, xx, yy, xy = F.conv2d(stacked, kernel, groups=channels).chunk(5)
    squares, product = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    structure = (2 * (xy - product) + c2) / (xx + yy - squares + c2)
    return structure * (2 * product + c1) / (squares + c1)
