"""TensorFlow's operations on indices, segments, matrices and sequences, by several of Keras 3."""

import functools
import math

import numpy as np

from torchkeras_lite import ops
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.saving.legacy_sizes import counted


def _as_array(value, dtype=None):
    """Return a list of numbers as an array; tensors stay."""
    return np.array(value, dtype) if isinstance(value, list) else value


def _gather_nd(params, indices, name=None, batch_dims=0, bad_indices_policy=None):
    """Take by indices over several axes: from the values in one row, at the places that follow from them."""
    params, indices = _as_array(params), _as_array(indices, "int32")
    axes = indices.shape[-1]
    if any(size is None for size in params.shape[batch_dims + 1 : batch_dims + axes]):
        raise ValueError("over axes whose sizes are known only when the model runs")
    strides = [math.prod(params.shape[batch_dims + i + 1 : batch_dims + axes]) for i in range(axes)]
    place = sum(indices[..., i] * stride for i, stride in enumerate(strides))
    if batch_dims == 0:
        return ops.take(ops.reshape(params, (-1, *params.shape[axes:])), place, axis=0)
    inner, outer = params.shape[1 : 1 + axes], params.shape[1 + axes :]
    if batch_dims > 1 or len(place.shape) > 2 or isinstance(indices, np.ndarray):
        raise ValueError(f"with batch_dims={batch_dims} and constant indices, or over several axes")
    if None in outer or None in inner:
        raise ValueError("over axes whose sizes are known only when the model runs")
    one = len(place.shape) == 1
    place = _repeated(ops.expand_dims(place, -1) if one else place, outer)
    found = ops.take_along_axis(ops.reshape(params, (-1, math.prod(inner), *outer)), place, axis=1)
    return ops.squeeze(found, 1) if one else found


def _repeated(place, sizes):
    """Return indices repeated over further axes of `sizes`, behind their own."""
    for size in sizes:
        place = ops.repeat(ops.expand_dims(place, -1), size, axis=-1)
    return place


def _scatter(reduction, sign=1):
    def scatter(tensor, indices, updates, name=None):
        values = sign * _as_array(updates, "float32")
        return ops.scatter_update(tensor, _as_array(indices, "int32"), values, reduction=reduction)

    return scatter


def _segments(finish=None):
    """Return a recipe that adds up the rows of each segment, and divides by what `finish` makes of counts."""

    def segments(data, segment_ids, num_segments, name=None):
        ids = _as_array(segment_ids, "int32")
        total = ops.segment_sum(data, ids, num_segments=int(num_segments))
        if finish is None:
            return total
        counts = ops.segment_sum(ops.ones_like(data), ids, num_segments=int(num_segments))
        return ops.divide(total, finish(ops.maximum(counts, 1.0)))

    return segments


def _polyval(coeffs, x, name=None):
    def step(value, coefficient):
        return ops.add(ops.multiply(value, x), coefficient)

    return functools.reduce(step, coeffs[1:], ops.add(ops.zeros_like(x), coeffs[0]))


def _no_nan(x, y, function):
    """Return `x * function(y)`, 0 where `x` is."""
    is_zero = ops.equal(x, 0)
    product = ops.multiply(x, function(ops.where(is_zero, ops.ones_like(y), y)))
    return ops.where(is_zero, ops.zeros_like(product), product)


def _reciprocal_no_nan(x, name=None):
    is_zero = ops.equal(x, 0)
    inverse = ops.reciprocal(ops.where(is_zero, ops.ones_like(x), x))
    return ops.where(is_zero, ops.zeros_like(x), inverse)


def _matvec(a, b, name=None, transpose_a=False, adjoint_a=False, **plain):
    if any(plain.values()):
        raise ValueError(f"with {plain}")
    rule = "...ji,...j->...i" if transpose_a or adjoint_a else "...ij,...j->...i"
    return ops.einsum(rule, a, b)


def _triangular_solve(matrix, rhs, lower=True, adjoint=False, name=None):
    if adjoint:
        matrix = ops.swapaxes(matrix, -2, -1)
    return ops.solve_triangular(matrix, rhs, lower=bool(lower) != bool(adjoint))


def _qr(input, full_matrices=False, name=None):
    return ops.qr(input, mode="complete" if full_matrices else "reduced")


def _svd(tensor, full_matrices=False, compute_uv=True, name=None):
    """Return `(s, u, v)`, where Keras gives `(u, s, v transposed)`."""
    if not compute_uv:
        return ops.svd(tensor, full_matrices=bool(full_matrices), compute_uv=False)
    u, s, v = ops.svd(tensor, full_matrices=bool(full_matrices))
    return s, u, ops.swapaxes(v, -2, -1)


def _diag(diagonal, name=None, k=0, num_rows=-1, num_cols=-1, padding_value=0, align=None):
    if k != 0 or num_rows != -1 or num_cols != -1 or padding_value != 0:
        raise ValueError("with another diagonal, shape or value around it than the main one, square and 0")
    return ops.multiply(ops.expand_dims(diagonal, -1), np.eye(diagonal.shape[-1], dtype=diagonal.dtype))


def _set_diag(input, diagonal, name=None, k=0, align=None):
    rows, columns = input.shape[-2:]
    if k != 0 or rows != columns:
        raise ValueError("with another diagonal than the main one of square matrices")
    return ops.where(np.eye(rows, dtype=bool), ops.expand_dims(diagonal, -1), input)


def _normalize(tensor, ord="euclidean", axis=None, name=None):
    if ord not in ("euclidean", 2) or (ord == 2 and axis is None):
        raise ValueError(f"with ord={ord!r}")
    length = ops.sqrt(ops.sum(ops.square(tensor), axis=axis, keepdims=True))
    return ops.divide(tensor, length), length


def _global_norm(t_list, name=None):
    return ops.sqrt(functools.reduce(ops.add, [ops.sum(ops.square(tensor)) for tensor in t_list]))


def _sequence_mask(lengths, maxlen=None, dtype="bool", name=None):
    if maxlen is None or not isinstance(maxlen, int):
        raise ValueError("without a known `maxlen`")
    mask = ops.less(np.arange(int(maxlen)), ops.expand_dims(lengths, -1))
    return mask if dtype in (None, "bool") else ops.cast(mask, dtype)


def _reverse_sequence(input, seq_lengths, seq_axis=None, batch_axis=0, name=None):
    if (batch_axis or 0) != 0 or seq_axis != 1 or input.shape[1] is None or isinstance(seq_lengths, list):
        raise ValueError("over other axes than the second one, one of unknown size, or by constant lengths")
    steps = np.arange(input.shape[1], dtype="int32")
    lengths = ops.cast(ops.expand_dims(seq_lengths, -1), "int32")
    place = ops.where(ops.less(steps, lengths), ops.subtract(ops.subtract(lengths, 1), steps), steps)
    return ops.take_along_axis(input, _repeated(place, input.shape[2:]), axis=1)


def _range(start, limit=None, delta=1, dtype=None, name=None):
    """Count up to a size of a tensor, as the numbers of positions are made."""
    first, size = (0, start) if limit is None else (start, limit)
    numbers = counted(size)
    if numbers is None or not isinstance(first, int) or not isinstance(delta, int) or first < 0 or delta < 1:
        raise ValueError("that does not count from a number up to a size of a tensor")
    part = numbers if first == 0 and delta == 1 else numbers[first::delta]
    return part if dtype in (None, "int32") else ops.cast(part, dtype)


def _response_normalization(input, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None):
    """Divide by the root (or another power) of the squares in the channels around, added up."""
    radius, channels = int(depth_radius), input.shape[-1]
    squares = ops.pad(ops.square(input), [[0, 0]] * (len(input.shape) - 1) + [[radius, radius]])
    parts = [squares[..., start : start + channels] for start in range(2 * radius + 1)]
    total = functools.reduce(ops.add, parts)
    return ops.divide(input, ops.power(ops.add(ops.multiply(total, alpha), bias), beta))


def _weighted_crossentropy(labels, logits, pos_weight, name=None):
    weight = ops.add(ops.multiply(labels, pos_weight - 1.0), 1.0)
    lost = ops.add(
        ops.log1p(ops.exp(ops.negative(ops.absolute(logits)))), ops.maximum(ops.negative(logits), 0.0)
    )
    return ops.add(ops.multiply(ops.subtract(1.0, labels), logits), ops.multiply(weight, lost))


def _first(tensor, name=None):
    """Return the real part of a tensor of real numbers, or what else it is itself."""
    if isinstance(tensor, KerasTensor) and "complex" in str(tensor.dtype):
        raise ValueError("of complex numbers")
    return tensor


ARRAYS = {
    "compat.v1.gather_nd": _gather_nd,
    "gather_nd": _gather_nd,
    "tensor_scatter_nd_update": _scatter(None),
    "tensor_scatter_nd_add": _scatter("add"),
    "tensor_scatter_nd_sub": _scatter("add", sign=-1),
    "tensor_scatter_nd_max": _scatter("max"),
    "tensor_scatter_nd_min": _scatter("min"),
    "math.unsorted_segment_sum": _segments(),
    "math.unsorted_segment_mean": _segments(lambda counts: counts),
    "math.unsorted_segment_sqrt_n": _segments(ops.sqrt),
    "math.polyval": _polyval,
    "math.xdivy": lambda x, y, name=None: _no_nan(x, y, ops.reciprocal),
    "math.xlog1py": lambda x, y, name=None: _no_nan(x, y, ops.log1p),
    "math.reciprocal_no_nan": _reciprocal_no_nan,
    "math.real": lambda input, name=None: _first(input),
    "math.conj": lambda x, name=None: _first(x),
    "linalg.matvec": _matvec,
    "linalg.triangular_solve": _triangular_solve,
    "linalg.qr": _qr,
    "linalg.svd": _svd,
    "linalg.diag": _diag,
    "linalg.set_diag": _set_diag,
    "linalg.normalize": _normalize,
    "linalg.global_norm": _global_norm,
    "identity_n": lambda input, name=None: list(input),
    "reverse_sequence": _reverse_sequence,
    "nn.local_response_normalization": _response_normalization,
    "nn.weighted_cross_entropy_with_logits": _weighted_crossentropy,
}
# These may take a size of a tensor.
RANGES = {"range": _range, "sequence_mask": _sequence_mask}
