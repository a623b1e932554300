"""Losses of real-valued predictions: squared, absolute, percentage, logarithmic, cosine, Huber, log-cosh."""

import math

import torch.nn.functional as F

from torchkeras_lite.base import config
from torchkeras_lite.losses.arguments import matched, on_symbols
from torchkeras_lite.losses.loss import FunctionLoss, Loss, whole_mean_of


@on_symbols
def mean_squared_error(y_true, y_pred):
    """Mean over the last axis of `(y_true - y_pred) ** 2`.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.mean_squared_error`. Differs from `F.mse_loss`: reduces the last axis alone.
    """
    y_true, y_pred = matched("mean_squared_error", y_true, y_pred)
    return (y_pred - y_true).square().mean(dim=-1)


@whole_mean_of(mean_squared_error)
def _mean_squared_error(y_true, y_pred):
    return F.mse_loss(y_pred, y_true)


@on_symbols
def mean_absolute_error(y_true, y_pred):
    """Mean over the last axis of `|y_true - y_pred|`.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.mean_absolute_error`. Differs from `F.l1_loss`: reduces the last axis alone.
    """
    y_true, y_pred = matched("mean_absolute_error", y_true, y_pred)
    return (y_pred - y_true).abs().mean(dim=-1)


@whole_mean_of(mean_absolute_error)
def _mean_absolute_error(y_true, y_pred):
    return (y_pred - y_true).abs().mean()  # what `F.l1_loss` does, without its look for broadcasting


@on_symbols
def mean_absolute_percentage_error(y_true, y_pred):
    """Mean over the last axis of `100 * |y_true - y_pred| / max(|y_true|, epsilon)`.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.mean_absolute_percentage_error`.
    """
    y_true, y_pred = matched("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * ((y_true - y_pred) / y_true.abs().clamp(min=config.epsilon())).abs().mean(dim=-1)


@on_symbols
def mean_squared_logarithmic_error(y_true, y_pred):
    """Mean over the last axis of `(log(1 + y_true) - log(1 + y_pred)) ** 2`, both at least epsilon.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.mean_squared_logarithmic_error`.
    """
    y_true, y_pred = matched("mean_squared_logarithmic_error", y_true, y_pred)
    least = config.epsilon()
    return (y_pred.clamp(min=least).log1p() - y_true.clamp(min=least).log1p()).square().mean(dim=-1)


@on_symbols
def cosine_similarity(y_true, y_pred, axis=-1):
    """Minus the cosine of the angle between `y_true` and `y_pred`: -1 for one direction, 1 for opposite ones.

    Args:
        y_true: Targets.
        y_pred: Predictions.
        axis: Axis, or axes, that hold the vectors. A vector of zeros gives 0.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.cosine_similarity`. Differs from `F.cosine_similarity`: the sign.
    """
    y_true, y_pred = matched("cosine_similarity", y_true, y_pred)
    axis = tuple(axis) if isinstance(axis, list) else axis
    least = config.epsilon()
    unit_true = F.normalize(y_true, dim=axis, eps=least)
    unit_pred = F.normalize(y_pred, dim=axis, eps=least)
    return -(unit_true * unit_pred).sum(dim=axis)


@on_symbols
def huber(y_true, y_pred, delta=1.0):
    """Mean over the last axis of the Huber loss: half the squared error up to `delta`, linear beyond.

    Args:
        y_true: Targets.
        y_pred: Predictions.
        delta: The error, a number > 0, where the parabola turns into a line.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Raises:
        ValueError: `delta` is not positive.

    Source: Keras 3 `keras.losses.huber`. Differs from `F.smooth_l1_loss`: not divided by `delta`.
    """
    y_true, y_pred = matched("huber", y_true, y_pred)
    return F.huber_loss(y_pred, y_true, reduction="none", delta=_positive_delta(delta)).mean(dim=-1)


@whole_mean_of(huber)
def _huber(y_true, y_pred, delta=1.0):
    return F.huber_loss(y_pred, y_true, delta=_positive_delta(delta))


def _positive_delta(delta):
    if delta <= 0:
        raise ValueError(f"huber: expected `delta` above 0, got delta={delta!r}. Pass a number such as 1.0.")
    return delta


@on_symbols
def log_cosh(y_true, y_pred):
    """Mean over the last axis of `log(cosh(y_pred - y_true))`, computed so that large errors don't overflow.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.log_cosh`.
    """
    y_true, y_pred = matched("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return (error + F.softplus(-2.0 * error) - math.log(2.0)).mean(dim=-1)


class MeanSquaredError(FunctionLoss):
    """Mean of the squared errors: see `mean_squared_error`, and `Loss` for the arguments.

    >>> import torch
    >>> MeanSquaredError()(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 1.0]]))
    tensor(0.5000)

    Source: Keras 3 `keras.losses.MeanSquaredError`. `torch.nn.MSELoss` gives the same without weights.
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(FunctionLoss):
    """Mean of the absolute errors: see `mean_absolute_error`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.MeanAbsoluteError`. `torch.nn.L1Loss` gives the same without weights.
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(FunctionLoss):
    """Mean of the absolute errors in per cent: see `mean_absolute_percentage_error`, and `Loss`.

    Source: Keras 3 `keras.losses.MeanAbsolutePercentageError`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_percentage_error", dtype=None):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(FunctionLoss):
    """Mean of the squared errors of logarithms: see `mean_squared_logarithmic_error`, and `Loss`.

    Source: Keras 3 `keras.losses.MeanSquaredLogarithmicError`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class CosineSimilarity(FunctionLoss):
    """Minus the cosine similarity: see `cosine_similarity`, and `Loss` for the other arguments.

    Args:
        axis: Axis, or axes, that hold the vectors.

    Source: Keras 3 `keras.losses.CosineSimilarity`. Differs from `torch.nn.CosineSimilarity`: the sign
    (this one falls as vectors turn alike) and the reduction.
    """

    def __init__(self, axis=-1, reduction="sum_over_batch_size", name="cosine_similarity", dtype=None):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)

    def get_config(self):
        """Return name and reduction. Keras's config has no `axis` either: a loaded loss takes the last."""
        return Loss.get_config(self)


class Huber(FunctionLoss):
    """Mean of the Huber losses: see `huber`, and `Loss` for the other arguments.

    Args:
        delta: The error, a number > 0, where the parabola turns into a line.

    Source: Keras 3 `keras.losses.Huber`. `torch.nn.HuberLoss` gives the same without weights.
    """

    unsaved_defaults = {"delta": 1.0}

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber_loss", dtype=None):
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(FunctionLoss):
    """Mean of `log(cosh(error))`: see `log_cosh`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.LogCosh`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(log_cosh, reduction, name, dtype)
