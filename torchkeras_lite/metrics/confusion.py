"""Counts of right and wrong positives and negatives, precision and recall."""

from torchkeras_lite.metrics.confusion_counts import BELOW_ALL, CountingMetric, Thresholds, check_thresholds
from torchkeras_lite.metrics.tensors import divide_no_nan


class ThresholdMetric(CountingMetric):
    """A metric that counts at thresholds the user gave.

    Args:
        thresholds: Number or list of numbers in [0, 1]; a prediction is positive when it is above. `None`:
            0.5. A list gives one result for each.

    Raises:
        ValueError: a threshold outside [0, 1]; labels, predictions or weights whose shapes do not go
            together.
    """

    def __init__(self, thresholds=None, name=None, dtype=None, default=0.5):
        self.init_thresholds = thresholds
        self.thresholds = check_thresholds(thresholds, default)
        super().__init__(Thresholds(self.thresholds), name, dtype)
        self.add_counts()

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return super().get_config() | {"thresholds": self.init_thresholds}

    def _scalar_if_single(self, values):
        return values[0] if len(self.thresholds) == 1 else values


class ConfusionCount(ThresholdMetric):
    """The number, or the summed weight, of the predictions of one kind.

    Takes `thresholds` as `ThresholdMetric` does.
    """

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(thresholds=thresholds, name=name, dtype=dtype)

    def result(self):
        """Return the count so far: a scalar, or one value for each threshold."""
        return self._scalar_if_single(self.accumulator.value)


class TruePositives(ConfusionCount):
    """How many predictions are positive, and rightly.

    Source: Keras 3 `keras.metrics.TruePositives`.
    """

    counts = {"accumulator": "tp"}


class FalsePositives(ConfusionCount):
    """How many predictions are positive, and wrongly.

    Source: Keras 3 `keras.metrics.FalsePositives`.
    """

    counts = {"accumulator": "fp"}


class TrueNegatives(ConfusionCount):
    """How many predictions are negative, and rightly.

    Source: Keras 3 `keras.metrics.TrueNegatives`.
    """

    counts = {"accumulator": "tn"}


class FalseNegatives(ConfusionCount):
    """How many predictions are negative, and wrongly.

    Source: Keras 3 `keras.metrics.FalseNegatives`.
    """

    counts = {"accumulator": "fn"}


class PositiveRatio(ThresholdMetric):
    """True positives divided by all that are positive in one sense; the base of precision and recall.

    Args:
        thresholds: As in `ThresholdMetric`; with `top_k`, `None` means no threshold.
        top_k: Only the `top_k` largest of the last axis can be positive.
        class_id: Count only this index of the last axis.
    """

    _direction = "up"
    config_arguments = ("top_k", "class_id")

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        default = 0.5 if top_k is None else BELOW_ALL
        super().__init__(thresholds=thresholds, name=name, dtype=dtype, default=default)
        self.top_k = top_k
        self.class_id = class_id

    def result(self):
        """Return the ratio so far, 0 where nothing was counted: a scalar, or one value for each threshold."""
        hits, misses = self.counted()
        return self._scalar_if_single(divide_no_nan(hits, hits + misses))


class Precision(PositiveRatio):
    """Which part of the positive predictions is right.

    Takes `thresholds`, `top_k` and `class_id` as `PositiveRatio` does.

    >>> float(Precision()([0, 1, 1, 1], [1, 0, 1, 1]))  # doctest: +ELLIPSIS
    0.666...

    Source: Keras 3 `keras.metrics.Precision`.
    """

    counts = {"true_positives": "tp", "false_positives": "fp"}


class Recall(PositiveRatio):
    """Which part of the positive labels is found.

    Takes `thresholds`, `top_k` and `class_id` as `PositiveRatio` does.

    Source: Keras 3 `keras.metrics.Recall`.
    """

    counts = {"true_positives": "tp", "false_negatives": "fn"}
