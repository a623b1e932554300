"""The bases of the image layers that change the values of pixels and leave everything where it is."""

import numbers

import numpy as np
import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.layers.image_augmentation import (
    BaseImagePreprocessingLayer,
    RandomImageLayer,
    images_of,
    rescale_values,
    value_range_pair,
)


class ValueLayer(BaseImagePreprocessingLayer):
    """Base of image layers that change values only: labels, boxes and masks stay.

    Args:
        value_range: The lowest and the highest value of the images, `(0, 255)` or `(0, 1)`.
        **kwargs: Those of `BaseImagePreprocessingLayer`.

    Raises:
        ValueError: `value_range` is no pair of rising numbers.
    """

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.value_range = value_range_pair(self, value_range)

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """Return the boxes as they are."""
        return bounding_boxes

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Return the masks as they are."""
        return segmentation_masks

    def clip(self, images):
        """Return `images` with all values inside of `value_range`."""
        return images.clamp(*self.value_range)

    def scaled(self, function, images, target=(0, 255)):
        """Return what `function` makes of `images` brought to the range `target`, brought back."""
        outputs = function(rescale_values(images, self.value_range, target))
        return rescale_values(outputs, target, self.value_range)

    def refuse_colors(self, images, allowed=(3,)):
        """Raise when `images` have another number of channels.

        Raises:
            ValueError: they have.
        """
        channels = images.shape[self.channel_axis]
        if channels not in allowed:
            raise ValueError(
                f"{describe(self)}: expected images with {' or '.join(map(str, allowed))} channels, got "
                f"{channels} in images of shape {tuple(images.shape)} ({self.data_format}). Pass RGB images, "
                "or the matching `data_format`."
            )


class RandomValueLayer(ValueLayer, RandomImageLayer):
    """Base of image layers that change values at random, in training.

    Images come out in the dtype of the layer, in inference too: uint8 images become floats. Where
    `keeps_integers` is set, integers stay integers, with fractions cut off.

    Args:
        value_range, seed, **kwargs: See `ValueLayer` and `RandomImageLayer`.
    """

    keeps_integers = False

    def draw(self, data, limits, seed=None):
        """Return one float32 value between the two `limits` for each image of `data`."""
        images = torch.as_tensor(images_of(data))
        return self.uniform((self.image_sizes(data)[0],), limits, images, seed)

    def chosen(self, data, limits, seed=None):
        """Return whether each image of `data` is chosen, by a probability of its own between `limits`."""
        probability = self.draw(data, limits, seed)
        return self.uniform(probability.shape, (0.0, 1.0), probability, seed) < probability

    def transform_images(self, images, transformation, training=True):
        """Return a batch of images, changed as `transformation` says."""
        images = torch.as_tensor(images)
        idle = not training or transformation is None
        keeps = self.keeps_integers and not images.is_floating_point()
        if idle:
            return images if keeps else self.cast(images)
        given = {key: _as_tensor(value, images) for key, value in transformation.items()}
        values = self.transform_values(self.cast(images), **given)
        return values.to(images.dtype) if keeps else values

    def transform_values(self, images, **transformation):
        """Return a batch of images, floats, changed by the values of a transformation."""
        raise NotImplementedError(f"{describe(self)} defines no `transform_values`. Define it.")


def _as_tensor(value, like):
    """Return numbers and arrays as tensors on the device of `like`, other values as they are."""
    if isinstance(value, (np.ndarray, np.generic, numbers.Number)):
        return torch.as_tensor(value, device=like.device)
    return value
