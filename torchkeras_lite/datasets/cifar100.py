"""CIFAR-100: small photographs of a hundred kinds."""

import os

from torchkeras_lite.base.checks import one_of
from torchkeras_lite.datasets.cifar_files import arranged, read_batch
from torchkeras_lite.datasets.files import fetch


def load_data(label_mode="fine"):
    """Return 50,000 photographs to train and 10,000 to test, of 32x32 pixels, and their classes.

    Args:
        label_mode: `"fine"` for 100 classes, `"coarse"` for 20 groups of them.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: `(50000, 32, 32, 3)`, `(50000, 1)`, `(10000, 32, 32, 3)`,
        `(10000, 1)`, uint8 and int64; channels first where `image_data_format()` says so

    Raises:
        OSError: the archive is not in the cache and there is no network.
        ValueError: another label mode.

    Source: Keras 3 `keras.datasets.cifar100.load_data`; A. Krizhevsky.
    """
    key = f"{one_of('cifar100.load_data', 'label_mode', label_mode, ('fine', 'coarse'))}_labels"
    folder = os.path.join(fetch("cifar-100-python-target"), "cifar-100-python")
    return tuple(arranged(*read_batch(os.path.join(folder, part), key)) for part in ("train", "test"))
