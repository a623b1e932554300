"""From what `fit`, `evaluate` and `predict` are given to batches."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import positive_int, suggestion
from torchkeras_lite.base.old_names import tell
from torchkeras_lite.data import INFINITE_CARDINALITY, Dataset
from torchkeras_lite.training import frames
from torchkeras_lite.training.arrays import is_arrays, map_arrays, split
from torchkeras_lite.training.batch_form import pack_x_y_sample_weight, unpack_x_y_sample_weight
from torchkeras_lite.training.batches import (
    ArrayBatches,
    ClassWeighted,
    SteppedBatches,
    class_numbers,
    weights_of_classes,
)
from torchkeras_lite.training.frames import as_array
from torchkeras_lite.training.iterables import IterableBatches, NumpyIterator
from torchkeras_lite.training.py_dataset import PyDataset, PyDatasetBatches, check_workers

__all__ = [
    "as_array",
    "is_arrays",
    "make_batches",
    "map_arrays",
    "pack_x_y_sample_weight",
    "read_frames",
    "ready_batch",
    "split",
    "unpack_x_y_sample_weight",
    "weights_of_classes",
]

DEFAULT_BATCH_SIZE = 32
WORKER_DEFAULTS = {"workers": 1, "use_multiprocessing": False, "max_queue_size": 10}


def read_frames(model, x, y=None):
    """Return `x` and `y` with data frames taken apart by the names of the model's inputs and outputs."""
    if frames.is_frame(x):
        x = frames.for_inputs(x, model)
    if frames.is_frame(y):
        y = frames.for_outputs(y, model)
    return x, y


def make_batches(
    model,
    x,
    y=None,
    sample_weight=None,
    *,
    batch_size=None,
    shuffle=False,
    steps=None,
    class_weight=None,
    workers=None,
):
    """Return batches for `model` from what `fit`, `evaluate` or `predict` were given.

    Args:
        model: The model.
        x, y, sample_weight, batch_size, shuffle, class_weight: As in `fit`.
        steps: Batches an epoch, `None` for all.
        workers: Dict of `workers`, `use_multiprocessing` and `max_queue_size` where they were given.

    Raises:
        ValueError: targets beside data that holds its own, numbers of rows that differ, something that is no
            data.
    """
    size = DEFAULT_BATCH_SIZE if batch_size is None else positive_int("fit", "batch_size", batch_size)
    x, y = read_frames(model, x, y)
    check_names(model, x)
    form = {
        "dtype": model.compute_torch_dtype,
        "device": model.data_device,
        "input_dtypes": model.input_torch_dtypes(x),
    }
    if class_weight is not None:
        check_class_weight(class_weight)
    if is_arrays(x):
        if class_weight is not None:
            sample_weight = weights_of_classes(y, class_weight, sample_weight)
            check_classes(y, class_weight)
        _tell_of_workers(workers, "arrays")
        batches = ArrayBatches(x, y, sample_weight, batch_size=size, shuffle=shuffle, **form)
    else:
        _check_source(x, y, sample_weight)
        batches = _from_source(x, size, shuffle, workers or {}, form)
        if steps is None and isinstance(x, Dataset) and x.cardinality() == INFINITE_CARDINALITY:
            raise ValueError(
                "The dataset has no end: it was repeated without a `count`. Pass `steps_per_epoch` to fit(), "
                "`steps` to evaluate() and predict(), or leave out `repeat()`."
            )
        if steps is None and isinstance(x, PyDataset) and batches.count is None:
            raise ValueError(
                f"{type(x).__name__} has no end: neither `__len__` nor `num_batches` tells the number of its "
                "batches. Pass `steps_per_epoch` to fit(), `steps` to evaluate() and predict()."
            )
        if class_weight is not None:
            batches = ClassWeighted(batches, class_weight)
    batches = batches if steps is None else SteppedBatches(batches, steps)
    return batches if model.team is None else model.team.divide(batches)


def ready_batch(model, x, y, sample_weight):
    """Return `(x, y, sample_weight)` where `make_batches` would give just these tensors, else `None`.

    Single batches of custom loops are mostly such, and to look at them in general takes as long as a small
    step.
    """
    dtypes = model.input_torch_dtypes(x)
    if (
        type(x) is torch.Tensor
        and type(y) is torch.Tensor
        and sample_weight is None
        and dtypes is not None
        and dtypes == [x.dtype]
        and not (x.requires_grad or y.requires_grad)
        and (y.dtype is model.compute_torch_dtype or not y.is_floating_point())
        and x.ndim
        and y.ndim
        and x.shape[0] == y.shape[0] != 0
        and x.device == y.device == model.data_device
        and model.team is None
    ):
        return x, y, None
    return None


def _check_source(x, y, sample_weight):
    if x is None or isinstance(x, (int, float, str, bytes)):
        raise ValueError(
            "Expected data as arrays, tensors, nested lists or dicts of them, or an iterable of batches; "
            f"got {x!r}."
        )
    if isinstance(x, (list, tuple, dict)) and not len(x):
        raise ValueError(f"The data is empty: got {x!r}. Pass at least one array or batch.")
    if isinstance(x, (list, tuple, dict)) and all(part is None for part in nested.flatten(x)):
        raise ValueError(
            f"`x` has no data: got {x!r}. An input of the model is not optional, but None was passed. Pass "
            "an array for at least one input, and for each that is not optional."
        )
    if y is not None or sample_weight is not None:
        what = "y" if y is not None else "sample_weight"
        raise ValueError(
            f"`{what}` must be left out when `x` is a {type(x).__name__} (`{what}` should not be passed): "
            "its batches hold the targets themselves, as (x, y) or (x, y, sample_weight)."
        )


def _from_source(x, batch_size, shuffle, workers, form):
    if isinstance(x, PyDataset):
        return PyDatasetBatches(x, shuffle=bool(shuffle), **workers, **form)
    if isinstance(x, Dataset):
        return _from_dataset(x, workers, form)
    if isinstance(x, torch.utils.data.IterableDataset) or not hasattr(x, "__iter__"):
        if isinstance(x, torch.utils.data.Dataset) or (hasattr(x, "__getitem__") and hasattr(x, "__len__")):
            loader = _loader(x, batch_size, shuffle, workers)
            return IterableBatches(loader, owned=True, **form)
        if not hasattr(x, "as_numpy_iterator"):
            raise ValueError(
                f"Unrecognized data type: x={x!r} (of type {type(x)}). Pass arrays, or an iterable of "
                "batches."
            )
    _tell_of_workers(workers, type(x).__name__)
    return IterableBatches(NumpyIterator(x) if hasattr(x, "as_numpy_iterator") else x, **form)


def _from_dataset(dataset, workers, form):
    """Return the elements of a `Dataset`, which are batches; made by processes where these are asked for."""
    if {**WORKER_DEFAULTS, **workers}["use_multiprocessing"]:
        return IterableBatches(_loader(dataset, None, False, workers), owned=True, **form)
    return IterableBatches(dataset, **form)


def _loader(dataset, batch_size, shuffle, workers):
    """Return a torch `DataLoader` over samples of a `Dataset`, in worker processes where they are asked for.

    Threads would not help a dataset that computes, so `workers` beyond 1 are processes in either case.
    """
    settings = {**WORKER_DEFAULTS, **workers}
    count, most = settings["workers"], settings["max_queue_size"]
    check_workers("fit", count, most)
    count = count if count > 1 or settings["use_multiprocessing"] else 0
    ahead = {"prefetch_factor": max(most // count, 1), "persistent_workers": True} if count else {}
    if not isinstance(dataset, torch.utils.data.IterableDataset):
        ahead["shuffle"] = bool(shuffle)
    return torch.utils.data.DataLoader(dataset, batch_size=batch_size, num_workers=count, **ahead)


def _tell_of_workers(workers, kind):
    for name, value in (workers or {}).items():
        if value not in (WORKER_DEFAULTS[name], 0):
            tell(
                f"fit: `{name}` beside {kind}",
                "it has no effect there: workers make the batches of a `keras.utils.PyDataset` or of a torch "
                "`Dataset`, and a DataLoader has its own `num_workers`",
            )


def check_class_weight(class_weight):
    """Raise where `class_weight` is no mapping of class numbers to numbers."""
    if not isinstance(class_weight, dict) or not class_weight:
        raise ValueError(
            f"`class_weight` must be a dict of class numbers to weights, got {class_weight!r}. Pass for "
            "example {0: 1.0, 1: 5.0}."
        )
    for number, weight in class_weight.items():
        whole = isinstance(number, int) or (hasattr(number, "__index__") and not isinstance(number, str))
        if not whole or number < 0 or isinstance(weight, str):
            raise ValueError(
                f"`class_weight` must map class numbers from 0 to weights, got {number!r}: {weight!r}. "
                "Number the classes as in `y`."
            )


def check_classes(y, class_weight):
    """Raise where `class_weight` names no class that there is among the targets."""
    classes = set(torch.unique(class_numbers(y)).tolist())
    if classes.isdisjoint(map(int, class_weight)):
        raise ValueError(
            f"`class_weight` has weights for the classes {sorted(map(int, class_weight))}, and the targets "
            f"hold none of them, but {sorted(classes)[:10]}. Number the classes as in `y`."
        )


def check_names(model, x):
    """Raise where a dict of inputs has names that the model does not know, and lacks others."""
    recording = getattr(model, "_recording", None)
    if recording is None or not isinstance(x, dict):
        return
    inputs = recording.inputs
    known = list(inputs) if isinstance(inputs, dict) else [tensor.name for tensor in nested.flatten(inputs)]
    missing = [name for name in known if name not in x]
    spare = [name for name in x if name not in known]
    if missing and spare:
        raise ValueError(
            f"The model has no input {spare[0]!r}{suggestion(spare[0], known)} Its inputs are {known}; the "
            f"data lacks {missing}."
        )
