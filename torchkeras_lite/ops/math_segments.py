"""Reductions over groups of rows, distances, and the largest values."""

import torch

from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, as_tensors, to_common, to_float


def _check_segments(owner, data, segment_ids):
    if segment_ids.ndim != 1:
        raise ValueError(
            f"{owner}: Argument `segment_ids` should be an 1-D vector, got shape {tuple(segment_ids.shape)}. "
            "Flatten it, and the axes of `data` with it, or use `vectorized_map`."
        )
    rows = {data.shape[0] if data.ndim else 0, segment_ids.shape[0]} - {None}
    if data.ndim == 0 or len(rows) > 1:
        raise ValueError(
            f"{owner}: Argument `segment_ids` and `data` should have same leading dimension. Got "
            f"{tuple(segment_ids.shape)} v.s. {tuple(data.shape)}."
        )


def _reduce(owner, data, segment_ids, num_segments, mode):
    data, segment_ids = as_tensors([data, segment_ids])
    _check_segments(owner, data, segment_ids)
    if num_segments is None:
        if shapes.is_probing():
            raise ValueError(f"{owner}: on symbolic tensors, pass `num_segments`.")
        num_segments = int(segment_ids.max()) + 1 if segment_ids.numel() else 0
    # Rows outside go to one more segment, which is dropped: nothing waits for the device.
    outside = (segment_ids < 0) | (segment_ids >= num_segments)
    places = segment_ids.long().masked_fill(outside, num_segments)
    shape = (num_segments + 1, *data.shape[1:])
    if mode == "sum":
        return data.new_zeros(shape).index_add(0, places, data)[:-1]
    start = data.new_full(shape, _neutral(data.dtype, mode))
    places = places.reshape(-1, *(1 for _ in data.shape[1:])).expand(data.shape)
    return start.scatter_reduce(0, places, data, mode)[:-1]


def _segments_spec(data, segment_ids, num_segments=None, sorted=False):
    """Return the symbolic result, whose number of rows nobody knows without `num_segments`."""
    data, segment_ids = (x if isinstance(x, KerasTensor) else as_tensor(x) for x in (data, segment_ids))
    _check_segments("segment reduction", data, segment_ids)
    return KerasTensor((num_segments, *data.shape[1:]), data.dtype)


def _neutral(dtype, mode):
    if mode == "prod":
        return 1
    if dtype.is_floating_point:
        return -torch.inf if mode == "amax" else torch.inf
    if dtype == torch.bool:
        return mode == "amin"
    return torch.iinfo(dtype).min if mode == "amax" else torch.iinfo(dtype).max


@operation(tensors=2)
def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """Return the sums of the rows with the same number.

    Args:
        data: Tensor.
        segment_ids: The number of each row, integers; rows with negative or too large ones do not count.
        num_segments: How many numbers there are; `None`: one more than the greatest, which waits for the
            device.
        sorted: Whether the numbers ascend: torch makes no use of that.

    Returns:
        A tensor with `num_segments` rows; those that no row went to are 0.

    Raises:
        ValueError: `segment_ids` that are no vector; no `num_segments` in a layer that is called on symbolic
            tensors.

    Source: Keras 3 `keras.ops.segment_sum`; torch's `index_add`.
    """
    return _reduce("segment_sum", data, segment_ids, num_segments, "sum")


@operation(tensors=2)
def segment_max(data, segment_ids, num_segments=None, sorted=False):
    """Return the greatest values of the rows with the same number; the dtype's least where there are none.

    Args:
        data, segment_ids, num_segments, sorted: See `segment_sum`.

    Source: Keras 3 `keras.ops.segment_max`; torch's `scatter_reduce`.
    """
    return _reduce("segment_max", data, segment_ids, num_segments, "amax")


@operation(tensors=2)
def segment_min(data, segment_ids, num_segments=None, sorted=False):
    """Return the least values of the rows with the same number; the dtype's greatest where there are none.

    Args:
        data, segment_ids, num_segments, sorted: See `segment_sum`.

    Source: Keras 3 `keras.ops.segment_min`, whose empty segments of integers are the dtype's least on torch;
    torch's `scatter_reduce`.
    """
    return _reduce("segment_min", data, segment_ids, num_segments, "amin")


@operation(tensors=2)
def segment_prod(data, segment_ids, num_segments=None, sorted=False):
    """Return the products of the rows with the same number; 1 where there are none.

    Args:
        data, segment_ids, num_segments, sorted: See `segment_sum`.

    Source: Keras 3 `keras.ops.segment_prod`; torch's `scatter_reduce`.
    """
    return _reduce("segment_prod", data, segment_ids, num_segments, "prod")


for _operation in (segment_sum, segment_max, segment_min, segment_prod):
    _operation.compute_output_spec = _segments_spec


@operation
def top_k(x, k, sorted=True):
    """Return the `k` greatest values of the last axis, and where they are.

    Args:
        x: Tensor.
        k: How many.
        sorted: Whether they descend.

    Source: Keras 3 `keras.ops.top_k`; torch's `torch.topk`.
    """
    return tuple(torch.topk(as_tensor(x), k, sorted=sorted))


@operation(tensors=2, name="InTopK")
def in_top_k(targets, predictions, k):
    """Return whether the score of the true class is among the `k` greatest; ties count.

    Args:
        targets: Class numbers (batch,).
        predictions: Scores (batch, classes).
        k: How many.

    Returns:
        Booleans (batch,), false for numbers that are no class.

    Source: Keras 3 `keras.ops.in_top_k`.
    """
    targets, predictions = as_tensors([targets, predictions])
    classes = predictions.shape[-1]
    known = (targets >= 0) & (targets < classes)
    scores = predictions.gather(-1, targets.long().clamp(0, classes - 1).unsqueeze(-1))
    greater = ~(predictions <= scores)  # so that no NaN is among the greatest
    return (greater.sum(-1) < k) & known


@operation
def logsumexp(x, axis=None, keepdims=False):
    """Return the logarithm of the sum of exponentials, without overflow.

    Args:
        x: Tensor.
        axis: An axis, several, or `None` for all.
        keepdims: Whether the axes stay, with size 1.

    Source: Keras 3 `keras.ops.logsumexp`; torch's `torch.logsumexp`.
    """
    x = to_float(x)
    axes = tuple(range(x.ndim)) if axis is None else axis
    return torch.logsumexp(x, axes, keepdim=keepdims)


@operation(tensors=2, name="CDist")
def cdist(x, y):
    """Return the Euclidean distances of all pairs of rows.

    Args:
        x: Tensor (..., m, dim).
        y: Tensor (..., n, dim).

    Returns:
        A tensor (..., m, n).

    Source: Keras 3 `keras.ops.cdist`; torch's `torch.cdist`.
    """
    x, y = to_common([to_float(v) for v in as_tensors([x, y])])
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"cdist: the last dimensions of `x` and `y` must match, got shapes {tuple(x.shape)} and "
            f"{tuple(y.shape)}."
        )
    return torch.cdist(x, y)


@operation
def erf(x):
    """Return the error function.

    Source: Keras 3 `keras.ops.erf`; torch's `torch.erf`.
    """
    return torch.erf(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def erfc(x):
    """Return `1 - erf(x)`, exact for large `x`.

    Source: Keras 3 `keras.ops.erfc`; torch's `torch.erfc`.
    """
    return torch.erfc(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def erfinv(x):
    """Return the inverse of the error function.

    Source: Keras 3 `keras.ops.erfinv`; torch's `torch.erfinv`.
    """
    return torch.erfinv(x if isinstance(x, Tensor) else as_tensor(x))


@operation
def rsqrt(x):
    """Return `1 / sqrt(x)`.

    Source: Keras 3 `keras.ops.rsqrt`; torch's `torch.rsqrt`.
    """
    return torch.rsqrt(x if isinstance(x, Tensor) else as_tensor(x))
