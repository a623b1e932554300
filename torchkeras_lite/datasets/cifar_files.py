"""The files that CIFAR-10 and CIFAR-100 are made of."""

import numpy as np

from torchkeras_lite.base import config
from torchkeras_lite.datasets.unpickling import load


def read_batch(path, label_key="labels"):
    """Return the images `(images, 3, 32, 32)` and labels of one file.

    Args:
        path: The file.
        label_key: Name of the labels in it.
    """
    with open(path, "rb") as file:
        held = {key.decode() if isinstance(key, bytes) else key: value for key, value in load(file).items()}
    return held["data"].reshape(-1, 3, 32, 32), np.asarray(held[label_key])


def arranged(images, labels):
    """Return images in the layout of `image_data_format()`, and labels as a column."""
    if config.image_data_format() == "channels_last":
        images = images.transpose(0, 2, 3, 1)
    return images, labels.reshape(-1, 1)
