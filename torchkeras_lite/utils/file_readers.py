"""What a directory loader makes of one file."""

import threading

import numpy as np
import torch

from torchkeras_lite.base.checks import one_of
from torchkeras_lite.imaging.resize import INTERPOLATIONS, MORE_INTERPOLATIONS, middle, resize_into
from torchkeras_lite.utils.image_files import CHANNELS, COLOR_MODES, as_color_mode, pillow
from torchkeras_lite.utils.sounds import fit_length, read_wav, resample

MOST_KEPT = 2**24  # numbers, 64 MiB, that each thread keeps to convert images in
_kept = threading.local()


class ImageReader:
    """From the path of an image to a float32 tensor of a given size, or to a row of a batch of them.

    Args:
        owner: The function, for messages.
        color_mode: A key of `COLOR_MODES`.
        size: (height, width).
        interpolation: See `image_dataset_from_directory`.
        crop, pad: Whether the form of the image is kept, by cutting or by black edges.
        data_format: Layout of the tensor.

    Raises:
        ValueError: an argument that is none of the known ones.
    """

    def __init__(self, owner, *, color_mode, size, interpolation, crop, pad, data_format):
        one_of(owner, "color_mode", color_mode, tuple(COLOR_MODES))
        one_of(owner, "interpolation", str(interpolation).lower(), (*INTERPOLATIONS, *MORE_INTERPOLATIONS))
        one_of(owner, "data_format", data_format, ("channels_last", "channels_first"))
        if crop and pad:
            raise ValueError(
                f"{owner}: Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`."
            )
        self.owner, self.pillow = owner, pillow(owner)
        self.color_mode, self.size, self.interpolation = color_mode, size, str(interpolation).lower()
        self.crop, self.pad, self.data_format = crop, pad, data_format

    def __call__(self, path):
        """Return the image."""
        image = torch.empty((*self.size, CHANNELS[self.color_mode]), device="cpu", dtype=torch.float32)
        self._write(image, path)
        return image.permute(2, 0, 1) if self.data_format == "channels_first" else image

    def empty(self, count):
        """Return memory for a batch of `count` images."""
        pixels = (*self.size, CHANNELS[self.color_mode])
        shape = pixels if self.data_format == "channels_last" else (pixels[2], *pixels[:2])
        return torch.empty((count, *shape), device="cpu", dtype=torch.float32)

    def fill(self, row, path):
        """Write the image to a row of `empty(count)`."""
        self._write(row.permute(1, 2, 0) if self.data_format == "channels_first" else row, path)

    def _write(self, image, path):
        """Write the image to `image`, of shape (height, width, channels)."""
        pixels = self._pixels(path)
        if self.crop:
            pixels = pixels[middle(pixels.shape[:2], self.size)]
        if pixels.shape == image.shape:
            np.copyto(image.numpy(), pixels, casting="unsafe")
        else:
            resize_into(image, _as_floats(pixels), self.interpolation, pad_to_aspect_ratio=self.pad)

    def _pixels(self, path):
        """Return the image in the file as an array (height, width, channels) that may be read-only."""
        try:
            with open(path, "rb") as file:
                pixels = np.asarray(as_color_mode(self.pillow.open(file), self.color_mode))
        except (OSError, SyntaxError) as error:
            if str(path) in str(error):
                raise
            raise OSError(
                f"{self.owner}: the image {path} cannot be read: {error}. Mend the file or take it away."
            ) from error
        return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _as_floats(pixels):
    """Return an array as a float32 tensor, in memory that holds until the thread's next call."""
    count = pixels.size
    if count > MOST_KEPT:
        floats = torch.empty(count, device="cpu", dtype=torch.float32)
    else:
        floats = getattr(_kept, "floats", None)
        if floats is None or len(floats) < count:
            floats = _kept.floats = torch.empty(count, device="cpu", dtype=torch.float32)
    floats = floats[:count].view(pixels.shape)
    np.copyto(floats.numpy(), pixels, casting="unsafe")
    return floats


class TextReader:
    """From the path of a text to a string.

    Args:
        max_length: Characters to keep, or `None`.
    """

    def __init__(self, max_length):
        self.max_length = max_length

    def __call__(self, path):
        """Return the text; bytes that are no UTF-8 become U+FFFD."""
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read() if self.max_length is None else file.read(self.max_length)


class SoundReader:
    """From the path of a WAV file to a tensor (samples, channels).

    Args:
        rate: Samples a second, or `None` for those of the file.
        length: Samples, or `None` for all.
    """

    def __init__(self, rate, length):
        self.rate, self.length = rate, length

    def __call__(self, path):
        """Return the sound."""
        samples, rate = read_wav(path)
        if self.rate is not None:
            samples = resample(samples, rate, self.rate)
        return samples if self.length is None else fit_length(samples, self.length)
