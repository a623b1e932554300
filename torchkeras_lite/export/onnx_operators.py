"""ONNX forms of torch operators that torch's exporter does not know. Imports extras: onnxscript."""

import torch

__all__ = ["translations"]


def translations(opset):
    """Return the table that `torch.onnx.export` takes: a function of ONNX operators for a torch operator.

    Args:
        opset: A module of operators of onnxscript.
    """

    def sort_stable(self, stable=True, dim=-1, descending=False):
        # ONNX's TopK puts the lower index first where values are equal; runtimes lack it for narrow integers.
        narrow = str(self.dtype) in ("UINT8", "INT8", "BOOL", "INT16")
        values = opset.Cast(self, to=6) if narrow else self
        count = opset.Slice(opset.Shape(self), [dim], [dim + 1] if dim != -1 else [2**31 - 1])
        values, order = opset.TopK(values, count, axis=dim, largest=int(descending), sorted=1)
        return opset.CastLike(values, self), order

    return {torch.ops.aten.sort.stable: sort_stable}
