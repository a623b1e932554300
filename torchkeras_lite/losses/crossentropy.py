"""Binary, categorical and sparse categorical crossentropy, from probabilities or logits.

Probabilities are kept in `[epsilon, 1 - epsilon]`, and those of classes are divided by their sum first, as
in Keras.
"""

import warnings

import torch
import torch.nn.functional as F

from torchkeras_lite.base import config
from torchkeras_lite.losses.arguments import matched, on_symbols, predictions, to_tensor
from torchkeras_lite.losses.loss import FunctionLoss, whole_mean_of

NO_LABEL = -(2**31)
"""An `ignore_index` that no label has: torch's own, -100, would pass over such labels silently."""


def clip_probabilities(probabilities):
    """Return `probabilities` in `[epsilon, 1 - epsilon]`, so that their logarithms are finite."""
    least = config.epsilon()
    return probabilities.clamp(least, 1.0 - least)


def smooth_binary(y_true, label_smoothing):
    """Move targets of 0 and 1 by half of `label_smoothing` towards one half."""
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def smooth_classes(y_true, label_smoothing):
    """Share `label_smoothing` among all classes. Their number is the size of the last axis, as in Keras."""
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]


def binary_values(y_true, y_pred, from_logits, reduction="none"):
    """Return the crossentropy of every element, or the mean of all of them.

    Probabilities go through `torch.logit`, which clips them: two kernels in all, and a NaN stays a NaN where
    `F.binary_cross_entropy` ends the process on a GPU.
    """
    if y_pred.dtype in (torch.float16, torch.bfloat16):  # 1 - epsilon would be 1
        return binary_values(y_true.float(), y_pred.float(), from_logits, reduction).to(y_pred.dtype)
    if not from_logits:
        y_pred = torch.logit(y_pred, config.epsilon())
    return F.binary_cross_entropy_with_logits(y_pred, y_true, reduction=reduction)


@on_symbols
def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Mean over `axis` of `-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)`.

    Args:
        y_true: Targets in [0, 1].
        y_pred: Probabilities of class 1, or logits.
        from_logits: Whether `y_pred` holds logits: steadier and faster than a sigmoid and probabilities.
        label_smoothing: Number in [0, 1] by which targets are moved towards one half.
        axis: Axis that is averaged.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.losses.binary_crossentropy`. Differs from `F.binary_cross_entropy`: probabilities
    are clipped, and `axis` alone is reduced.
    """
    y_true, y_pred = matched("binary_crossentropy", y_true, y_pred, same_shape=True)
    return binary_values(smooth_binary(y_true, label_smoothing), y_pred, from_logits).mean(dim=axis)


@whole_mean_of(binary_crossentropy)
def _binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    return binary_values(smooth_binary(y_true, label_smoothing), y_pred, from_logits, "mean")


def matched_classes(owner, y_true, y_pred, axis):
    """Return one-hot targets and predictions as tensors of one shape, with a categorical loss's checks."""
    if isinstance(axis, bool):
        raise ValueError(
            f"{owner}: `axis` must be an integer, got axis={axis}. Pass the index of the class axis."
        )
    y_true, y_pred = matched(
        owner,
        y_true,
        y_pred,
        same_shape=True,
        remedy="Pass one-hot targets; for integer labels use sparse_categorical_crossentropy.",
    )
    if y_pred.shape[-1] == 1:
        warnings.warn(
            f"{owner}: expected y_pred with more than one class on the last axis, got shape "
            f"{tuple(y_pred.shape)}. For two classes and one output use binary_crossentropy.",
            SyntaxWarning,
            stacklevel=3,
        )
    return y_true, y_pred


@on_symbols
def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Sum over the classes of `-y_true * log(y_pred)`.

    Args:
        y_true: One-hot targets, or a distribution over the classes.
        y_pred: Probabilities of the classes, which are divided by their sum, or logits.
        from_logits: Whether `y_pred` holds logits: steadier and faster than a softmax and probabilities.
        label_smoothing: Number in [0, 1] that is shared among all classes.
        axis: The class axis.

    Shapes:
        `(batch, ..., classes)` twice -> `(batch, ...)`

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.losses.categorical_crossentropy`. Differs from `F.cross_entropy`: takes
    probabilities by default, and classes are on the last axis.
    """
    y_true, y_pred = matched_classes("categorical_crossentropy", y_true, y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing)
    return -_class_products(y_true, y_pred, from_logits, axis).sum(dim=axis)


def _class_products(y_true, y_pred, from_logits, axis):
    if from_logits:
        return y_true * F.log_softmax(y_pred, dim=axis)
    return torch.xlogy(y_true, class_shares(y_pred, axis))


def class_shares(y_pred, axis):
    """Return probabilities divided by their sum over `axis`, and clipped."""
    return clip_probabilities(y_pred / y_pred.sum(dim=axis, keepdim=True))


@whole_mean_of(categorical_crossentropy)
def _categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    y_true, y_pred = matched_classes("categorical_crossentropy", y_true, y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing)
    if from_logits and y_pred.ndim == 2 and axis in (1, -1):
        return F.cross_entropy(y_pred, y_true)
    products = _class_products(y_true, y_pred, from_logits, axis)
    return products.sum() * (-y_pred.shape[axis] / y_pred.numel())


def matched_labels(owner, y_true, y_pred, axis=-1):
    """Return integer labels (int64, without the class axis) and floating-point predictions.

    Raises:
        ValueError: labels whose shape is not that of `y_pred` without the class axis.
    """
    y_pred = predictions(y_pred)
    y_true = to_tensor(y_true, device=y_pred.device)
    if axis == -1 and y_true.dtype is torch.int64 and y_true.shape == y_pred.shape[:-1]:
        return y_true, y_pred
    given = tuple(y_true.shape)
    if y_true.ndim == y_pred.ndim and given and given[axis] == 1:
        y_true = y_true.squeeze(axis)
    if y_pred.ndim == 0 or y_true.shape != _without_axis(y_pred.shape, axis):
        raise ValueError(
            f"{owner}: `y_true` and `y_pred` must have the same shape apart from the class axis of y_pred, "
            f"got y_true of shape {given} and y_pred of shape {tuple(y_pred.shape)}. Pass one integer label "
            "for each prediction; for one-hot targets use categorical_crossentropy."
        )
    return y_true.long(), y_pred


def _without_axis(shape, axis):
    return shape[:-1] if axis == -1 else shape[:axis] + shape[axis + 1 :]


@on_symbols
def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """Minus the logarithm of the probability that `y_pred` gives to the class `y_true`.

    Args:
        y_true: Integer labels from 0 to `classes - 1`.
        y_pred: Probabilities of the classes, which are divided by their sum, or logits.
        from_logits: Whether `y_pred` holds logits: steadier and faster than a softmax and probabilities.
        ignore_class: A label (of any value, -1 say) that is left out: its loss is 0, and the result carries
            a mask that keeps it out of the means of `Loss`.
        axis: The class axis.

    Shapes:
        y_true `(batch, ...)` or `(batch, ..., 1)`, y_pred `(batch, ..., classes)` -> `(batch, ...)`

    Raises:
        ValueError: shapes that don't fit; a label out of range (on a GPU torch stops with an assertion).

    Source: Keras 3 `keras.losses.sparse_categorical_crossentropy`. Differs from `F.cross_entropy`: takes
    probabilities by default, classes are on the last axis, and -100 is no special label.
    """
    y_true, y_pred = matched_labels("sparse_categorical_crossentropy", y_true, y_pred, axis)
    if ignore_class is None:
        return _sparse_values(y_true, y_pred, from_logits, axis)
    valid = y_true != ignore_class
    values = _sparse_values(y_true, y_pred, from_logits, axis, int(ignore_class), valid)
    values._keras_mask = valid
    return values


def _sparse_values(y_true, y_pred, from_logits, axis, ignored=NO_LABEL, valid=None, reduction="none"):
    """Return the loss of every label, or the sum or mean of all; zero for labels equal to `ignored`."""
    try:
        if from_logits:
            return _sparse_from_logits(y_true, y_pred, axis, ignored, reduction)
        return _sparse_from_probabilities(y_true, y_pred, axis, valid, reduction)
    except (IndexError, RuntimeError) as error:
        if "out of bounds" not in str(error):
            raise
        raise ValueError(
            f"sparse_categorical_crossentropy: expected labels from 0 to {y_pred.shape[axis] - 1}, as "
            f"y_pred has shape {tuple(y_pred.shape)}; got others ({error}). Number the classes from 0, give "
            "the last layer more units, or pass `ignore_class` for a label to leave out."
        ) from None


def _sparse_from_logits(y_true, y_pred, axis, ignored, reduction):
    is_last = axis in (-1, y_pred.ndim - 1)
    if is_last and y_pred.ndim <= 2:
        return F.cross_entropy(y_pred, y_true, reduction=reduction, ignore_index=ignored)
    if is_last:  # rows: torch's softmax is fastest over a contiguous last axis
        logits, labels = y_pred.reshape(-1, y_pred.shape[-1]), y_true.reshape(-1)
    else:
        logits, labels = y_pred.movedim(axis, 1), y_true
    values = F.cross_entropy(logits, labels, reduction=reduction, ignore_index=ignored)
    return values.reshape(y_true.shape) if reduction == "none" else values


def _sparse_from_probabilities(y_true, y_pred, axis, valid, reduction):
    labels = y_true if valid is None else y_true.masked_fill(~valid, 0)
    chosen = y_pred.gather(axis, labels.unsqueeze(axis))
    total = y_pred.sum(dim=axis, keepdim=True)
    if valid is not None:  # a row left out may be all zeros: keep 0 / 0 out of the gradient
        dropped = ~valid.unsqueeze(axis)
        chosen, total = chosen.masked_fill(dropped, 1), total.masked_fill(dropped, 1)
    log_shares = clip_probabilities(chosen / total).log()
    if valid is not None:
        log_shares = log_shares.masked_fill(dropped, 0)
    match reduction:
        case "mean":
            return -log_shares.mean()
        case "sum":
            return -log_shares.sum()
    return -log_shares.squeeze(axis)


@whole_mean_of(sparse_categorical_crossentropy)
def _sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    y_true, y_pred = matched_labels("sparse_categorical_crossentropy", y_true, y_pred, axis)
    if ignore_class is None:
        return _sparse_values(y_true, y_pred, from_logits, axis, reduction="mean")
    valid = y_true != ignore_class
    total = _sparse_values(y_true, y_pred, from_logits, axis, int(ignore_class), valid, "sum")
    return total / valid.sum().clamp(min=1)


sparse_categorical_crossentropy.integer_targets = True


class BinaryCrossentropy(FunctionLoss):
    """Crossentropy of two classes: see `binary_crossentropy`, and `Loss` for the other arguments.

    Args:
        from_logits: Whether `y_pred` holds logits.
        label_smoothing: Number in [0, 1] by which targets are moved towards one half.
        axis: Axis that is averaged first.

    Source: Keras 3 `keras.losses.BinaryCrossentropy`. `torch.nn.BCEWithLogitsLoss` is `from_logits=True`;
    `torch.nn.BCELoss` clips logarithms at -100 where this clips probabilities.
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_crossentropy",
        dtype=None,
    ):
        arguments = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **arguments)


class CategoricalCrossentropy(FunctionLoss):
    """Crossentropy of one-hot targets: see `categorical_crossentropy`, and `Loss` for the other arguments.

    Args:
        from_logits: Whether `y_pred` holds logits.
        label_smoothing: Number in [0, 1] that is shared among all classes.
        axis: The class axis.

    Source: Keras 3 `keras.losses.CategoricalCrossentropy`. Differs from `torch.nn.CrossEntropyLoss`: takes
    probabilities by default, and classes are on the last axis.
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_crossentropy",
        dtype=None,
    ):
        arguments = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **arguments)


class SparseCategoricalCrossentropy(FunctionLoss):
    """Crossentropy of integer labels: see `sparse_categorical_crossentropy`, and `Loss` for the other
    arguments.

    Args:
        from_logits: Whether `y_pred` holds logits.
        ignore_class: A label that is left out, of any value; `None` for none.
        axis: The class axis.

    Source: Keras 3 `keras.losses.SparseCategoricalCrossentropy`. Differs from `torch.nn.CrossEntropyLoss`:
    takes probabilities by default, classes are on the last axis, -100 is no special label, and a batch of
    ignored labels alone gives 0, not NaN.
    """

    unsaved_defaults = {"axis": -1}

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction="sum_over_batch_size",
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        arguments = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **arguments)
