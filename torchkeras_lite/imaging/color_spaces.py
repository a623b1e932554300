"""Colours as red, green, blue; as hue, saturation, value; as brightness alone."""

import torch

# Rec. 601, in the digits that TensorFlow and Keras use.
_LUMA = (0.2989, 0.587, 0.114)


def channel_axis(data_format):
    """Return the axis of the channels, counted from the end, so that single images work too."""
    return -1 if data_format == "channels_last" else -3


def rgb_to_grayscale(images, data_format="channels_last"):
    """Return images with one channel, the brightness; those that have one already stay as they are.

    Args:
        images: One image or a batch, floats or integers, of which fractions are cut off.
        data_format: Layout of `images`.
    """
    axis = channel_axis(data_format)
    if images.shape[axis] == 1:
        return images
    work = images if images.is_floating_point() else images.to(torch.float32)
    red, green, blue = work.unbind(axis)
    gray = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
    return gray.unsqueeze(axis).to(images.dtype)


def rgb_to_hsv(images, data_format="channels_last"):
    """Return the hue (0 to 1), saturation and value of the red, green and blue of images.

    Args:
        images: One image or a batch of floats, usually from 0 to 1.
        data_format: Layout of `images`.
    """
    axis = channel_axis(data_format)
    red, green, blue = images.unbind(axis)
    value, least = images.amax(axis), images.amin(axis)
    spread = value - least
    saturation = torch.where(value > 0, spread / torch.where(value > 0, value, 1.0), 0.0)
    unit = 1.0 / (6.0 * torch.where(spread > 0, spread, 1.0))
    hue = torch.where(
        value == red,
        (green - blue) * unit,
        torch.where(value == green, (blue - red) * unit + 2 / 6, (red - green) * unit + 4 / 6),
    )
    hue = torch.where(spread > 0, hue, 0.0)
    return torch.stack([hue + (hue < 0), saturation, value], axis)


def hsv_to_rgb(images, data_format="channels_last"):
    """Return the red, green and blue of images in hue (0 to 1), saturation and value.

    Args:
        images: One image or a batch of floats.
        data_format: Layout of `images`.
    """
    axis = channel_axis(data_format)
    hue, saturation, value = images.unbind(axis)
    # Each colour is a trapezium over the hue, cut at 0 and 1.
    shares = ((hue * 6 - 3).abs() - 1, 2 - (hue * 6 - 2).abs(), 2 - (hue * 6 - 4).abs())
    return torch.stack([value * (1 - saturation * (1 - share.clamp(0, 1))) for share in shares], axis)
