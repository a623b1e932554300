"""`tf.image`: sizes, crops and measures of images, with the colors of `image_colors`."""

import math

import torch

from torchkeras_lite import ops
from torchkeras_lite.imaging.resize import INTERPOLATIONS, MORE_INTERPOLATIONS
from torchkeras_lite.imaging.resize import resize as resize_batch
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf import random as tf_random
from torchkeras_lite.tf.conversion import convert, sizes
from torchkeras_lite.tf.image_colors import *  # noqa: F403
from torchkeras_lite.tf.image_colors import __all__ as COLORS
from torchkeras_lite.tf.image_colors import stateless_below
from torchkeras_lite.tf.image_files import (
    decode_bmp,
    decode_gif,
    decode_image,
    decode_jpeg,
    decode_png,
    encode_jpeg,
    encode_png,
)
from torchkeras_lite.tf.indexing import gather
from torchkeras_lite.tf.unknown import missing

METHODS = (*INTERPOLATIONS, *MORE_INTERPOLATIONS)


class ResizeMethod:
    """Names of the ways to resize."""

    AREA = "area"
    BICUBIC = "bicubic"
    BILINEAR = "bilinear"
    GAUSSIAN = "gaussian"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    MITCHELLCUBIC = "mitchellcubic"
    NEAREST_NEIGHBOR = "nearest"


def resize(
    images, size, method=ResizeMethod.BILINEAR, preserve_aspect_ratio=False, antialias=False, name=None
):
    """Return images of another size, `float32` except by the nearest pixel.

    Args:
        images: One image or a batch.
        size: (height, width).
        method: One of `ResizeMethod`.
        preserve_aspect_ratio: Whether the form stays; `size` is then the most there may be.
        antialias: Whether smaller images are smoothed.
        name: Accepted as in TensorFlow.

    Raises:
        ValueError: an unknown method.
    """
    images, size = convert(images), sizes(size)
    if method not in METHODS:
        raise ValueError(f"tf.image.resize: unknown method {method!r}. Known: {', '.join(METHODS)}.")
    if preserve_aspect_ratio:
        height, width = images.shape[-3:-1]
        scale = min(size[0] / height, size[1] / width)
        size = (max(round(height * scale), 1), max(round(width * scale), 1))
    if method != "nearest" and not images.is_floating_point():
        images = images.float()
    if method == "bicubic":  # Keys's kernel with a = -0.5, where torch's `interpolate` has -0.75
        return _resize_by_cubes(images, size, antialias).float()
    batch = images if images.ndim == 4 else images.unsqueeze(0)
    result = resize_batch(batch, size, method, antialias)
    result = result if images.ndim == 4 else result.squeeze(0)
    return result if method == "nearest" else result.float()


def _resize_by_cubes(images, size, antialias):
    rows, columns = images.ndim - 3, images.ndim - 2
    shape = (*images.shape[:-3], *size, images.shape[-1])
    scale = torch.tensor([size[0] / images.shape[rows], size[1] / images.shape[columns]])
    return ops.image.scale_and_translate(
        images, shape, scale, torch.zeros(2), (rows, columns), "cubic", antialias
    )


def resize_with_pad(image, target_height, target_width, method=ResizeMethod.BILINEAR, antialias=False):
    """Return images of another size that keep their form, in the middle of black edges."""
    image = convert(image)
    height, width = image.shape[-3:-1]
    scale = min(target_height / height, target_width / width)
    new = (max(round(height * scale), 1), max(round(width * scale), 1))
    top, left = (target_height - new[0]) // 2, (target_width - new[1]) // 2
    return pad_to_bounding_box(
        resize(image, new, method, antialias=antialias), top, left, target_height, target_width
    )


def resize_with_crop_or_pad(image, target_height, target_width):
    """Return the middle of images, with black edges where they are smaller."""
    image = convert(image)
    height, width = image.shape[-3:-1]
    top, left = max(height - target_height, 0) // 2, max(width - target_width, 0) // 2
    image = crop_to_bounding_box(image, top, left, min(height, target_height), min(width, target_width))
    top, left = max(target_height - height, 0) // 2, max(target_width - width, 0) // 2
    return pad_to_bounding_box(image, top, left, target_height, target_width)


def crop_to_bounding_box(image, offset_height, offset_width, target_height, target_width):
    """Return a part of images.

    Raises:
        ValueError: it reaches outside.
    """
    image = convert(image)
    top, left, high, wide = map(int, (offset_height, offset_width, target_height, target_width))
    height, width = image.shape[-3:-1]
    if min(top, left) < 0 or top + high > height or left + wide > width:
        raise ValueError(
            f"crop_to_bounding_box: rows {top} to {top + high} and columns {left} to {left + wide} reach "
            f"outside an image of {height} x {width}."
        )
    return image[..., top : top + high, left : left + wide, :]


def pad_to_bounding_box(image, offset_height, offset_width, target_height, target_width):
    """Return images in a larger black one."""
    image = convert(image)
    top, left, high, wide = map(int, (offset_height, offset_width, target_height, target_width))
    bottom, right = high - top - image.shape[-3], wide - left - image.shape[-2]
    if min(top, left, bottom, right) < 0:
        raise ValueError(
            f"pad_to_bounding_box: an image of shape {image.shape} does not fit {high} x {wide}."
        )
    return torch.nn.functional.pad(image, (0, 0, left, right, top, bottom))


def central_crop(image, central_fraction):
    """Return the middle part of images: a fraction of their height and width.

    Raises:
        ValueError: a fraction that is not above 0 and at most 1.
    """
    image, fraction = convert(image), float(central_fraction)
    if not 0 < fraction <= 1:
        raise ValueError(f"central_fraction must be in (0, 1], got {fraction}.")
    height, width = image.shape[-3:-1]
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    return image[..., top : height - top, left : width - left, :]


def random_crop(value, size, seed=None, name=None):
    """Return a part of a tensor of any number of axes, at a random place.

    Raises:
        ValueError: a size greater than the tensor's.
    """
    return _cropped(value, size, None if seed is None else (seed, 0))


def stateless_random_crop(value, size, seed, name=None):
    """Return a part of a tensor, at the same place at every call with the same `seed`."""
    return _cropped(value, size, seed)


def _cropped(value, size, seed):
    value, size = convert(value), sizes(size)
    if any(wanted > given for wanted, given in zip(size, value.shape, strict=True)):
        raise ValueError(
            f"random_crop: size {size} is greater than that of the tensor, {tuple(value.shape)}."
        )
    room = [given - wanted + 1 for wanted, given in zip(size, value.shape, strict=True)]
    starts = [
        int(stateless_below(seed, number, axis) if number > 1 else 0) for axis, number in enumerate(room)
    ]
    return value[tuple(slice(start, start + wanted) for start, wanted in zip(starts, size, strict=True))]


def flip_left_right(image):
    """Return images mirrored left to right."""
    return convert(image).flip(-2)


def flip_up_down(image):
    """Return images mirrored top to bottom."""
    return convert(image).flip(-3)


def _flipping(flip, name, stateless):
    def called(image, seed=None):
        image = convert(image)
        count = image.shape[:1] if image.ndim == 4 else ()
        draw = tf_random.stateless_uniform if stateless else tf_random.uniform
        flips = (draw(count, seed=seed) < 0.5).to(image.device)
        return torch.where(flips.reshape(*count, 1, 1, 1), flip(image), image)

    called.__name__ = called.__qualname__ = name
    called.__doc__ = "Return images of which about half are mirrored, each by itself."
    return called


random_flip_left_right = _flipping(flip_left_right, "random_flip_left_right", stateless=False)
random_flip_up_down = _flipping(flip_up_down, "random_flip_up_down", stateless=False)
stateless_random_flip_left_right = _flipping(
    flip_left_right, "stateless_random_flip_left_right", stateless=True
)
stateless_random_flip_up_down = _flipping(flip_up_down, "stateless_random_flip_up_down", stateless=True)


def rot90(image, k=1, name=None):
    """Return images turned by `k` quarter circles, against the clock."""
    return torch.rot90(convert(image), int(k), (-3, -2))


def transpose(image, name=None):
    """Return images with height and width swapped."""
    return convert(image).transpose(-3, -2)


def image_gradients(image):
    """Return the differences to the next row and column, `(dy, dx)`, with 0 at the end."""
    image = convert(image)
    down = torch.diff(image, dim=1, append=image[:, -1:])
    right = torch.diff(image, dim=2, append=image[:, :, -1:])
    return down, right


def sobel_edges(image):
    """Return Sobel's vertical and horizontal edges along a new last axis."""
    image = convert(image)
    padded = ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    smooth = lambda x, d: (
        x.narrow(d, 0, x.shape[d] - 2) + 2 * x.narrow(d, 1, x.shape[d] - 2) + x.narrow(d, 2, x.shape[d] - 2)
    )
    change = lambda x, d: x.narrow(d, 2, x.shape[d] - 2) - x.narrow(d, 0, x.shape[d] - 2)
    return torch.stack([change(smooth(padded, 2), 1), change(smooth(padded, 1), 2)], -1)


def total_variation(images, name=None):
    """Return the sum of differences of neighbouring pixels, for each image."""
    images = convert(images)
    parts = [torch.diff(images, dim=dim).abs().sum((-3, -2, -1)) for dim in (-3, -2)]
    return parts[0] + parts[1]


def psnr(a, b, max_val, name=None):
    """Return the peak signal-to-noise ratio of each pair of images."""
    a, b = convert_image_dtype(a, dtypes.float32), convert_image_dtype(b, dtypes.float32)  # noqa: F405
    error = torch.mean((a - b) ** 2, (-3, -2, -1))
    return 20 * math.log10(max_val) - 10 * torch.log10(error)


def ssim(img1, img2, max_val, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, return_index_map=False):
    """Return the structural similarity of each pair of images.

    Args:
        img1, img2: Images, or batches of them.
        max_val: Greatest value that pixels can have.
        filter_size, filter_sigma: Size and width of the window.
        k1, k2: Constants of the measure.
        return_index_map: Whether the similarity around each pixel is returned.
    """
    one, two = convert(img1).float(), convert(img2).float()
    shape, channels = one.shape[:-3], one.shape[-1]
    one, two = (x.reshape(-1, *x.shape[-3:]).permute(0, 3, 1, 2) for x in (one, two))
    places = torch.arange(filter_size, device=one.device) - (filter_size - 1) / 2
    weights = torch.softmax(-0.5 * (places / filter_sigma) ** 2, 0)
    kernel = torch.outer(weights, weights).expand(channels, 1, -1, -1)
    blur = lambda x: torch.nn.functional.conv2d(x, kernel, groups=channels)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    means = blur(one) * blur(two) * 2, blur(one) ** 2 + blur(two) ** 2
    luminance = (means[0] + c1) / (means[1] + c1)
    contrast = (blur(one * two) * 2 - means[0] + c2) / (blur(one**2 + two**2) - means[1] + c2)
    found = (luminance * contrast).mean(1)
    return (
        found.reshape(*shape, *found.shape[1:]) if return_index_map else found.mean((-2, -1)).reshape(shape)
    )


def extract_patches(images, sizes, strides, rates, padding, name=None):
    """Return patches of images, each laid out along the last axis; sizes are `[1, rows, columns, 1]`."""
    rows, columns = sizes[1:3]
    return ops.image.extract_patches(
        convert(images), (rows, columns), tuple(strides[1:3]), rates[1], padding.lower(), "channels_last"
    )


def crop_and_resize(
    image, boxes, box_indices, crop_size, method="bilinear", extrapolation_value=0.0, name=None
):
    """Return parts of images, each resized to `crop_size`.

    Args:
        image: Batch of images.
        boxes: `(y1, x1, y2, x2)` of each part, from 0 to 1.
        box_indices: Number of the image of each part.
        crop_size: (height, width).
        method: `"bilinear"` or `"nearest"`.
        extrapolation_value: What is outside the image.
        name: Accepted as in TensorFlow.
    """
    image, boxes = convert(image).float(), convert(boxes).float()
    height, width = image.shape[1:3]
    rows = _between(boxes[:, 0], boxes[:, 2], int(crop_size[0]), height)
    columns = _between(boxes[:, 1], boxes[:, 3], int(crop_size[1]), width)
    grid = torch.stack(
        torch.broadcast_tensors(
            columns[:, None, :] * 2 / max(width - 1, 1) - 1, rows[:, :, None] * 2 / max(height - 1, 1) - 1
        ),
        -1,
    )
    chosen = gather(image, box_indices).permute(0, 3, 1, 2)
    parts = torch.nn.functional.grid_sample(chosen, grid, method, "border", align_corners=True)
    outside = (rows < 0) | (rows > height - 1)
    beside = (columns < 0) | (columns > width - 1)
    empty = (outside[:, :, None] | beside[:, None, :]).unsqueeze(-1)
    return torch.where(empty, float(extrapolation_value), parts.permute(0, 2, 3, 1))


def _between(first, last, count, size):
    """Return `count` places between two shares of a size; the middle for one."""
    if count == 1:
        return ((first + last) * (size - 1) / 2)[:, None]
    steps = torch.arange(count, device=first.device)
    return first[:, None] * (size - 1) + steps * ((last - first) * (size - 1) / (count - 1))[:, None]


def non_max_suppression(
    boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=-math.inf, name=None
):
    """Return the numbers of boxes, best first, that overlap none better by more than `iou_threshold`.

    Args:
        boxes: `(y1, x1, y2, x2)` of each box.
        scores: Its score.
        max_output_size: Greatest number of boxes.
        iou_threshold: Greatest overlap, intersection over union.
        score_threshold: Least score.
        name: Accepted as in TensorFlow.
    """
    boxes, scores = convert(boxes).float(), convert(scores)
    low, high = torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])
    areas = (high - low).prod(-1)
    left = torch.argsort(scores, descending=True, stable=True)
    left, kept = left[scores[left] > score_threshold], []
    while len(left) and len(kept) < int(max_output_size):
        best, left = left[0], left[1:]
        kept.append(best)
        sides = (torch.minimum(high[best], high[left]) - torch.maximum(low[best], low[left])).clamp(min=0)
        shared = sides.prod(-1)
        left = left[shared <= iou_threshold * (areas[best] + areas[left] - shared)]
    return torch.stack(kept).to(torch.int32) if kept else convert([], dtypes.int32)


__all__ = [
    *COLORS,
    "ResizeMethod",
    "central_crop",
    "crop_and_resize",
    "crop_to_bounding_box",
    "decode_bmp",
    "decode_gif",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
    "extract_patches",
    "flip_left_right",
    "flip_up_down",
    "image_gradients",
    "non_max_suppression",
    "pad_to_bounding_box",
    "psnr",
    "random_crop",
    "random_flip_left_right",
    "random_flip_up_down",
    "resize",
    "resize_with_crop_or_pad",
    "resize_with_pad",
    "rot90",
    "sobel_edges",
    "ssim",
    "stateless_random_crop",
    "stateless_random_flip_left_right",
    "stateless_random_flip_up_down",
    "total_variation",
    "transpose",
]
__getattr__ = missing(
    "tf.image",
    {
        "draw_bounding_boxes": "torchkeras_lite.visualization.draw_bounding_boxes or matplotlib",
        "ssim_multiscale": "tf.image.ssim on images of several sizes",
    },
)
