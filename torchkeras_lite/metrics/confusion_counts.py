"""True and false positives and negatives at thresholds: what precision, recall and AUC count."""

import numpy as np
import torch

from torchkeras_lite.base import checks, config
from torchkeras_lite.losses.arguments import match_ranks
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.tensors import as_pair, as_tensor, spread_weight

# All that can be counted, by the names of the state variables.
ALL_COUNTS = {
    "true_positives": "tp",
    "false_positives": "fp",
    "true_negatives": "tn",
    "false_negatives": "fn",
}
# What `top_k` gives to the scores that are not among the k best, and the threshold that goes with it.
BELOW_ALL = -1e10


def check_thresholds(thresholds, default):
    """Return `thresholds`, a number, a list or `None` for `default`, as a list.

    Raises:
        ValueError: a threshold outside [0, 1].
    """
    if thresholds is None:
        return [default]
    listed = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    wrong = [value for value in listed if value is None or value < 0 or value > 1]
    if wrong:
        raise ValueError(
            f"Threshold values must be in [0, 1]. Received: {wrong}. Pass probabilities, for example 0.5."
        )
    return listed


def even_thresholds(count):
    """Return `count` thresholds from 0 to 1 at equal distances."""
    return [0.0, *((i + 1) / (count - 1) for i in range(count - 2)), 1.0]


class Thresholds:
    """A list of thresholds, ready to be counted at.

    Args:
        values: Ascending numbers.
        even: Whether they divide [0, 1] evenly, which allows sorting predictions into buckets instead of
            comparing each with every threshold. `None`: look.
    """

    def __init__(self, values, even=None):
        self.values = [float(value) for value in values]
        count = len(self.values)
        if even is None:
            even = count >= 3 and np.allclose(
                self.values, np.arange(count) / (count - 1), atol=config.epsilon()
            )
        self.even = even
        self.beyond_unit = self.values[0] < 0.0 or self.values[-1] > 1.0
        self._tensors = {}

    def __len__(self):
        return len(self.values)

    def __getstate__(self):
        return vars(self) | {"_tensors": {}}

    def on(self, like):
        """Return what predictions `like` are compared with: a number, or a tensor like them."""
        if len(self.values) == 1:
            return self.values[0]
        key = (like.device, like.dtype)
        if key not in self._tensors:
            self._tensors[key] = torch.tensor(self.values, dtype=like.dtype, device=like.device)
        return self._tensors[key]


def prepare(owner, y_true, y_pred, sample_weight, dtype, *, top_k=None, class_id=None):
    """Return labels (boolean), predictions and weights (or `None`) of one shape.

    Args:
        owner: Name for messages.
        y_true: Labels; everything but 0 is positive.
        y_pred: Predictions of the same shape, up to a last axis of size 1.
        sample_weight: One weight a sample or a value, or `None`.
        dtype: torch dtype for the predictions and weights.
        top_k: How many of the last axis can be positive, or `None`.
        class_id: Index in the last axis to which the count is limited, or `None`.

    Raises:
        ValueError: shapes that do not go together.
    """
    y_true, y_pred = match_ranks(*as_pair(y_true, y_pred))
    y_pred = y_pred.to(dtype)
    label = y_true != 0
    if label.numel() != y_pred.numel():
        raise ValueError(
            f"{owner}: expected `y_true` and `y_pred` of one shape, got y_true.shape={tuple(y_true.shape)} "
            f"and y_pred.shape={tuple(y_pred.shape)}. Pass one label for every prediction."
        )
    if sample_weight is not None:
        sample_weight = as_tensor(sample_weight, dtype, y_pred.device)
        if sample_weight.ndim < y_pred.ndim:
            sample_weight = sample_weight.unsqueeze(-1)
        elif sample_weight.ndim > y_pred.ndim:
            _, sample_weight = match_ranks(y_pred, sample_weight)
    if top_k is not None:
        best = y_pred.topk(top_k, dim=-1).indices
        y_pred = torch.full_like(y_pred, BELOW_ALL).scatter(-1, best, y_pred.gather(-1, best))
    if class_id is not None:
        if y_pred.ndim == 1:
            raise ValueError(
                "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), "
                f"found shape: {tuple(y_pred.shape)}. Leave out class_id for predictions of one class."
            )
        label, y_pred = label[..., class_id, None], y_pred[..., class_id, None]
    if sample_weight is not None:
        sample_weight = spread_weight(owner, sample_weight, y_pred.shape)
    return label, y_pred, sample_weight


def count(wanted, label, y_pred, weight, thresholds, *, by_label=False):
    """Return the counts in `wanted`, of shape `(thresholds,)`, or `(thresholds, labels)` with `by_label`.

    A prediction is positive when it is greater than the threshold.

    Args:
        wanted: Some of `"tp"`, `"fp"`, `"tn"`, `"fn"`.
        label: Booleans.
        y_pred: Predictions.
        weight: Weights, or `None`. All three have one shape, `(batch, labels)` with `by_label`.
        thresholds: `Thresholds`.
        by_label: Whether the columns are counted apart.
    """
    if not by_label:
        label, y_pred = label.reshape(-1), y_pred.reshape(-1)
        weight = None if weight is None else weight.reshape(-1)
    counted = (_count_in_buckets if thresholds.even else _count_each)(
        wanted, label, y_pred, weight, thresholds
    )
    return [counted[name] for name in wanted]


def _count_each(wanted, label, y_pred, weight, thresholds):
    cut = thresholds.on(y_pred)
    if isinstance(cut, torch.Tensor):
        cut = cut.view(-1, *[1] * y_pred.ndim)
    positive = y_pred.unsqueeze(0) > cut  # (thresholds, batch) or (thresholds, batch, labels)
    counted = {}
    for name in wanted:
        match name:
            case "tp":
                hit = positive & label
            case "fp":
                hit = positive > label
            case "fn":
                hit = positive < label
            case _:
                hit = (positive | label).logical_not_()
        if weight is None:
            counted[name] = hit.sum(1, dtype=y_pred.dtype)
        else:
            counted[name] = torch.where(hit, weight, 0.0).sum(1)
    return counted


def _count_in_buckets(wanted, label, y_pred, weight, thresholds):
    """Sort predictions into the intervals between even thresholds, then sum the intervals above each.

    Bucket 0 holds what is above no threshold, bucket `i` what is above `i` of them.
    """
    num = len(thresholds)
    bucket = (y_pred.clamp(0.0, 1.0) * (num - 1)).ceil().long()
    # NaN becomes some integer, which must not leave the table; thresholds that begin below 0 are passed by 0
    # itself.
    bucket = bucket.clamp(1 if thresholds.beyond_unit else 0, num - 1)
    num_labels = 1 if y_pred.ndim == 1 else y_pred.shape[-1]
    row = label.long() * num_labels  # (batch,) or (batch, labels)
    if num_labels > 1:
        row = row + torch.arange(num_labels, device=row.device)
    # The last column stays empty: nothing is above the last threshold.
    table = torch.zeros(2 * num_labels * (num + 1), dtype=y_pred.dtype, device=y_pred.device)
    weight = torch.ones_like(y_pred) if weight is None else weight
    table.scatter_add_(0, (row * (num + 1) + bucket).reshape(-1), weight.reshape(-1))
    above = table.view(2, num_labels, num + 1).flip(-1).cumsum(-1).flip(-1)
    total, positive = above[..., :1], above[..., 1:]
    if y_pred.ndim == 1:
        total, positive = total[:, 0], positive[:, 0]  # (2, 1), (2, thresholds)
    else:
        total, positive = total.mT, positive.mT  # (2, 1, labels), (2, thresholds, labels)
    counted = {"fp": positive[0], "tp": positive[1]}
    if "tn" in wanted or "fn" in wanted:
        counted["tn"], counted["fn"] = total - positive
    return counted


class CountingMetric(Metric):
    """A metric whose state is one count, or one for each label, at each of some thresholds.

    Args:
        thresholds: `Thresholds`.

    Raises:
        ValueError: labels, predictions or weights whose shapes do not go together.
    """

    # Names of the state variables, and what each counts.
    counts: dict[str, str] = ALL_COUNTS
    top_k = None
    class_id = None
    multi_label = False

    def __init__(self, thresholds, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._thresholds = thresholds

    def add_counts(self, *labels):
        """Make the state variables, of shape `(thresholds, *labels)`."""
        for name in self.counts:
            setattr(self, name, self.add_variable((len(self._thresholds), *labels), name=name))

    def counted(self):
        """Return the values of the state variables, in the order of `counts`."""
        return [getattr(self, name).value for name in self.counts]

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        variables = [getattr(self, name) for name in self.counts]
        owner, dtype = checks.describe(self), variables[0].torch_dtype
        label, y_pred, weight = prepare(
            owner, y_true, y_pred, sample_weight, dtype, top_k=self.top_k, class_id=self.class_id
        )
        weight = self.weigh_labels(weight, y_pred)
        wanted = list(self.counts.values())
        values = count(wanted, label, y_pred, weight, self._thresholds, by_label=self.multi_label)
        for variable, value in zip(variables, values, strict=True):
            variable.add_scaled(value)

    def weigh_labels(self, weight, y_pred):
        """Return the weights, which a subclass can change; `None` for none."""
        return weight
