"""Crossentropies that put other weights on easy or mislabelled samples: focal and generalized."""

from torchkeras_lite.losses.arguments import matched, on_symbols
from torchkeras_lite.losses.crossentropy import (
    binary_values,
    class_shares,
    matched_classes,
    matched_labels,
    smooth_binary,
    smooth_classes,
)
from torchkeras_lite.losses.loss import FunctionLoss


@on_symbols
def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
):
    """Binary crossentropy times `(1 - p) ** gamma`, `p` being the probability given to the true class.

    Args:
        y_true: Targets in [0, 1].
        y_pred: Probabilities of class 1, or logits.
        apply_class_balancing: Whether to weigh class 1 by `alpha` and class 0 by `1 - alpha`.
        alpha: Weight of class 1, used with `apply_class_balancing`.
        gamma: How far easy samples are played down; 0 gives the plain crossentropy.
        from_logits: Whether `y_pred` holds logits.
        label_smoothing: Number in [0, 1] by which targets are moved towards one half.
        axis: Axis that is averaged.

    Shapes:
        `(batch, ..., n)` twice -> `(batch, ...)`

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.losses.binary_focal_crossentropy`; Lin et al., "Focal Loss for Dense Object
    Detection", 2017.
    """
    y_true, y_pred = matched("binary_focal_crossentropy", y_true, y_pred, same_shape=True)
    y_true = smooth_binary(y_true, label_smoothing)
    if from_logits:
        y_pred = y_pred.sigmoid()
    p_true = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    values = (1.0 - p_true) ** gamma * binary_values(y_true, y_pred, from_logits=False)
    if apply_class_balancing:
        values = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values
    return values.mean(dim=axis)


@on_symbols
def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """Sum over the classes of `-alpha * (1 - y_pred) ** gamma * y_true * log(y_pred)`.

    Args:
        y_true: One-hot targets.
        y_pred: Probabilities of the classes, which are divided by their sum, or logits.
        alpha: Weight of the loss: a number, or one for each class.
        gamma: How far easy samples are played down; 0 gives `alpha` times the plain crossentropy.
        from_logits: Whether `y_pred` holds logits.
        label_smoothing: Number in [0, 1] that is shared among all classes.
        axis: The class axis.

    Shapes:
        `(batch, ..., classes)` twice -> `(batch, ...)`

    Raises:
        ValueError: shapes that differ.

    Source: Keras 3 `keras.losses.categorical_focal_crossentropy`; Lin et al., 2017.
    """
    y_true, y_pred = matched_classes("categorical_focal_crossentropy", y_true, y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing)
    shares = class_shares(y_pred.softmax(dim=axis) if from_logits else y_pred, axis)
    if not isinstance(alpha, (int, float)):
        alpha = matched("categorical_focal_crossentropy", alpha, shares)[0]
    return -(alpha * (1.0 - shares) ** gamma * y_true * shares.log()).sum(dim=axis)


@on_symbols
def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """`(1 - p ** q) / q`, `p` being the probability given to the true class: sturdy against wrong labels.

    Args:
        y_true: Integer labels, in spite of the name.
        y_pred: Probabilities of the classes.
        q: Number in (0, 1): near 0 it is the crossentropy, near 1 the absolute error.

    Shapes:
        y_true `(batch, ...)` or `(batch, ..., 1)`, y_pred `(batch, ..., classes)` -> `(batch, ...)`

    Raises:
        ValueError: shapes that don't fit.

    Source: Keras 3 `keras.losses.categorical_generalized_cross_entropy`; Zhang and Sabuncu, "Generalized
    Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels", 2018.
    """
    y_true, y_pred = matched_labels("categorical_generalized_cross_entropy", y_true, y_pred)
    return (1.0 - y_pred.gather(-1, y_true.unsqueeze(-1)).squeeze(-1) ** q) / q


categorical_generalized_cross_entropy.integer_targets = True


class BinaryFocalCrossentropy(FunctionLoss):
    """Focal loss of two classes: see `binary_focal_crossentropy`, and `Loss` for the other arguments.

    Args:
        apply_class_balancing: Whether to weigh class 1 by `alpha` and class 0 by `1 - alpha`.
        alpha: Weight of class 1.
        gamma: How far easy samples are played down.
        from_logits: Whether `y_pred` holds logits.
        label_smoothing: Number in [0, 1] by which targets are moved towards one half.
        axis: Axis that is averaged first.

    Source: Keras 3 `keras.losses.BinaryFocalCrossentropy`.
    """

    def __init__(
        self,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_focal_crossentropy",
        dtype=None,
    ):
        arguments = {
            "apply_class_balancing": apply_class_balancing,
            "alpha": alpha,
            "gamma": gamma,
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
        }
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **arguments)


class CategoricalFocalCrossentropy(FunctionLoss):
    """Focal loss of one-hot targets: see `categorical_focal_crossentropy`, and `Loss` for the other
    arguments.

    Args:
        alpha: Weight of the loss: a number, or one for each class.
        gamma: How far easy samples are played down.
        from_logits: Whether `y_pred` holds logits.
        label_smoothing: Number in [0, 1] that is shared among all classes.
        axis: The class axis.

    Source: Keras 3 `keras.losses.CategoricalFocalCrossentropy`.
    """

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_focal_crossentropy",
        dtype=None,
    ):
        arguments = {
            "alpha": alpha,
            "gamma": gamma,
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
        }
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, **arguments)


class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """Crossentropy for noisy labels: see `categorical_generalized_cross_entropy`, and `Loss`.

    Args:
        q: Number in (0, 1): near 0 it is the crossentropy, near 1 the absolute error.

    Raises:
        ValueError: `q` outside (0, 1).

    Source: Keras 3 `keras.losses.CategoricalGeneralizedCrossEntropy`. It takes integer labels.
    """

    def __init__(
        self,
        q=0.5,
        reduction="sum_over_batch_size",
        name="categorical_generalized_cross_entropy",
        dtype=None,
    ):
        if not 0 < q < 1:
            raise ValueError(
                f"CategoricalGeneralizedCrossEntropy: q must be in the interval (0, 1), got q={q!r}. "
                "Pass a number such as 0.5."
            )
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
