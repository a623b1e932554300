"""Areas under the ROC, precision-recall and precision-recall-gain curves, from counts at thresholds."""

import torch

from torchkeras_lite.base import config, serialization
from torchkeras_lite.metrics.confusion_counts import CountingMetric, Thresholds, even_thresholds
from torchkeras_lite.metrics.tensors import as_tensor, divide_no_nan

CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "majoring", "minoring")


class AUC(CountingMetric):
    """Area under a curve, by a Riemann sum over thresholds.

    Args:
        num_thresholds: How many thresholds, evenly from 0 to 1; more are closer to the true area.
        curve: `"ROC"`, `"PR"` (precision and recall) or `"PRGAIN"`.
        summation_method: Height of each strip: `"interpolation"` (the middle; for PR the Davis-Goadrich
            interpolation), `"minoring"` (the lower end) or `"majoring"` (the upper end).
        thresholds: Numbers in [0, 1] instead of `num_thresholds`; 0 and 1 are added.
        multi_label: Whether the columns of `y_pred` `(batch, labels)` have areas of their own, whose mean is
            the result; else all predictions are taken together.
        num_labels: How many columns, where known; only with `multi_label`.
        label_weights: One weight a label: for the mean of the areas with `multi_label`, else for the
            predictions.
        from_logits: Whether `y_pred` are logits instead of probabilities.

    Raises:
        ValueError: fewer than two thresholds, an unknown curve or summation, `num_labels` without
            `multi_label`.

    Source: Keras 3 `keras.metrics.AUC`; Davis and Goadrich 2006 (PR); Flach and Kull 2015 (PRGAIN).
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        name=None,
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        self.curve = _choice("curve", curve, CURVES)
        self.summation_method = _choice("summation method", summation_method, SUMMATIONS)
        self._inner_thresholds = None if thresholds is None else sorted(map(float, thresholds))
        if thresholds is not None:
            inner, even = self._inner_thresholds, Thresholds([0.0, *self._inner_thresholds, 1.0]).even
        elif num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. "
                f"Received: num_thresholds={num_thresholds}. The usual value is 200."
            )
        else:
            inner, even = even_thresholds(num_thresholds)[1:-1], True
        margin = config.epsilon()
        super().__init__(Thresholds([-margin, *inner, 1.0 + margin], even), name, dtype)
        self.num_thresholds = len(self._thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else as_tensor(label_weights, self.torch_dtype)
        self.from_logits = from_logits
        self._built = False
        if not multi_label:
            if num_labels:
                raise ValueError(
                    f"`num_labels` is needed only when `multi_label` is True. Got num_labels={num_labels}; "
                    "leave it out, or pass multi_label=True."
                )
            self._build(())
        elif num_labels:
            self._build((num_labels,))

    @property
    def thresholds(self):
        """The thresholds, with a margin around 0 and 1, as a list."""
        return list(self._thresholds.values)

    def _build(self, labels):
        self.add_counts(*labels)
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        if self.from_logits:
            y_pred = as_tensor(y_pred).sigmoid()
        if not self._built:
            y_pred = as_tensor(y_pred)
            if y_pred.ndim != 2:
                raise ValueError(
                    f"`y_pred` must have rank 2 when `multi_label=True`. Found rank {y_pred.ndim}. Full "
                    f"shape received "
                    f"for `y_pred`: {tuple(y_pred.shape)}. Pass predictions of shape (batch, labels)."
                )
            self._build((y_pred.shape[1],))
        super().update_state(y_true, y_pred, sample_weight)

    def weigh_labels(self, weight, y_pred):
        """Return the weights times those of the labels, where all labels are counted together."""
        if self.label_weights is None or self.multi_label:
            return weight
        labels = self.label_weights.to(y_pred).expand(y_pred.shape)
        return labels if weight is None else weight * labels

    def result(self):
        """Return the area so far."""
        if not self._built:
            return torch.zeros((), dtype=self.torch_dtype)
        tp, fp, tn, fn = self.counted()
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._mean_of_labels(_interpolated_pr(tp, fp, fn))
        recall = divide_no_nan(tp, tp + fn)
        match self.curve:
            case "ROC":
                x, y = divide_no_nan(fp, fp + tn), recall
            case "PR":
                x, y = recall, divide_no_nan(tp, tp + fp)
            case _:
                ratio = divide_no_nan(tp + fn, tn + fp)
                x = torch.where(tp == 0, 0.0, 1.0 - ratio * divide_no_nan(fn, tp)).clamp(min=0.0)
                y = torch.where(tp == 0, 1.0, 1.0 - ratio * divide_no_nan(fp, tp))
        match self.summation_method:
            case "interpolation":
                heights = (y[:-1] + y[1:]) / 2.0
            case "minoring":
                heights = torch.minimum(y[:-1], y[1:])
            case _:
                heights = torch.maximum(y[:-1], y[1:])
        return self._mean_of_labels((x[:-1] - x[1:]) * heights)

    def _mean_of_labels(self, strips):
        areas = strips.sum(0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return areas.mean()
        weights = self.label_weights.to(areas)
        return divide_no_nan((areas * weights).sum(), weights.sum())

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config() | {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        return config if self._inner_thresholds is None else config | {"thresholds": self._inner_thresholds}

    @classmethod
    def from_config(cls, config):
        """Make a metric from what `get_config` returned."""
        return cls(**serialization.deserialize_keras_object(config))


def _choice(kind, value, known):
    """Return the member of `known` that `value`, in any case, spells."""
    value = getattr(value, "value", value)
    for choice in known:
        if str(value).lower() == choice.lower():
            return choice
    raise ValueError(f'Invalid AUC {kind} value: "{value}". Expected one of {", ".join(known)}.')


def _interpolated_pr(tp, fp, fn):
    """Return the area of each strip: true positives grow evenly with the positives between thresholds."""
    positives = tp + fp
    more_tp = tp[:-1] - tp[1:]
    more = positives[:-1] - positives[1:]
    slope = divide_no_nan(more_tp, more.clamp(min=0))
    intercept = tp[1:] - slope * positives[1:]
    both = (positives[:-1] > 0) & (positives[1:] > 0)
    ratio = torch.where(both, divide_no_nan(positives[:-1], positives[1:].clamp(min=0)), 1.0)
    return divide_no_nan(slope * (more_tp + intercept * ratio.log()), (tp[1:] + fn[1:]).clamp(min=0))
