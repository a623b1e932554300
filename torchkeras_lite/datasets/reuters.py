"""Reuters: newswires on 46 topics."""

import numpy as np

from torchkeras_lite.datasets import word_lists
from torchkeras_lite.datasets.files import fetch
from torchkeras_lite.datasets.unpickling import load_npz

TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton "
    "carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock "
    "retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path="reuters.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    test_split=0.2,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
):
    """Return 11,228 newswires as lists of word numbers, and their topics from 0 to 45.

    Args:
        test_split: Fraction of the newswires that are returned as the second part.
        path, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: As in `imdb.load_data`.

    Shapes:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists `(8982,)`, `(2246,)`, and of integers

    Raises:
        OSError: the file is not in the cache and there is no network.
        ValueError: no newswire is shorter than `maxlen`.

    Source: Keras 3 `keras.datasets.reuters.load_data`; D. Lewis.
    """
    arrays = load_npz(fetch("reuters.npz", path))
    texts, labels = word_lists.shuffled(arrays["x"], arrays["y"], np.random.RandomState(seed))
    texts = word_lists.begin_texts(texts, start_char, index_from)
    texts, labels = word_lists.shorter(texts, labels, maxlen)
    texts = word_lists.as_array(word_lists.with_known_words(texts, num_words, skip_top, oov_char))
    cut = int(len(texts) * (1 - test_split))
    return (texts[:cut], labels[:cut]), (texts[cut:], labels[cut:])


def get_word_index(path="reuters_word_index.json"):
    """Return the dict of words and their numbers, to which `load_data` adds `index_from`.

    Raises:
        OSError: the file is not in the cache and there is no network.

    Source: Keras 3 `keras.datasets.reuters.get_word_index`.
    """
    return word_lists.read_word_index(fetch("reuters_word_index.json", path))


def get_label_names():
    """Return the names of the topics, in the order of their numbers.

    Source: Keras 3 `keras.datasets.reuters.get_label_names`.
    """
    return tuple(TOPICS.split())
