"""Prices of houses: what `boston_housing` and `california_housing` have in common."""

import numpy as np


def split(owner, features, prices, test_split, seed):
    """Return the rows in a random order, the last `test_split` of them apart.

    Raises:
        ValueError: a fraction that is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(
            f"{owner}.load_data: `test_split` must be in the range [0, 1), got {test_split}. Pass for "
            "example "
            "0.2."
        )
    order = np.arange(len(features))
    np.random.RandomState(seed).shuffle(order)
    features, prices = features[order], prices[order]
    cut = int(len(features) * (1 - test_split))
    return (np.array(features[:cut]), np.array(prices[:cut])), (
        np.array(features[cut:]),
        np.array(prices[cut:]),
    )
