"""What a directory loader makes of one file."""

import math
import threading

import numpy as np
import torch

from torchkeras_lite.base.checks import one_of
from torchkeras_lite.imaging.resize import INTERPOLATIONS, MORE_INTERPOLATIONS, middle, resize_into
from torchkeras_lite.utils.image_files import CHANNELS, COLOR_MODES, as_color_mode, pillow
from torchkeras_lite.utils.sounds import fit_length, read_wav, resample

MOST_KEPT = 2**26  # numbers, 256 MiB: images up to 22 megapixels are converted in memory that a thread keeps
REACH = {"nearest": 1, "bilinear": 1, "bicubic": 2}  # rows that are read on either side of a place
BAND_COST = 2**13  # pixels whose conversion takes as long as the cutting of one band
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
        # NumPy asks for huge pages, whose first use costs less
        return torch.from_numpy(np.empty((count, *shape), dtype="float32"))

    def fill(self, row, path):
        """Write the image to a row of `empty(count)`."""
        self._write(row.permute(1, 2, 0) if self.data_format == "channels_first" else row, path)

    def _write(self, image, path):
        """Write the image to `image`, of shape (height, width, channels)."""
        picture = self._open(path)
        left, top, right, bottom = box = self._box(*picture.size)
        height, width = bottom - top, right - left
        if (height, width) == self.size:
            np.copyto(image.numpy(), _pixels(picture, box), casting="unsafe")
            return
        floats = _memory((height, width, image.shape[2]))
        for start, stop in self._bands(height, width):
            pixels = _pixels(picture, (left, top + start, right, top + stop))
            np.copyto(floats[start:stop].numpy(), pixels, casting="unsafe")
        resize_into(image, floats, self.interpolation, pad_to_aspect_ratio=self.pad)

    def _open(self, path):
        """Return the image in the file as Pillow holds it, decoded."""
        try:
            with open(path, "rb") as file:
                picture = as_color_mode(self.pillow.open(file), self.color_mode)
                picture.load()
        except (OSError, SyntaxError) as error:
            if str(path) in str(error):
                raise
            raise OSError(
                f"{self.owner}: the image {path} cannot be read: {error}. Mend the file or take it away."
            ) from error
        return picture

    def _box(self, width, height):
        """Return left, top, right and bottom of what is kept of an image."""
        if not self.crop:
            return 0, 0, width, height
        rows, columns = middle((height, width), self.size)
        return columns.start, rows.start, columns.stop, rows.stop

    def _bands(self, height, width):
        """Return first and last row (exclusive) of the parts of an image that its resizing reads.

        Of a photograph that becomes much smaller most rows are read by none: to convert them, and the memory
        for them, would take longer than to decode it.
        """
        count, reach = self.size[0], REACH.get(self.interpolation)
        if reach is None or self.pad or (height - 2 * reach * count) * width < count * BAND_COST:
            return [(0, height)]
        places = (np.arange(count) + 0.5) * (height / count) - 0.5
        error = height * 2.0**-20  # torch computes places in float32
        first = np.floor(places - error).astype(int) + 1 - reach
        last = np.floor(places + error).astype(int) + 1 + reach
        return zip(first.clip(0).tolist(), last.clip(max=height).tolist(), strict=True)


def _pixels(picture, box):
    """Return a part of a Pillow image as an array (height, width, channels) that may be read-only."""
    pixels = np.asarray(picture if box == (0, 0, *picture.size) else picture.crop(box))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _memory(shape):
    """Return float32 memory that holds until the thread's next call."""
    count = math.prod(shape)
    floats = getattr(_kept, "floats", None)
    if floats is None or len(floats) < count:
        floats = torch.empty(count, device="cpu", dtype=torch.float32)
        if count <= MOST_KEPT:
            _kept.floats = floats
    return floats[:count].view(shape)


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
