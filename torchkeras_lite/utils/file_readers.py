"""What a directory loader makes of one file."""

import numpy as np
import torch

from torchkeras_lite.base.checks import one_of
from torchkeras_lite.imaging.resize import INTERPOLATIONS, MORE_INTERPOLATIONS, resize
from torchkeras_lite.utils.image_files import COLOR_MODES, as_color_mode, pillow
from torchkeras_lite.utils.sounds import fit_length, read_wav, resample


class ImageReader:
    """From the path of an image to a float32 tensor of a given size.

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
        self.pillow = pillow(owner)
        self.color_mode, self.size, self.interpolation = color_mode, size, str(interpolation).lower()
        self.crop, self.pad, self.data_format = crop, pad, data_format

    def __call__(self, path):
        """Return the image."""
        with open(path, "rb") as file:
            image = np.array(as_color_mode(self.pillow.open(file), self.color_mode))
        pixels = torch.from_numpy(image).float()
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        pixels = resize(
            pixels[None],
            self.size,
            self.interpolation,
            crop_to_aspect_ratio=self.crop,
            pad_to_aspect_ratio=self.pad,
        )[0]
        return pixels.permute(2, 0, 1) if self.data_format == "channels_first" else pixels


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
