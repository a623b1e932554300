"""Metric functions of scikit-learn, computed once over all predictions of an epoch."""

import functools
import inspect

import numpy as np
import torch

from torchkeras_lite.metrics.metric import Metric

# What the functions of scikit-learn's modules compare with the targets, and the exceptions in each.
_BY_MODULE = {
    "_classification": "labels",
    "_ranking": "scores",
    "_regression": "values",
    "_supervised": "labels",
}
_BY_NAME = dict.fromkeys(
    ("log_loss", "d2_log_loss_score", "brier_score_loss", "d2_brier_score", "hinge_loss"), "scores"
) | dict.fromkeys(
    (
        "coverage_error",
        "dcg_score",
        "label_ranking_average_precision_score",
        "label_ranking_loss",
        "ndcg_score",
    ),
    "values",
)
_TARGETS = ("y_true", "y1", "labels_true")


class EpochMetric(Metric):
    """A metric function of scikit-learn, `function(y_true, y_pred)`, over the whole epoch.

    `compile(metrics=[sklearn.metrics.f1_score])` makes one; options are given by
    `functools.partial(f1_score, average="macro")`. All targets and predictions of an epoch are kept on their
    device and cross to the CPU once, when the result is read: memory grows with the number of rows times
    their width. While an epoch runs, logs leave the metric out.

    What a function compares follows scikit-learn's own division:

    - metrics of labels (`accuracy_score`, `f1_score`, `confusion_matrix`, ...): predictions with several
      columns give the class of the largest, unless the targets are several labels a row; one column, or
      each of several labels, is 1 above 0.5;
    - metrics of scores (`roc_auc_score`, `average_precision_score`, `log_loss`, ...): predictions as they
      are; for two classes that of the second one. Rows that sum to 1 up to rounding are scaled to sum to 1;
    - metrics of values (`r2_score`, `mean_absolute_error`, ...) and of rankings (`ndcg_score`, ...): targets
      and predictions as they are.

    Axes before the last are joined to rows (one row a step of a sequence); steps that a mask leaves out are
    not counted.

    Args:
        function: A function of `sklearn.metrics`, or a `functools.partial` of one.
        name: Name in logs; the function's name by default.

    Raises:
        ValueError: a function that compares no targets with predictions; when the result is read, targets
            that are no labels, or whatever the function itself refuses.

    Source: `sklearn.metrics`.
    """

    def __init__(self, function, name=None):
        plain = _unwrapped(function)
        super().__init__(name=name or plain.__name__)
        self.function = function
        self.compares = _compares(plain)
        self._takes_weights = "sample_weight" in inspect.signature(plain).parameters
        self._batches = []
        self._weighted = False

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Keep a batch."""
        if sample_weight is not None and not self._takes_weights:
            raise ValueError(
                f"{self.name} takes no sample weights. Pass it in `metrics` instead of `weighted_metrics`."
            )
        mask = getattr(y_pred, "_keras_mask", None)
        self._weighted = sample_weight is not None
        self._batches.append((y_true, y_pred.detach().clone(), sample_weight, mask))

    def result(self):
        """Return the value over all batches so far, computed when it is read."""
        return EpochValue(self, len(self._batches))

    def reset_state(self):
        """Forget all batches."""
        self._batches = []

    @property
    def variables(self):
        """None: what is kept are the batches."""
        return []

    def kept_batches(self):
        """Return what is kept: a list of targets, predictions, weights and mask for every batch."""
        return [list(batch) for batch in self._batches]

    def keep_batches(self, batches):
        """Keep what `kept_batches` returned."""
        self._batches = [tuple(batch) for batch in batches]
        self._weighted = any(batch[2] is not None for batch in self._batches)

    def compute(self, num_batches):
        """Return the value over the first batches: a number, or an array where the function gives one.

        Raises:
            ValueError: the function returns neither, or refuses the values.
        """
        if not num_batches:
            return 0.0
        parts = zip(*map(_rows, self._batches[:num_batches]), strict=True)
        y_true, y_pred, weights = (None if part[0] is None else np.concatenate(part) for part in parts)
        y_true, y_pred = self._as_wanted(y_true, y_pred)
        kwargs = {} if weights is None else {"sample_weight": weights}
        try:
            value = self.function(y_true, y_pred, **kwargs)
        except ValueError as error:
            raise ValueError(
                f"{self.name}: {error} Pass its options by functools.partial; targets had the shape "
                f"{y_true.shape} and predictions {y_pred.shape}."
            ) from error
        if isinstance(value, (tuple, list, dict, str)):
            raise ValueError(
                f"{self.name} returns a {type(value).__name__}, and a metric must return a number or an "
                "array. Wrap it in a callback, or take another function."
            )
        return float(value) if np.ndim(value) == 0 else np.asarray(value)

    def _as_wanted(self, y_true, y_pred):
        if y_pred.shape[-1] == 1:
            y_pred = y_pred[:, 0]
        if y_true.shape[-1] == 1:
            y_true = y_true[:, 0]
        if self.compares == "values":
            return y_true, y_pred
        y_true = _labels(self.name, y_true)
        several = y_true.ndim == 2 and not (y_true.sum(-1) == 1).all()
        if y_true.ndim == 2 and not several:
            y_true = y_true.argmax(-1)
        if self.compares == "labels":
            if y_pred.ndim == 1 or several:
                return y_true, (y_pred > 0.5).astype(int)
            return y_true, y_pred.argmax(-1)
        if y_pred.ndim == 2 and not several:
            y_pred = _normalized(y_pred)
            if y_pred.shape[1] == 2:
                y_pred = y_pred[:, 1]
        return y_true, y_pred

    def get_config(self):
        """Refuse: functions of another package are not written.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{self.name}: functions of scikit-learn cannot be written into a config. Pass them to `compile` "
            "again after loading."
        )


class EpochValue:
    """The value of an `EpochMetric` after some batches, computed when it is read as a number."""

    def __init__(self, metric, num_batches):
        self._metric = metric
        self._batches = metric._batches
        self._count = num_batches

    @functools.cached_property
    def value(self):
        """The value: a Python number or an array."""
        return self._metric.compute(self._count)

    def result(self):
        """Return the value."""
        return self.value

    def item(self):
        """Return the value as a Python number."""
        return float(self.value)

    def numpy(self):
        """Return the value as a NumPy array."""
        return np.asarray(self.value)

    def __float__(self):
        return float(self.value)

    def __format__(self, spec):
        return format(self.value, spec)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype=dtype)

    def __repr__(self):
        return repr(self.value)


def is_epoch_function(value):
    """Whether `value` is a function of `sklearn.metrics`, or a `functools.partial` of one."""
    return (getattr(_unwrapped(value), "__module__", None) or "").startswith("sklearn.metrics.")


def _unwrapped(function):
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _compares(function):
    name = function.__name__
    found = _BY_NAME.get(name) or _BY_MODULE.get(function.__module__.rpartition(".")[2])
    if found is None or next(iter(inspect.signature(function).parameters)) not in _TARGETS:
        raise ValueError(
            f"metrics: {name} of scikit-learn does not compare targets with predictions, so it cannot be a "
            "metric of `compile`."
        )
    return found


def _rows(batch):
    """Return targets and predictions as arrays of rows, and the weights one a row."""
    y_true, y_pred, weight, mask = batch
    y_pred = torch.as_tensor(y_pred).double().cpu()
    y_true = torch.as_tensor(y_true).detach().cpu()
    width = y_pred.shape[-1] if y_pred.ndim > 1 else 1
    outer = y_pred.shape[:-1] if y_pred.ndim > 1 else y_pred.shape
    keep = slice(None) if mask is None else mask.cpu().reshape(-1)
    if weight is not None:
        weight = weight.detach().double().cpu()
        weight = weight.reshape(weight.shape + (1,) * (len(outer) - weight.ndim)).expand(outer)
        weight = weight.reshape(-1)[keep].numpy()
    num_rows = outer.numel()
    return (
        y_true.reshape(num_rows, -1)[keep].numpy(),
        y_pred.reshape(num_rows, width)[keep].numpy(),
        weight,
    )


def _labels(name, y_true):
    """Return targets as integers.

    Raises:
        ValueError: they are none.
    """
    if y_true.dtype.kind == "f":
        rounded = np.round(y_true)
        if not np.array_equal(rounded, y_true):
            raise ValueError(
                f"{name} compares labels, and the targets are no whole numbers. Pass class numbers or "
                "one-hot rows, or take a metric of values such as r2_score."
            )
        y_true = rounded
    return y_true.astype(int)


def _normalized(y_pred):
    """Return rows that sum to 1 up to float32's rounding with that rounding taken out."""
    sums = y_pred.sum(-1, keepdims=True)
    return y_pred / sums if np.allclose(sums, 1, atol=1e-3) else y_pred
