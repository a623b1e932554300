"""Brightness, contrast, sharpness and levels of images, changed at random in training."""

import math

import torch

from torchkeras_lite import imaging
from torchkeras_lite.layers.image_augmentation import factor_limits
from torchkeras_lite.layers.image_values import RandomValueLayer


class RandomBrightness(RandomValueLayer):
    """Adds a number to all values of an image, in training.

    Args:
        factor: Limits of the number, in parts of the range of values: two from -1 (black) to 1 (white), or
            one number f for `(-f, f)`.
        value_range: The lowest and the highest value of the images; results stay inside.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.
        **kwargs: Those of `BaseImagePreprocessingLayer`, such as `data_format`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form.

    Source: Keras 3 `keras.layers.RandomBrightness`. Integer images stay integers. Differs: they never wrap
    around, and the images passed are not written to, as Keras on torch does.
    """

    keeps_integers = True

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"rgb_delta": ...}`, what is added to each image, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        low, high = self.value_range
        return {"rgb_delta": self.per_image(self.draw(data, self.factor, seed)) * (high - low)}

    def transform_values(self, images, rgb_delta):
        """Add."""
        return self.clip(images + self.per_image(rgb_delta).to(images.dtype))


class RandomContrast(RandomValueLayer):
    """Multiplies the distances from the mean of each channel of an image, in training.

    Args:
        factor: Two numbers (lower, upper) >= 0: the distances are multiplied by a number from `1 - lower` to
            `1 + upper`; or one number f, for `(0, f)`.
        value_range: The lowest and the highest value of the images; results stay inside.
        seed: See `RandomBrightness`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form.

    Source: Keras 3 `keras.layers.RandomContrast`. Differs: a single `factor` may be above 1, as one of a pair
    may in Keras.
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, math.inf))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"contrast_factor": ...}`, one number an image, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        lower, upper = self.factor
        return {"contrast_factor": self.per_image(self.draw(data, (1 - lower, 1 + upper), seed))}

    def transform_values(self, images, contrast_factor):
        """Multiply the distances from the means."""
        factor = self.per_image(contrast_factor)
        return self.clip(imaging.adjust_contrast(images, factor, self.data_format))


class RandomSharpness(RandomValueLayer):
    """Blurs an image or stresses its edges, in training.

    Args:
        factor: Limits of the sharpness: two numbers from 0 (blurred) over 0.5 (as it is) to 1 (sharper), or
            one number f for `(0, f)`.
        value_range: The lowest and the highest value of the images; results stay inside.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: See `RandomBrightness`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form.

    Source: Keras 3 `keras.layers.RandomSharpness`.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range=value_range, data_format=data_format, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"factor": ...}`, one number an image, `(batch,)`."""
        return {"factor": self.draw(data, self.factor, seed)} if training else None

    def transform_values(self, images, factor):
        """Blend with the blurred image."""
        return self.clip(imaging.sharpen(images, self.per_image(factor) * 2, self.data_format))


class RandomPosterization(RandomValueLayer):
    """Leaves only the highest bits of the 8 of each value, in training.

    Args:
        factor: Limits of the number of bits that stay, from 1 to 8, the upper one excluded: two numbers, or
            one number f for `(1, f)`. Equal limits are the number itself.
        value_range: The lowest and the highest value of the images, which stand for 0 and 255.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: See `RandomBrightness`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form.

    Source: Keras 3 `keras.layers.RandomPosterization`; Cubuk et al. 2018 (arXiv:1805.09501).
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range=value_range, data_format=data_format, seed=seed, **kwargs)
        low, high = factor_limits(self, "factor", factor, bounds=(1, 8))
        self.factor = (max(low, 1), high)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"shift_factor": ...}`, how many bits each image loses, uint8 `(batch,)`."""
        if not training:
            return None
        return {"shift_factor": 8 - self.draw(data, self.factor, seed).to(torch.uint8)}

    def transform_values(self, images, shift_factor):
        """Clear the lowest bits."""
        shift = self.per_image(shift_factor)
        return self.scaled(lambda values: imaging.posterize(values, shift), images)


class RandomInvert(RandomValueLayer):
    """Turns light into dark and dark into light, in some images, in training.

    Args:
        factor: Limits of the probability, drawn for each image: two numbers from 0 to 1, or one number f for
            `(0, f)`.
        value_range: The lowest and the highest value of the images.
        seed: See `RandomBrightness`.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form.

    Source: Keras 3 `keras.layers.RandomInvert`. Differs: `low + high - value`, where Keras has `high -
    value`, which leaves a range that does not start at 0.
    """

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"apply_inversion": ...}`, whether each image is inverted, `(batch,)`."""
        return {"apply_inversion": self.chosen(data, self.factor, seed)} if training else None

    def transform_values(self, images, apply_inversion):
        """Invert."""
        low, high = self.value_range
        return torch.where(self.per_image(apply_inversion), low + high - images, images)


class Solarization(RandomValueLayer):
    """Makes images brighter and inverts the values from a threshold on, in training.

    Args:
        addition_factor: Limits of what is added, in parts of the range of values: two numbers from 0 to 1, or
            one number f for `(0, f)`.
        threshold_factor: Limits of the threshold, likewise. With 0 all values are inverted.
        value_range: The lowest and the highest value of the images.
        seed: See `RandomBrightness`.

    Shapes:
        output = input, `(batch, height, width, channels)` or one image

    Raises:
        ValueError: a factor or `value_range` of another form.

    Source: Keras 3 `keras.layers.Solarization`; Cubuk et al. 2018 (arXiv:1805.09501). Differs: the threshold
    keeps its lower limit, for which Keras always takes 0.
    """

    def __init__(self, addition_factor=0.0, threshold_factor=0.0, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        bounds = (0.0, 1.0)
        self.addition_factor = factor_limits(self, "addition_factor", addition_factor, bounds)
        self.threshold_factor = factor_limits(self, "threshold_factor", threshold_factor, bounds)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"additions": ..., "thresholds": ...}` of values from 0 to 255, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        return {
            "additions": self.per_image(self.draw(data, self.addition_factor, seed)) * 255,
            "thresholds": self.per_image(self.draw(data, self.threshold_factor, seed)) * 255,
        }

    def transform_values(self, images, additions, thresholds):
        """Add and invert."""
        additions, thresholds = self.per_image(additions), self.per_image(thresholds)
        return self.scaled(lambda values: imaging.solarize(values, additions, thresholds, (0, 255)), images)
