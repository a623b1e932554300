"""How often predictions are right: element by element, by class, and among the k best."""

import torch

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.metrics.reduction import FunctionMetric
from torchkeras_lite.metrics.tensors import as_pair, check_shapes, matched_pair

# The private functions return booleans, which the classes sum as they are; the public ones return floats.


def _as_float(matches):
    return matches.to(dtypes.torch_dtype(config.floatx()))


def _equal(y_true, y_pred):
    y_true, y_pred = matched_pair("accuracy", y_true, y_pred)
    return y_true == y_pred


def _binary_matches(y_true, y_pred, threshold=0.5):
    y_true, y_pred = matched_pair("binary_accuracy", y_true, y_pred)
    return y_true == (y_pred > threshold)


def _categorical_matches(y_true, y_pred):
    y_true, y_pred = as_pair(y_true, y_pred)
    classes = y_true.argmax(-1)
    predicted = y_pred.argmax(-1)
    if classes.shape != predicted.shape and classes.ndim == predicted.ndim + 1:
        return (classes.squeeze(-1) == predicted).reshape(classes.shape)
    check_shapes("categorical_accuracy", classes, predicted)
    return classes == predicted


def _sparse_matches(y_true, y_pred):
    y_true, y_pred = as_pair(y_true, y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true.squeeze(-1)
    predicted = y_pred.argmax(-1)
    check_shapes("sparse_categorical_accuracy", y_true, predicted)
    matches = y_true == predicted
    return matches.squeeze(-1) if matches.ndim > 1 and matches.shape[-1] == 1 else matches


def _in_top_k(classes, y_pred, k):
    """Whether fewer than `k` scores are above that of the true class; never for NaN or an unknown class."""
    num_classes = y_pred.shape[-1]
    exists = (classes >= 0) & (classes < num_classes)
    score = y_pred.gather(-1, torch.where(exists, classes, 0).unsqueeze(-1))
    # Counted from below, so that NaN ranks above every number.
    return ((y_pred <= score).sum(-1) > num_classes - k) & exists


def _top_k_matches(y_true, y_pred, k=5):
    y_true, y_pred = as_pair(y_true, y_pred)
    classes = y_true.argmax(-1)
    check_shapes("top_k_categorical_accuracy", classes, y_pred[..., 0])
    return _in_top_k(classes, y_pred, k)


def _sparse_top_k_matches(y_true, y_pred, k=5, from_sorted_ids=False):
    y_true, y_pred = as_pair(y_true, y_pred)
    flat_pred = y_pred.reshape(-1, y_pred.shape[-1]) if y_pred.ndim > 2 else y_pred
    flat_true = y_true.reshape(-1)
    check_shapes("sparse_top_k_categorical_accuracy", flat_true, flat_pred[..., 0])
    if from_sorted_ids:
        matches = (flat_true.unsqueeze(1) == flat_pred[:, :k]).any(1)
    else:
        matches = _in_top_k(flat_true.long(), flat_pred, k)
    return matches.reshape(y_true.shape)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """Return 1 where `y_pred > threshold` agrees with the label, else 0.

    Args:
        y_true: Labels 0 and 1.
        y_pred: Predictions of the same shape, up to a last axis of size 1.
        threshold: Predictions above it count as 1.

    Source: Keras 3 `keras.metrics.binary_accuracy`.
    """
    return _as_float(_binary_matches(y_true, y_pred, threshold))


def categorical_accuracy(y_true, y_pred):
    """Return 1 where the largest entry of the last axis is the same in both, else 0.

    Args:
        y_true: One-hot labels `(..., classes)`.
        y_pred: Scores `(..., classes)`.

    Source: Keras 3 `keras.metrics.categorical_accuracy`.
    """
    return _as_float(_categorical_matches(y_true, y_pred))


def sparse_categorical_accuracy(y_true, y_pred):
    """Return 1 where the largest score is that of the true class, else 0.

    Args:
        y_true: Class numbers `(...)` or `(..., 1)`.
        y_pred: Scores `(..., classes)`.

    Source: Keras 3 `keras.metrics.sparse_categorical_accuracy`.
    """
    return _as_float(_sparse_matches(y_true, y_pred))


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """Return 1 where the true class is among the `k` largest scores, else 0.

    Args:
        y_true: One-hot labels `(..., classes)`.
        y_pred: Scores `(..., classes)`.
        k: How many scores count.

    Source: Keras 3 `keras.metrics.top_k_categorical_accuracy`.
    """
    return _as_float(_top_k_matches(y_true, y_pred, k))


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """Return 1 where the true class is among the `k` largest scores, else 0.

    Args:
        y_true: Class numbers `(...)`.
        y_pred: Scores `(..., classes)`; with `from_sorted_ids`, class numbers, the likeliest first.
        k: How many scores count.
        from_sorted_ids: Whether `y_pred` holds class numbers.

    Source: Keras 3 `keras.metrics.sparse_top_k_categorical_accuracy`.
    """
    return _as_float(_sparse_top_k_matches(y_true, y_pred, k, from_sorted_ids))


class Accuracy(FunctionMetric):
    """How often predictions equal the targets, value by value.

    Source: Keras 3 `keras.metrics.Accuracy`.
    """

    _direction = "up"

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(_equal, name, dtype)


class BinaryAccuracy(FunctionMetric):
    """How often `y_pred > threshold` agrees with labels 0 and 1.

    Args:
        threshold: Predictions above it count as 1; those equal to it count as 0.

    Source: Keras 3 `keras.metrics.BinaryAccuracy`.
    """

    _direction = "up"
    config_arguments = ("threshold",)

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        super().__init__(_binary_matches, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(FunctionMetric):
    """How often the largest score is that of the class marked by a one-hot label.

    Source: Keras 3 `keras.metrics.CategoricalAccuracy`.
    """

    _direction = "up"

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(_categorical_matches, name, dtype)


class SparseCategoricalAccuracy(FunctionMetric):
    """How often the largest score is that of the true class, labels being class numbers.

    Source: Keras 3 `keras.metrics.SparseCategoricalAccuracy`.
    """

    _direction = "up"

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(_sparse_matches, name, dtype)


class TopKCategoricalAccuracy(FunctionMetric):
    """How often the class marked by a one-hot label is among the `k` largest scores.

    Args:
        k: How many scores count.

    Source: Keras 3 `keras.metrics.TopKCategoricalAccuracy`.
    """

    _direction = "up"
    config_arguments = ("k",)

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(_top_k_matches, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the true class is among the `k` largest scores, labels being class numbers.

    Args:
        k: How many scores count.
        from_sorted_ids: Whether predictions are class numbers, the likeliest first, instead of scores.

    Source: Keras 3 `keras.metrics.SparseTopKCategoricalAccuracy`.
    """

    _direction = "up"
    config_arguments = ("k",)

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False):
        super().__init__(_sparse_top_k_matches, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        return config | {"from_sorted_ids": True} if self.from_sorted_ids else config
