"""Rectangles of images erased at random in training."""

import numpy as np
import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.layers.image_augmentation import factor_limits, images_of
from torchkeras_lite.layers.image_values import RandomValueLayer
from torchkeras_lite.layers.random_patches import rectangles


class RandomErasing(RandomValueLayer):
    """Replaces a rectangle of some images by noise or one value, in training.

    Args:
        factor: Limits of the probability, drawn for each image: two numbers from 0 to 1, or one number f for
            `(0, f)`.
        scale: Limits of the squares of the height and the width of the rectangle, in parts of the image: two
            numbers from 0 to 1, or one number s for `(0, s)`. Their product is the area.
        fill_value: What stands in the rectangle, a number or one a channel; `None`: normal noise of mean 0
            and the deviation `value_range[1]`, cut off at `value_range`.
        value_range: The lowest and the highest value of the images.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: an argument of another form; as many fill values as there are no channels.

    Source: Keras 3 `keras.layers.RandomErasing`; Zhong et al. 2017 (arXiv:1708.04896). Boxes and masks stay.
    """

    def __init__(
        self,
        factor=1.0,
        scale=(0.02, 0.33),
        fill_value=None,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))
        self.scale = factor_limits(self, "scale", scale, bounds=(0.0, 1.0))
        self.fill_value = fill_value

    def get_random_transformation(self, data, training=True, seed=None):
        """Return which images are erased, where, and what stands there.

        `{"apply_erasing": (batch,), "batch_masks": ..., "fill_value": ...}`; the masks have one channel, true
        in the rectangle; the values are one noise image an image, or broadcast to the images.
        """
        if not training:
            return None
        images = torch.as_tensor(images_of(data))
        batch, *sizes = self.image_sizes(data)
        sides = self.uniform((batch, 2), self.scale, images, seed).sqrt()
        corners = self.uniform((batch, 2), (0.0, 1.0), images, seed)
        return {
            "apply_erasing": self.chosen(data, self.factor, seed),
            "batch_masks": rectangles(corners, sides, sizes).unsqueeze(self.channel_axis),
            "fill_value": self._fill(images, seed),
        }

    def _fill(self, images, seed):
        if self.fill_value is None:
            noise = torch.empty(images.shape, device=images.device)
            noise.normal_(0.0, abs(self.value_range[1]) or 1.0, generator=self.generator(images.device, seed))
            return self.clip(noise)
        values = np.asarray(self.fill_value, "float32")
        channels = images.shape[self.channel_axis]
        if values.size not in (1, channels) or values.ndim > 1:
            raise ValueError(
                f"{describe(self)}: expected `fill_value` to be a number or one a channel, got "
                f"fill_value={self.fill_value!r} for images of shape {tuple(images.shape)} "
                f"({self.data_format}). Pass one number, or {channels}."
            )
        values = self.clip(torch.as_tensor(values, device=images.device))
        return values.reshape((-1, 1, 1) if self.data_format == "channels_first" else (-1,))

    def transform_values(self, images, apply_erasing, batch_masks, fill_value):
        """Erase."""
        erased = self.per_image(apply_erasing) & batch_masks
        return torch.where(erased, fill_value.to(images.dtype), images)
