"""Batches from anything that can be iterated, and how long an epoch waited for them."""

from time import perf_counter

import torch

from torchkeras_lite.training import transfer
from torchkeras_lite.training.arrays import fit_dtypes, map_arrays, to_input, to_tensor
from torchkeras_lite.training.batch_form import unpack_x_y_sample_weight
from torchkeras_lite.training.batches import Batches

END = object()


class NumpyIterator:
    """A pipeline that gives its batches through `as_numpy_iterator`, such as one of `tf.data`.

    Args:
        pipeline: The pipeline.
    """

    def __init__(self, pipeline):
        self.pipeline = pipeline

    def __iter__(self):
        return iter(self.pipeline.as_numpy_iterator())

    def __len__(self):
        return len(self.pipeline)  # TypeError where it is not known


class IterableBatches(Batches):
    """Batches from anything that can be iterated, such as a `DataLoader` or a generator.

    A batch that was read to build a model is the first one of the first epoch; nothing is read twice.

    Args:
        source: The iterable; each element is `x`, `(x, y)` or `(x, y, sample_weight)` of arrays or tensors.
        dtype: Torch dtype of floating-point values.
        device: Where batches go.
        input_dtypes: Torch dtypes of the flat inputs, where the model fixes them.
        owned: Whether the source was made for these batches alone, so that its workers end with them.
    """

    def __init__(self, source, *, dtype, device, input_dtypes=None, owned=False):
        self.source = source
        self.owned = owned
        self.dtype = dtype
        self.device = device
        self.input_dtypes = input_dtypes
        self.waited = 0.0
        self.once = not isinstance(source, NumpyIterator) and hasattr(source, "__next__")
        self.cut = None  # takes this process's rows of a batch, where it is divided
        self._stream = None
        self._peeked = []

    def __len__(self):
        return len(self.source)  # TypeError where it is not known

    def _open(self):
        return iter(self.source)

    def first(self):
        """Return the first batch.

        Raises:
            ValueError: there is none.
        """
        if not self._peeked:
            self._stream = self._open()
            batch = next(self._stream, END)
            if batch is END:
                raise ValueError(
                    "The data gave no batch. Check that it is not empty, and that a generator is not used up."
                )
            self._peeked = [batch]
        return transfer.moved(self._convert(self._peeked[0]), self.device)

    def __iter__(self):
        device = self.device
        if device.type == "cuda" and not self.once:  # nothing is taken from a generator ahead of its use
            return transfer.ahead(self._epoch(), device)
        if device.type == "cpu":
            return self._epoch()
        return (transfer.moved(batch, device) for batch in self._epoch())

    def _epoch(self):
        stream, self._stream = self._stream, None
        if stream is None:
            stream = self._open()
        peeked, self._peeked = self._peeked, []
        try:
            for batch in peeked:
                yield self._convert(batch)
            while True:
                started = perf_counter()
                batch = next(stream, END)
                self.waited += perf_counter() - started
                if batch is END:
                    return
                yield self._convert(batch)
        finally:
            if stream is not self.source:
                close_stream(stream)

    def _convert(self, batch):
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        convert = lambda array: to_tensor(array, self.dtype)
        x = map_arrays(lambda array: to_input(array, self.dtype), x)
        if self.input_dtypes is not None:
            x = fit_dtypes(x, self.input_dtypes)
        batch = x, map_arrays(convert, y), map_arrays(convert, sample_weight)
        return batch if self.cut is None else self.cut(batch)

    def remedy(self):
        """Return what to raise where epochs wait for their data."""
        if isinstance(self.source, torch.utils.data.DataLoader):
            return f"Raise `num_workers` of the DataLoader (it has {self.source.num_workers})."
        if isinstance(self.source, NumpyIterator):
            return "Let the pipeline read ahead: `.prefetch(...)`, and `num_parallel_calls` in its `map`."
        return "Make the batches in a `keras.utils.PyDataset` with `workers`, or in a torch DataLoader."

    def close(self):
        """End a stream that was looked at and not used, and the workers of a source of our own."""
        stream, self._stream = self._stream, None
        if stream is not None and stream is not self.source:
            close_stream(stream)
        if self.owned:
            self.source = ()


def close_stream(stream):
    """End a generator; other iterators end with their last reference."""
    if hasattr(stream, "close"):
        stream.close()


def explain_dead_worker(error):
    """Raise a clear error where `error`, or one that it came from, says that a worker of a `DataLoader` died.

    torch raises it from a signal, so it can come out of any line, also of one that explains other errors.
    """
    origin = error
    while origin is not None and not str(origin).startswith("DataLoader worker"):
        origin = origin.__cause__ or origin.__context__
    if origin is not None:
        raise RuntimeError(
            f"A worker process of the DataLoader died ({str(origin).rstrip('. ')}): it was out of memory, or "
            "the dataset's code ended the process. Lower `num_workers` or the size of batches; with "
            "`num_workers=0` the batches are made in this process, where the cause can be seen."
        ) from error
