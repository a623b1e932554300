"""`keras.datasets`: small data sets to try things on, from the files that Keras uses.

They are kept where Keras keeps them, in `~/.keras/datasets` or below `KERAS_HOME`: a machine that has them
needs no network. Files of pickles are read so that they can hold numbers, and run nothing.
"""

from torchkeras_lite.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]
