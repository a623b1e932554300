"""Fashion-MNIST: clothes."""

import gzip

import numpy as np

from torchkeras_lite.datasets.files import fetch

LABELS_START, IMAGES_START = 8, 16  # where the values begin, after their counts


def load_data():
    """Return 60,000 pictures to train and 10,000 to test, of 28x28 pixels, and their classes from 0 to 9.

    The classes are T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: `(60000, 28, 28)`, `(60000,)`, `(10000, 28, 28)`, `(10000,)`,
        all uint8

    Raises:
        OSError: the files are not in the cache and there is no network.

    Source: Keras 3 `keras.datasets.fashion_mnist.load_data`; Zalando SE.
    """
    return _part("train"), _part("t10k")


def _part(name):
    labels = _read(f"{name}-labels-idx1-ubyte.gz", LABELS_START)
    return _read(f"{name}-images-idx3-ubyte.gz", IMAGES_START).reshape(len(labels), 28, 28), labels


def _read(name, start):
    with gzip.open(fetch(name), "rb") as file:
        return np.frombuffer(bytearray(file.read()), np.uint8, offset=start)
