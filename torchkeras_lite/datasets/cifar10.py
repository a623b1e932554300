"""CIFAR-10: small photographs of ten kinds."""

import os

import numpy as np

from torchkeras_lite.datasets.cifar_files import arranged, read_batch
from torchkeras_lite.datasets.files import fetch

PARTS = 5


def load_data():
    """Return 50,000 photographs to train and 10,000 to test, of 32x32 pixels, and their classes from 0 to 9.

    The classes are airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: `(50000, 32, 32, 3)`, `(50000, 1)`, `(10000, 32, 32, 3)`,
        `(10000, 1)`, all uint8; channels first where `image_data_format()` says so

    Raises:
        OSError: the archive is not in the cache and there is no network.

    Source: Keras 3 `keras.datasets.cifar10.load_data`; A. Krizhevsky.
    """
    folder = os.path.join(fetch("cifar-10-batches-py-target"), "cifar-10-batches-py")
    parts = [read_batch(os.path.join(folder, f"data_batch_{number}")) for number in range(1, PARTS + 1)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    test_images, test_labels = read_batch(os.path.join(folder, "test_batch"))
    return (
        arranged(images, labels.astype("uint8")),
        arranged(test_images, test_labels.astype("uint8")),
    )
