"""Texts to word numbers, as before there was `TextVectorization`."""

import collections
import hashlib
import json
import warnings

import numpy as np

from torchkeras_lite.base.checks import refuse_unknown

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(input_text, filters=FILTERS, lower=True, split=" "):
    """Return the words of a text.

    Args:
        input_text: The text.
        filters: Characters that stand for `split`.
        lower: Whether letters are made small.
        split: What stands between words.

    Source: tf.keras `preprocessing.text.text_to_word_sequence`.
    """
    if lower:
        input_text = input_text.lower()
    input_text = input_text.translate(dict.fromkeys(map(ord, filters), split))
    return [word for word in input_text.split(split) if word]


def one_hot(input_text, n, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """Return a number below `n` for each word of a text, by Python's own hash.

    It differs from one run of Python to the next unless `PYTHONHASHSEED` is set; see `hashing_trick`.

    Source: tf.keras `preprocessing.text.one_hot`.
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(text, n, hash_function=None, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """Return a number from 1 to `n - 1` for each word of a text, by a hash; words may share numbers.

    Args:
        text: The text.
        n: Number of numbers, 0 included, which no word gets.
        hash_function: `None` for Python's `hash`, `"md5"` for one that is the same in every run, or a
            function of a word.
        filters, lower, split: See `text_to_word_sequence`.
        analyzer: Function that splits the text, instead.

    Raises:
        ValueError: another name than `"md5"`.

    Source: tf.keras `preprocessing.text.hashing_trick`.
    """
    hash_function = hash if hash_function is None else hash_function
    if hash_function == "md5":
        hash_function = lambda word: int(hashlib.md5(word.encode()).hexdigest(), 16)
    if not callable(hash_function):
        raise ValueError(
            f"hashing_trick: `hash_function` must be None, 'md5' or a function, got {hash_function!r}."
        )
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [hash_function(word) % (n - 1) + 1 for word in words]


class Tokenizer:
    """Numbers the words of texts by how often they come, from 1 on.

    Args:
        num_words: Only words with numbers below it are kept; all when not given.
        filters: Characters that stand for `split`.
        lower: Whether letters are made small.
        split: What stands between words.
        char_level: Whether every character is a word.
        oov_token: Stands, as number 1, for words that are not known; these are left out when not given.
        analyzer: Function that splits a text, instead.

    Raises:
        TypeError: an unknown argument.

    Source: tf.keras `preprocessing.text.Tokenizer`; `TextVectorization` does the same as a layer.
    """

    def __init__(
        self,
        num_words=None,
        filters=FILTERS,
        lower=True,
        split=" ",
        char_level=False,
        oov_token=None,
        analyzer=None,
        **kwargs,
    ):
        if "nb_words" in kwargs:
            warnings.warn(
                "The `nb_words` argument in `Tokenizer` has been renamed `num_words`.",
                DeprecationWarning,
                stacklevel=2,
            )
            num_words = kwargs.pop("nb_words")
        self.document_count = kwargs.pop("document_count", 0)
        refuse_unknown(
            "Tokenizer", kwargs, ("num_words", "filters", "lower", "split", "char_level", "oov_token")
        )
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.index_docs = collections.defaultdict(int)
        self.word_index = {}
        self.index_word = {}

    def _words(self, text):
        if self.char_level or isinstance(text, (list, tuple)):
            if not self.lower:
                return text
            return [word.lower() for word in text] if isinstance(text, (list, tuple)) else text.lower()
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts):
        """Count the words of texts and number them.

        Args:
            texts: Strings, or lists of words.
        """
        for text in texts:
            self.document_count += 1
            words = list(self._words(text))
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ranked = sorted(self.word_counts, key=self.word_counts.get, reverse=True)
        vocabulary = ranked if self.oov_token is None else [self.oov_token, *ranked]
        self.word_index = {word: number for number, word in enumerate(vocabulary, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences):
        """Count in how many sequences each number is, for `sequences_to_matrix(mode="tfidf")`."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def _limited(self, numbers):
        """Return the numbers that are kept; those that are not become that of `oov_token`."""
        unknown = self.word_index.get(self.oov_token) if self.oov_token is not None else None
        kept = (
            number if number is not None and not (self.num_words and number >= self.num_words) else unknown
            for number in numbers
        )
        return [number for number in kept if number is not None]

    def texts_to_sequences(self, texts):
        """Return the numbers of the words of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts):
        """Return an iterator over the numbers of the words of each text."""
        for text in texts:
            yield self._limited(self.word_index.get(word) for word in self._words(text))

    def sequences_to_texts(self, sequences):
        """Return the words of each sequence of numbers, with spaces between."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences):
        """Return an iterator over the words of each sequence, with spaces between."""
        for sequence in sequences:
            known = (number if number in self.index_word else None for number in sequence)
            yield " ".join(self.index_word[number] for number in self._limited(known))

    def texts_to_matrix(self, texts, mode="binary"):
        """Return a matrix with a row for each text, see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode=mode)

    def sequences_to_matrix(self, sequences, mode="binary"):
        """Return a matrix with a row for each sequence and a column for each number.

        Args:
            sequences: Lists of numbers.
            mode: `"binary"`, `"count"`, `"freq"` (of the sequence) or `"tfidf"`.

        Raises:
            ValueError: another mode, no texts and no `num_words`, `"tfidf"` before `fit_on_*`.
        """
        if mode not in MODES:
            raise ValueError(
                f"Tokenizer: Unknown vectorization mode: {mode!r}. Pass one of {', '.join(MODES)}."
            )
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Tokenizer: Specify a dimension (`num_words` argument), or fit on some text data first."
            )
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Tokenizer: Fit the Tokenizer on some data before using tfidf mode.")
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in collections.Counter(n for n in sequence if n < width).items():
                row[number] = self._value(mode, number, count, len(sequence))
        return matrix

    def _value(self, mode, number, count, length):
        if mode == "tfidf":
            rarity = np.log(1 + self.document_count / (1 + self.index_docs.get(number, 0)))
            return (1 + np.log(count)) * rarity
        return {"binary": 1, "count": count, "freq": count / length}[mode]

    def get_config(self):
        """Return the settings and counts; the tables as JSON, as tf.keras writes them."""
        tables = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            **{name: json.dumps(getattr(self, name)) for name in tables},
        }

    def to_json(self, **kwargs):
        """Return a text from which `tokenizer_from_json` makes the tokenizer again.

        Args:
            **kwargs: For `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string):
    """Return the `Tokenizer` that `to_json` wrote, also one of tf.keras.

    Source: tf.keras `preprocessing.text.tokenizer_from_json`.
    """
    config = json.loads(json_string)["config"]
    words = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "word_index")}
    numbers = {
        name: {int(number): value for number, value in json.loads(config.pop(name)).items()}
        for name in ("index_docs", "index_word")
    }
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts.update(words["word_counts"])
    tokenizer.word_docs.update(words["word_docs"])
    tokenizer.index_docs.update(numbers["index_docs"])
    tokenizer.word_index, tokenizer.index_word = words["word_index"], numbers["index_word"]
    return tokenizer
