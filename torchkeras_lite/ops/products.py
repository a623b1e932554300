"""Products of vectors, matrices and tensors."""

import functools

import torch
import torch.nn.functional as F

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensors, promoted, tensor_pair, to_common, to_float


def _in_integers(product, *tensors, widen=False):
    """Compute a product of integers or booleans, some of which torch has no kernel for.

    Booleans are summed as integers, and a GPU multiplies integers as floats of 64 bits, exact up to 2**53.
    With `widen`, products of int8 with int8 have 32 bits, as in Keras.
    """
    dtypes = {x.dtype for x in tensors}
    common = functools.reduce(torch.promote_types, dtypes)
    wide = torch.int32 if common is torch.bool or (widen and dtypes == {torch.int8}) else common
    result = torch.bool if common is torch.bool else wide
    wide = torch.float64 if tensors[0].device.type not in ("cpu", "meta") else wide
    return product(*(x.to(wide) for x in tensors)).to(result)


def _is_inexact(x):
    return x.is_floating_point() or x.is_complex()


def _product(compute, x1, x2, widen=False):
    x1, x2 = tensor_pair(x1, x2)
    if _is_inexact(x1) or _is_inexact(x2):
        return compute(*promoted(x1, x2))
    return _in_integers(compute, x1, x2, widen=widen)


@operation(tensors=2)
def matmul(x1, x2):
    """Return the matrix product over the last two axes; other axes broadcast."""
    if type(x1) is Tensor and type(x2) is Tensor and x1.dtype is x2.dtype and x1.dtype.is_floating_point:
        return torch.matmul(x1, x2)
    return _product(torch.matmul, x1, x2, widen=True)


@operation(tensors=2)
def dot(x1, x2):
    """Return the sum of products over the last axis of `x1` and the last but one of `x2` (its only one)."""
    return _product(_dot, x1, x2)


def _dot(x1, x2):
    if x1.ndim == 0 or x2.ndim == 0:
        return torch.multiply(x1, x2)
    if x2.ndim == 1 or x1.ndim <= 2 >= x2.ndim:
        return torch.matmul(x1, x2)
    return torch.tensordot(x1, x2, ([-1], [-2]))


@operation(tensors=2)
def inner(x1, x2):
    """Return the sum of products over the last axis of both."""
    return _product(torch.inner, x1, x2)


@operation(tensors=2)
def outer(x1, x2):
    """Return the products of all values of `x1` (rows) with all of `x2` (columns)."""
    x1, x2 = promoted(x1, x2)
    return torch.outer(x1.reshape(-1), x2.reshape(-1))


@operation(tensors=2)
def vdot(x1, x2):
    """Return the sum of products of all values, of complex `x1` the conjugates."""
    return _product(lambda a, b: torch.vdot(a.reshape(-1), b.reshape(-1)), x1, x2)


@operation(tensors=2)
def tensordot(x1, x2, axes=2):
    """Return the sum of products over several axes.

    Args:
        x1, x2: Tensors.
        axes: How many of the last axes of `x1` and first of `x2`; or two lists (or integers) of axes.
    """
    if not isinstance(axes, int):
        axes = tuple([one] if isinstance(one, int) else list(one) for one in axes)
    return _product(lambda a, b: torch.tensordot(a, b, axes), x1, x2)


@operation(tensors=("operands",))
def einsum(subscripts, *operands, **kwargs):
    """Return sums of products as Einstein's notation says, `"ij,jk->ik"`.

    Args:
        subscripts: A letter for each axis of each operand, and behind `->` those of the result.
        *operands: Tensors.
        **kwargs: Accepted as in Keras (`optimize`); torch chooses the order itself.
    """
    tensors = as_tensors(operands)
    dtype = tensors[0].dtype
    if any(map(_is_inexact, tensors)):
        tensors = tensors if all(x.dtype is dtype for x in tensors) else to_common(tensors)
        return torch.einsum(subscripts, *tensors)
    return _in_integers(functools.partial(torch.einsum, subscripts), *tensors, widen=True)


@operation(tensors=2)
def kron(x1, x2):
    """Return the Kronecker product: `x2` scaled by every value of `x1`."""
    return torch.kron(*promoted(x1, x2))


@operation(tensors=2)
def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """Return the cross products of vectors with 2 or 3 entries; of two with 2, the third entry alone.

    Args:
        x1, x2: Tensors of vectors, whose other axes broadcast.
        axisa, axisb: Axis of the vectors in `x1` and `x2`.
        axisc: Axis of the vectors in the result.
        axis: One axis for all three.

    Raises:
        ValueError: vectors of another size.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = promoted(x1, x2)
    x1, x2 = torch.moveaxis(x1, axisa, -1), torch.moveaxis(x2, axisb, -1)
    if not {x1.shape[-1], x2.shape[-1]} <= {2, 3}:
        raise ValueError(
            "cross: expected vectors of size 2 or 3, got sizes "
            f"{x1.shape[-1]} and {x2.shape[-1]}. Both x1 and x2 must have dimension 2 or 3."
        )
    if x1.shape[-1] == x2.shape[-1] == 2:
        return x1[..., 0] * x2[..., 1] - x1[..., 1] * x2[..., 0]
    x1, x2 = (F.pad(x, (0, 1)) if x.shape[-1] == 2 else x for x in (x1, x2))
    shape = torch.broadcast_shapes(x1.shape, x2.shape)
    product = torch.linalg.cross(x1.expand(shape), x2.expand(shape), dim=-1)
    return torch.moveaxis(product, -1, axisc)


@operation
def slogdet(x):
    """Return the sign and the logarithm of the absolute value of the determinants, as a tuple."""
    return tuple(torch.linalg.slogdet(to_float(x)))


@operation
def corrcoef(x):
    """Return the correlation of every two rows."""
    return torch.corrcoef(to_float(x))


@operation(tensors=2)
def correlate(x1, x2, mode="valid"):
    """Return the correlation of two sequences: sums of products, one moved along the other.

    Args:
        x1, x2: Tensors with one axis.
        mode: `"valid"`: where they overlap fully; `"same"`: as many values as the longer has; `"full"`:
            wherever they overlap.

    Raises:
        ValueError: another mode, or more axes.
    """
    x1, x2 = map(to_float, promoted(x1, x2))
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(
            f"correlate: expected 1-D tensors, got shapes {tuple(x1.shape)} and {tuple(x2.shape)}."
        )
    if mode not in ("valid", "same", "full"):
        raise ValueError(f"correlate: `mode` must be 'valid', 'same' or 'full', got mode={mode!r}.")
    is_turned = x2.shape[0] > x1.shape[0]
    long, short = (x2, x1) if is_turned else (x1, x2)
    extra = short.shape[0] - 1
    result = F.conv1d(long[None, None], short.conj()[None, None], padding=extra)[0, 0]
    if mode == "valid":
        result = result[extra : result.shape[0] - extra]
    elif mode == "same":
        start = extra - short.shape[0] // 2
        result = result[start : start + long.shape[0]]
    return torch.flip(result, (0,)) if is_turned else result
