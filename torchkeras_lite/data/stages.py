"""Stages of a pipeline: sources, and stages that choose, order and join elements without reading them."""

import itertools

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.data import views
from torchkeras_lite.data.collate import collate, join, rows

INFINITE, UNKNOWN = -1, -2
ENDLESS = range(2**62)
DRAWS_AT_ONCE = 1024
STRIDE = 7919  # between the seeds of two passes, so that near seeds share none


class Stage:
    """Elements that can be read again and again.

    A subclass has `stream()`, an iterator over its elements, or `runs()`, an iterator over pairs of a view
    and the numbers of elements in it.
    """

    size = UNKNOWN

    def runs(self):
        """Return an iterator over runs, or `None` where elements have no numbers."""
        return None

    def stream(self):
        """Return an iterator over elements, where there are no runs."""
        raise NotImplementedError

    def __iter__(self):
        runs = self.runs()
        if runs is None:
            return self.stream()
        return (view.one(index) for view, indices in runs for index in views.listed(indices))


class Source(Stage):
    """The elements of a view.

    Args:
        view: The view.
        size: How many there are, or `INFINITE`.
    """

    def __init__(self, view, size):
        self.view, self.size = view, size

    def runs(self):
        """Return the one run."""
        return iter([(self.view, ENDLESS if self.size == INFINITE else range(self.size))])


class Generated(Stage):
    """What the iterators that `function` makes give.

    Args:
        function: Called without arguments at the begin of every pass.
        size: How many elements there are, where it is known.
    """

    def __init__(self, function, size=UNKNOWN):
        self.function, self.size = function, size

    def stream(self):
        """Return a new iterator."""
        return iter(self.function())


class Mapped(Stage):
    """Each element given to a function, when it is read."""

    def __init__(self, source, function):
        self.source, self.function = source, function
        self.size = source.size

    def runs(self):
        """Return the source's runs, to be read through the function."""
        runs = self.source.runs()
        return None if runs is None else ((views.Mapped(view, self.function), order) for view, order in runs)

    def stream(self):
        """Return the results."""
        return (views.apply(self.function, element) for element in self.source)


class Filtered(Stage):
    """The elements of which a function says that they stay."""

    def __init__(self, source, function):
        self.source, self.function = source, function

    def stream(self):
        """Return those that stay."""
        return (element for element in self.source if views.apply(self.function, element))


class Ordered(Stage):
    """The elements of a view with the numbers `indices`."""

    def __init__(self, view, indices):
        self.view, self.indices = view, indices
        self.size = len(indices)

    def runs(self):
        """Return the one run."""
        return iter([(self.view, self.indices)])


class Batched(Stage):
    """Batches of `batch_size` elements; the last may be smaller, or be left out.

    Args:
        source: The stage before.
        batch_size: Elements in a batch.
        drop_remainder: Whether a smaller one is left out.
        collate: Function of a list of elements that makes a batch, instead of stacking their parts.
    """

    def __init__(self, source, batch_size, drop_remainder=False, collate=None):
        self.source, self.batch_size, self.drop = source, batch_size, drop_remainder
        self.collate = collate
        if source.size >= 0:
            self.size = source.size // batch_size if drop_remainder else -(-source.size // batch_size)
        else:
            self.size = source.size

    def stream(self):
        """Return the batches."""
        runs = self.source.runs() if self.collate is None else None
        return self._grouped() if runs is None else self._read(runs)

    def _grouped(self):
        stream, join_elements = iter(self.source), self.collate or collate
        while elements := list(itertools.islice(stream, self.batch_size)):
            if len(elements) == self.batch_size or not self.drop:
                yield join_elements(elements)

    def _read(self, runs):
        pieces, missing = [], self.batch_size
        for view, indices in runs:
            start = 0
            while start < len(indices):
                piece = indices[start : start + missing]
                pieces.append((view, piece))
                start, missing = start + len(piece), missing - len(piece)
                if not missing:
                    yield join([view.many(piece) for view, piece in pieces])
                    pieces, missing = [], self.batch_size
        if pieces and not self.drop:
            yield join([view.many(piece) for view, piece in pieces])


class Unbatched(Stage):
    """The elements of batches."""

    def __init__(self, source):
        self.source = source

    def stream(self):
        """Return them one by one."""
        return (row for element in self.source for row in rows(element))


class Shuffled(Stage):
    """Elements in a random order, new in every pass.

    As in `tf.data`, each element is drawn from a buffer of the next `buffer_size`; where elements have
    numbers, these are shuffled before anything is read.

    Args:
        source: The stage before.
        buffer_size: Size of the buffer; `None` for all elements.
        seed: Integer, or `None` for one drawn from torch's generator.
        reshuffle: Whether every pass has an order of its own.
    """

    def __init__(self, source, buffer_size, seed=None, reshuffle=True):
        self.source, self.buffer_size, self.seed, self.reshuffle = source, buffer_size, seed, reshuffle
        self.size = source.size
        self.passes = 0

    def _generator(self):
        """Return the generator of one pass; worker processes that share a pass get equal ones."""
        worker = torch.utils.data.get_worker_info()
        number = self.passes * self.reshuffle
        if worker is not None and (self.reshuffle or self.seed is None):
            shared = worker.seed - worker.id + number + (self.seed or 0)
        elif self.seed is not None:
            shared = self.seed + number * STRIDE
        else:
            shared = int(torch.randint(2**40, ()))
            if not self.reshuffle:
                self.seed = shared
        generator = torch.Generator().manual_seed(shared % 2**63)
        self.passes += 1
        return generator

    def runs(self):
        """Return one run with its numbers shuffled."""
        if self.source.size < 0 or (runs := self.source.runs()) is None:
            return None
        return self._one_run(runs)

    def _one_run(self, runs):
        yield self._shuffled(*views.as_one(runs, self.source.size))

    def _shuffled(self, view, indices):
        count, generator = len(indices), self._generator()
        if self.buffer_size is None or self.buffer_size >= count:
            order = torch.randperm(count, generator=generator)
        else:
            order = torch.tensor(list(self._drawn(iter(range(count)), generator)), dtype=torch.int64)
        return view, views.chosen(indices, order)

    def stream(self):
        """Return elements drawn from the buffer."""
        return self._drawn(iter(self.source), self._generator())

    def _drawn(self, stream, generator):
        buffer = list(itertools.islice(stream, self.buffer_size))
        draws = _draws(len(buffer), generator)
        for element in stream:
            place = next(draws)
            yield buffer[place]
            buffer[place] = element
        for place in torch.randperm(len(buffer), generator=generator).tolist():
            yield buffer[place]


def _draws(count, generator):
    while True:
        yield from torch.randint(count, (DRAWS_AT_ONCE,), generator=generator).tolist()


class Cut(Stage):
    """The elements from `start` on, at most `count` of them (`None` for all)."""

    def __init__(self, source, start, count):
        self.source, self.start, self.count = source, start, count
        left = max(source.size - start, 0) if source.size >= 0 else source.size
        if count is None:
            self.size = left
        elif left >= 0:
            self.size = min(left, count)
        else:
            self.size = count if left == INFINITE or not count else UNKNOWN

    def runs(self):
        """Return the parts of runs that stay."""
        runs = self.source.runs()
        return None if runs is None else self._cut(runs)

    def _cut(self, runs):
        skip, left = self.start, self.count
        for view, indices in runs if left != 0 else ():
            part = indices[skip : None if left is None else skip + left]
            skip = max(skip - len(indices), 0)
            if len(part):
                yield view, part
            if left is not None:
                left -= len(part)
                if not left:
                    return

    def stream(self):
        """Return the elements that stay."""
        if self.count == 0:
            return iter(())
        return itertools.islice(
            self.source, self.start, None if self.count is None else self.start + self.count
        )


class Repeated(Stage):
    """All elements `count` times, or without an end."""

    def __init__(self, source, count=None):
        self.source, self.count = source, count
        if count is None:
            self.size = 0 if source.size == 0 else INFINITE
        else:
            self.size = source.size * count if source.size >= 0 else source.size if count else 0

    def _passes(self):
        return itertools.count() if self.count is None else range(self.count)

    def runs(self):
        """Return the source's runs of every pass, each made when its turn comes."""
        return None if self.source.runs() is None else self._again(self.source.runs)

    def stream(self):
        """Return the elements of every pass."""
        return self._again(lambda: iter(self.source))

    def _again(self, open_source):
        for _ in self._passes():
            empty = True
            for part in open_source():
                empty = False
                yield part
            if empty:  # a source without elements would be asked for ever
                return


class Chained(Stage):
    """The elements of several stages, one stage after the other."""

    def __init__(self, *sources):
        self.sources = sources
        sizes = [source.size for source in sources]
        if all(size >= 0 for size in sizes):
            self.size = sum(sizes)
        else:
            self.size = INFINITE if INFINITE in sizes else UNKNOWN

    def runs(self):
        """Return all runs, where all stages have them."""
        opened = [source.runs() for source in self.sources]
        return None if None in opened else itertools.chain(*opened)

    def stream(self):
        """Return all elements."""
        return itertools.chain.from_iterable(self.sources)


class Sharded(Stage):
    """Every `count`-th element, from the one numbered `index`."""

    def __init__(self, source, count, index):
        self.source, self.count, self.index = source, count, index
        self.size = -(-max(source.size - index, 0) // count) if source.size >= 0 else source.size

    def runs(self):
        """Return every `count`-th number of the runs."""
        runs = self.source.runs()
        return None if runs is None else self._thinned(runs)

    def _thinned(self, runs):
        seen = 0
        for view, indices in runs:
            yield view, indices[(self.index - seen) % self.count :: self.count]
            seen += len(indices)

    def stream(self):
        """Return every `count`-th element."""
        return itertools.islice(self.source, self.index, None, self.count)


class Zipped(Stage):
    """Elements of several stages side by side, until the shortest ends.

    Args:
        template: Nested structure with a stage at every leaf.
    """

    def __init__(self, template):
        self.template = template
        self.sources = nested.flatten(template)
        sizes = [source.size for source in self.sources]
        finite = [size for size in sizes if size >= 0]
        self.size = UNKNOWN if UNKNOWN in sizes else min(finite, default=INFINITE)

    def runs(self):
        """Return one run, where all stages have runs and one of them ends."""
        opened = [source.runs() for source in self.sources]
        if self.size < 0 or None in opened:
            return None
        return self._one_run(opened)

    def _one_run(self, opened):
        parts = [views.as_one(runs, self.size) for runs in opened]
        yield views.Zipped(self.template, parts), range(self.size)

    def stream(self):
        """Return nested structures of elements."""
        return (nested.pack_like(self.template, parts) for parts in zip(*self.sources, strict=False))
