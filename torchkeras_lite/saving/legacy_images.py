"""TensorFlow's operations on images `(..., height, width, channels)`, by several of Keras 3."""

import numpy as np

from torchkeras_lite import ops

YUV = ((0.299, -0.14714119, 0.61497538), (0.587, -0.28886916, -0.51496512), (0.114, 0.43601035, -0.10001026))
YIQ = ((0.299, 0.59590059, 0.2115), (0.587, -0.27455667, -0.52273617), (0.114, -0.32134392, 0.31119955))
BACK_FROM_YUV = ((1.0, 1.0, 1.0), (0.0, -0.394642334, 2.03206185), (1.13988303, -0.58062185, 0.0))
BACK_FROM_YIQ = (
    (1.0, 1.0, 1.0),
    (0.95598634, -0.27201283, -1.10674021),
    (0.6208248, -0.64720424, 1.70423049),
)


def _floats(image):
    """Return images of floats; others would be scaled to their range, and cut off.

    Raises:
        ValueError: other images.
    """
    if "float" not in str(image.dtype):
        raise ValueError(f"of images of dtype {image.dtype}")
    return image


def _brightness(image, delta):
    return ops.add(_floats(image), delta)


def _contrast(images, contrast_factor):
    mean = ops.mean(_floats(images), axis=[-3, -2], keepdims=True)
    return ops.add(ops.multiply(ops.subtract(images, mean), contrast_factor), mean)


def _gamma(image, gamma=1, gain=1):
    return ops.multiply(ops.power(_floats(image), gamma), gain)


def _saturation(image, saturation_factor, name=None):
    hue, saturation, value = ops.split(ops.image.rgb_to_hsv(_floats(image), "channels_last"), 3, axis=-1)
    saturation = ops.clip(ops.multiply(saturation, saturation_factor), 0.0, 1.0)
    return ops.image.hsv_to_rgb(ops.concatenate([hue, saturation, value], axis=-1), "channels_last")


def _hue(image, delta, name=None):
    hue, saturation, value = ops.split(ops.image.rgb_to_hsv(_floats(image), "channels_last"), 3, axis=-1)
    hue = ops.mod(ops.add(hue, delta), 1.0)
    return ops.image.hsv_to_rgb(ops.concatenate([hue, saturation, value], axis=-1), "channels_last")


def _convert(image, dtype, saturate=False, name=None):
    if "float" not in str(dtype):
        raise ValueError(f"to {dtype}")
    if "float" in str(image.dtype):
        return ops.cast(image, dtype)
    return ops.multiply(ops.cast(image, dtype), 1.0 / np.iinfo(str(image.dtype)).max)


def _sides(image):
    sides = image.shape[-3:-1]
    if None in sides:
        raise ValueError("of images whose size is known only when the model runs")
    return sides


def _crop(image, offset_height, offset_width, target_height, target_width):
    rows = slice(int(offset_height), int(offset_height) + int(target_height))
    return image[..., rows, int(offset_width) : int(offset_width) + int(target_width), :]


def _central_crop(image, central_fraction):
    height, width = _sides(image)
    top, left = (int((side - side * central_fraction) / 2) for side in (height, width))
    return _crop(image, top, left, height - 2 * top, width - 2 * left)


def _crop_or_pad(image, target_height, target_width):
    pads = []
    for side, target in zip(_sides(image), (int(target_height), int(target_width)), strict=True):
        missing = max(target - side, 0)
        pads.append([missing // 2, missing - missing // 2])
    height, width = _sides(image)
    top, left = max(height - int(target_height), 0) // 2, max(width - int(target_width), 0) // 2
    part = _crop(image, top, left, min(height, int(target_height)), min(width, int(target_width)))
    return ops.pad(part, [[0, 0]] * (len(image.shape) - 3) + [*pads, [0, 0]])


def _rot90(image, k=1, name=None):
    rank = len(image.shape)
    return ops.rot90(image, k=int(k), axes=(rank - 3, rank - 2))


def _in_colours(kernel):
    return lambda images: ops.matmul(images, np.array(kernel, "float32"))


IMAGES = {
    "image.adjust_brightness": _brightness,
    "image.adjust_contrast": _contrast,
    "image.adjust_gamma": _gamma,
    "image.adjust_saturation": _saturation,
    "image.adjust_hue": _hue,
    "image.convert_image_dtype": _convert,
    "image.crop_to_bounding_box": _crop,
    "image.central_crop": _central_crop,
    "image.resize_with_crop_or_pad": _crop_or_pad,
    "image.rot90": _rot90,
    "image.transpose": lambda image, name=None: ops.swapaxes(image, -3, -2),
    "image.rgb_to_hsv": lambda images, name=None: ops.image.rgb_to_hsv(images, "channels_last"),
    "image.hsv_to_rgb": lambda images, name=None: ops.image.hsv_to_rgb(images, "channels_last"),
    "image.rgb_to_yuv": _in_colours(YUV),
    "image.yuv_to_rgb": _in_colours(BACK_FROM_YUV),
    "image.rgb_to_yiq": _in_colours(YIQ),
    "image.yiq_to_rgb": _in_colours(BACK_FROM_YIQ),
}
