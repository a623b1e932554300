"""The arithmetic of images, as plain torch functions on batches: below layers and ops, which both call it.

Images have the shape (batch, height, width, channels), or (batch, channels, height, width) with
`data_format="channels_first"`. Points are (x, y), that is (column, row), counted from the centre of the first
pixel. What differs between the images of a batch (transforms, sigmas) has the batch as its first axis, so a
batch is one call of each torch function. Arguments are expected to be right: callers check them.
"""

from torchkeras_lite.imaging.affine import affine_transform
from torchkeras_lite.imaging.blur import gaussian_blur, gaussian_weights
from torchkeras_lite.imaging.color_spaces import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from torchkeras_lite.imaging.coordinates import FILL_MODES, map_coordinates, sample
from torchkeras_lite.imaging.elastic import elastic_transform
from torchkeras_lite.imaging.histogram import equalize, equalize_tiles
from torchkeras_lite.imaging.perspective import perspective_transform, perspective_vectors
from torchkeras_lite.imaging.resampling import resampling_matrix, scale_and_translate
from torchkeras_lite.imaging.resize import INTERPOLATIONS, resize
from torchkeras_lite.imaging.tones import (
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    posterize,
    sharpen,
    solarize,
    stretch_contrast,
)

__all__ = [
    "FILL_MODES",
    "INTERPOLATIONS",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine_transform",
    "elastic_transform",
    "equalize",
    "equalize_tiles",
    "gaussian_blur",
    "gaussian_weights",
    "hsv_to_rgb",
    "map_coordinates",
    "perspective_transform",
    "perspective_vectors",
    "posterize",
    "resampling_matrix",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "sample",
    "scale_and_translate",
    "sharpen",
    "solarize",
    "stretch_contrast",
]
