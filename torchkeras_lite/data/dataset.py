"""`Dataset`: a pipeline of data that `fit` reads batch by batch, with the methods of `tf.data`."""

import os

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import one_of, positive_int
from torchkeras_lite.data import stages, streams, views
from torchkeras_lite.data.collate import to_numpy
from torchkeras_lite.data.file_cache import FileCached

AUTOTUNE = -1
INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = stages.INFINITE, stages.UNKNOWN
AHEAD = 2


class Dataset(torch.utils.data.IterableDataset):
    """Elements that are read again every epoch, and what is done to them on the way.

    An element is a tensor, a NumPy array of strings, or a nested structure of them. Every method returns a
    new dataset, and nothing is computed before it is read. A dataset of batches goes into `fit`, `evaluate`
    and `predict` as it is. In a `torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=n)` each
    worker process makes its share of the elements.

    Args:
        stage: The last stage of the pipeline. Use `from_tensor_slices`, `range` or `from_generator` to begin
            with data.

    Source: `tf.data.Dataset`. Differs: values are torch tensors, batches of rows share the memory of the
    arrays they are cut from, and `map` runs plain Python.
    """

    def __init__(self, stage):
        self.stage = stage

    def _then(self, stage):
        """Return a dataset that ends with `stage`; subclasses stay of their class."""
        return type(self)(stage)

    @classmethod
    def from_tensor_slices(cls, tensors):
        """Return a dataset of the rows of arrays, tensors or lists in tuples and dicts.

        A list is an array; lists of floating-point numbers have torch's default dtype.

        Raises:
            ValueError: arrays of different lengths.
        """
        view = views.Slices(tensors)
        return cls(stages.Source(view, view.length))

    @classmethod
    def from_sequence(cls, sequence):
        """Return a dataset of what `sequence[0]`, `sequence[1]`, ... are; it has a length too."""
        return cls(stages.Source(views.Items(sequence), len(sequence)))

    @classmethod
    def from_view(cls, view, size):
        """Return a dataset of `size` elements that a `data.views.View` reads by number."""
        return cls(stages.Source(view, size))

    @classmethod
    def from_generator(cls, generator):
        """Return a dataset of what the iterators give that `generator`, a function, returns.

        Raises:
            TypeError: `generator` is an iterator, which ends after one epoch.
        """
        if not callable(generator):
            raise TypeError(
                "Dataset.from_generator: expected a function that returns an iterator, which is called "
                f"every epoch; got {generator!r}. Pass for example `lambda: my_generator()`."
            )
        return cls(stages.Generated(generator))

    @classmethod
    def range(cls, *args):
        """Return a dataset of integers, as Python's `range(stop)`, `range(start, stop[, step])`."""
        numbers = range(*args)
        return cls(stages.Source(views.Numbers(numbers.start, numbers.step), len(numbers)))

    @classmethod
    def zip(cls, *datasets):
        """Return a dataset of elements of several datasets side by side, until the shortest ends.

        Args:
            datasets: Datasets, or one nested structure of them.

        Raises:
            TypeError: something that is no dataset.
        """
        template = datasets[0] if len(datasets) == 1 else datasets
        for dataset in nested.flatten(template):
            if not isinstance(dataset, Dataset):
                raise TypeError(f"Dataset.zip: expected datasets, got {dataset!r}. Pass datasets only.")
        return cls(stages.Zipped(nested.map_structure(lambda dataset: dataset.stage, template)))

    def map(self, map_func, num_parallel_calls=None, deterministic=None, name=None):
        """Return a dataset of `map_func(element)`; a tuple gives several arguments.

        Args:
            map_func: The function.
            num_parallel_calls: Threads that call it, `AUTOTUNE` for one a processor. They help where the
                function waits, or computes outside Python as torch, NumPy and Pillow do.
            deterministic: Accepted; the order stays in any case.
            name: Accepted and unused.
        """
        workers = worker_count("Dataset.map", "num_parallel_calls", num_parallel_calls)
        if workers > 1:
            return self._then(streams.ParallelMapped(self.stage, map_func, workers))
        return self._then(stages.Mapped(self.stage, map_func))

    def filter(self, predicate, name=None):
        """Return a dataset of the elements for which `predicate(element)` is true."""
        return self._then(stages.Filtered(self.stage, predicate))

    def batch(
        self,
        batch_size,
        drop_remainder=False,
        num_parallel_calls=None,
        deterministic=None,
        name=None,
        collate=None,
    ):
        """Return a dataset of batches.

        Args:
            batch_size: Elements in a batch, an integer >= 1.
            drop_remainder: Whether a last batch with fewer is left out.
            num_parallel_calls, deterministic, name: Accepted; batches are made by the thread that reads.
            collate: Function of a list of elements that makes a batch, instead of stacking their parts.

        Raises:
            ValueError: elements of different shapes, when they are read.
        """
        size = positive_int("Dataset.batch", "batch_size", batch_size)
        return self._then(stages.Batched(self.stage, size, bool(drop_remainder), collate))

    def batches(self):
        """Return the dataset before its elements were put into batches and their size, or `None`."""
        stage = self.stage
        while isinstance(stage, streams.Prefetched):
            stage = stage.source
        if not isinstance(stage, stages.Batched):
            return None
        return self._then(stage.source), stage.batch_size

    def select(self, indices):
        """Return a dataset of the elements numbered `indices`, integers or a slice.

        The numbers are those of the order that the dataset has at this call.
        Elements without numbers, as those of a generator or a filter, are read and kept.

        Raises:
            ValueError: a dataset without an end.
        """
        if self.stage.size == INFINITE_CARDINALITY:
            raise ValueError("Dataset.select: the dataset has no end. Cut it first, with `take(count)`.")
        runs = self.stage.runs() if self.stage.size >= 0 else None
        if runs is None:
            kept = list(self.stage)
            runs = iter([(views.Items(kept), range(len(kept)))])
        view, numbers = views.as_one(runs, 2**62)
        order = indices if isinstance(indices, slice) else torch.as_tensor(indices)
        return self._then(stages.Ordered(view, views.chosen(numbers, order)))

    def unbatch(self, name=None):
        """Return a dataset of the rows of each element."""
        return self._then(stages.Unbatched(self.stage))

    def shuffle(self, buffer_size=None, seed=None, reshuffle_each_iteration=True, name=None):
        """Return a dataset in a random order.

        Args:
            buffer_size: Each element is drawn from the next `buffer_size`; `None` draws from all of them.
            seed: Integer that makes the orders repeatable.
            reshuffle_each_iteration: Whether every epoch has another order.
            name: Accepted and unused.

        Raises:
            ValueError: `buffer_size` is no integer >= 1, or is left out for a dataset without an end.
        """
        if buffer_size is not None:
            buffer_size = positive_int("Dataset.shuffle", "buffer_size", buffer_size)
        elif self.stage.size == INFINITE_CARDINALITY:
            raise ValueError("Dataset.shuffle: a dataset without an end needs a `buffer_size`.")
        seed = None if seed is None else int(seed)
        again = reshuffle_each_iteration is not False
        return self._then(stages.Shuffled(self.stage, buffer_size, seed, again))

    def prefetch(self, buffer_size=AUTOTUNE, name=None):
        """Return a dataset that a thread reads ahead, `buffer_size` elements at the most."""
        count = AHEAD if buffer_size == AUTOTUNE else int(buffer_size)
        return self._then(streams.Prefetched(self.stage, count) if count else self.stage)

    def cache(self, filename="", name=None):
        """Return a dataset that keeps its elements once an epoch was read to its end.

        Args:
            filename: File to keep them in, which later runs of the program read too; by default they stay in
                memory. Elements are tensors, arrays, numbers and strings.
            name: Accepted; without effect.

        Source: `tf.data.Dataset.cache`. Differs: one file of our own form; half a pass leaves none.
        """
        return self._then(FileCached(self.stage, filename) if filename else streams.Cached(self.stage))

    def take(self, count, name=None):
        """Return a dataset of the first `count` elements, of all for -1."""
        return self._then(stages.Cut(self.stage, 0, None if count < 0 else int(count)))

    def skip(self, count, name=None):
        """Return a dataset without the first `count` elements, of none for -1."""
        if count < 0:
            return self._then(stages.Cut(self.stage, 0, 0))
        return self._then(stages.Cut(self.stage, int(count), None))

    def repeat(self, count=None, name=None):
        """Return a dataset of all elements `count` times, without an end for `None` and -1."""
        return self._then(stages.Repeated(self.stage, None if count is None or count < 0 else int(count)))

    def concatenate(self, dataset, name=None):
        """Return a dataset of these elements and, after them, those of `dataset`."""
        return self._then(stages.Chained(self.stage, dataset.stage))

    def shard(self, num_shards, index, name=None):
        """Return a dataset of every `num_shards`-th element, from the one numbered `index`.

        Raises:
            ValueError: `index` is not below `num_shards`.
        """
        count = positive_int("Dataset.shard", "num_shards", num_shards)
        one_of("Dataset.shard", "index", index, range(count))
        return self._then(stages.Sharded(self.stage, count, index))

    def enumerate(self, start=0, name=None):
        """Return a dataset of `(number, element)`, numbers from `start` on."""
        numbers = stages.Source(views.Numbers(start), INFINITE_CARDINALITY)
        return self._then(stages.Zipped((numbers, self.stage)))

    def apply(self, transformation_func):
        """Return `transformation_func(self)`."""
        return transformation_func(self)

    def as_numpy_iterator(self):
        """Return an iterator over elements with NumPy arrays in the place of tensors."""
        return (nested.map_structure(to_numpy, element) for element in self)

    def cardinality(self):
        """Return how many elements there are, `INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY`."""
        return self.stage.size

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        if worker is None:
            return iter(self.stage)
        return iter(stages.Sharded(self.stage, worker.num_workers, worker.id))

    def __len__(self):
        if self.stage.size < 0:
            kind = "no end" if self.stage.size == INFINITE_CARDINALITY else "no known length"
            raise TypeError(
                f"This dataset has {kind}. Pass `steps_per_epoch` or `steps` where a length is needed."
            )
        return self.stage.size

    def __bool__(self):
        return True

    def __repr__(self):
        size = {INFINITE_CARDINALITY: "no end", UNKNOWN_CARDINALITY: "unknown"}.get(self.stage.size)
        return f"<{type(self).__name__} {type(self.stage).__name__} length={size or self.stage.size}>"


def worker_count(owner, argument, count):
    """Return how many threads `count` asks for: one for `None`, one a processor for `AUTOTUNE`.

    Raises:
        ValueError: another number below 1.
    """
    if count is None:
        return 1
    if count == AUTOTUNE:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return positive_int(owner, argument, count)
