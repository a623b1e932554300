"""Pictures in bytes and arrays, by Pillow."""

import io

import numpy as np
import torch

from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.image_colors import convert_image_dtype
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor
from torchkeras_lite.utils.image_files import pillow

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def _opened(contents):
    return pillow("tf.io.decode_image").open(io.BytesIO(convert(contents).item()))


def _pixels(picture, channels, dtype):
    if channels:
        picture = picture.convert(MODES[channels])
    elif picture.mode in ("P", "CMYK", "1"):
        picture = picture.convert("RGB")
    array = np.array(picture)
    array = array[..., None] if array.ndim == 2 else array
    if picture.mode.startswith("I"):
        array = array.astype(np.uint16)
    return convert_image_dtype(wrap(torch.from_numpy(array)), dtype)


def decode_image(contents, channels=0, dtype=dtypes.uint8, name=None, expand_animations=True):
    """Return the picture in the bytes of a JPEG, PNG, GIF or BMP file.

    Args:
        contents: The bytes, as `tf.io.read_file` returns them.
        channels: 1, 3 or 4; 0: as many as the file has.
        dtype: Dtype of the pixels; floats go from 0 to 1.
        name: Accepted as in TensorFlow.
        expand_animations: Whether a GIF gives all its pictures, with an axis more.
    """
    picture = _opened(contents)
    if expand_animations and picture.format == "GIF":
        return convert_image_dtype(decode_gif(contents), dtype)
    return _pixels(picture, channels, dtype)


def decode_jpeg(
    contents,
    channels=0,
    ratio=1,
    fancy_upscaling=True,
    try_recover_truncated=False,
    acceptable_fraction=1,
    dct_method="",
    name=None,
):
    """Return the picture in the bytes of a file; with `ratio`, every `ratio`-th pixel of it."""
    pixels = _pixels(_opened(contents), channels, dtypes.uint8)
    return pixels if ratio == 1 else pixels[::ratio, ::ratio]


def decode_png(contents, channels=0, dtype=dtypes.uint8, name=None):
    """Return the picture in the bytes of a file."""
    return _pixels(_opened(contents), channels, dtype)


def decode_bmp(contents, channels=0, name=None):
    """Return the picture in the bytes of a file."""
    return _pixels(_opened(contents), channels, dtypes.uint8)


def decode_gif(contents, name=None):
    """Return the pictures in the bytes of a GIF file, `(pictures, height, width, 3)`."""
    picture = _opened(contents)
    frames = []
    for number in range(getattr(picture, "n_frames", 1)):
        picture.seek(number)
        frames.append(_pixels(picture.convert("RGB"), 3, dtypes.uint8))
    return torch.stack(frames)


def _encoded(image, kind, **options):
    array = np.asarray(convert(image).numpy())
    array = array[..., 0] if array.shape[-1] == 1 else array
    file = io.BytesIO()
    pillow("tf.io.encode_png").fromarray(array).save(file, kind, **options)
    return StringTensor(file.getvalue())


def encode_jpeg(image, format="", quality=95, **options):
    """Return the bytes of a JPEG file of a picture of dtype `uint8`."""
    return _encoded(image, "JPEG", quality=quality)


def encode_png(image, compression=-1, name=None):
    """Return the bytes of a PNG file of a picture of dtype `uint8`."""
    return _encoded(image, "PNG", **({} if compression < 0 else {"compress_level": compression}))


__all__ = [
    "decode_bmp",
    "decode_gif",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
]
