"""The best value of one rate among the thresholds at which another rate is high enough."""

import torch

from torchkeras_lite.metrics.confusion_counts import CountingMetric, Thresholds, even_thresholds
from torchkeras_lite.metrics.tensors import divide_no_nan


def rate(hits, misses):
    """Return `hits / (hits + misses)`, 0 where both are 0."""
    return divide_no_nan(hits, hits + misses)


class OperatingPoint(CountingMetric):
    """The largest `reported` rate among the thresholds where the `required` rate reaches a value.

    Args:
        num_thresholds: How many thresholds, evenly from 0 to 1, are tried; 1 means 0.5 alone.
        class_id: Count only this index of the last axis.

    Raises:
        ValueError: a required value outside [0, 1]; fewer than one threshold.
    """

    _direction = "up"
    # The constructor's argument that holds the required value, and the two rates.
    required_argument = ""
    required = ""
    reported = ""

    def __init__(self, value, num_thresholds=200, class_id=None, name=None, dtype=None):
        argument = self.required_argument
        if not 0 <= value <= 1:
            raise ValueError(
                f"Argument `{argument}` must be in the range [0, 1]. Received: {argument}={value}. "
                "Pass a fraction."
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. "
                f"Received: num_thresholds={num_thresholds}. The usual value is 200."
            )
        self.thresholds = [0.5] if num_thresholds == 1 else even_thresholds(num_thresholds)
        super().__init__(Thresholds(self.thresholds, even=num_thresholds > 1), name, dtype)
        self.add_counts()
        self.value = value
        setattr(self, argument, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id

    def result(self):
        """Return the best rate so far, 0 where no threshold qualifies."""
        required, reported = self._rate(self.required), self._rate(self.reported)
        return torch.where(required >= self.value, reported, 0.0).max().clamp(min=0.0)

    def _rate(self, kind):
        tp, fp, tn, fn = self.counted()
        match kind:
            case "recall":
                return rate(tp, fn)
            case "precision":
                return rate(tp, fp)
            case _:
                return rate(tn, fp)


class SensitivityAtSpecificity(OperatingPoint):
    """The best sensitivity (recall) at which the specificity is at least `specificity`.

    Takes `num_thresholds` and `class_id` as `OperatingPoint` does.

    Args:
        specificity: Number in [0, 1].

    Source: Keras 3 `keras.metrics.SensitivityAtSpecificity`.
    """

    config_arguments = ("class_id", "num_thresholds", "specificity")
    required_argument, required, reported = "specificity", "specificity", "recall"

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(OperatingPoint):
    """The best specificity at which the sensitivity (recall) is at least `sensitivity`.

    Takes `num_thresholds` and `class_id` as `OperatingPoint` does.

    Args:
        sensitivity: Number in [0, 1].

    Source: Keras 3 `keras.metrics.SpecificityAtSensitivity`.
    """

    config_arguments = ("class_id", "num_thresholds", "sensitivity")
    required_argument, required, reported = "sensitivity", "recall", "specificity"

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(OperatingPoint):
    """The best precision at which the recall is at least `recall`.

    Takes `num_thresholds` and `class_id` as `OperatingPoint` does.

    Args:
        recall: Number in [0, 1].

    Source: Keras 3 `keras.metrics.PrecisionAtRecall`.
    """

    config_arguments = ("class_id", "num_thresholds", "recall")
    required_argument, required, reported = "recall", "recall", "precision"

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(OperatingPoint):
    """The best recall at which the precision is at least `precision`.

    Takes `num_thresholds` and `class_id` as `OperatingPoint` does.

    Args:
        precision: Number in [0, 1].

    Source: Keras 3 `keras.metrics.RecallAtPrecision`.
    """

    config_arguments = ("class_id", "num_thresholds", "precision")
    required_argument, required, reported = "precision", "precision", "recall"

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
