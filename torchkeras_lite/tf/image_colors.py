"""Colors and brightness of images, and random changes of them."""

import torch

from torchkeras_lite.imaging import tones
from torchkeras_lite.imaging.color_spaces import hsv_to_rgb as to_rgb
from torchkeras_lite.imaging.color_spaces import rgb_to_hsv as to_hsv
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf import random as tf_random
from torchkeras_lite.tf.conversion import convert

GRAY = (0.2989, 0.587, 0.114)


def convert_image_dtype(image, dtype, saturate=False, name=None):
    """Return images in another dtype: floats go from 0 to 1, integers over their whole range.

    Args:
        image: Images.
        dtype: The dtype.
        saturate: Whether what the dtype cannot hold is set to its limits.
        name: Accepted as in TensorFlow.
    """
    image, dtype = convert(image), dtypes.as_dtype(dtype)
    if image.dtype is dtype:
        return image
    if not image.is_floating_point():
        most = torch.iinfo(image.dtype).max
        if dtype.is_floating_point:
            return image.to(dtype) * (1.0 / most)
        new = torch.iinfo(dtype).max
        return (
            image // ((most + 1) // (new + 1)) if most > new else image.to(dtype) * ((new + 1) // (most + 1))
        ).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype)
    limits = torch.iinfo(dtype)
    scaled = image * (limits.max + 0.5)
    return (scaled.clamp(limits.min, limits.max) if saturate else scaled).to(dtype)


def _as_floats(image, compute):
    """Compute on images as floats, and return the result in their dtype."""
    image = convert(image)
    if image.is_floating_point():
        return compute(image)
    return convert_image_dtype(
        compute(convert_image_dtype(image, dtypes.float32)), image.dtype, saturate=True
    )


def adjust_brightness(image, delta):
    """Return images with `delta`, a share of the whole range, added."""
    return _as_floats(image, lambda x: x + float(delta))


def adjust_contrast(images, contrast_factor):
    """Return images whose distances from the mean of their channel are multiplied."""
    factor = torch.as_tensor(float(contrast_factor))
    return _as_floats(images, lambda x: tones.adjust_contrast(x, factor.to(x.device)))


def adjust_gamma(image, gamma=1, gain=1):
    """Return `gain * image ** gamma`."""
    if float(gamma) < 0:
        raise ValueError(f"Gamma should be a non-negative real number, got {gamma}.")
    return _as_floats(image, lambda x: gain * x ** float(gamma))


def adjust_hue(image, delta, name=None):
    """Return images with every hue turned by `delta`, 1 for the whole circle."""
    turn = torch.as_tensor(float(delta))
    return _as_floats(image, lambda x: tones.adjust_hue(x, turn.to(x.device)))


def adjust_saturation(image, saturation_factor, name=None):
    """Return images with every saturation multiplied, from 0 to 1."""
    factor = torch.as_tensor(float(saturation_factor))
    return _as_floats(image, lambda x: tones.adjust_saturation(x, factor.to(x.device)))


def _amount(low, high, seed, stateless):
    draw = tf_random.stateless_uniform if stateless else tf_random.uniform
    return draw((), seed=seed, minval=low, maxval=high)


def _named(called, name, adjust):
    called.__name__ = called.__qualname__ = name
    called.__doc__ = f"Return images changed by `{adjust.__name__}`, all by one drawn amount."
    return called


def _by_delta(adjust, name, stateless=False):
    """Return a function that adjusts by an amount from `-max_delta` to `max_delta`."""

    def called(image, max_delta, seed=None):
        return adjust(image, _amount(-max_delta, max_delta, seed, stateless))

    return _named(called, name, adjust)


def _by_factor(adjust, name, stateless=False):
    """Return a function that adjusts by an amount from `lower` to `upper`."""

    def called(image, lower, upper, seed=None):
        return adjust(image, _amount(lower, upper, seed, stateless))

    return _named(called, name, adjust)


random_brightness = _by_delta(adjust_brightness, "random_brightness")
random_hue = _by_delta(adjust_hue, "random_hue")
random_contrast = _by_factor(adjust_contrast, "random_contrast")
random_saturation = _by_factor(adjust_saturation, "random_saturation")
stateless_random_brightness = _by_delta(adjust_brightness, "stateless_random_brightness", stateless=True)
stateless_random_hue = _by_delta(adjust_hue, "stateless_random_hue", stateless=True)
stateless_random_contrast = _by_factor(adjust_contrast, "stateless_random_contrast", stateless=True)
stateless_random_saturation = _by_factor(adjust_saturation, "stateless_random_saturation", stateless=True)


def stateless_below(seed, number, axis):
    """Return a random integer below `number`; with a pair `seed` the same for each `axis` at every call."""
    if seed is None:
        return tf_random.uniform((), 0, number, dtypes.int64)
    first, second = (int(part) for part in seed)
    return tf_random.stateless_uniform((), (first, second + axis), 0, number, dtypes.int64)


def rgb_to_grayscale(images, name=None):
    """Return the luminance of images, one channel."""
    weights = torch.tensor(GRAY)
    return _as_floats(images, lambda x: (x @ weights.to(x)).unsqueeze(-1))


def grayscale_to_rgb(images, name=None):
    """Return images with their only channel three times."""
    return convert(images).repeat_interleave(3, -1)


def rgb_to_hsv(images, name=None):
    """Return hue, saturation and value of images, floats from 0 to 1."""
    return to_hsv(convert(images))


def hsv_to_rgb(images, name=None):
    """Return images from hue, saturation and value."""
    return to_rgb(convert(images))


_TO_YUV = (
    (0.299, -0.14714119, 0.61497538),
    (0.587, -0.28886916, -0.51496512),
    (0.114, 0.43601035, -0.10001026),
)


def rgb_to_yuv(images):
    """Return luminance and two differences of color of images."""
    images = convert(images)
    return images @ torch.tensor(_TO_YUV).to(images)


def yuv_to_rgb(images):
    """Return images from luminance and two differences of color."""
    images = convert(images)
    return images @ torch.linalg.inv(torch.tensor(_TO_YUV)).to(images)


def per_image_standardization(image):
    """Return each image with mean 0 and deviation 1, `float32`."""
    image = convert(image).float()
    axes = (-3, -2, -1)
    count = image.shape[-1] * image.shape[-2] * image.shape[-3]
    deviation = torch.std(image, axes, correction=0, keepdim=True).clamp(min=count**-0.5)
    return (image - image.mean(axes, keepdim=True)) / deviation


__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "convert_image_dtype",
    "grayscale_to_rgb",
    "hsv_to_rgb",
    "per_image_standardization",
    "random_brightness",
    "random_contrast",
    "random_hue",
    "random_saturation",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "rgb_to_yuv",
    "stateless_random_brightness",
    "stateless_random_contrast",
    "stateless_random_hue",
    "stateless_random_saturation",
    "yuv_to_rgb",
]
