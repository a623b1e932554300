"""`PyDataset`, batches made by a user's own Python code, read by several workers at once."""

import collections
import concurrent.futures
import itertools
import multiprocessing
from concurrent.futures.process import BrokenProcessPool

import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.training.iterables import IterableBatches


class PyDataset:
    """Base of datasets that make their batches in Python, which several workers can do at once.

    A subclass has `__getitem__(index)`, which returns a whole batch `(x, y)`, and `__len__` (or
    `num_batches`), the number of batches; without it the dataset has no end. `on_epoch_begin` and
    `on_epoch_end` are called around every epoch. Each batch is read once an epoch, in order (or in a new
    order every epoch with `fit(shuffle=True)`, the default), however many workers there are.

    Args:
        workers: Workers that make batches ahead of their use: with 0 or 1 the batches are made when they
            are asked for, unless `use_multiprocessing`.
        use_multiprocessing: Whether the workers are processes, for batches that take computing, rather
            than threads, for batches that wait for files. Processes get a copy of the dataset at the begin
            of every epoch.
        max_queue_size: Batches made ahead at the most, an integer >= 0; one at least where there are workers.

    Raises:
        ValueError: a number out of range.

    Source: Keras 3 `keras.utils.PyDataset`. Differs: no batch is read twice to find out its shape.
    """

    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        check_workers(self, workers, max_queue_size)
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    @property
    def num_batches(self):
        """Number of batches, `None` for a dataset without an end, which has no `__len__`."""
        return len(self) if hasattr(self, "__len__") else None

    def __iter__(self):
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def __getitem__(self, index):
        """Return the batch number `index`, from 0."""
        raise NotImplementedError(
            f"{type(self).__name__} must have `__getitem__(self, index)`, which returns a batch."
        )

    def on_epoch_begin(self):
        """Before the first batch of an epoch."""

    def on_epoch_end(self):
        """After the last batch of an epoch."""


def check_workers(owner, workers, max_queue_size):
    """Raise a `ValueError` for numbers of workers or of batches ahead that make no sense."""
    for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{describe(owner)}: `{name}` must be an integer of 0 or more, got {value!r}.")


class PyDatasetBatches(IterableBatches):
    """Batches of a `PyDataset`.

    Args:
        dataset: The dataset.
        shuffle: Whether batches are taken in a new order every epoch.
        workers, use_multiprocessing, max_queue_size: Instead of the dataset's own where not `None`.
        **arguments: As in `IterableBatches`.
    """

    def __init__(
        self,
        dataset,
        *,
        shuffle=False,
        workers=None,
        use_multiprocessing=None,
        max_queue_size=None,
        **arguments,
    ):
        super().__init__(dataset, **arguments)
        self.shuffle = shuffle
        self.workers = dataset.workers if workers is None else workers
        self.processes = dataset.use_multiprocessing if use_multiprocessing is None else use_multiprocessing
        self.most = dataset.max_queue_size if max_queue_size is None else max_queue_size
        check_workers(dataset, self.workers, self.most)
        self._begun = False
        self.count = dataset.num_batches

    def __len__(self):
        if self.count is None:
            raise TypeError(f"{type(self.source).__name__} has no end.")
        return self.count

    def first(self):
        """Return the first batch; the dataset's epoch begins with it."""
        self.begin_epoch()
        return super().first()

    def begin_epoch(self):
        """Tell the dataset, once an epoch."""
        if not self._begun:
            self._begun = True
            self.source.on_epoch_begin()

    def end_epoch(self):
        """Tell the dataset."""
        self._begun = False
        self.source.on_epoch_end()

    def remedy(self):
        """Return what to raise where epochs wait for their data."""
        return f"Raise `workers` of the PyDataset (it has {self.workers}), or set `use_multiprocessing=True`."

    def _open(self):
        if self.count is None:
            order = itertools.count()
        else:
            order = torch.randperm(self.count).tolist() if self.shuffle else range(self.count)
        if self.workers > 1 or (self.workers and self.processes):
            return self._read_ahead(iter(order))
        return (self.source[index] for index in order)

    def _read_ahead(self, order):
        executor, read = self._start_workers()
        pending = collections.deque()
        try:
            for index in itertools.islice(order, max(self.most, 1)):
                pending.append(executor.submit(read, index))
            while pending:
                batch = pending.popleft().result()
                pending.extend(executor.submit(read, index) for index in itertools.islice(order, 1))
                yield batch
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"A worker process of {type(self.source).__name__} died while it made a batch: it was out of "
                "memory, or its code ended the process. Lower `workers` or `max_queue_size`; with "
                "`workers=0` the batches are made in this process, where the cause can be seen."
            ) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _start_workers(self):
        if not self.processes:
            return concurrent.futures.ThreadPoolExecutor(self.workers), self.source.__getitem__
        started = torch.cuda.is_available() and torch.cuda.is_initialized()
        forks = "fork" in multiprocessing.get_all_start_methods() and not started  # CUDA survives no fork
        context = multiprocessing.get_context("fork" if forks else "spawn")
        executor = concurrent.futures.ProcessPoolExecutor(
            self.workers, mp_context=context, initializer=_Worker.adopt, initargs=(self.source,)
        )
        return executor, _Worker.read


class _Worker:
    """What a worker process keeps: the dataset it was given at its start."""

    dataset = None

    @classmethod
    def adopt(cls, dataset):
        """Keep the dataset."""
        cls.dataset = dataset

    @classmethod
    def read(cls, index):
        """Return the batch number `index`."""
        return cls.dataset[index]
