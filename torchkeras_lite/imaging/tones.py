"""Brightness values and colours changed pixel by pixel, or against a mean or a neighbourhood.

What belongs to one image of a batch (a factor, a threshold) comes as a tensor that broadcasts to the images,
usually of shape (batch, 1, 1, 1).
"""

import torch
import torch.nn.functional as F

from torchkeras_lite.imaging.color_spaces import channel_axis, hsv_to_rgb, rgb_to_hsv
from torchkeras_lite.imaging.layout import to_torch, to_user


def spatial_axes(data_format):
    """Return the axes of rows and columns, counted from the end."""
    return (-3, -2) if data_format == "channels_last" else (-2, -1)


def adjust_contrast(images, factor, data_format="channels_last"):
    """Return images whose distances from the mean of their channel are multiplied.

    Args:
        images: Images, floats.
        factor: 0 leaves the mean, 1 the image, more sharpens the contrast.
        data_format: Layout of `images`.
    """
    mean = images.mean(spatial_axes(data_format), keepdim=True)
    return torch.lerp(mean, images, factor.to(images.dtype))


def stretch_contrast(images, value_range, data_format="channels_last"):
    """Return images of which every channel spans the whole range of values; those of one value stay.

    Args:
        images: Images, floats.
        value_range: The lowest and the highest value.
        data_format: Layout of `images`.
    """
    low, high = value_range
    axes = spatial_axes(data_format)
    least, most = images.amin(axes, keepdim=True), images.amax(axes, keepdim=True)
    spread = most - least
    stretched = (images - least) * ((high - low) / torch.where(spread > 0, spread, 1.0)) + low
    return torch.where(spread > 0, stretched.clamp(low, high), images)


def sharpen(images, factor, data_format="channels_last"):
    """Return images between their blurred form, the image and beyond; outside they are 0.

    Args:
        images: Batch of images, floats.
        factor: 0 is the mean of 3 by 3 pixels of which the middle counts five times, 1 the image, more
            stresses edges.
        data_format: Layout of `images`.
    """
    weights = torch.full((3, 3), 1 / 13, dtype=images.dtype, device=images.device)
    weights[1, 1] = 5 / 13
    planes = to_torch(images, data_format)
    channels = planes.shape[1]
    blurred = F.conv2d(planes, weights.expand(channels, 1, 3, 3), padding=1, groups=channels)
    return torch.lerp(to_user(blurred, data_format), images, factor.to(images.dtype))


def posterize(images, shift):
    """Return images of values from 0 to 255 of which only the highest bits are left.

    Args:
        images: Images, floats; fractions are cut off.
        shift: How many of the 8 bits are lost, integers.
    """
    steps = torch.exp2(shift.to(images.dtype))
    return torch.floor(torch.floor(images.clamp(0, 255)) / steps) * steps


def solarize(images, addition, threshold, value_range):
    """Return images made brighter, with the values from a threshold on inverted.

    Args:
        images: Images, floats.
        addition: What is added at first; the sum stays within `value_range`.
        threshold: From which value on.
        value_range: The lowest and the highest value.
    """
    low, high = value_range
    brighter = (images + addition.to(images.dtype)).clamp(low, high)
    return torch.where(brighter < threshold, brighter, low + high - brighter)


def adjust_hue(images, delta, data_format="channels_last"):
    """Return images with every hue turned by `delta`, 1 for the whole circle.

    Args:
        images: Images of three channels, floats from 0 to 1.
        delta: The turns.
        data_format: Layout of `images`.
    """
    axis = channel_axis(data_format)
    hue, rest = rgb_to_hsv(images, data_format).split_with_sizes((1, 2), axis)
    turned = torch.remainder(hue + delta.to(images.dtype), 1.0)
    return hsv_to_rgb(torch.cat([turned, rest], axis), data_format)


def adjust_saturation(images, factor, data_format="channels_last"):
    """Return images with every saturation multiplied and kept from 0 to 1.

    Args:
        images: Images of three channels, floats from 0 to 1.
        factor: 0 is gray, 1 the image.
        data_format: Layout of `images`.
    """
    axis = channel_axis(data_format)
    hue, saturation, value = rgb_to_hsv(images, data_format).split(1, axis)
    saturation = (saturation * factor.to(images.dtype)).clamp(0, 1)
    return hsv_to_rgb(torch.cat([hue, saturation, value], axis), data_format)
