"""The contrast of images evened out, in training and inference alike."""

import numbers

import torch

from torchkeras_lite import imaging
from torchkeras_lite.base.checks import describe, int_tuple, positive_int
from torchkeras_lite.layers.image_values import ValueLayer


class AutoContrast(ValueLayer):
    """Stretches the values of each channel of an image over the whole range, always.

    Args:
        value_range: The lowest and the highest value of the images.
        **kwargs: Those of `BaseImagePreprocessingLayer`, such as `data_format`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `value_range` is no pair of rising numbers.

    Source: Keras 3 `keras.layers.AutoContrast`. Differs: with `"channels_first"` a channel is a channel,
    where Keras takes columns.
    """

    def transform_images(self, images, transformation, training=True):
        """Stretch."""
        images = self.cast(torch.as_tensor(images))
        return imaging.stretch_contrast(images, self.value_range, self.data_format)


class Equalization(ValueLayer):
    """Spreads the values of each channel of an image by its histogram, always.

    Args:
        value_range: The lowest and the highest value of the images.
        bins: How many steps the values are counted in, an integer > 0.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `value_range` or `bins` of another form.

    Source: Keras 3 `keras.layers.Equalization`. Differs: every image has a histogram of its own, where
    Keras on torch counts the values of the batch.
    """

    def __init__(self, value_range=(0, 255), bins=256, data_format=None, **kwargs):
        super().__init__(value_range=value_range, data_format=data_format, **kwargs)
        self.bins = positive_int(self, "bins", bins)

    def transform_images(self, images, transformation, training=True):
        """Spread."""
        images = self.cast(torch.as_tensor(images))
        return self.scaled(lambda values: imaging.equalize(values, self.bins, self.data_format), images)


class ContrastLimitedAdaptiveHistogramEqualization(ValueLayer):
    """Spreads values by the histograms of tiles, with limited contrast, in training and inference alike.

    Every tile of each channel is equalized, and pixels blend the results of the four tiles around them.

    Args:
        value_range: The lowest and the highest value of the images.
        clip_limit: How many times its even share a value may count in a tile, a number; 0 or less: no limit.
        tile_grid_size: How many tiles in a column and in a row, two integers > 0.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: an argument of another form.

    Source: Keras 3 `keras.layers.ContrastLimitedAdaptiveHistogramEqualization`; Zuiderveld 1994. Integer
    images stay integers. Differs: counts without a table of one-hot values, in memory of the images' size.
    """

    def __init__(
        self, value_range=(0, 255), clip_limit=4.0, tile_grid_size=(8, 8), data_format=None, **kwargs
    ):
        super().__init__(value_range=value_range, data_format=data_format, **kwargs)
        if isinstance(clip_limit, bool) or not isinstance(clip_limit, numbers.Real):
            raise ValueError(
                f"{describe(self)}: `clip_limit` must be a number, got clip_limit={clip_limit!r}. Pass 0 for "
                "no limit."
            )
        self.clip_limit = clip_limit
        self.tile_grid_size = int_tuple(self, "tile_grid_size", tile_grid_size, 2)

    def transform_images(self, images, transformation, training=True):
        """Spread tile by tile."""
        images = torch.as_tensor(images)

        def equalize(values):
            return imaging.equalize_tiles(values, self.clip_limit, self.tile_grid_size, self.data_format)

        outputs = self.clip(self.scaled(equalize, self.cast(images)))
        return outputs if images.is_floating_point() else outputs.to(images.dtype)
