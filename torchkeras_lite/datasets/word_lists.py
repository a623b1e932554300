"""Texts as lists of word numbers: what `imdb` and `reuters` have in common."""

import json

import numpy as np


def shuffled(texts, labels, random):
    """Return texts and labels in a random order."""
    order = np.arange(len(texts))
    random.shuffle(order)
    return texts[order], labels[order]


def begin_texts(texts, start_char, index_from):
    """Return lists with `start_char` in front of them and all other numbers raised by `index_from`."""
    begin = [] if start_char is None else [start_char]
    return [[*begin, *(word + index_from for word in text)] for text in texts]


def shorter(texts, labels, maxlen):
    """Return the texts with fewer than `maxlen` numbers, and their labels; all for `None`.

    Raises:
        ValueError: no text is left.
    """
    if not maxlen:
        return texts, labels
    kept = [place for place, text in enumerate(texts) if len(text) < maxlen]
    if not kept:
        raise ValueError(
            f"load_data: After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. "
            "Increase maxlen."
        )
    return [texts[place] for place in kept], labels[kept]


def with_known_words(texts, num_words, skip_top, oov_char):
    """Return texts with the numbers from `skip_top` to `num_words - 1`; `oov_char` stands for others.

    Args:
        texts: Lists of numbers.
        num_words: `None` for the largest number that there is, which is then left out, as in Keras.
        skip_top: Smallest number that stays.
        oov_char: The number for the others, `None` to leave them out.
    """
    limit = num_words or max(max(text, default=0) for text in texts)
    if oov_char is None:
        return [[word for word in text if skip_top <= word < limit] for text in texts]
    return [[word if skip_top <= word < limit else oov_char for word in text] for text in texts]


def as_array(texts):
    """Return lists of different lengths as an array of lists."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def read_word_index(path):
    """Return the dict of words and their numbers in a JSON file."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)
