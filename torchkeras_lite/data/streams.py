"""Stages that read ahead or keep what they read: worker threads, a background thread, a cache."""

import collections
import concurrent.futures
import functools
import itertools
import queue
import threading

from torchkeras_lite.data import views
from torchkeras_lite.data.stages import Batched, Stage

LEAST_AHEAD = 16
ROWS_AT_ONCE = 4


class ParallelMapped(Stage):
    """Each element given to a function by several threads, which also read it; the order stays.

    Args:
        source: The stage before.
        function: The function.
        workers: Threads, an integer >= 1.
    """

    def __init__(self, source, function, workers):
        self.source, self.function, self.workers = source, function, workers
        self.size = source.size

    def _tasks(self):
        runs = self.source.runs()
        if runs is None:
            return (functools.partial(views.apply, self.function, element) for element in self.source)
        return (
            functools.partial(views.Mapped(view, self.function).one, index)
            for view, indices in runs
            for index in views.listed(indices)
        )

    def stream(self):
        """Return the results, made ahead of their use."""
        tasks = _with_error(self._tasks())
        ahead = max(LEAST_AHEAD, 2 * self.workers)
        executor = concurrent.futures.ThreadPoolExecutor(self.workers, thread_name_prefix="dataset")
        try:
            pending = collections.deque(executor.submit(task) for task in itertools.islice(tasks, ahead))
            while pending:
                result = pending.popleft().result()
                pending.extend(executor.submit(task) for task in itertools.islice(tasks, 1))
                yield result
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


class FilledBatches(Batched):
    """Batches of what `reader` makes of paths, each written to its place by several threads; the order stays.

    One batch is read ahead of its use, or more small ones, so that all threads have work.

    Args:
        source: A stage whose elements are maps of paths, or of (path, label) to (reading, label).
        batch_size: Elements in a batch; the last may be smaller.
        reader: An object with `empty(count)`, memory for a batch, and `fill(row, path)`.
        workers: Threads, an integer >= 1.
    """

    def __init__(self, source, batch_size, reader, workers):
        super().__init__(source, batch_size)
        self.reader, self.workers = reader, workers
        self.ahead = -(-max(LEAST_AHEAD, workers * ROWS_AT_ONCE) // batch_size)

    def stream(self):
        """Return the batches; the threads end with the iterator."""
        stopped = threading.Event()
        executor = concurrent.futures.ThreadPoolExecutor(self.workers, thread_name_prefix="dataset")
        started = collections.deque()
        try:
            for element in Batched(self.source.source, self.batch_size):
                started.append(self._start(element, executor, stopped))
                if len(started) > self.ahead:
                    yield _finished(*started.popleft())
            while started:
                yield _finished(*started.popleft())
        finally:
            stopped.set()
            executor.shutdown(wait=True, cancel_futures=True)

    def _start(self, element, executor, stopped):
        """Return a batch that threads fill, and their futures."""
        paths, *labels = element if isinstance(element, tuple) else (element,)
        batch = self.reader.empty(len(paths))
        rows, futures = batch.unbind(), []
        for start in range(0, len(paths), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            futures.append(executor.submit(self._fill, rows[part], paths[part], stopped))
        # labels in the order of the files would share the dataset's own memory
        return (batch, *(part.clone() for part in labels)) if labels else batch, futures

    def _fill(self, rows, paths, stopped):
        for row, path in zip(rows, paths, strict=True):
            if stopped.is_set():
                return
            self.reader.fill(row, path)


def _finished(batch, futures):
    for future in futures:
        future.result()
    return batch


def _with_error(tasks):
    """Return the tasks; an error in making them becomes one more, so that it comes when it is its turn."""
    try:
        yield from tasks
    except Exception as error:
        yield functools.partial(_throw, error)


def _throw(error):
    raise error


class Prefetched(Stage):
    """Elements read ahead by a thread.

    Args:
        source: The stage before.
        buffer_size: Elements ahead at the most, an integer >= 1.
    """

    def __init__(self, source, buffer_size):
        self.source, self.buffer_size = source, buffer_size
        self.size = source.size

    def stream(self):
        """Return the elements; the thread ends with the iterator."""
        ready = queue.Queue(self.buffer_size)
        stopped = threading.Event()
        reader = threading.Thread(target=self._fill, args=(ready, stopped), daemon=True)
        reader.start()
        try:
            while True:
                kind, value = ready.get()
                if kind == "end":
                    return
                if kind == "error":
                    raise value
                yield value
        finally:
            stopped.set()
            while reader.is_alive():
                _drain(ready)
                reader.join(0.01)

    def _fill(self, ready, stopped):
        stream = iter(self.source)
        try:
            for element in stream:
                ready.put(("element", element))
                if stopped.is_set():
                    return
            ready.put(("end", None))
        except BaseException as error:  # whatever it is, it belongs to the thread that reads
            ready.put(("error", error))
        finally:
            if hasattr(stream, "close"):
                stream.close()


def _drain(ready):
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return


class Cached(Stage):
    """Elements that are read once; a pass that does not reach the end keeps nothing."""

    def __init__(self, source):
        self.source = source
        self.size = source.size
        self.kept = None

    def runs(self):
        """Return the kept elements, where there are."""
        return None if self.kept is None else iter([(views.Items(self.kept), range(len(self.kept)))])

    def stream(self):
        """Return the elements and keep them."""
        kept = []
        for element in self.source:
            kept.append(element)
            yield element
        self.kept = kept
