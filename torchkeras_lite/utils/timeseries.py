"""Windows that slide over rows of numbers, and the targets that go with them."""

import torch

from torchkeras_lite.base.checks import positive_int
from torchkeras_lite.data import Dataset
from torchkeras_lite.data.collate import as_column
from torchkeras_lite.data.views import View
from torchkeras_lite.utils.directories import check_format


class Windows(View):
    """Windows over the rows of an array, read by one indexing a batch.

    Args:
        rows: Tensor whose first axis is time.
        starts: First row of each window, an integer tensor.
        length: Rows in a window.
        step: Distance between two rows of a window.
        targets: Tensor with the target of each window, or `None`.
    """

    def __init__(self, rows, starts, length, step, targets=None):
        self.rows, self.starts, self.length, self.step, self.targets = rows, starts, length, step, targets
        self.places = torch.arange(length) * step

    def __len__(self):
        return len(self.starts)

    def one(self, index):
        """Return one window."""
        start = int(self.starts[index])
        window = self.rows[start : start + self.length * self.step : self.step]
        return window if self.targets is None else (window, self.targets[index])

    def many(self, indices):
        """Return a batch of windows."""
        if isinstance(indices, range):
            indices = torch.arange(indices.start, indices.stop, indices.step)
        windows = self.rows[(self.starts[indices][:, None] + self.places).to(self.rows.device)]
        return windows if self.targets is None else (windows, self.targets[indices.to(self.targets.device)])


def timeseries_dataset_from_array(
    data,
    targets,
    sequence_length,
    sequence_stride=1,
    sampling_rate=1,
    batch_size=128,
    shuffle=False,
    seed=None,
    start_index=None,
    end_index=None,
    format="tf",
):
    """Return a dataset of windows over rows in the order of time.

    A window that begins at row i holds the rows i, i + sampling_rate, ..., `sequence_length` of them.

    Args:
        data: Array or tensor whose first axis is time.
        targets: Array of the targets, `targets[i]` for the window that begins at row i; or `None`.
        sequence_length: Rows in a window.
        sequence_stride: Distance between the begins of two windows.
        sampling_rate: Distance between two rows in a window.
        batch_size: Windows in a batch; `None` for single windows.
        shuffle: Whether every epoch has a random order.
        seed: Makes these orders repeatable.
        start_index, end_index: Rows before the one and from the other on are left out.
        format: `"tf"` or `"grain"`; accepted, the dataset is the same.

    Shapes:
        windows `(batch, sequence_length, ...)`, targets `(batch, ...)`

    Raises:
        ValueError: an index, a length or a stride out of range.

    Source: Keras 3 `keras.utils.timeseries_dataset_from_array`. Differs: data that is too short for one
    window, or targets that end before the rows begin, are an error, not an empty dataset.
    """
    owner = "timeseries_dataset_from_array"
    check_format(owner, format)
    rows = as_column(data)
    length = positive_int(owner, "sequence_length", sequence_length)
    _check_steps(owner, len(rows), sequence_stride=sequence_stride, sampling_rate=sampling_rate)
    start, end = _limits(owner, len(rows), start_index, end_index)
    rows = rows[start:end]
    count = len(rows) - (length - 1) * sampling_rate
    if targets is not None:
        targets = as_column(targets)[start:end]
        count = min(count, len(targets))
    if count <= 0:
        raise ValueError(
            f"{owner}: no window fits: {len(rows)} rows"
            f"{'' if targets is None else f' and {len(targets)} targets'} are left between `start_index` and "
            f"`end_index`, and a window spans {(length - 1) * sampling_rate + 1}. Pass more rows, or a "
            "smaller "
            "`sequence_length`."
        )
    starts = torch.arange(0, count, sequence_stride)
    view = Windows(rows, starts, length, sampling_rate, None if targets is None else targets[:count][starts])
    dataset = Dataset.from_view(view, len(view))
    if shuffle:
        dataset = dataset.shuffle(seed=seed)
    return dataset if batch_size is None else dataset.batch(positive_int(owner, "batch_size", batch_size))


def _check_steps(owner, count, **steps):
    for name, step in steps.items():
        if step <= 0:
            raise ValueError(f"{owner}: `{name}` must be higher than 0. Received: {name}={step}")
        if step >= count:
            raise ValueError(
                f"{owner}: `{name}` must be lower than the length of the data. Received: {name}={step}, for "
                f"data of length {count}"
            )


def _limits(owner, count, start_index, end_index):
    start, end = start_index or 0, count if end_index is None else end_index
    if start < 0:
        raise ValueError(f"{owner}: `start_index` must be 0 or greater. Received: start_index={start}")
    if start >= count:
        raise ValueError(
            f"{owner}: `start_index` must be lower than the length of the data. Received: "
            f"start_index={start}, for data of length {count}"
        )
    if end <= start:
        raise ValueError(
            f"{owner}: `end_index` must be higher than `start_index`. Received: start_index={start}, and "
            f"end_index={end}"
        )
    if end > count:
        raise ValueError(
            f"{owner}: `end_index` must be lower than the length of the data. Received: end_index={end}, for "
            f"data of length {count}"
        )
    return start, end
