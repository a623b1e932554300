"""`tf.data`: `Dataset` over `torchkeras_lite.data`, with what scripts expect of TensorFlow's."""

import glob
import itertools
import random

import numpy as np
import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import positive_int
from torchkeras_lite.data import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY
from torchkeras_lite.data import Dataset as Pipeline
from torchkeras_lite.data import stages as pipeline_stages
from torchkeras_lite.tf import data_stages as stages
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.shapes import TensorSpec
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import is_text
from torchkeras_lite.tf.unknown import missing


class Dataset(Pipeline):
    """Elements that are read again every epoch, and what is done to them on the way.

    Functions given to `map` and its like get tensors with TensorFlow's methods and run as plain Python, every
    time; iterating gives such tensors. `fit`, `evaluate` and `predict` read plain ones.

    Args:
        stage: The last stage; begin with `from_tensor_slices` and its like.

    Source: `tf.data.Dataset`. See `torchkeras_lite.data.Dataset` for the methods that are not here.
    """

    @classmethod
    def from_tensor_slices(cls, tensors, name=None):
        """Return a dataset of the rows of arrays, tensors or lists in tuples and dicts."""
        return super().from_tensor_slices(_columns(tensors))

    @classmethod
    def from_tensors(cls, tensors, name=None):
        """Return a dataset of one element."""
        return cls(stages.Listed([stages.kept(tensors)]))

    @classmethod
    def from_generator(
        cls, generator, output_types=None, output_shapes=None, args=None, output_signature=None, name=None
    ):
        """Return a dataset of what the iterators give that `generator` returns, which is called every epoch.

        Args:
            generator: A function, called with `args`.
            output_types: Dtypes in the structure of an element.
            output_shapes: Accepted; shapes are those of the values.
            args: Arguments of `generator`, which gets them as NumPy arrays.
            output_signature: `TensorSpec`s in the structure of an element; they give the dtypes.
            name: Accepted and unused.

        Raises:
            TypeError: `generator` is no function.
        """
        if not callable(generator):
            raise TypeError(f"from_generator: `generator` must be a function, got {generator!r}.")
        given = [np.asarray(convert(arg).numpy()) for arg in args or ()]
        if output_signature is not None:
            output_types = nested.map_structure(lambda spec: spec.dtype, output_signature)
        return cls(pipeline_stages.Generated(lambda: _typed(generator(*given), output_types)))

    @classmethod
    def random(cls, seed=None, rerandomize_each_iteration=None, name=None):
        """Return a dataset of random integers without an end."""

        def numbers():
            generator = np.random.default_rng(seed)
            while True:
                yield torch.tensor(int(generator.integers(2**32)))

        return cls(pipeline_stages.Generated(numbers, INFINITE_CARDINALITY))

    @classmethod
    def range(cls, *args, output_type=dtypes.int64, name=None):
        """Return a dataset of integers, as Python's `range(stop)`, `range(start, stop[, step])`."""
        numbers = super().range(*map(int, args))
        if output_type is dtypes.int64:
            return numbers
        return numbers.map(lambda number: convert(number, output_type))

    @classmethod
    def zip(cls, *args, datasets=None, name=None):
        """Return a dataset of elements of several datasets side by side, until the shortest ends."""
        return super().zip(*(args if datasets is None else (datasets,)))

    @classmethod
    def list_files(cls, file_pattern, shuffle=None, seed=None, name=None):
        """Return a dataset of the names of files that fit a pattern, in another order every epoch.

        Args:
            file_pattern: A pattern such as `"images/*.png"`, or a list of them.
            shuffle: Whether the order is random; `None`: yes.
            seed: Seed of the order.
            name: Accepted and unused.

        Raises:
            ValueError: no file fits.
        """
        patterns = [file_pattern] if isinstance(file_pattern, (str, bytes)) else list(file_pattern)
        patterns = [p if isinstance(p, str) else convert(p).numpy().decode() for p in patterns]
        names = sorted({name for pattern in patterns for name in glob.glob(pattern)})
        if not names:
            raise ValueError(f"No files matched pattern: {', '.join(patterns)}")
        files = cls.from_tensor_slices(names)
        return files if shuffle is False else files.shuffle(len(names), seed)

    @staticmethod
    def sample_from_datasets(
        datasets, weights=None, seed=None, stop_on_empty_dataset=False, rerandomize_each_iteration=None
    ):
        """Return a dataset that draws each element from a random one of several datasets.

        Args:
            datasets: The datasets.
            weights: How often each is drawn; `None`: all alike.
            seed: Seed of the draws.
            stop_on_empty_dataset: Whether the first that ends is the end.
            rerandomize_each_iteration: Accepted; epochs differ where there is no seed.
        """
        weights = None if weights is None else [float(weight) for weight in weights]

        def choices():
            generator = random.Random(seed)
            while True:
                yield generator.choices(range(len(datasets)), weights)[0]

        return Dataset(stages.Mixed([d.stage for d in datasets], choices, stop_on_empty_dataset))

    @staticmethod
    def choose_from_datasets(datasets, choice_dataset, stop_on_empty_dataset=True):
        """Return a dataset whose elements come from the dataset whose number `choice_dataset` gives."""
        choices = lambda: (int(number) for number in choice_dataset)
        return Dataset(stages.Mixed([d.stage for d in datasets], choices, stop_on_empty_dataset))

    def map(self, map_func, num_parallel_calls=None, deterministic=None, synchronous=None, name=None):
        """Return a dataset of `map_func(element)`; see `torchkeras_lite.data.Dataset.map`."""
        return super().map(stages.Function(map_func), num_parallel_calls)

    def filter(self, predicate, name=None):
        """Return a dataset of the elements for which `predicate(element)` is true."""
        return super().filter(stages.Function(predicate, bool))

    def flat_map(self, map_func, name=None):
        """Return a dataset of the elements of the datasets that `map_func` makes of elements."""
        return self._then(stages.FlatMapped(self.stage, stages.Function(map_func, _dataset)))

    def interleave(
        self,
        map_func,
        cycle_length=None,
        block_length=None,
        num_parallel_calls=None,
        deterministic=None,
        name=None,
    ):
        """Return a dataset of the elements of the datasets that `map_func` makes, read in turn.

        Args:
            map_func: Function from an element to a dataset.
            cycle_length: How many are read at a time; `None` and `AUTOTUNE`: 4.
            block_length: How many elements are read from one before the next.
            num_parallel_calls, deterministic, name: Accepted and unused: the order is always the same.
        """
        count = (
            4
            if cycle_length in (None, AUTOTUNE)
            else positive_int("interleave", "cycle_length", cycle_length)
        )
        block = 1 if block_length is None else positive_int("interleave", "block_length", block_length)
        return self._then(stages.FlatMapped(self.stage, stages.Function(map_func, _dataset), count, block))

    def window(self, size, shift=None, stride=1, drop_remainder=False, name=None):
        """Return a dataset of windows, each a dataset of `size` following elements (or a structure of them).

        Args:
            size: Elements in a window.
            shift: How many elements later the next window begins; `None`: `size`.
            stride: Distance of the elements in a window.
            drop_remainder: Whether windows with fewer elements are left out.
            name: Accepted and unused.
        """
        size = positive_int("window", "size", size)
        shift = size if shift is None else positive_int("window", "shift", shift)
        stride = positive_int("window", "stride", stride)
        windows = stages.Windowed(self.stage, size, shift, stride, bool(drop_remainder))
        return self._then(pipeline_stages.Mapped(windows, self._window))

    def _window(self, elements):
        flat = zip(*map(nested.flatten, elements), strict=True)
        datasets = [type(self)(stages.Listed(list(column))) for column in flat]
        return nested.pack_like(elements[0], datasets)

    def padded_batch(
        self, batch_size, padded_shapes=None, padding_values=None, drop_remainder=False, name=None
    ):
        """Return a dataset of batches of elements of different lengths.

        Args:
            batch_size: Elements in a batch.
            padded_shapes: Shape of each part, with `None` or -1 for the longest of the batch; `None`: so
                for all axes.
            padding_values: Filling for each part, or for all; `None`: 0 and `""`.
            drop_remainder: Whether a last batch with fewer elements is left out.
            name: Accepted and unused.
        """
        size = positive_int("padded_batch", "batch_size", batch_size)
        pad = lambda elements: stages.pad_batch(elements, padded_shapes, padding_values)
        return self._then(stages.Padded(self.stage, size, bool(drop_remainder), pad))

    def bucket_by_sequence_length(
        self,
        element_length_func,
        bucket_boundaries,
        bucket_batch_sizes,
        padded_shapes=None,
        padding_values=None,
        pad_to_bucket_boundary=False,
        no_padding=False,
        drop_remainder=False,
        name=None,
    ):
        """Return a dataset of padded batches of elements of like length.

        Args:
            element_length_func: Function from an element to its length.
            bucket_boundaries: Lengths below which elements share a batch, ascending.
            bucket_batch_sizes: Batch sizes, one more than boundaries.
            padded_shapes, padding_values, drop_remainder: As in `padded_batch`.
            pad_to_bucket_boundary: Whether unknown sizes become the bucket's greatest length.
            no_padding: Whether elements of a batch must have one shape.
            name: Accepted and unused.
        """
        limits = list(bucket_boundaries)
        if len(bucket_batch_sizes) != len(limits) + 1:
            raise ValueError("bucket_batch_sizes must have one more member than bucket_boundaries.")

        def pad(elements, place):
            shapes = padded_shapes
            if no_padding:
                return pipeline_stages.collate(elements)
            if pad_to_bucket_boundary and place < len(limits) and shapes is None:
                shapes = nested.map_structure(lambda leaf: [limits[place] - 1] * leaf.ndim, elements[0])
            return stages.pad_batch(elements, shapes, padding_values)

        length = stages.Function(element_length_func, int)
        return self._then(
            stages.Bucketed(self.stage, length, limits, list(bucket_batch_sizes), pad, bool(drop_remainder))
        )

    def take_while(self, predicate, name=None):
        """Return a dataset of the elements before the first for which `predicate` is false."""
        return self._then(stages.TakenWhile(self.stage, stages.Function(predicate, bool)))

    def scan(self, initial_state, scan_func, name=None):
        """Return a dataset of outputs of `scan_func(state, element)`, which returns `(new state, output)`."""
        return self._then(stages.Scanned(self.stage, stages.shown(initial_state), scan_func))

    def reduce(self, initial_state, reduce_func, name=None):
        """Return the last of the states that `reduce_func(state, element)` returns."""
        state = stages.shown(initial_state)
        for element in self:
            state = reduce_func(state, element)
        return nested.map_structure(convert, state)

    def get_single_element(self, name=None):
        """Return the only element.

        Raises:
            ValueError: there is none, or more than one.
        """
        elements = list(itertools.islice(self, 2))
        if len(elements) != 1:
            raise ValueError(f"Expected a dataset of one element, got {'more' if elements else 'none'}.")
        return elements[0]

    def concatenate(self, dataset, name=None):
        """Return a dataset of these elements and, after them, those of `dataset`."""
        return super().concatenate(dataset)

    def with_options(self, options, name=None):
        """Return the dataset; options tune TensorFlow's own runtime."""
        return self

    @property
    def element_spec(self):
        """`TensorSpec`s of the first element, which is read for it."""
        first = next(iter(self))
        return nested.map_structure(
            lambda leaf: DatasetSpec() if isinstance(leaf, Dataset) else TensorSpec.from_tensor(leaf), first
        )

    def cardinality(self, name=None):
        """Return how many elements there are, a tensor; see `INFINITE_CARDINALITY`."""
        return wrap(torch.tensor(super().cardinality()))

    def as_numpy_iterator(self):
        """Return an iterator over elements as NumPy arrays and, for text, bytes."""
        return (nested.map_structure(_to_numpy, element) for element in self)

    def __iter__(self):
        return map(stages.shown, super().__iter__())


class DatasetSpec:
    """Stands for a dataset inside an element, in `element_spec`."""


class TextLineDataset(Dataset):
    """Lines of text files, without their ends.

    Args:
        filenames: A name, or a list or tensor of names.
        compression_type: Must be left out.
        buffer_size, num_parallel_reads, name: Accepted and unused.

    Source: `tf.data.TextLineDataset`.
    """

    def __new__(cls, filenames, compression_type=None, buffer_size=None, num_parallel_reads=None, name=None):
        """Return a `Dataset`."""
        if compression_type:
            raise ValueError(f"compression_type={compression_type!r}: unpack the files first.")
        names = np.atleast_1d(np.asarray(convert(filenames).numpy(), dtype=object)).tolist()
        return Dataset(pipeline_stages.Generated(lambda: _lines(names)))

    def __init__(self, *args, **kwargs):
        pass


class Options:
    """Settings for TensorFlow's runtime; any attribute can be set, nothing here depends on them."""

    def __init__(self):
        self.experimental_optimization = _Settings()
        self.threading = _Settings()
        self.experimental_distribute = _Settings()
        self.deterministic = True


class _Settings:
    """Names with values."""


def _columns(structure):
    if isinstance(structure, dict):
        return {key: _columns(value) for key, value in structure.items()}
    if isinstance(structure, tuple):
        return nested.like(structure, [_columns(value) for value in structure])
    if hasattr(structure, "columns") and hasattr(structure, "to_dict"):  # a data frame
        return {key: np.asarray(value) for key, value in structure.items()}
    if hasattr(structure, "to_numpy"):  # a series
        structure = structure.to_numpy()
    if isinstance(structure, list) and not is_text(structure):
        structure = convert(structure)
    if is_text(structure):
        structure = convert(structure)
    return stages.kept(structure) if hasattr(structure, "shape") else structure


def _typed(iterator, kinds):
    if kinds is None:
        return map(stages.kept, iterator)
    return (stages.kept(_with_dtypes(element, kinds)) for element in iterator)


def _with_dtypes(element, kinds):
    if isinstance(kinds, dict):
        return {key: _with_dtypes(element[key], kind) for key, kind in kinds.items()}
    if isinstance(kinds, (list, tuple)):
        return tuple(_with_dtypes(part, kind) for part, kind in zip(element, kinds, strict=True))
    return convert(element, kinds)


def _dataset(value):
    if not isinstance(value, Pipeline):
        raise TypeError(f"Expected a function that returns a dataset, got {value!r}.")
    return value


def _to_numpy(leaf):
    return leaf.as_numpy_iterator() if isinstance(leaf, Dataset) else getattr(leaf, "numpy", lambda: leaf)()


def _lines(names):
    for name in names:
        with open(name, "rb") as file:
            for line in file:
                yield line.rstrip(b"\n").removesuffix(b"\r")


class experimental:
    """`tf.data.experimental`: older names."""

    AUTOTUNE = AUTOTUNE
    INFINITE_CARDINALITY = INFINITE_CARDINALITY
    UNKNOWN_CARDINALITY = UNKNOWN_CARDINALITY
    sample_from_datasets = staticmethod(Dataset.sample_from_datasets)
    choose_from_datasets = staticmethod(Dataset.choose_from_datasets)

    @staticmethod
    def cardinality(dataset):
        """Return how many elements there are."""
        return dataset.cardinality()


__all__ = [
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
    "Dataset",
    "Options",
    "TextLineDataset",
    "experimental",
]

__getattr__ = missing(
    "tf.data",
    {
        "TFRecordDataset": "a torch Dataset that reads your records, or arrays and from_tensor_slices",
        "FixedLengthRecordDataset": "np.memmap and from_tensor_slices",
    },
)
