"""Metrics of the `torchmetrics` package in the place of metrics of Keras."""

import copy

import torch
from torch import nn

from torchkeras_lite.base import naming
from torchkeras_lite.metrics.metric import Metric


class TorchMetric(Metric):
    """A metric of `torchmetrics`, or a collection of such, called in torch's order `(preds, target)`.

    `compile(metrics=[torchmetrics.MeanAbsoluteError()])` makes one. The object given is used itself: it
    moves to the device of the data, is reset every epoch, and can be read at any time. What it needs in
    another form than Keras is made good: a last axis of size 1 is dropped; for metrics of classification,
    targets become integers, one-hot targets class numbers, and classes on the last axis of predictions with
    more than two axes move to axis 1. Steps that a mask leaves out are taken out, which waits for the device.

    The values are checked in the first batch of an epoch only, because the check waits for the device.

    Args:
        metric: The `torchmetrics.Metric` or `torchmetrics.MetricCollection`.
        name: Name in logs; snake case of the class by default. A collection gives names of its own.

    Raises:
        ValueError: in an update, sample weights, which these metrics do not take.

    Source: the package torchmetrics.
    """

    def __init__(self, metric, name=None):
        super().__init__(name=name or naming.to_snake_case(type(metric).__name__))
        self.metric = metric
        self._members = list(metric.values()) if isinstance(metric, nn.ModuleDict) else [metric]
        self._checks = [getattr(member, "validate_args", None) for member in self._members]
        self._batches = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        if sample_weight is not None:
            raise ValueError(
                f"{self.name}: metrics of torchmetrics take no sample weights. Pass it in `metrics`, or a "
                "metric of Keras in `weighted_metrics`."
            )
        mask = getattr(y_pred, "_keras_mask", None)
        y_pred = y_pred.detach()
        if self._batches == 0:
            self.metric.to(y_pred.device)
        y_true = y_true.to(y_pred.device)
        if mask is not None:
            y_true, y_pred = y_true[mask], y_pred[mask]
        if y_pred.ndim > 1 and y_pred.shape[-1] == 1:
            y_pred = y_pred.squeeze(-1)
        if y_true.ndim > 1 and y_true.shape[-1] == 1:
            y_true = y_true.squeeze(-1)
        if y_pred.dtype in (torch.float16, torch.bfloat16):
            y_pred = y_pred.float()
        for member, preds, target in self._grouped(y_true, y_pred):
            member.update(preds, target)
        self._batches += 1
        if self._batches == 1:
            self._check(False)

    def _grouped(self, y_true, y_pred):
        """Return who is updated with what: a collection as a whole, where its members want the same."""
        forms = [_form(member) for member in self._members]
        if len(set(forms)) == 1:
            return [(self.metric, *_as_wanted(forms[0], y_true, y_pred))]
        pairs = zip(self._members, forms, strict=True)
        return [(member, *_as_wanted(form, y_true, y_pred)) for member, form in pairs]

    def _check(self, on):
        for member, given in zip(self._members, self._checks, strict=True):
            if given is not None:
                member.validate_args = given and on

    def result(self):
        """Return the value so far, a tensor; a dict of them for a collection. 0 before the first batch."""
        if self._batches == 0:
            return {} if isinstance(self.metric, nn.ModuleDict) else torch.zeros(())
        return self.metric.compute()

    def reset_state(self):
        """Start again."""
        self.metric.reset()
        self._batches = 0
        self._check(True)

    def copied_state(self):
        """Return a copy of the state, for `take_state`."""
        return self._batches, [copy.deepcopy(vars(member)) for member in self._members]

    def take_state(self, state):
        """Go back to the state that `copied_state` returned."""
        self._batches, states = state
        for member, kept in zip(self._members, states, strict=True):
            vars(member).update(kept)

    @property
    def members(self):
        """The metrics of torchmetrics: those of a collection, or the one."""
        return self._members

    @property
    def variables(self):
        """None: the state is torch's own."""
        return []

    def kept_batches(self):
        """Return the state, for a training that is to go on later."""
        members = [[dict(member.metric_state), member._update_count] for member in self._members]
        return {"batches": self._batches, "members": members}

    def keep_batches(self, state):
        """Take what `kept_batches` returned."""
        self._batches = state["batches"]
        for member, (values, count) in zip(self._members, state["members"], strict=True):
            for name, value in values.items():
                setattr(member, name, value)
            member._update_count = count
        self._check(self._batches == 0)

    def get_config(self):
        """Refuse: the settings of these metrics cannot be read back.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{self.name}: metrics of torchmetrics cannot be written into a config. Pass them to `compile` "
            "again after loading."
        )


def is_torch_metric(value):
    """Whether `value` is a metric (or a collection of metrics) of torchmetrics' kind."""
    return isinstance(value, nn.Module) and all(
        callable(getattr(value, method, None)) for method in ("update", "compute", "reset")
    )


def _form(metric):
    """Return what a metric wants: `"values"`, `"labels"` or `"classes"` (labels, with classes on axis 1)."""
    kind = type(metric)
    if not kind.__module__.startswith("torchmetrics.classification"):
        return "values"
    return "classes" if kind.__name__.startswith("Multiclass") else "labels"


def _as_wanted(form, y_true, y_pred):
    """Return `(preds, target)` in the form that a metric wants."""
    if form == "values":
        return y_pred, y_true
    if form == "classes" and y_pred.ndim > 1:
        if y_true.shape == y_pred.shape and y_pred.is_floating_point():
            y_true = y_true.argmax(-1)
        if y_pred.ndim > 2 and y_true.shape == y_pred.shape[:-1]:
            y_pred = y_pred.movedim(-1, 1)
    return y_pred, y_true.long() if y_true.is_floating_point() else y_true
