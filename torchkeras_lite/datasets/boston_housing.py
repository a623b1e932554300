"""Boston housing: 506 districts of the 1970s."""

from torchkeras_lite.datasets import house_prices
from torchkeras_lite.datasets.files import fetch
from torchkeras_lite.datasets.unpickling import load_npz


def load_data(path="boston_housing.npz", test_split=0.2, seed=113):
    """Return 13 features of 506 districts, and the median price of a house in thousands of dollars.

    One feature says how many of the residents are black; the data is for the study of old examples only.

    Args:
        path: Name of the file in the cache.
        test_split: Fraction of the rows that are returned as the second part.
        seed: Seed of the order.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: `(404, 13)`, `(404,)`, `(102, 13)`, `(102,)`, float64

    Raises:
        OSError: the file is not in the cache and there is no network.
        ValueError: `test_split` is not in [0, 1).

    Source: Keras 3 `keras.datasets.boston_housing.load_data`; D. Harrison, D. Rubinfeld.
    """
    arrays = load_npz(fetch("boston_housing.npz", path))
    return house_prices.split("boston_housing", arrays["x"], arrays["y"], test_split, seed)
