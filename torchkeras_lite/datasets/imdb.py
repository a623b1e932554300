"""IMDB: reviews of films, good or bad."""

import warnings

import numpy as np

from torchkeras_lite.base.checks import refuse_unknown
from torchkeras_lite.datasets import word_lists
from torchkeras_lite.datasets.files import fetch
from torchkeras_lite.datasets.unpickling import load_npz


def load_data(
    path="imdb.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
    **kwargs,
):
    """Return 25,000 reviews to train and 25,000 to test, as lists of word numbers, and their labels.

    A good review has the label 1, a bad one 0. Words are numbered by how often they come.

    Args:
        path: Name of the file in the cache.
        num_words: Numbers from it on are replaced by `oov_char`; only the largest when not given.
        skip_top: So are numbers below it.
        maxlen: Reviews of this length and longer are left out.
        seed: Seed of the order.
        start_char: Number at the begin of every review, `None` for none.
        oov_char: Number of a word that is not kept, `None` to leave such words out.
        index_from: Words are numbered from here on: the word with the number 1 in `get_word_index` is
            `1 + index_from`.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists `(25000,)`, and of integers `(25000,)`

    Raises:
        OSError: the file is not in the cache and there is no network.
        ValueError: no review is shorter than `maxlen`.

    Source: Keras 3 `keras.datasets.imdb.load_data`; A. Maas et al.
    """
    if "nb_words" in kwargs:
        warnings.warn(
            "The `nb_words` argument in `load_data` has been renamed `num_words`.",
            DeprecationWarning,
            stacklevel=2,
        )
        num_words = kwargs.pop("nb_words")
    refuse_unknown("imdb.load_data", kwargs, ("num_words",))
    arrays = load_npz(fetch("imdb.npz", path))
    random = np.random.RandomState(seed)
    train = word_lists.shuffled(arrays["x_train"], arrays["y_train"], random)
    test = word_lists.shuffled(arrays["x_test"], arrays["y_test"], random)
    parts = [
        (word_lists.begin_texts(texts, start_char, index_from), labels) for texts, labels in (train, test)
    ]
    parts = [word_lists.shorter(texts, labels, maxlen) for texts, labels in parts]
    count = len(parts[0][0])
    texts = word_lists.with_known_words(parts[0][0] + parts[1][0], num_words, skip_top, oov_char)
    return (
        (word_lists.as_array(texts[:count]), parts[0][1]),
        (word_lists.as_array(texts[count:]), parts[1][1]),
    )


def get_word_index(path="imdb_word_index.json"):
    """Return the dict of words and their numbers, to which `load_data` adds `index_from`.

    Raises:
        OSError: the file is not in the cache and there is no network.

    Source: Keras 3 `keras.datasets.imdb.get_word_index`.
    """
    return word_lists.read_word_index(fetch("imdb_word_index.json", path))
