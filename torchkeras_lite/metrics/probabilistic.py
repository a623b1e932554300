"""Means of the losses of probabilities: crossentropies, Kullback-Leibler divergence, Poisson."""

from torchkeras_lite import losses
from torchkeras_lite.metrics.reduction import FunctionMetric


class KLDivergence(FunctionMetric):
    """Mean of `losses.kl_divergence`.

    Source: Keras 3 `keras.metrics.KLDivergence`.
    """

    _direction = "down"

    def __init__(self, name="kl_divergence", dtype=None):
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(FunctionMetric):
    """Mean of `losses.poisson`.

    Source: Keras 3 `keras.metrics.Poisson`.
    """

    _direction = "down"

    def __init__(self, name="poisson", dtype=None):
        super().__init__(losses.poisson, name, dtype)


class CrossentropyMetric(FunctionMetric):
    """Mean of a crossentropy, whose arguments are those of the loss function.

    Args:
        from_logits: Whether predictions are logits instead of probabilities.
        label_smoothing: Number in [0, 1] by which labels are moved towards the even distribution.
        ignore_class: Label whose places have loss 0, or `None`. They still count in the mean, as in Keras.
        axis: Where the classes are.
    """

    _direction = "down"

    def __init__(self, fn, name, dtype, **arguments):
        super().__init__(fn, name, dtype, **arguments)
        vars(self).update(arguments)


class BinaryCrossentropy(CrossentropyMetric):
    """Mean of `losses.binary_crossentropy`; the arguments are told at `CrossentropyMetric`.

    Source: Keras 3 `keras.metrics.BinaryCrossentropy`.
    """

    config_arguments = ("from_logits", "label_smoothing")

    def __init__(self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0):
        arguments = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **arguments)


class CategoricalCrossentropy(CrossentropyMetric):
    """Mean of `losses.categorical_crossentropy`; the arguments are told at `CrossentropyMetric`.

    Source: Keras 3 `keras.metrics.CategoricalCrossentropy`.
    """

    config_arguments = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self, name="categorical_crossentropy", dtype=None, from_logits=False, label_smoothing=0, axis=-1
    ):
        arguments = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **arguments)


class SparseCategoricalCrossentropy(CrossentropyMetric):
    """Mean of `losses.sparse_categorical_crossentropy`; the arguments are told at `CrossentropyMetric`.

    Source: Keras 3 `keras.metrics.SparseCategoricalCrossentropy`.
    """

    config_arguments = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        name="sparse_categorical_crossentropy",
        dtype=None,
        from_logits=False,
        ignore_class=None,
        axis=-1,
    ):
        arguments = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **arguments)
