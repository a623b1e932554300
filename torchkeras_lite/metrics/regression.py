"""Errors of real-valued predictions, their cosine with the targets, and the coefficient of determination."""

import warnings

import torch
import torch.nn.functional as F

from torchkeras_lite import losses
from torchkeras_lite.base import checks
from torchkeras_lite.metrics.fbeta import check_matrix_shapes
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.reduction import FunctionMetric, Mean
from torchkeras_lite.metrics.tensors import as_tensor, matched_pair, spread_weight


class MeanSquaredError(FunctionMetric):
    """Mean of `losses.mean_squared_error`.

    Source: Keras 3 `keras.metrics.MeanSquaredError`.
    """

    _direction = "down"

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(FunctionMetric):
    """Mean of `losses.mean_absolute_error`.

    Source: Keras 3 `keras.metrics.MeanAbsoluteError`.
    """

    _direction = "down"

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(FunctionMetric):
    """Mean of `losses.mean_absolute_percentage_error`.

    Source: Keras 3 `keras.metrics.MeanAbsolutePercentageError`.
    """

    _direction = "down"

    def __init__(self, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(FunctionMetric):
    """Mean of `losses.mean_squared_logarithmic_error`.

    Source: Keras 3 `keras.metrics.MeanSquaredLogarithmicError`.
    """

    _direction = "down"

    def __init__(self, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(FunctionMetric):
    """Mean of `losses.log_cosh`.

    Source: Keras 3 `keras.metrics.LogCoshError`.
    """

    _direction = "down"

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(losses.log_cosh, name, dtype)


def cosine_similarity(y_true, y_pred, axis=-1):
    """Return the cosine of the angle between targets and predictions: minus the loss of that name."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


class CosineSimilarity(FunctionMetric):
    """Mean cosine of the angle between targets and predictions: 1 for one direction, -1 for opposite ones.

    Args:
        axis: Where the components of a vector are.

    Source: Keras 3 `keras.metrics.CosineSimilarity`. Differs in that its config keeps an `axis` other than
        -1.
    """

    _direction = "up"

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        return config if self.axis == -1 else config | {"axis": self.axis}


class RootMeanSquaredError(Mean):
    """Square root of the mean of the squared errors.

    Source: Keras 3 `keras.metrics.RootMeanSquaredError`.
    """

    _direction = "down"

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        y_true, y_pred = matched_pair(checks.describe(self), y_true, y_pred, self.torch_dtype)
        if sample_weight is None and y_true.shape == y_pred.shape and y_pred.ndim and y_pred.numel():
            self.update_from_mean(F.mse_loss(y_pred, y_true), len(y_pred))
        else:
            super().update_state((y_pred - y_true).square(), sample_weight)

    def result(self):
        """Return the root of the mean so far."""
        return super().result().sqrt()


class R2Score(Metric):
    """Coefficient of determination: which part of the variance of the targets the predictions explain.

    Args:
        class_aggregation: `"uniform_average"`: the mean over the columns; `"variance_weighted_average"`:
            weighted by the variance of the targets; `None`: one score a column.
        num_regressors: Number of independent variables, for the adjusted score; 0 for the plain one.

    Shapes:
        `y_true` and `y_pred` `(batch, columns)`; `sample_weight` `(batch,)` or one that broadcasts to them

    Raises:
        ValueError: an unknown aggregation, a negative number of regressors, inputs of another rank than 2.

    Source: Keras 3 `keras.metrics.R2Score`.
    """

    _direction = "up"
    config_arguments = ("class_aggregation", "num_regressors")

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {known}. "
                f"Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                f"Received: num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self._built = False

    def _build(self, y_true_shape, y_pred_shape):
        columns = check_matrix_shapes(type(self).__name__, y_true_shape, y_pred_shape)
        self.squared_sum = self.add_variable((columns,), name="squared_sum")
        self.sum = self.add_variable((columns,), name="sum")
        self.total_mse = self.add_variable((columns,), name="residual")
        self.count = self.add_variable((columns,), name="count")
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        owner = checks.describe(self)
        y_true, y_pred = matched_pair(owner, y_true, y_pred, self.torch_dtype)
        if not self._built:
            self._build(tuple(y_true.shape), tuple(y_pred.shape))
        if sample_weight is None:
            weighted, residual = y_true, (y_true - y_pred).square()
            self.count.add_scaled(y_true.new_tensor(float(len(y_true))).expand(y_true.shape[1]))
        else:
            weight = as_tensor(sample_weight, self.torch_dtype, y_true.device)
            weight = spread_weight(owner, weight.unsqueeze(1) if weight.ndim == 1 else weight, y_true.shape)
            weighted, residual = y_true * weight, (y_true - y_pred).square() * weight
            self.count.add_scaled(weight.sum(0))
        self.sum.add_scaled(weighted.sum(0))
        self.squared_sum.add_scaled((y_true * weighted).sum(0))
        self.total_mse.add_scaled(residual.sum(0))
        # Every value counts as a sample, as in Keras.
        self.num_samples.assign_add(y_true.numel())

    def result(self):
        """Return the score so far."""
        if not self._built:
            return torch.zeros((), dtype=self.torch_dtype)
        total = self.sum.value
        variance = self.squared_sum.value - total * (total / self.count.value)
        scores = 1 - self.total_mse.value / variance
        scores = torch.where(scores.isinf(), 0.0, scores)
        match self.class_aggregation:
            case "uniform_average":
                scores = scores.mean()
            case "variance_weighted_average":
                scores = (variance * scores).sum() / variance.sum()
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, scores):
        samples = self.num_samples.number
        samples = float(self.num_samples) if samples is None else samples
        spare = samples - self.num_regressors - 1
        if spare <= 0:
            reason = "division by zero" if spare == 0 else "more independent variables than samples"
            warnings.warn(
                f"{checks.describe(self)}: {reason} in the adjusted R2 score ({samples:g} samples, "
                f"num_regressors={self.num_regressors}), so the plain score is returned. Add data.",
                stacklevel=3,
            )
            return scores
        return 1.0 - (1.0 - scores) * (samples - 1.0) / spare
