"""MNIST: handwritten digits."""

from torchkeras_lite.datasets.files import fetch
from torchkeras_lite.datasets.unpickling import load_npz


def load_data(path="mnist.npz"):
    """Return 60,000 digits to train and 10,000 to test, images of 28x28 pixels and their classes from 0 to 9.

    Args:
        path: Name of the file in the cache.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: `(60000, 28, 28)`, `(60000,)`, `(10000, 28, 28)`, `(10000,)`,
        all uint8

    Raises:
        OSError: the file is not in the cache and there is no network.

    Source: Keras 3 `keras.datasets.mnist.load_data`; Y. LeCun, C. Cortes.
    """
    arrays = load_npz(fetch("mnist.npz", path))
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
