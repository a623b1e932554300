"""California housing: districts of the census of 1990."""

from torchkeras_lite.base.checks import one_of
from torchkeras_lite.datasets import house_prices
from torchkeras_lite.datasets.files import fetch
from torchkeras_lite.datasets.unpickling import load_npz

SMALL = 600


def load_data(version="large", path="california_housing.npz", test_split=0.2, seed=113):
    """Return 8 features of districts, and the median price of a house in dollars.

    Args:
        version: `"large"` for 20,640 districts, `"small"` for 600.
        path: Name of the file in the cache.
        test_split: Fraction of the rows that are returned as the second part.
        seed: Seed of the order.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: `(16512, 8)`, `(16512,)`, `(4128, 8)`, `(4128,)`, float32

    Raises:
        OSError: the file is not in the cache and there is no network.
        ValueError: another version, `test_split` is not in [0, 1).

    Source: Keras 3 `keras.datasets.california_housing.load_data`; R. Pace, R. Barry.
    """
    one_of("california_housing.load_data", "version", version, ("large", "small"))
    arrays = load_npz(fetch("california_housing.npz", path))
    rows = slice(None, SMALL if version == "small" else None)
    return house_prices.split("california_housing", arrays["x"][rows], arrays["y"][rows], test_split, seed)
