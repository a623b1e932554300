"""Crossentropies value by value and class by class, and class numbers as vectors of zeros and ones."""

import torch
import torch.nn.functional as F

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import Tensor, as_tensor, as_tensors, to_common


def _float_pair(owner, target, output):
    """Return target and output as tensors of one floating-point dtype and one shape."""
    if type(target) is not Tensor or type(output) is not Tensor or target.dtype is not output.dtype:
        target, output = to_common(as_tensors([target, output]))
    if target.shape != output.shape:
        raise ValueError(
            f"{owner}: Arguments `target` and `output` must have the same shape. Received: target.shape="
            f"{tuple(target.shape)}, output.shape={tuple(output.shape)}."
        )
    if not output.is_floating_point():
        dtype = dtypes.torch_dtype(config.floatx())
        return target.to(dtype), output.to(dtype)
    return target, output


def _clipped(probabilities):
    least = config.epsilon()
    return probabilities.clamp(least, 1.0 - least)


@operation(tensors=2)
def binary_crossentropy(target, output, from_logits=False):
    """Return `-target * log(output) - (1 - target) * log(1 - output)`, value by value.

    Args:
        target: Numbers in [0, 1].
        output: Probabilities, which are kept in [epsilon, 1 - epsilon], or logits.
        from_logits: Whether `output` holds logits.

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.ops.binary_crossentropy`. `losses.binary_crossentropy` is the mean over an axis.
    """
    target, output = _float_pair("binary_crossentropy", target, output)
    if not from_logits:
        output = torch.logit(output, config.epsilon())
    return F.binary_cross_entropy_with_logits(output, target, reduction="none")


@operation(tensors=2)
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """Return the sum over the classes of `-target * log(output)`.

    Args:
        target: One-hot vectors, or distributions over the classes.
        output: Probabilities, which are divided by their sum, or logits.
        from_logits: Whether `output` holds logits.
        axis: The class axis.

    Raises:
        ValueError: shapes that differ, or have no axis.

    Source: Keras 3 `keras.ops.categorical_crossentropy`.
    """
    target, output = _float_pair("categorical_crossentropy", target, output)
    if not output.ndim:
        raise ValueError(
            "categorical_crossentropy: Arguments `target` and `output` must be at least rank 1. Received: "
            "numbers."
        )
    return -(target * _log_shares(output, from_logits, axis)).sum(axis)


def _log_shares(output, from_logits, axis):
    if from_logits:
        return F.log_softmax(output, axis)
    return torch.log(_clipped(output / output.sum(axis, keepdim=True)))


@operation(tensors=2)
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """Return minus the logarithm of the probability of the true class.

    Args:
        target: Integer labels, of the shape of `output` without the class axis; a last axis of size 1 is
            dropped.
        output: Probabilities, which are divided by their sum, or logits.
        from_logits: Whether `output` holds logits.
        axis: The class axis.

    Raises:
        ValueError: shapes that do not go together.

    Source: Keras 3 `keras.ops.sparse_categorical_crossentropy`.
    """
    target, output = as_tensors([target, output])
    if not output.ndim:
        raise ValueError(
            "sparse_categorical_crossentropy: Argument `output` must be at least rank 1. Received: a number."
        )
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    labels = tuple(output.shape)
    axis = axis % output.ndim
    if tuple(target.shape) != labels[:axis] + labels[axis + 1 :]:
        raise ValueError(
            "sparse_categorical_crossentropy: Arguments `target` and `output` must have the same shape up "
            f"until the last dimension, the class axis. Received: target.shape={tuple(target.shape)}, "
            f"output.shape={labels}, axis={axis}."
        )
    if not output.is_floating_point():
        output = output.to(dtypes.torch_dtype(config.floatx()))
    logarithms = _log_shares(output, from_logits, axis)
    return -logarithms.gather(axis, target.long().unsqueeze(axis)).squeeze(axis)


@operation
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """Return class numbers as vectors with one 1; other numbers give vectors of zeros.

    Args:
        x: Integers.
        num_classes: Size of the vectors.
        axis: Where the new axis is.
        dtype: Dtype of the result; `None`: `floatx()`.
        sparse: Only `False`: there are no sparse tensors here.

    Raises:
        ValueError: `sparse=True`.

    Source: Keras 3 `keras.ops.one_hot`. Differs from `F.one_hot`: numbers outside are allowed, as in Keras on
    JAX, and nothing waits for the device.
    """
    _refuse_sparse("one_hot", sparse)
    x = dtypes.widened(as_tensor(x))
    classes = torch.arange(num_classes, device=x.device)
    vectors = x.unsqueeze(-1) == classes
    vectors = vectors.to(dtypes.torch_dtype(dtype or config.floatx()))
    return vectors if axis in (-1, x.ndim) else vectors.movedim(-1, axis)


@operation
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """Return sets of class numbers as vectors with as many ones.

    Args:
        inputs: Integers; each row along the last axis (the second, where there is but one more axis than the
            batch) is a set.
        num_classes: Size of the vectors.
        axis: Where the class axis is.
        dtype: Dtype of the result; `None`: `floatx()`.
        sparse: Only `False`.
        **kwargs: `num_tokens`, the old name of `num_classes`.

    Raises:
        ValueError: no `num_classes`; `sparse=True`; other arguments.

    Source: Keras 3 `keras.ops.multi_hot`.
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None:
        raise ValueError("multi_hot: Argument `num_classes` must be specified. Pass the size of the vectors.")
    if kwargs:
        raise ValueError(f"multi_hot: unknown arguments {sorted(kwargs)}.")
    inputs = as_tensor(inputs)
    vectors = one_hot(inputs, num_classes, axis, dtype, sparse)
    return vectors.amax(1 if inputs.ndim > 1 else 0)


def _refuse_sparse(owner, sparse):
    if sparse:
        raise ValueError(
            f"{owner}: sparse=True has no counterpart here, there are no sparse tensors; leave it out."
        )
