"""Element by element, reductions, shapes and products of Keras 2's backend."""

import math

import torch

from torchkeras_lite import ops
from torchkeras_lite.base import config
from torchkeras_lite.legacy.renaming import named, renamed

FUNCTIONS: dict = {}

_SAME = (
    *(
        "abs",
        "cos",
        "exp",
        "log",
        "maximum",
        "minimum",
        "ones_like",
        "reshape",
        "round",
        "sign",
        "sin",
        "sqrt",
    ),
    *(
        "square",
        "squeeze",
        "stack",
        "tanh",
        "tile",
        "zeros_like",
        "equal",
        "greater",
        "greater_equal",
        "less",
    ),
    *("less_equal", "not_equal"),
)
for _name in _SAME:
    renamed(FUNCTIONS, getattr(ops, _name), _name)
renamed(FUNCTIONS, ops.power, "pow")
renamed(FUNCTIONS, ops.clip, "clip")
renamed(FUNCTIONS, ops.repeat, "repeat_elements")
renamed(FUNCTIONS, ops.transpose, "permute_dimensions")


def _as_numbers(x):
    x = ops.convert_to_tensor(x)
    return x.to(ops.convert_to_tensor(0.0).dtype) if x.dtype is torch.bool else x


@named(FUNCTIONS, "ops.mean")
def mean(x, axis=None, keepdims=False):
    """Return the mean; booleans count as 0 and 1."""
    return ops.mean(_as_numbers(x), axis=axis, keepdims=keepdims)


@named(FUNCTIONS, "ops.std")
def std(x, axis=None, keepdims=False):
    """Return the standard deviation."""
    return ops.std(_as_numbers(x), axis=axis, keepdims=keepdims)


@named(FUNCTIONS, "ops.var")
def var(x, axis=None, keepdims=False):
    """Return the variance."""
    return ops.var(_as_numbers(x), axis=axis, keepdims=keepdims)


def _reduction(name, function):
    def reduce(x, axis=None, keepdims=False):
        return function(x, axis=axis, keepdims=keepdims)

    reduce.__doc__ = f"`ops.{function.__name__}` by its old name."
    named(FUNCTIONS, f"ops.{function.__name__}", name)(reduce)


for _name in ("all", "any", "max", "min", "prod", "sum"):
    _reduction(_name, getattr(ops, _name))


@named(FUNCTIONS, "ops.argmax")
def argmax(x, axis=-1):
    """Return the place of the largest value along an axis."""
    return ops.argmax(x, axis=axis)


@named(FUNCTIONS, "ops.argmin")
def argmin(x, axis=-1):
    """Return the place of the smallest value along an axis."""
    return ops.argmin(x, axis=axis)


@named(FUNCTIONS, "ops.cumsum")
def cumsum(x, axis=0):
    """Return running sums."""
    return ops.cumsum(x, axis=axis)


@named(FUNCTIONS, "ops.cumprod")
def cumprod(x, axis=0):
    """Return running products."""
    return ops.cumprod(x, axis=axis)


@named(FUNCTIONS, "ops.concatenate")
def concatenate(tensors, axis=-1):
    """Return tensors joined along an axis."""
    return ops.concatenate(tensors, axis=axis)


@named(FUNCTIONS, "ops.expand_dims")
def expand_dims(x, axis=-1):
    """Return `x` with a new axis of size 1."""
    return ops.expand_dims(x, axis)


@named(FUNCTIONS, "ops.flip")
def reverse(x, axes):
    """Return `x` with the order along axes turned round."""
    return ops.flip(x, axes)


@named(FUNCTIONS, "ops.transpose")
def transpose(x):
    """Return `x` with its axes in reverse order."""
    return ops.transpose(x)


@named(FUNCTIONS, "ops.reshape(x, (-1,))")
def flatten(x):
    """Return `x` with one axis."""
    return ops.reshape(x, (-1,))


@named(FUNCTIONS, "layers.Flatten")
def batch_flatten(x):
    """Return `x` with two axes, the batch and the rest."""
    x = ops.convert_to_tensor(x)
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))


@named(FUNCTIONS, "layers.RepeatVector")
def repeat(x, n):
    """Return a matrix `(batch, dim)` repeated along a new axis 1."""
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


@named(FUNCTIONS, "ops.take(reference, indices, axis=0)")
def gather(reference, indices):
    """Return the rows at `indices`."""
    return ops.take(reference, indices, axis=0)


@named(FUNCTIONS, "ops.dot")
def dot(x, y):
    """Return the sums of products over the last axis of `x` and the last but one of `y`."""
    return ops.dot(x, y)


@named(FUNCTIONS, "ops.einsum or layers.Dot")
def batch_dot(x, y, axes=None):
    """Return, for every sample, the sums of products over an axis of `x` and one of `y`.

    Args:
        x, y: Tensors with the batch first.
        axes: The two axes, or one for both; by default the last of `x` and the last but one of `y`.
    """
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(f"batch_dot: expected tensors of 2 axes or more, got {x.ndim} and {y.ndim} axes.")
    if axes is None:
        axes = (x.ndim - 1, 1 if y.ndim == 2 else y.ndim - 2)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % x.ndim, second % y.ndim
    letters = iter("abcdefghijklmnopqrstuvwxy")
    left = ["z", *(next(letters) for _ in range(x.ndim - 1))]
    right = ["z", *(next(letters) for _ in range(y.ndim - 1))]
    right[second] = left[first]
    kept = [letter for letter in (*left, *right[1:]) if letter != left[first]]
    result = ops.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", x, y)
    return ops.expand_dims(result, -1) if x.ndim == y.ndim == 2 else result


@named(FUNCTIONS, "ops.arange")
def arange(start, stop=None, step=1, dtype="int32"):
    """Return numbers from `start` to `stop`."""
    return ops.arange(start, stop, step, dtype=dtype)


@named(FUNCTIONS, "ops.eye")
def eye(size, dtype=None, name=None):
    """Return an identity matrix, of one size or of a shape of two."""
    rows, columns = (size, size) if isinstance(size, int) else size
    return ops.eye(rows, columns, dtype=dtype or config.floatx())


@named(FUNCTIONS, "utils.normalize")
def l2_normalize(x, axis=None):
    """Return `x` divided by its Euclidean norm along an axis."""
    x = ops.convert_to_tensor(x)
    squares = ops.sum(x * x, axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, 1e-12))
