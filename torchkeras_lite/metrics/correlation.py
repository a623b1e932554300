"""How predictions and targets go together along an axis: Pearson's and Lin's correlation."""

from torchkeras_lite.base import config
from torchkeras_lite.metrics.reduction import FunctionMetric
from torchkeras_lite.metrics.tensors import matched_pair


def _pair(owner, y_true, y_pred):
    y_true, y_pred = matched_pair(owner, y_true, y_pred)
    return y_true.to(y_pred.dtype), y_pred


def pearson_correlation(y_true, y_pred, axis=-1):
    """Return Pearson's correlation coefficient along `axis`: 1 for a rising line, -1 for a falling one.

    Args:
        y_true: Targets.
        y_pred: Predictions of the same shape.
        axis: Where the paired values are. It must have more than one.

    Source: Keras 3 `keras.metrics.pearson_correlation`.
    """
    y_true, y_pred = _pair("pearson_correlation", y_true, y_pred)
    y_true = y_true - y_true.mean(axis, keepdim=True)
    y_pred = y_pred - y_pred.mean(axis, keepdim=True)
    y_true = y_true / y_true.std(axis, correction=0, keepdim=True)
    y_pred = y_pred / y_pred.std(axis, correction=0, keepdim=True)
    return (y_true * y_pred).mean(axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """Return Lin's concordance correlation along `axis`, which is 1 only where predictions equal the targets.

    Args:
        y_true: Targets.
        y_pred: Predictions of the same shape.
        axis: Where the paired values are.

    Source: Keras 3 `keras.metrics.concordance_correlation`; Lin 1989.
    """
    y_true, y_pred = _pair("concordance_correlation", y_true, y_pred)
    true_mean = y_true.mean(axis, keepdim=True)
    pred_mean = y_pred.mean(axis, keepdim=True)
    variances = y_true.var(axis, correction=0, keepdim=True) + y_pred.var(axis, correction=0, keepdim=True)
    # Both about the mean of the predictions, as in Keras. The mean over the axis is the covariance all the
    # same.
    covariance = (y_true - pred_mean) * (y_pred - pred_mean)
    return (2 * covariance / (variances + (true_mean - pred_mean).square() + config.epsilon())).mean(axis)


class PearsonCorrelation(FunctionMetric):
    """Mean of Pearson's correlation coefficient.

    Args:
        axis: Where the paired values are.

    Source: Keras 3 `keras.metrics.PearsonCorrelation`.
    """

    _direction = "up"
    config_arguments = ("axis",)

    def __init__(self, name="pearson_correlation", dtype=None, axis=-1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


class ConcordanceCorrelation(FunctionMetric):
    """Mean of Lin's concordance correlation coefficient.

    Args:
        axis: Where the paired values are.

    Source: Keras 3 `keras.metrics.ConcordanceCorrelation`.
    """

    _direction = "up"
    config_arguments = ("axis",)

    def __init__(self, name="concordance_correlation", dtype=None, axis=-1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
