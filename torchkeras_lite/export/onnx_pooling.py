"""Adaptive pooling that torch's ONNX exporter does not know, in operators that it does."""

import torch

__all__ = ["adaptive_pooling"]

aten = torch.ops.aten


def adaptive_pooling():
    """Return a table of decompositions for `ExportedProgram.run_decompositions`."""
    return {
        aten.adaptive_avg_pool3d.default: _mean,
        aten._adaptive_avg_pool3d.default: _mean,
        aten.adaptive_max_pool2d.default: _max,
        aten.adaptive_max_pool3d.default: _max,
    }


def _mean(x, size):
    return _pooled(x, size, torch.mean)


def _max(x, size):
    values = _pooled(x, size, torch.amax)
    return values, values.new_empty(0, dtype=torch.int64)  # the places of the maxima, which pooling drops


def _pooled(x, size, reduce):
    """Reduce each of the last axes to `size`, one after the other: the parts of an image are rectangles."""
    for axis, count in zip(range(x.ndim - len(size), x.ndim), size, strict=True):
        length = int(x.shape[axis])
        edges = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
        parts = [reduce(x.narrow(axis, start, end - start), axis, keepdim=True) for start, end in edges]
        x = torch.cat(parts, axis)
    return x
