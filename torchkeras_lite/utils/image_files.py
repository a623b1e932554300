"""Single images: files, Pillow's images and arrays."""

import io
import os
import pathlib
import warnings

import numpy as np
import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import int_tuple, one_of
from torchkeras_lite.base.old_names import Renamed, takes_old
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.imaging.resize import resize

COLOR_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
GRAY_MODES = ("L", "I;16", "I")
RESAMPLINGS = {
    "nearest": "NEAREST",
    "bilinear": "BILINEAR",
    "bicubic": "BICUBIC",
    "hamming": "HAMMING",
    "box": "BOX",
    "lanczos": "LANCZOS",
}


def pillow(user):
    """Return the module `PIL.Image`.

    Raises:
        ImportError: Pillow is not installed.
    """
    return extra("PIL.Image", "pillow", user)


@takes_old({"grayscale": Renamed(("color_mode",), {True: "grayscale", False: "rgb"})})
def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """Return the image in a file, as Pillow holds it.

    Args:
        path: Path as `str`, `bytes` or `pathlib.Path`, or a file object opened for bytes.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"` (which leaves 16 and 32 bits as they are).
        target_size: (height, width), or `None` to keep the size.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`.
        keep_aspect_ratio: Whether the middle of the image is cut out in the new form before it is resized.

    Raises:
        ImportError: Pillow is not installed: `pip install pillow`.
        ValueError: an unknown `color_mode` or `interpolation`.
        TypeError: something that is no path.

    Source: Keras 3 `keras.utils.load_img`.
    """
    one_of("load_img", "color_mode", color_mode, tuple(COLOR_MODES))
    if interpolation not in RESAMPLINGS:
        raise ValueError(
            f"load_img: Invalid interpolation method {interpolation} specified. Supported methods are "
            f"{', '.join(RESAMPLINGS)}."
        )
    image = _read(path, pillow("load_img"))
    image = as_color_mode(image, color_mode)
    if target_size is None:
        return image
    height, width = int_tuple("load_img", "target_size", tuple(target_size), 2)
    if image.size == (width, height):
        return image
    resampling = getattr(pillow("load_img").Resampling, RESAMPLINGS[interpolation])
    box = _middle(image.size, (width, height)) if keep_aspect_ratio else None
    return image.resize((width, height), resampling, box=box)


def _read(path, Image):
    if hasattr(path, "read"):
        image = Image.open(path)
        image.load()
        return image
    if not isinstance(path, (str, bytes, pathlib.Path)):
        raise TypeError(
            f"load_img: path should be path-like or io.BytesIO, got {path!r} of type {type(path).__name__}."
        )
    with open(os.fsdecode(path), "rb") as file:
        return Image.open(io.BytesIO(file.read()))


def as_color_mode(image, color_mode):
    """Return a Pillow image in one of `COLOR_MODES`."""
    mode = COLOR_MODES[color_mode]
    if image.mode == mode or (mode == "L" and image.mode in GRAY_MODES):
        return image
    return image.convert(mode)


def _middle(size, new_size):
    """Return the box in the middle of `size` that has the form of `new_size`, in pixels."""
    (width, height), (new_width, new_height) = size, new_size
    kept_width = min(width, int(height * new_width / new_height))
    kept_height = min(height, int(width * new_height / new_width))
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    return left, top, left + kept_width, top + kept_height


def img_to_array(img, data_format=None, dtype=None):
    """Return a Pillow image as a NumPy array with three axes.

    Args:
        img: The image, or an array.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` when not given.
        dtype: Dtype of the array, `floatx()` when not given.

    Raises:
        ValueError: an unknown `data_format`, or an image without two or three axes.

    Source: Keras 3 `keras.utils.img_to_array`.
    """
    data_format = _layout("img_to_array", data_format)
    array = np.asarray(img, dtype=config.floatx() if dtype is None else dtype)
    if array.ndim == 2:
        array = array[:, :, None] if data_format == "channels_last" else array[None]
    elif array.ndim == 3:
        array = array.transpose(2, 0, 1) if data_format == "channels_first" else array
    else:
        raise ValueError(f"img_to_array: Unsupported image shape: {array.shape}. Pass one image.")
    return array.copy() if not array.flags.writeable else array


def _layout(owner, data_format):
    layout = config.image_data_format() if data_format is None else data_format
    if layout not in ("channels_last", "channels_first"):
        raise ValueError(f"{owner}: Invalid data_format: {layout}. Pass 'channels_last' or 'channels_first'.")
    return layout


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """Return an array of one image as a Pillow image.

    Args:
        x: Array or tensor with three axes and 1, 3 or 4 channels.
        data_format: Layout of `x`; `image_data_format()` when not given.
        scale: Whether the values are stretched to the range from 0 to 255.
        dtype: Dtype in which that is computed, `floatx()` when not given.

    Raises:
        ImportError: Pillow is not installed: `pip install pillow`.
        ValueError: other axes or channels.

    Source: Keras 3 `keras.utils.array_to_img`.
    """
    data_format = _layout("array_to_img", data_format)
    Image = pillow("array_to_img")
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu().numpy()
    x = np.asarray(x, dtype=config.floatx() if dtype is None else dtype)
    if x.ndim != 3:
        raise ValueError(
            "array_to_img: Expected image array to have rank 3 (single image). "
            f"Got array with shape: {x.shape}"
        )
    if data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - np.min(x)
        largest = np.max(x)
        x = x / largest * 255 if largest != 0 else x
    channels = x.shape[2]
    if channels not in (1, 3, 4):
        raise ValueError(f"array_to_img: Unsupported channel number: {channels}. Pass 1, 3 or 4 channels.")
    if channels == 1:
        plane = x[:, :, 0]
        return Image.fromarray(plane.astype("int32" if np.max(plane) > 255 else "uint8"))
    return Image.fromarray(np.ascontiguousarray(x.astype("uint8")))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Write an array of one image to a file.

    Args:
        path: Path, or a file object opened for bytes.
        x, data_format, scale: See `array_to_img`.
        file_format: Pillow's name of a format; that of the file name's ending when not given.
        **kwargs: For Pillow's `Image.save`.

    Raises:
        ImportError: Pillow is not installed: `pip install pillow`.

    Source: Keras 3 `keras.utils.save_img`.
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    ending = os.path.splitext(str(path))[1] if isinstance(path, (str, os.PathLike)) else ""
    wanted = str(file_format or ending).lower().lstrip(".")
    if wanted in ("jpg", "jpeg"):
        file_format = "jpeg"
        if image.mode == "RGBA":
            warnings.warn("The JPG format does not support RGBA images, converting to RGB.", stacklevel=2)
            image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def smart_resize(x, size, interpolation="bilinear", data_format="channels_last", backend_module=None):
    """Return images resized without stretching: the middle is cut out in the new form first.

    Args:
        x: Array or tensor, one image or a batch.
        size: (height, width).
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        data_format: Layout of `x`.
        backend_module: Accepted; torch is the only one.

    Returns:
        An array for an array, else a tensor, of a floating-point dtype.

    Raises:
        ValueError: another number of axes, or a size that is not two integers.

    Source: Keras 3 `keras.preprocessing.image.smart_resize`.
    """
    if len(size) != 2:
        raise ValueError(f"smart_resize: Expected `size` to be a tuple of 2 integers, but got: {size}.")
    images = x if isinstance(x, torch.Tensor) else torch.as_tensor(np.ascontiguousarray(x))
    if images.ndim not in (3, 4):
        raise ValueError(
            "smart_resize: Expected an image array with shape `(height, width, channels)`, or `(batch_size, "
            f"height, width, channels)`, but got input with incorrect rank, of shape {tuple(images.shape)}."
        )
    if not images.is_floating_point():
        images = images.to(getattr(torch, config.floatx()))
    batch = images[None] if images.ndim == 3 else images
    result = resize(batch, size, interpolation, data_format=data_format, crop_to_aspect_ratio=True)
    result = result[0] if images.ndim == 3 else result
    return result.contiguous().numpy() if isinstance(x, np.ndarray) else result
