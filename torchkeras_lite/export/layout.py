"""Permutations of axes, kept back for as long as they can be.

A Keras model permutes before and after every convolution. Pointwise functions, padding, joining and
reductions are moved below a permutation that is pending, so that the next one undoes it.
"""

import torch

from torchkeras_lite.base.nested import flatten, map_structure
from torchkeras_lite.export.literals import plain_name
from torchkeras_lite.export.traced import Traced

__all__ = ["below", "permutation", "permuted"]

POINTWISE = frozenset(
    (
        "abs",
        "add",
        "alpha_dropout",
        "celu",
        "clamp",
        "cos",
        "div",
        "dropout",
        "elu",
        "erf",
        "exp",
        "float",
        "gelu",
        "hardshrink",
        "hardsigmoid",
        "hardswish",
        "hardtanh",
        "leaky_relu",
        "log",
        "log1p",
        "logsigmoid",
        "maximum",
        "minimum",
        "mish",
        "mul",
        "neg",
        "negative",
        "pow",
        "radd",
        "rdiv",
        "reciprocal",
        "relu",
        "relu6",
        "rmul",
        "round",
        "rsqrt",
        "rsub",
        "selu",
        "sigmoid",
        "sign",
        "silu",
        "sin",
        "softplus",
        "softshrink",
        "softsign",
        "sqrt",
        "square",
        "sub",
        "tanh",
        "tanhshrink",
        "threshold",
        "to",
        "true_divide",
        "truediv",
        "rtruediv",
        "where",
    )
)
REDUCTIONS = ("mean", "amax", "amin", "sum")


def permutation(function, args, kwargs):
    """Return `(tensor, order)` where a call only permutes axes, else `None`."""
    name = plain_name(function)
    tensor = args[0] if args and isinstance(args[0], Traced) else None
    if tensor is None or kwargs or name not in ("permute", "transpose", "swapaxes", "movedim"):
        return None
    ndim, rest = tensor.probes[0].ndim, args[1:]
    if name == "permute":
        order = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
        return tensor, tuple(axis % ndim for axis in order)
    if len(rest) != 2 or not all(type(axis) is int for axis in rest):
        return None
    one, two = (axis % ndim for axis in rest)
    order = list(range(ndim))
    if name == "movedim":
        order.insert(two, order.pop(one))
    else:
        order[one], order[two] = two, one
    return tensor, tuple(order)


def permuted(tensor, order):
    """Return `tensor` with its axes in another order, without writing anything down."""
    base = tensor
    if tensor.base is not None:
        order, base = tuple(tensor.order[axis] for axis in order), tensor.base
    if order == tuple(range(len(order))):
        return base
    with torch._C.DisableTorchFunction():
        probes = tuple(probe.permute(order) for probe in base.probes)
    return Traced(probes, base=base, order=order)


def below(function, args, kwargs):
    """Return the arguments that a call has below a pending permutation, and the order of its result's axes.

    `None` where the call cannot be moved there.
    """
    stand_ins = [leaf for leaf in flatten((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    pending = [one for one in stand_ins if isinstance(one, Traced) and one.base is not None]
    if not pending:
        return None
    order, name = pending[0].order, plain_name(function)
    if any(one.ndim and getattr(one, "order", None) != order for one in stand_ins):
        return None

    def base_of(leaf):
        return leaf.base if isinstance(leaf, Traced) and leaf.base is not None else leaf

    inner_args, inner_kwargs = map_structure(base_of, (tuple(args), dict(kwargs)))
    if name in POINTWISE:
        return inner_args, inner_kwargs, order
    if name == "pad" and len(args) == 2 and not kwargs:
        return (inner_args[0], _moved_pads(args[1], order)), {}, order
    if name == "getitem" and _only_slices(args[1], order):
        return (inner_args[0], _moved_slices(args[1], order)), {}, order
    if name in ("cat", "concat") and len(args) == 2 and type(args[1]) is int:
        return (inner_args[0], order[args[1] % len(order)]), inner_kwargs, order
    if name in REDUCTIONS and len(args) in (2, 3) and not any(args[2:]) and not kwargs:
        return _reduction(inner_args[0], args[1], order)
    return None


def _only_slices(index, order):
    if isinstance(index, slice):
        return True
    if not isinstance(index, tuple) or len(index) > len(order):
        return False
    return all(isinstance(one, slice) for one in index)


def _moved_slices(index, order):
    """Return the slices of an index for the axes in their old order, without whole axes at the end."""
    index = index if isinstance(index, tuple) else (index,)
    whole = slice(None)
    moved = [whole] * len(order)
    for axis, one in enumerate(index):
        moved[order[axis]] = one
    while len(moved) > 1 and moved[-1] == whole:
        moved.pop()
    return tuple(moved)


def _moved_pads(pads, order):
    """Return what `F.pad` takes, from the last axis backwards, for the axes in their old order."""
    ndim = len(order)
    pairs = {order[ndim - 1 - i]: tuple(pads[2 * i : 2 * i + 2]) for i in range(len(pads) // 2)}
    pairs = {axis: pair for axis, pair in pairs.items() if any(type(p) is not int or p for p in pair)}
    first = min(pairs, default=ndim)
    return tuple(pad for axis in reversed(range(first, ndim)) for pad in pairs.get(axis, (0, 0)))


def _reduction(tensor, axes, order):
    if not isinstance(axes, (tuple, list, int)):
        return None
    axes = [axes] if isinstance(axes, int) else axes
    gone = [order[axis % len(order)] for axis in axes]
    left = [axis for axis in order if axis not in gone]
    rank = sorted(left)
    return (tensor, tuple(sorted(gone))), {}, tuple(rank.index(axis) for axis in left)
