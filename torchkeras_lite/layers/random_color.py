"""Colours of images changed at random in training."""

import torch

from torchkeras_lite import imaging
from torchkeras_lite.base.checks import unit_interval
from torchkeras_lite.layers.image_augmentation import factor_limits
from torchkeras_lite.layers.image_values import RandomValueLayer
from torchkeras_lite.layers.random_tone import RandomBrightness, RandomContrast


class RandomHue(RandomValueLayer):
    """Turns the hues of an image on the colour circle, in training.

    Args:
        factor: Limits of the turn, in half circles to either side: two numbers from 0 to 1, or one number f
            for `(0, f)`.
        value_range: The lowest and the highest value of the images; results stay inside.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: Integer for a sequence of the layer's own that repeats; `None`: torch's global generator.

    Shapes:
        output = input, `(batch, height, width, 3)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form; images without three channels.

    Source: Keras 3 `keras.layers.RandomHue`.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range=value_range, data_format=data_format, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor, bounds=(0.0, 1.0))

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"factor": ...}`, the turn of each image, 1 for the whole circle, `(batch,)`."""
        if not training:
            return None
        turn = self.draw(data, self.factor, seed) * 0.5
        sign = self.uniform(turn.shape, (-1.0, 1.0), turn, seed).sign()
        return {"factor": turn * sign}

    def transform_values(self, images, factor):
        """Turn."""
        self.refuse_colors(images)
        delta = self.per_image(factor)
        return self.clip(
            self.scaled(lambda values: imaging.adjust_hue(values, delta, self.data_format), images, (0, 1))
        )


class RandomSaturation(RandomValueLayer):
    """Makes the colours of an image paler or stronger, in training.

    Args:
        factor: Limits of the saturation: two numbers from 0 (gray) over 0.5 (as it is) to 1 (as strong as
            possible); or one number f for `(-f, f)`, in which all below 0 is gray.
        value_range: The lowest and the highest value of the images; results stay inside.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: See `RandomHue`.

    Shapes:
        output = input, `(batch, height, width, 3)` or one image

    Raises:
        ValueError: `factor` or `value_range` of another form; images without three channels.

    Source: Keras 3 `keras.layers.RandomSaturation`. Differs: integer images are taken, and saturations
    are those of the values brought to 0 to 1, and at most 1, where Keras takes them from the values as they
    are and up to the end of `value_range`, so that results leave the range.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range=value_range, data_format=data_format, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"factor": ...}`, by which the saturation of each image is multiplied, `(batch,)`."""
        if not training:
            return None
        drawn = self.draw(data, self.factor, seed)
        return {"factor": drawn / (1 - drawn).clamp(min=1e-7)}

    def transform_values(self, images, factor):
        """Multiply the saturation."""
        self.refuse_colors(images)
        factor = self.per_image(factor)
        return self.clip(
            self.scaled(
                lambda values: imaging.adjust_saturation(values, factor, self.data_format), images, (0, 1)
            )
        )


class RandomColorDegeneration(RandomValueLayer):
    """Blends an image with its gray form, in training.

    Args:
        factor: Limits of the share of gray: two numbers from -1 to 1, where 0 is the image and 1 is gray, or
            one number f for `(-f, f)`; below 0 colours get stronger.
        value_range: The lowest and the highest value of the images; results stay inside.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: See `RandomHue`.

    Shapes:
        output = input, `(batch, height, width, channels)`, channels 1 or 3, or one image

    Raises:
        ValueError: `factor` or `value_range` of another form; another number of channels.

    Source: Keras 3 `keras.layers.RandomColorDegeneration`.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range=value_range, data_format=data_format, seed=seed, **kwargs)
        self.factor = factor_limits(self, "factor", factor)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"factor": ...}`, the share of gray of each image, `(batch, 1, 1, 1)`."""
        return {"factor": self.per_image(self.draw(data, self.factor, seed))} if training else None

    def transform_values(self, images, factor):
        """Blend."""
        self.refuse_colors(images, (1, 3))
        share = self.per_image(factor).to(images.dtype)
        gray = imaging.rgb_to_grayscale(images, self.data_format)
        return self.clip(images + share * (gray - images))


class RandomGrayscale(RandomValueLayer):
    """Takes the colours out of some images, in training; the number of channels stays.

    Args:
        factor: Probability of an image to become gray, from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.
        seed: See `RandomHue`.

    Shapes:
        output = input, `(batch, height, width, channels)`, channels 1 or 3, or one image

    Raises:
        ValueError: `factor` outside [0, 1]; another number of channels.

    Source: Keras 3 `keras.layers.RandomGrayscale`. Integer images stay integers. Differs: takes dicts with
    labels, boxes and masks too, on which Keras 3.15.1 fails.
    """

    keeps_integers = True
    config_omits_none = ("bounding_box_format", "seed")

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.factor = unit_interval(self, "factor", factor)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return `{"apply_grayscale": ...}`, whether each image becomes gray, `(batch, 1, 1, 1)`."""
        if not training:
            return None
        return {"apply_grayscale": self.per_image(self.draw(data, (0.0, 1.0), seed) < self.factor)}

    def transform_values(self, images, apply_grayscale):
        """Take the colours out."""
        self.refuse_colors(images, (1, 3))
        gray = imaging.rgb_to_grayscale(images, self.data_format)
        return torch.where(self.per_image(apply_grayscale), gray, images)


class RandomColorJitter(RandomValueLayer):
    """Changes brightness, contrast, hue and saturation of an image, in this order, in training.

    Args:
        value_range: The lowest and the highest value of the images; results stay inside.
        brightness_factor: See `RandomBrightness`; `None` leaves the brightness.
        contrast_factor: See `RandomContrast`; `None` leaves the contrast.
        saturation_factor: See `RandomSaturation`; `None` leaves the saturation.
        hue_factor: See `RandomHue`; `None` leaves the hue.
        seed: See `RandomHue`.
        data_format: `"channels_last"`, `"channels_first"` or `None`, the one in `config`.

    Shapes:
        output = input, `(batch, height, width, 3)` or one image

    Raises:
        ValueError: a factor or `value_range` of another form; images without three channels, where hue or
            saturation change.

    Source: Keras 3 `keras.layers.RandomColorJitter`. Differs: what is drawn is in the transformation, and a
    `seed` gives each of the four a sequence of its own, where Keras gives all the same.
    """

    def __init__(
        self,
        value_range=(0, 255),
        brightness_factor=None,
        contrast_factor=None,
        saturation_factor=None,
        hue_factor=None,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        wanted = {
            "random_brightness": (RandomBrightness, brightness_factor),
            "random_contrast": (RandomContrast, contrast_factor),
            "random_hue": (RandomHue, hue_factor),
            "random_saturation": (RandomSaturation, saturation_factor),
        }
        self._names = [name for name, (_, factor) in wanted.items() if factor is not None]
        for number, name in enumerate(self._names):
            kind, factor = wanted[name]
            part = kind(
                factor,
                value_range=self.value_range,
                data_format=self.data_format,
                dtype=self.dtype_policy,
                seed=None if seed is None else seed + number,
            )
            setattr(self, name, part)

    def get_random_transformation(self, data, training=True, seed=None):
        """Return what each part drew, by its name: `"random_brightness"` and so on."""
        if not training:
            return None
        return {
            name: getattr(self, name).get_random_transformation(data, training=True, seed=seed)
            for name in self._names
        }

    def transform_values(self, images, **transformation):
        """Apply the parts."""
        for name in self._names:
            images = getattr(self, name).transform_images(images, transformation[name])
        return images
