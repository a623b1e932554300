"""Means of the hinge losses, whose labels are -1 and 1, or 0 and 1."""

from torchkeras_lite import losses
from torchkeras_lite.metrics.reduction import FunctionMetric


class Hinge(FunctionMetric):
    """Mean of `losses.hinge`.

    Source: Keras 3 `keras.metrics.Hinge`.
    """

    _direction = "down"

    def __init__(self, name="hinge", dtype=None):
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(FunctionMetric):
    """Mean of `losses.squared_hinge`.

    Source: Keras 3 `keras.metrics.SquaredHinge`.
    """

    _direction = "down"

    def __init__(self, name="squared_hinge", dtype=None):
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(FunctionMetric):
    """Mean of `losses.categorical_hinge`.

    Source: Keras 3 `keras.metrics.CategoricalHinge`.
    """

    _direction = "down"

    def __init__(self, name="categorical_hinge", dtype=None):
        super().__init__(losses.categorical_hinge, name, dtype)
