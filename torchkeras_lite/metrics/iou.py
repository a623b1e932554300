"""Intersection over union of classes, from a confusion matrix."""

import warnings

import torch

from torchkeras_lite.base import checks, config
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.tensors import as_pair, as_tensor


class IoU(Metric):
    """Mean of `true positives / (true positives + false positives + false negatives)` over some classes.

    Pairs with a label or a prediction outside the classes are left out, as are classes that never occur.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes whose values are averaged.
        ignore_class: Label whose places are left out, or `None`.
        sparse_y_true: Whether labels are class numbers; else scores of which the largest along `axis` counts.
        sparse_y_pred: The same for predictions.
        axis: Where the classes are in scores.
        dtype: Dtype of the confusion matrix. `None`: `"int32"`, which drops the fraction of weights.

    Raises:
        ValueError: a target class outside the classes; labels and predictions of different sizes.

    Source: Keras 3 `keras.metrics.IoU`.
    """

    _direction = "up"
    config_arguments: tuple[str, ...] = (
        "num_classes",
        "target_class_ids",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(name=name, dtype=dtype or "int32")
        if max(target_class_ids) >= num_classes:
            raise ValueError(
                f"Target class id {max(target_class_ids)} is out of range, which is [0, {num_classes}). Pass "
                "ids of existing classes, or a larger `num_classes`."
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), dtype=self.dtype, name="total_confusion_matrix"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch; rows of the confusion matrix are labels, columns predictions."""
        y_true, y_pred = as_pair(y_true, y_pred)
        if not self.sparse_y_true:
            y_true = y_true.argmax(self.axis)
        if not self.sparse_y_pred:
            y_pred = y_pred.argmax(self.axis)
        y_true, y_pred = y_true.reshape(-1).long(), y_pred.reshape(-1).long()
        if y_true.shape != y_pred.shape:
            raise ValueError(
                f"{checks.describe(self)}: expected as many labels as predictions, got {len(y_true)} labels "
                f"and {len(y_pred)} predictions. Pass one label for every prediction."
            )
        num = self.num_classes
        counts = (y_true >= 0) & (y_true < num) & (y_pred >= 0) & (y_pred < num)
        if self.ignore_class is not None:
            counts &= y_true != self.ignore_class
        cell = torch.where(counts, y_true * num + y_pred, 0)
        weight = torch.where(counts, self._weight(sample_weight, y_true), 0).to(self.torch_dtype)
        table = torch.zeros(num * num, dtype=self.torch_dtype, device=cell.device).scatter_add_(
            0, cell, weight
        )
        self.total_cm.add_scaled(table.view(num, num))

    def _weight(self, sample_weight, like):
        if sample_weight is None:
            return 1
        integer = not self.torch_dtype.is_floating_point
        if integer and "float" in str(getattr(sample_weight, "dtype", "")):
            warnings.warn(
                f"You are passing weight as `float`, but dtype is `int`, and casting drops the fractions "
                f"({checks.describe(self)}). Pass dtype='float32' to the metric, or integer weights.",
                stacklevel=3,
            )
        weight = as_tensor(sample_weight, self.torch_dtype, like.device)
        return (weight.reshape(-1) if weight.ndim > 1 else weight).expand(like.shape)

    def result(self):
        """Return the mean over the target classes so far."""
        matrix = self.total_cm.value
        hits = matrix.diagonal()
        union = (matrix.sum(0) + matrix.sum(1) - hits)[self.target_class_ids].float()
        hits = hits[self.target_class_ids].float()
        occurs = union > 1e-9
        epsilon = config.epsilon()
        return torch.where(occurs, hits / (union + epsilon), 0.0).sum() / (occurs.sum() + epsilon)


class BinaryIoU(IoU):
    """`IoU` of predictions in [0, 1] that are cut at a threshold.

    Args:
        target_class_ids: The classes whose values are averaged, of 0 and 1.
        threshold: Predictions of at least this count as 1.

    Source: Keras 3 `keras.metrics.BinaryIoU`.
    """

    config_arguments = ("target_class_ids", "threshold")

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(num_classes=2, target_class_ids=target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        y_true, y_pred = as_pair(y_true, y_pred)
        super().update_state(y_true, y_pred.float() >= self.threshold, sample_weight)


class MeanIoU(IoU):
    """`IoU` over all classes, whose other arguments it takes.

    Source: Keras 3 `keras.metrics.MeanIoU`.
    """

    config_arguments: tuple[str, ...] = (
        "num_classes",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(
            num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )


class OneHotIoU(IoU):
    """`IoU` of one-hot labels, whose other arguments it takes.

    Source: Keras 3 `keras.metrics.OneHotIoU`.
    """

    config_arguments: tuple[str, ...] = (
        "num_classes",
        "target_class_ids",
        "ignore_class",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_pred=False,
        axis=-1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """`IoU` of one-hot labels over all classes, whose other arguments it takes.

    Source: Keras 3 `keras.metrics.OneHotMeanIoU`.
    """

    config_arguments: tuple[str, ...] = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
