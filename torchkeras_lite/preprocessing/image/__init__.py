"""`keras.preprocessing.image`: `ImageDataGenerator`, the functions it is made of, and single images."""

from torchkeras_lite.preprocessing.image.file_iterators import DataFrameIterator, DirectoryIterator
from torchkeras_lite.preprocessing.image.generator import ImageDataGenerator
from torchkeras_lite.preprocessing.image.iterators import Iterator, NumpyArrayIterator
from torchkeras_lite.preprocessing.image.transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from torchkeras_lite.utils.image_files import array_to_img, img_to_array, load_img, save_img, smart_resize
from torchkeras_lite.utils.labelled_datasets import image_dataset_from_directory

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]
