"""This process's part of every batch."""

import torch
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data.distributed import DistributedSampler

from torchkeras_lite.base import nested, processes
from torchkeras_lite.base.processes import Part
from torchkeras_lite.training import transfer
from torchkeras_lite.training.batches import ArrayBatches, WrappedBatches

END = object()

# The arguments of a DataLoader that another one over the same dataset takes over.
_KEPT = (
    "dataset",
    "num_workers",
    "collate_fn",
    "pin_memory",
    "timeout",
    "worker_init_fn",
    "multiprocessing_context",
    "generator",
    "prefetch_factor",
)


def bounds(rows):
    """Return where this process's rows of a batch of `rows` rows begin and end; sizes differ by 1 at most."""
    rank, count = processes.rank(), processes.count()
    size, longer = divmod(rows, count)
    start = rank * size + min(rank, longer)
    return start, start + size + (rank < longer)


def check_alike(batches):
    """Raise where the processes have data of different lengths: they would wait for one another forever."""
    try:
        length = len(batches)
    except TypeError:
        length = None
    found = processes.from_all((length, getattr(batches, "num_rows", None)))
    if len(set(found)) > 1:
        raise ValueError(
            f"The processes have data of different sizes: (batches, rows) are {found}, in the order of their "
            "ranks. Give every process the same data, which is then divided among them; or, where each reads "
            "its own part, say so: keras.distribution.set_distribution(keras.distribution.DataParallel("
            "auto_shard_dataset=False))."
        )


class DividedBatches(WrappedBatches):
    """The parts of a source's batches that this process computes.

    Arrays and the samples of map-style datasets are read in parts; of other sources every process reads all
    batches and keeps its rows. A process without a row of a batch gets its first one, which counts for
    nothing. Where each process reads data of its own (a loader with a `DistributedSampler`, or
    `auto_shard_dataset=False`), a batch is what all of them read at one time, until the last has none left.

    Args:
        batches: The batches.
        team: The `Team`, which is told the `Part` of each batch.
    """

    def __init__(self, batches, team):
        super().__init__(batches)
        self.team = team
        self.num_rows = None  # what is collected has the rows of one process
        source = batches
        while isinstance(source, WrappedBatches):
            source = source.batches
        self.source = source
        self._device = source.device
        self.apart = reads_apart(source)
        if not self.apart:
            check_alike(batches)
        if self.apart:
            source.part = processes.WHOLE
        elif isinstance(source, ArrayBatches):
            divide_arrays(source)
        elif isinstance(source.source, DataLoader) and may_divide(source.source):
            source.source = LoaderParts(source.source, source)
        else:
            divide_iterable(source)
        if not isinstance(source, ArrayBatches):
            source.device = torch.device("cpu")  # the whole batch stays there, its part is moved

    @property
    def device(self):
        """Where batches go."""
        return self._device

    @device.setter
    def device(self, device):
        self._device = device
        if isinstance(self.source, ArrayBatches):
            self.source.device = device

    def first(self):
        """Return a batch for building a model."""
        with self.team.common_numbers():
            batch = self.batches.first()
        return transfer.moved(batch, self._device)

    def __iter__(self):
        parts = self._apart() if self.apart else self._divided()
        moved = (transfer.moved(pair, self._device) for pair in parts)
        if self._device.type == "cuda" and not getattr(self.source, "once", False):
            moved = transfer.ahead(parts, self._device)
        return self._announced(moved, parts)

    def _announced(self, pairs, parts):
        try:
            for part, *batch in pairs:
                self.team.part = part
                yield tuple(batch)
        finally:
            parts.close()

    def _divided(self):
        with self.team.common_numbers():
            stream = iter(self.batches)
        try:
            while True:
                with self.team.common_numbers():
                    batch = next(stream, END)
                if batch is END:
                    return
                yield self.source.part, *batch
        finally:
            stream.close()

    def _apart(self):
        stream, kept = iter(self.batches), None
        try:
            while True:
                batch = next(stream, END) if kept is not END else END
                rows = 0 if batch is END else _length(batch)
                total = processes.total(rows)
                if total == 0:
                    return
                if rows:
                    last = batch
                elif kept is None:
                    raise ValueError("The data of this process gave no batch, and that of another one did.")
                kept = END if batch is END else batch
                yield Part(rows, total), *(last if rows else _cut(last, 0, 1, _length(last)))
        finally:
            stream.close()


def _length(batch):
    """Return the number of rows of a batch."""
    return len(next(leaf for leaf in nested.flatten(batch) if hasattr(leaf, "shape") and len(leaf.shape)))


def _cut(batch, start, stop, rows):
    """Return rows `start` to `stop` of everything in a batch that has `rows` of them."""

    def cut(leaf):
        has_rows = hasattr(leaf, "shape") and len(leaf.shape) and len(leaf) == rows
        return leaf[start:stop] if has_rows else leaf

    return nested.map_structure(cut, batch)


def reads_apart(source):
    """Whether each process reads data of its own."""
    loader = getattr(source, "source", None)
    if isinstance(loader, DataLoader) and isinstance(loader.sampler, DistributedSampler):
        return True
    return not isinstance(source, ArrayBatches) and not processes.divides_data()


def divide_arrays(source):
    """Let `ArrayBatches` take this process's rows of every batch."""

    def bounds_of(start, stop):
        first, last = bounds(stop - start)
        source.part = Part(last - first, stop - start)
        return (start + first, start + last) if last > first else (start, start + 1)

    source.bounds = bounds_of
    source.moves = False


def divide_iterable(source):
    """Let `IterableBatches` keep this process's rows of every batch."""

    def cut(batch):
        rows = _length(batch)
        start, stop = bounds(rows)
        source.part = Part(stop - start, rows)
        return _cut(batch, *((start, stop) if stop > start else (0, 1)), rows)

    source.cut = cut


def may_divide(loader):
    """Whether the batches of a loader are lists of the places of samples, which can be divided."""
    return loader.batch_sampler is not None and not isinstance(loader.dataset, IterableDataset)


class LoaderParts:
    """A `DataLoader` that reads only the samples of this process.

    Args:
        loader: The loader, whose batches are divided.
        told: What is told the `Part` of every batch.
    """

    def __init__(self, loader, told):
        self.loader = loader
        self.told = told

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        settings = {name: getattr(self.loader, name) for name in _KEPT}
        if not settings["num_workers"]:
            del settings["prefetch_factor"]
        sampler = PartSampler(self.loader.batch_sampler)
        for number, batch in enumerate(DataLoader(**settings, batch_sampler=sampler)):
            self.told.part = sampler.parts[number]
            yield batch


class PartSampler:
    """The places of this process's samples, batch by batch.

    The sampler is asked when the loader asks for the first batch, as it would be alone, so that the same
    random numbers are drawn; the answer of the first process holds for all.

    Args:
        sampler: The batch sampler of the whole batches.
    """

    def __init__(self, sampler):
        self.sampler = sampler
        self.parts = []

    def __iter__(self):
        batches = processes.from_first(list(self.sampler))
        limits = [bounds(len(batch)) for batch in batches]
        self.parts = [
            Part(stop - start, len(batch)) for batch, (start, stop) in zip(batches, limits, strict=True)
        ]
        for batch, (start, stop) in zip(batches, limits, strict=True):
            yield batch[start:stop] or batch[:1]
