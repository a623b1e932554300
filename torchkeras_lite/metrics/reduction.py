"""Running sums and means, and the mean of any function of targets and predictions."""

import math

import torch

from torchkeras_lite.base import checks, registry, serialization
from torchkeras_lite.losses import Loss
from torchkeras_lite.losses.arguments import match_ranks
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.tensors import apply_mask, as_tensor, spread_weight


def _weighted(metric, values, sample_weight, reduce):
    """Return the weighted values, and the weights in the same shape.

    Values of a higher rank than the weights are first reduced over their last axes, so that one weight a
    sample fits values of any rank.
    """
    dtype = metric.torch_dtype
    mask = getattr(values, "_keras_mask", None)
    values = as_tensor(values, dtype)
    weight = as_tensor(sample_weight, dtype, values.device)
    if mask is not None:
        weight = apply_mask(weight, mask, dtype)
    values, weight = match_ranks(values, weight)
    if values.ndim > weight.ndim:
        values = reduce(values, dim=tuple(range(weight.ndim, values.ndim)))
    weight = spread_weight(checks.describe(metric), weight, values.shape)
    return values * weight, weight


def _inner_scale(shape):
    """Return what turns a sum over `shape` into a sum over the first axis of means over the others."""
    inner = math.prod(shape[1:])
    return 1 if inner == 1 else 1 / inner if inner else math.nan


class Sum(Metric):
    """Weighted sum of the values it is given.

    >>> metric = Sum()
    >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> float(metric.result())
    4.0

    Raises:
        ValueError: weights whose shape does not fit the values.

    Source: Keras 3 `keras.metrics.Sum`.
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), dtype=self.dtype, name="total")

    def update_state(self, values, sample_weight=None):
        """Add `values`, times `sample_weight`."""
        if sample_weight is None:
            values = as_tensor(values)
        else:
            values, _ = _weighted(self, values, sample_weight, torch.sum)
        self.total.add_scaled(values.sum(dtype=self.torch_dtype))

    def result(self):
        """Return the sum so far."""
        return self.total.value


class Mean(Metric):
    """Weighted mean of the values it is given.

    Values of rank 2 and more are averaged over all axes but the first; every sample then counts once, or as
    much as its weight. The mean divides by the sum of the weights.

    >>> metric = Mean()
    >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> float(metric.result())
    2.0

    Raises:
        ValueError: weights whose shape does not fit the values.

    Source: Keras 3 `keras.metrics.Mean`.
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), dtype=self.dtype, name="total")
        self.count = self.add_variable((), dtype=self.dtype, name="count")

    def update_state(self, values, sample_weight=None):
        """Add `values`, weighted by `sample_weight`."""
        if sample_weight is not None:
            values, weight = _weighted(self, values, sample_weight, torch.mean)
            scale = _inner_scale(values.shape)
            self.total.add_scaled(values.sum(), scale)
            self.count.add_scaled(weight.sum(), scale)
            return
        if not isinstance(values, torch.Tensor):
            values = as_tensor(values)
        shape = values.shape
        if shape:
            self.total.add_scaled(values.sum(dtype=self.torch_dtype), _inner_scale(shape))
        else:
            self.total.add_scaled(values)
        self.count.assign_add(shape[0] if shape else 1)

    def update_from_mean(self, mean, count):
        """Add `count` samples whose mean is already known, `mean`, a scalar tensor or number."""
        if isinstance(mean, torch.Tensor) and isinstance(count, (int, float)):
            self.total.add_scaled(mean, count)
        else:
            self.total.assign_add(mean * count)
        self.count.assign_add(count)

    def result(self):
        """Return the mean so far, 0 before the first sample."""
        total, count = self.total.value, self.count.number
        if count is not None:
            return total / count if count else torch.zeros_like(total)
        count = self.count.value
        return torch.where(count == 0, 0.0, total / count)


class MeanMetricWrapper(Mean):
    """Weighted mean of a function of targets and predictions.

    Args:
        fn: Function `fn(y_true, y_pred, **kwargs)` that returns one value a sample, or more.
        **kwargs: Further arguments for `fn`.

    Source: Keras 3 `keras.metrics.MeanMetricWrapper`.
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        # The loss's own way to the mean of all values, where that is what the values of this metric average
        # to.
        plain = kwargs.get("axis", -1) == -1 and kwargs.get("ignore_class") is None
        self._whole_mean = getattr(fn, "whole_mean", None) if plain else None
        self._integer_targets = getattr(fn, "integer_targets", False)
        if _is_loss(fn) and not hasattr(self, "_direction"):
            self._direction = "down"

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch; a mask on `y_pred` counts as weights."""
        mask = getattr(y_pred, "_keras_mask", None)
        if isinstance(y_pred, torch.Tensor) and y_pred.requires_grad:
            y_pred = y_pred.detach()
        if mask is not None:
            sample_weight = apply_mask(sample_weight, mask, self.torch_dtype)
        elif sample_weight is None and self._whole_mean is not None and self._fits(y_true, y_pred):
            if not self._integer_targets:
                y_true = y_true.to(y_pred.dtype)
            self.update_from_mean(self._whole_mean(y_true, y_pred, **self._fn_kwargs), y_pred.shape[0])
            return
        Mean.update_state(self, self._fn(y_true, y_pred, **self._fn_kwargs), sample_weight)

    def _fits(self, y_true, y_pred):
        """Whether the arguments are tensors as `whole_mean` takes them, with one row or more a sample."""
        return (
            isinstance(y_pred, torch.Tensor)
            and isinstance(y_true, torch.Tensor)
            and y_true.shape == (y_pred.shape[:-1] if self._integer_targets else y_pred.shape)
            and y_true.device == y_pred.device
            and y_pred.dtype is self.torch_dtype
            and y_pred.ndim > 1
            and y_pred.numel() > 0
        )

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config() | {"fn": serialization.serialize_keras_object(self._fn)}
        return config | serialization.serialize_keras_object(self._fn_kwargs)

    @classmethod
    def from_config(cls, config):
        """Make a metric from what `get_config` returned."""
        return cls(**(serialization.deserialize_keras_object(config) if "fn" in config else config))


class FunctionMetric(MeanMetricWrapper):
    """Mean of a function that belongs to the class, which its config therefore leaves out."""

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return Metric.get_config(self)


def _is_loss(fn):
    return isinstance(fn, Loss) or any(
        fn is known for known in registry.public_members("keras.losses").values()
    )
