"""Hinge losses of maximum-margin classification."""

import torch

from torchkeras_lite.losses.arguments import matched, on_symbols
from torchkeras_lite.losses.loss import FunctionLoss


def _margins(owner, y_true, y_pred):
    """Return `max(1 - y_true * y_pred, 0)`, with labels of 0 and 1 turned to -1 and 1.

    Labels are turned only when all of the batch are 0 or 1; the choice is made on the device.
    """
    y_true, y_pred = matched(owner, y_true, y_pred)
    all_binary = (y_true * y_true == y_true).all()
    signs = torch.where(all_binary, 2.0 * y_true - 1.0, y_true)
    return (1.0 - signs * y_pred).relu()


@on_symbols
def hinge(y_true, y_pred):
    """Mean over the last axis of `max(1 - y_true * y_pred, 0)`.

    Args:
        y_true: Labels of -1 and 1; labels of 0 and 1 are turned to these when a batch has no others.
        y_pred: Scores.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.hinge`.
    """
    return _margins("hinge", y_true, y_pred).mean(dim=-1)


@on_symbols
def squared_hinge(y_true, y_pred):
    """Mean over the last axis of `max(1 - y_true * y_pred, 0) ** 2`, labels as in `hinge`.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.squared_hinge`.
    """
    return _margins("squared_hinge", y_true, y_pred).square().mean(dim=-1)


@on_symbols
def categorical_hinge(y_true, y_pred):
    """`max(0, 1 + wrong - right)`: the score of the true class, and the largest of `(1 - y_true) * y_pred`.

    Args:
        y_true: One-hot targets.
        y_pred: Scores of the classes.

    Shapes:
        `(batch, ..., classes)` twice -> `(batch, ...)`

    Source: Keras 3 `keras.losses.categorical_hinge`. Differs from `torch.nn.MultiMarginLoss`: one-hot
    targets, and only the best wrong class counts (with 0, the product at the true class, among the
    candidates).
    """
    y_true, y_pred = matched("categorical_hinge", y_true, y_pred)
    right = (y_true * y_pred).sum(dim=-1)
    wrong = ((1.0 - y_true) * y_pred).amax(dim=-1)
    return (1.0 + wrong - right).relu()


class Hinge(FunctionLoss):
    """Mean of the hinge losses: see `hinge`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.Hinge`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(FunctionLoss):
    """Mean of the squared hinge losses: see `squared_hinge`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.SquaredHinge`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None):
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(FunctionLoss):
    """Hinge loss of one-hot targets: see `categorical_hinge`, and `Loss` for the arguments.

    Source: Keras 3 `keras.losses.CategoricalHinge`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None):
        super().__init__(categorical_hinge, reduction, name, dtype)
