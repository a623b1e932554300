"""Sequences: windows over series, pairs of words, padding."""

import json
import random

import numpy as np

from torchkeras_lite.base.checks import positive_int
from torchkeras_lite.training.py_dataset import PyDataset
from torchkeras_lite.utils.sequences import pad_sequences

GAMMA = 0.577  # of Euler and Mascheroni, as exact as Keras has it

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


class TimeseriesGenerator(PyDataset):
    """Batches of windows over rows in the order of time, and the targets that follow them.

    The window of the target i holds the rows i - length, i - length + sampling_rate, ... before i.

    Args:
        data: Rows, an array or a list.
        targets: As many targets.
        length: Rows that a window spans.
        sampling_rate: Distance between two rows in a window.
        stride: Distance between two windows.
        start_index, end_index: First and last row that count.
        shuffle: Whether windows are drawn at random, with repetition.
        reverse: Whether windows run back in time.
        batch_size: Windows in a batch.
        **kwargs: For `PyDataset`.

    Shapes:
        windows `(batch, length / sampling_rate, ...)`, targets `(batch, ...)`

    Raises:
        ValueError: another number of targets than of rows, or no room for one window.

    Source: tf.keras `preprocessing.sequence.TimeseriesGenerator`; `timeseries_dataset_from_array` is newer.
    """

    def __init__(
        self,
        data,
        targets,
        length,
        sampling_rate=1,
        stride=1,
        start_index=0,
        end_index=None,
        shuffle=False,
        reverse=False,
        batch_size=128,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                "TimeseriesGenerator: Data and targets have to be of same length. Data length is "
                f"{len(data)} while target length is {len(targets)}"
            )
        self.data, self.targets = data, targets
        self.length = positive_int(self, "length", length)
        self.sampling_rate = positive_int(self, "sampling_rate", sampling_rate)
        self.stride = positive_int(self, "stride", stride)
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse = shuffle, reverse
        self.batch_size = positive_int(self, "batch_size", batch_size)
        if self.start_index > self.end_index:
            raise ValueError(
                f"TimeseriesGenerator: `start_index+length={self.start_index} > end_index={self.end_index}` "
                "is "
                "disallowed, as no part of the sequence would be left to be used as current step."
            )

    def __len__(self):
        reach = self.batch_size * self.stride
        return -(-(self.end_index - self.start_index + 1) // reach)

    def __getitem__(self, index):
        """Return the batch number `index`."""
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            last = min(first + self.batch_size * self.stride, self.end_index + 1)
            rows = np.arange(first, last, self.stride)
        samples = [self.data[row - self.length : row : self.sampling_rate] for row in rows]
        samples, targets = np.array(samples), np.array([self.targets[row] for row in rows])
        return (samples[:, ::-1], targets) if self.reverse else (samples, targets)

    def get_config(self):
        """Return the arguments, the data as JSON."""
        arrays = {name: np.asarray(getattr(self, name)).tolist() for name in ("data", "targets")}
        return {
            **{name: json.dumps(array) for name, array in arrays.items()},
            "length": self.length,
            "sampling_rate": self.sampling_rate,
            "stride": self.stride,
            "start_index": self.start_index,
            "end_index": self.end_index,
            "shuffle": self.shuffle,
            "reverse": self.reverse,
            "batch_size": self.batch_size,
        }

    def to_json(self, **kwargs):
        """Return the arguments as JSON.

        Args:
            **kwargs: For `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def make_sampling_table(size, sampling_factor=1e-5):
    """Return how probable it is that word i, the i-th most frequent of a language, is kept by `skipgrams`.

    Frequencies follow Zipf's law; frequent words are kept more seldom.

    Args:
        size: Number of words.
        sampling_factor: The lower, the fewer frequent words are kept.

    Source: tf.keras `preprocessing.sequence.make_sampling_table`; word2vec.
    """
    ranks = np.arange(size)
    ranks[:1] = 1
    inverse_frequency = ranks * (np.log(ranks) + GAMMA) + 0.5 - 1.0 / (12.0 * ranks)
    scaled = sampling_factor * inverse_frequency
    return np.minimum(1.0, scaled / np.sqrt(scaled))


def skipgrams(
    sequence,
    vocabulary_size,
    window_size=4,
    negative_samples=1.0,
    shuffle=True,
    categorical=False,
    sampling_table=None,
    seed=None,
):
    """Return pairs of words that are near each other, and random pairs, with their labels.

    Args:
        sequence: Word numbers; 0 stands for no word and is left out.
        vocabulary_size: Numbers are below it.
        window_size: Words at this distance at the most are near.
        negative_samples: Random pairs for each pair of near words.
        shuffle: Whether the pairs are shuffled.
        categorical: Whether labels are `[0, 1]` for near words and `[1, 0]` for random ones, not 1 and 0.
        sampling_table: How probable it is that a word is used, see `make_sampling_table`.
        seed: Seed of the shuffling.

    Returns:
        A list of pairs, and a list of labels.

    Source: tf.keras `preprocessing.sequence.skipgrams`; word2vec.
    """
    near, random_label = ([0, 1], [1, 0]) if categorical else (1, 0)
    couples = []
    for place, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        start = max(0, place - window_size)
        window = range(start, min(len(sequence), place + window_size + 1))
        couples += [[word, sequence[other]] for other in window if other != place and sequence[other]]
    labels = [near for _ in couples]
    if negative_samples > 0:
        count = int(len(labels) * negative_samples)
        words = [word for word, _ in couples]
        random.shuffle(words)
        couples += [
            [words[index % len(words)], random.randint(1, vocabulary_size - 1)] for index in range(count)
        ]
        labels += [random_label for _ in range(count)]
    if shuffle:
        seed = random.randint(0, 10**7) if seed is None else seed
        for values in (couples, labels):
            random.Random(seed).shuffle(values)
    return couples, labels
