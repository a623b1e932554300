"""Losses of overlap, for images that are mostly background: Dice and Tversky."""

from torchkeras_lite.base import config
from torchkeras_lite.losses.arguments import matched, on_symbols
from torchkeras_lite.losses.loss import FunctionLoss


def _overlap(owner, y_true, y_pred, axis):
    """Return the sums over `axis` of `y_true * y_pred`, of `y_true` and of `y_pred`."""
    y_true, y_pred = matched(owner, y_true, y_pred, same_shape=True)
    return ((y_true * y_pred).sum(dim=axis), y_true.sum(dim=axis), y_pred.sum(dim=axis))


@on_symbols
def dice(y_true, y_pred, axis=None):
    """One minus the Dice coefficient, `1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon)`.

    Args:
        y_true: Targets, 0 and 1.
        y_pred: Probabilities.
        axis: Axes that are summed, an integer or several. `None` sums all, the batch too, and gives one
            number; `(1, 2, 3)` gives one for each image.

    Shapes:
        two arrays of one shape -> that shape without `axis`

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.losses.dice`.
    """
    both, true, pred = _overlap("dice", y_true, y_pred, axis)
    return 1.0 - 2.0 * both / (true + pred + config.epsilon())


@on_symbols
def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """One minus the Tversky index; with both weights one half, the Dice loss.

    Args:
        y_true: Targets, 0 and 1.
        y_pred: Probabilities.
        alpha: Weight of what was missed, `(1 - y_pred) * y_true`.
        beta: Weight of false alarms, `y_pred * (1 - y_true)`.
        axis: Axes that are summed, as in `dice`.

    Shapes:
        two arrays of one shape -> that shape without `axis`

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.losses.tversky`; Salehi et al., "Tversky loss function for image segmentation
    using 3D fully convolutional deep networks", 2017, where the two weights are the other way round.
    """
    both, true, pred = _overlap("tversky", y_true, y_pred, axis)
    return 1.0 - both / (both + alpha * (true - both) + beta * (pred - both) + config.epsilon())


class Dice(FunctionLoss):
    """Dice loss: see `dice`, and `Loss` for the other arguments.

    Args:
        axis: Axes that are summed; `None` for all, the batch too.

    Source: Keras 3 `keras.losses.Dice`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None):
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(FunctionLoss):
    """Tversky loss: see `tversky`, and `Loss` for the other arguments.

    Args:
        alpha: Weight of what was missed.
        beta: Weight of false alarms.
        axis: Axes that are summed; `None` for all, the batch too.

    Source: Keras 3 `keras.losses.Tversky`.
    """

    def __init__(
        self, alpha=0.5, beta=0.5, reduction="sum_over_batch_size", name="tversky", axis=None, dtype=None
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
