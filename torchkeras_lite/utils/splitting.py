"""One dataset to two."""

import random

import numpy as np
import torch

from torchkeras_lite.base import nested
from torchkeras_lite.data import Dataset

EXPECTED = "a `Dataset`, a dataset of torch or of `tf.data`, or arrays in a list, tuple or dict"


def split_dataset(dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None):
    """Return two datasets with the first and the last elements of one.

    Args:
        dataset: A `Dataset` (of batches or not), a `PyDataset`, a torch `Dataset` or `DataLoader`, or arrays
            of one length in a list, tuple or dict.
        left_size: Elements of the first, an integer; or their fraction, a float from 0 to 1; the rest when
            not given.
        right_size: The same for the second.
        shuffle: Whether the elements are shuffled first.
        seed: Makes that repeatable.
        preferred_backend: Accepted; the datasets are the same.

    Returns:
        Two `Dataset`s. Of batches they are made anew, of the same size.

    Raises:
        TypeError: something that is no dataset, or sizes that are no numbers.
        ValueError: sizes out of range, a side without elements.

    Source: Keras 3 `keras.utils.split_dataset`. Differs: one kind of dataset comes back, whatever went in.
    """
    elements, batch_size = _as_elements(dataset)
    elements = elements.select(slice(None))
    count = len(elements)
    if not count:
        raise ValueError("split_dataset: Received an empty dataset. Pass at least two elements.")
    left, right = _sizes(left_size, right_size, count)
    order = list(range(count))
    if shuffle:
        random.Random(seed).shuffle(order)
    parts = (order[:left], order[count - right :])
    return tuple(_chosen(elements, torch.tensor(part), batch_size) for part in parts)


def _chosen(elements, order, batch_size):
    dataset = elements.select(order)
    return dataset if batch_size is None else dataset.batch(batch_size)


def _as_elements(dataset):
    """Return a dataset of single elements with numbers, and the size of the batches that they came in."""
    if isinstance(dataset, Dataset):
        return dataset.batches() or (dataset, None)
    if isinstance(dataset, torch.utils.data.DataLoader):
        return Dataset.from_generator(lambda: iter(dataset)).unbatch(), dataset.batch_size
    if hasattr(dataset, "as_numpy_iterator"):
        return Dataset.from_generator(dataset.as_numpy_iterator), None
    if isinstance(dataset, (np.ndarray, torch.Tensor, dict, list, tuple)):
        return Dataset.from_tensor_slices(_arrays(dataset)), None
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, str):
        return Dataset.from_sequence(dataset), None
    if isinstance(dataset, torch.utils.data.IterableDataset):
        return Dataset.from_generator(lambda: iter(dataset)), None
    raise TypeError(
        f"split_dataset: The `dataset` argument must be {EXPECTED}. Received: dataset={dataset!r} of type "
        f"{type(dataset).__name__}"
    )


def _arrays(dataset):
    if isinstance(dataset, (list, tuple)) and not len(dataset):
        raise ValueError("split_dataset: Received an empty list dataset. Pass a non-empty list of arrays.")
    held = nested.flatten(dataset)
    if isinstance(dataset, list) and any(hasattr(part, "shape") for part in held):
        return tuple(dataset)
    return dataset


def _sizes(left, right, count):
    """Return how many elements go to either side."""
    if left is None and right is None:
        raise ValueError(
            "split_dataset: At least one of the `left_size` or `right_size` must be specified. Received: "
            "left_size=None and right_size=None"
        )
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and (isinstance(size, bool) or not isinstance(size, (int, float))):
            raise TypeError(
                f"split_dataset: Invalid `{name}` Type. Expected: int or float or None, Received: "
                f"type({name})={type(size)}."
            )
    if left == 0 and right == 0:
        raise ValueError(
            "split_dataset: Both `left_size` and `right_size` are zero. At least one of the split sizes "
            "must be "
            "non-zero."
        )
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and not 0 < size < (count if isinstance(size, int) else 1):
            raise ValueError(
                f"split_dataset: `{name}` should be either a positive integer smaller than {count}, or a "
                "float "
                f"within the range `[0, 1]`. Received: {name}={size}"
            )
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(
            "split_dataset: The sum of `left_size` and `right_size` is greater than 1. It must be less than "
            "or "
            "equal to 1."
        )
    numbers = [round(size * count) if isinstance(size, float) else size for size in (left, right)]
    left_count, right_count = (
        count - numbers[1 - side] if numbers[side] is None else numbers[side] for side in (0, 1)
    )
    if left_count + right_count > count:
        raise ValueError(
            f"split_dataset: The sum of `left_size` and `right_size` should be smaller than the {count}. "
            f"Received: left_size + right_size = {left_count + right_count} and total_length = {count}"
        )
    for side, size in (("left", left_count), ("right", right_count)):
        if not size:
            raise ValueError(
                f"split_dataset: With `dataset` of length={count}, `left_size`={left_count} and `right_size`="
                f"{right_count}. Resulting {side} side dataset split will be empty. Adjust any of the "
                "aforementioned parameters"
            )
    return left_count, right_count
