"""Losses between distributions: Kullback-Leibler divergence and Poisson."""

import torch.nn.functional as F

from torchkeras_lite.base import config
from torchkeras_lite.losses.arguments import matched, on_symbols
from torchkeras_lite.losses.loss import FunctionLoss, whole_mean_of


@on_symbols
def kl_divergence(y_true, y_pred):
    """Sum over the last axis of `y_true * log(y_true / y_pred)`, both kept in `[epsilon, 1]`.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.kl_divergence`. Differs from `F.kl_div`: takes probabilities, not their
    logarithms.
    """
    y_true, y_pred = matched("kl_divergence", y_true, y_pred)
    least = config.epsilon()
    y_true = y_true.clamp(least, 1)
    return (y_true * (y_true / y_pred.clamp(least, 1)).log()).sum(dim=-1)


@on_symbols
def poisson(y_true, y_pred):
    """Mean over the last axis of `y_pred - y_true * log(y_pred + epsilon)`.

    Args:
        y_true: Counts.
        y_pred: Rates of the Poisson distribution, all positive.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.poisson`. Differs from `F.poisson_nll_loss`: takes rates, not their
    logarithms.
    """
    y_true, y_pred = matched("poisson", y_true, y_pred)
    return _poisson_values(y_true, y_pred, "none").mean(dim=-1)


def _poisson_values(y_true, y_pred, reduction):
    return F.poisson_nll_loss(y_pred, y_true, log_input=False, eps=config.epsilon(), reduction=reduction)


@whole_mean_of(poisson)
def _poisson(y_true, y_pred):
    return _poisson_values(y_true, y_pred, "mean")


class KLDivergence(FunctionLoss):
    """Kullback-Leibler divergence: see `kl_divergence`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.KLDivergence`. Differs from `torch.nn.KLDivLoss`: takes probabilities, not
    their logarithms, and averages the sums over the last axis.
    """

    def __init__(self, reduction="sum_over_batch_size", name="kl_divergence", dtype=None):
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(FunctionLoss):
    """Negative log likelihood of counts: see `poisson`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.Poisson`. Differs from `torch.nn.PoissonNLLLoss`: takes rates, not their
    logarithms.
    """

    def __init__(self, reduction="sum_over_batch_size", name="poisson", dtype=None):
        super().__init__(poisson, reduction, name, dtype)
