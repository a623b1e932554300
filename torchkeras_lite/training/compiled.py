"""What `compile` was given, resolved against the model's outputs: one loss and the metrics."""

import torch

from torchkeras_lite import losses, metrics
from torchkeras_lite.base import nested
from torchkeras_lite.metrics.resolve import BY_SHAPES, function_name, task_index
from torchkeras_lite.training.loss_places import (
    check_structure,
    place_losses,
    stacked_weights,
    survive,
    weights_by_loss,
    weights_message,
)
from torchkeras_lite.training.outputs import Outputs, standardized
from torchkeras_lite.training.torch_loss import TorchLoss, is_torch_loss

NAMES_BY_SHAPES = ("binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy")
BY_TASK = ("crossentropy", "ce")


def loss_for(identifier, y_true, y_pred, dtype=None):
    """Return the `Loss` that `identifier` (a name, function, `Loss` or torch loss) stands for, given real
    outputs.

    Args:
        identifier: As in `compile(loss=...)`.
        y_true, y_pred: A batch.
        dtype: Dtype that a loss given by name or as a function computes in; `None`: `floatx()`.

    Raises:
        ValueError: an unknown name.
    """
    name = identifier if isinstance(identifier, str) else None
    if name is not None and name.lower() in BY_TASK:
        identifier = NAMES_BY_SHAPES[task_index(y_true, y_pred)]
    if is_torch_loss(identifier):
        return TorchLoss(identifier)
    found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    return losses.LossFunctionWrapper(found, name=name or function_name(found), dtype=dtype)


def check_shapes(loss, y_true, y_pred, name):
    """Raise where targets would be stretched to the shape of an output: that trains another objective than
    was meant.

    Only losses of this package that compare value by value are checked; a function of the user's may take
    what it likes.
    """
    function = getattr(loss, "fn", None)
    elementwise = getattr(function, "whole_mean", None) is not None and not loss.integer_targets
    if not elementwise or y_true is None:
        return
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if true != pred and (*true, 1) != pred and true != (*pred, 1):
        raise ValueError(
            f"{loss.name}: the output '{name}' has shape {pred} and its targets have shape {true}. Both must "
            "have one shape (a last axis of size 1 may be missing)."
        )


def output_names(model):
    """Return the names of the layers that make the flat outputs, `None` where a model has no such."""
    return getattr(model, "output_names", None)


def only(structure):
    """Return the one leaf of a nested structure, or a tensor as it is."""
    return nested.flatten(structure)[0] if isinstance(structure, (list, tuple, dict)) else structure


class CompiledLoss:
    """The loss of the whole model: one or several for each output or structure of outputs, weighted and
    summed.

    `parts` holds the losses of single outputs, `structures` those of structures of them. A loss of a
    structure is given its targets and outputs in the form of the outputs; its sample weights are stacked.
    Losses of the same outputs share one entry in the logs, which shows the last of them.

    Args:
        loss: What `compile(loss=...)` was given, see `place_losses`.
        loss_weights: What `compile(loss_weights=...)` was given.
        dtype: Dtype of losses given by name or as functions; `None`: `floatx()`.

    Raises:
        ValueError: an unknown name; a list of weights of another length than that of the losses.
        TypeError: weights that are no numbers.
    """

    def __init__(self, loss, loss_weights=None, dtype=None):
        self.given = standardized(loss, _known_loss)
        self.weights = loss_weights
        self.dtype = dtype
        self.parts = None
        self.structures = ()
        self.wanted = None
        self.single = None
        self.trackers = []
        self.outputs = self.names = None
        _check_weights(loss_weights, self.given)

    def build(self, model, y_true, y_pred):
        """Resolve names against the outputs of the first batch."""
        outputs = self.outputs = Outputs(y_pred, output_names(model))
        self.names = outputs.names if outputs.count > 1 else None
        places = place_losses(outputs, self.given)
        self.wanted = sorted({index for place in places for index in place.outputs})
        factors = self._factors(outputs, places)
        flat, targets = nested.flatten(y_pred), outputs.targets(y_true, self.wanted)
        if outputs.count == 1:
            targets = [only(y_true)]
        parts, structures, trackers, labels = [], [], [], {}
        for place, factor in zip(places, factors, strict=True):
            loss = self._resolved(place, targets, flat)
            tracker = None
            if len(places) > 1:
                tracker = metrics.Mean(name=self._label(place, loss, labels))
                trackers.append(tracker)
            of_one = isinstance(place.node, int)
            (parts if of_one else structures).append((place.node, loss, factor, tracker))
        self.parts, self.structures, self.trackers = parts, structures, trackers
        self.single = parts[0][1] if outputs.count == len(parts) == 1 and not structures else None

    def _resolved(self, place, targets, flat):
        """Return the `Loss` at a place, once its targets and outputs are seen to fit it."""
        for index in place.outputs:
            if targets[index] is None:
                raise ValueError(_no_targets(self.outputs.names[index]))
        y_true, y_pred = _at(place.node, targets), _at(place.node, flat)
        of_structure = nested.is_nested(place.node)
        name = self.outputs.structure_name(place.path, "outputs") if of_structure else None
        if of_structure and isinstance(place.loss, str) and place.loss.lower() in BY_TASK:
            check_structure(place.loss, y_pred, name)
        loss = loss_for(place.loss, y_true, y_pred, self.dtype)
        if of_structure:
            check_structure(loss, y_pred, name)
        for index in place.outputs:
            check_shapes(loss, targets[index], flat[index], self.outputs.names[index])
        return loss

    def _label(self, place, loss, labels):
        """Return the name of a place in the logs; `labels` holds those of earlier ones."""
        if nested.is_nested(place.node):
            name = self.outputs.structure_name(place.path, loss.name)
        else:
            name = self.outputs.loss_name(place.node, loss.name)
        key = (place.outputs, name)
        if key not in labels:
            labels[key] = _free(f"{name}_loss", set(labels.values()))
        return labels[key]

    def _factors(self, outputs, places):
        """Return the weight of the loss at each place."""
        given = self.weights
        if not nested.is_nested(given):
            return [given] * len(places)
        nodes = [place.node for place in places]
        one_each = all(isinstance(node, int) for node in nodes) and len(set(nodes)) == len(nodes)
        if one_each and not nested.same_structure(self.given, given):
            by_output = self._factors_by_output(outputs)
            return [by_output.get(node) for node in nodes]
        by_loss = weights_by_loss(self.given, given)
        return [by_loss.get(place.number) for place in places]

    def _factors_by_output(self, outputs):
        given = self.weights
        flat = nested.flatten(given)
        if outputs.count == 1 and not isinstance(given, dict) and len(flat) == 1:
            return {0: flat[0]}
        if isinstance(given, (list, tuple)) and len(flat) == len(self.wanted) != outputs.count:
            return dict(zip(self.wanted, flat, strict=True))
        if isinstance(given, (list, tuple)) and len(flat) != outputs.count:
            raise ValueError(weights_message(len(self.wanted), len(flat)))
        return outputs.spread("loss_weights", given)

    def __call__(self, model, y_true, y_pred, sample_weight=None):
        """Return the weighted sum of the outputs' losses, a scalar tensor; keep track of each.

        `None` where no output has a loss.
        """
        if self.parts is None:
            self.build(model, y_true, y_pred)
        if self.single is not None:
            loss = self.single(only(y_true), only(y_pred), only(sample_weight))
            weight = self.parts[0][2]
            return loss if weight is None else loss * weight
        if not self.parts and not self.structures:
            return None
        outputs = nested.flatten(y_pred)
        targets = self.outputs.targets(y_true, self.wanted)
        weights = self.outputs.sample_weights(sample_weight, self.wanted)
        total = None
        for index, loss, weight, tracker in self.parts:
            if targets[index] is None:
                raise ValueError(_no_targets(self.outputs.names[index]))
            value = loss(targets[index], outputs[index], weights[index])
            total = _added(total, value, weight, tracker, outputs[index])
        for node, loss, weight, tracker in self.structures:
            indices = nested.flatten(node)
            for index in indices:
                if targets[index] is None:
                    raise ValueError(_no_targets(self.outputs.names[index]))
            leaves = [outputs[index] for index in indices]
            stacked = stacked_weights([weights[index] for index in indices], leaves)
            value = loss(_at(node, targets), _at(node, outputs), stacked)
            total = _added(total, value, weight, tracker, leaves[0])
        return total

    def survives(self, model, change, changes_outputs):
        """Whether a file that keeps containers as `change` does would tell where each loss stands.

        Args:
            model: The model.
            change: `as_lists` or `as_tuples`.
            changes_outputs: Whether it keeps the outputs of the model so, too.
        """
        outputs = self.outputs
        if outputs is None and model._recording is not None:
            outputs = Outputs(model._recording.outputs, output_names(model))
        return outputs is None or survive(outputs, self.given, change, changes_outputs)

    @property
    def losses(self):
        """The `Loss` of every output or structure that has one, once resolved."""
        return [loss for _, loss, *_ in (*(self.parts or ()), *self.structures)]


def _at(node, flat):
    """Return what flat outputs or targets have at a node: one, or a structure of them."""
    return nested.map_structure(flat.__getitem__, node)


def _added(total, value, weight, tracker, output):
    """Return the sum `total` with a loss value, weighted, on top, and keep track of the value."""
    if tracker is not None:
        with torch.no_grad():
            tracker.update_from_mean(value, output.shape[0])
    value = value if weight is None else value * _as_factor(weight, value)
    return value if total is None else total + value


def _no_targets(name):
    return f"The output '{name}' has a loss but was given no targets."


def _known_loss(identifier):
    """Return `identifier`, once its name is known; configs are read."""
    if isinstance(identifier, dict) or (isinstance(identifier, str) and identifier.lower() not in BY_TASK):
        found = losses.get(identifier)
        return found if isinstance(identifier, dict) else identifier
    if identifier is not None and not isinstance(identifier, str) and not callable(identifier):
        losses.get(identifier)  # raises, saying what is expected
    return identifier


def _check_weights(weights, loss):
    for weight in nested.flatten(weights):
        if isinstance(weight, (str, bool)) or callable(weight):
            raise TypeError(
                "compile: expected `loss_weights` to be a number, or a list, tuple or dict of them, got "
                f"loss_weights={weights!r} of type {type(weights).__name__}."
            )
    lists = isinstance(weights, (list, tuple)) and isinstance(loss, (list, tuple))
    if lists and len(weights) != len(loss) and len(nested.flatten(weights)) != len(nested.flatten(loss)):
        raise ValueError(weights_message(len(loss), len(weights)))


def _as_factor(weight, value):
    return weight if isinstance(weight, (int, float)) else torch.as_tensor(weight).to(value)


def _free(name, taken):
    """Return `name`, numbered where it is taken already, and take it."""
    base, count = name, 0
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    taken.add(name)
    return name


class CompiledMetrics(metrics.Metric):
    """All metrics that `compile` was given, as one.

    Args:
        given: `compile(metrics=...)`.
        weighted: `compile(weighted_metrics=...)`, which also see the sample weights.
        loss: The `CompiledLoss`, which knows for which outputs targets are given; `None`: for all.
    """

    def __init__(self, given, weighted, loss=None):
        super().__init__(name="compile_metrics")
        self.given = standardized(given, _known_metric)
        self.weighted = standardized(weighted, _known_metric)
        self.loss = loss
        self.parts = None
        self.keys = []

    @property
    def asked_for(self):
        """Whether `compile` was given metrics, be it an empty list."""
        return self.given is not None or self.weighted is not None

    def build(self, model, y_true, y_pred):
        """Resolve names against the outputs of the first batch."""
        outputs = self.outputs = Outputs(y_pred, output_names(model))
        self.several = outputs.count > 1
        flat, targets = nested.flatten(y_pred), self._targets(y_true)
        parts = []
        for given, is_weighted in ((self.given, False), (self.weighted, True)):
            what = "weighted_metrics" if is_weighted else "metrics"
            for index, wanted in enumerate(_lists_by_output(what, given, outputs)):
                if wanted and targets[index] is None:
                    raise ValueError(
                        f"The output '{outputs.names[index]}' has metrics but was given no targets."
                    )
                for identifier in wanted:
                    metric = metrics.resolve(identifier, targets[index], flat[index])
                    parts.append((index, metric, is_weighted))
        parts.sort(key=lambda part: part[0])  # stable: plain metrics of an output before weighted ones
        taken = set()
        self.keys = [self._key(part, taken) for part in parts]
        self.parts = parts

    def _key(self, part, taken):
        index, metric, is_weighted = part
        prefix = self.outputs.metric_prefix(index)
        prefix = "" if prefix is None else f"{prefix}_"
        name = f"{prefix}{metric.name}"
        if name in taken and is_weighted:
            name = f"{prefix}weighted_{metric.name}"
        return _free(name, taken)

    def _targets(self, y_true):
        if not self.several:
            return [only(y_true)]
        return self.outputs.targets(y_true, self._scored())

    def _scored(self):
        """Return the places of the outputs that targets are given for."""
        wanted = getattr(self.loss, "wanted", None)
        return list(range(self.outputs.count)) if wanted is None else wanted

    def update(self, model, y_true, y_pred, sample_weight=None):
        """Add a batch to every metric."""
        if self.parts is None:
            self.build(model, y_true, y_pred)
        if not self.parts:
            return
        if not self.several:
            y_true, y_pred, sample_weight = only(y_true), only(y_pred), only(sample_weight)
            for _, metric, is_weighted in self.parts:
                metric.update_state(y_true, y_pred, sample_weight=sample_weight if is_weighted else None)
            return
        outputs, targets = nested.flatten(y_pred), self._targets(y_true)
        weights = self.outputs.sample_weights(sample_weight, self._scored())
        for index, metric, is_weighted in self.parts:
            weight = weights[index] if is_weighted else None
            metric.update_state(targets[index], outputs[index], sample_weight=weight)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch to every metric."""
        self.update(None, y_true, y_pred, sample_weight)

    def result(self):
        """Return a dict of results by name. A metric whose result is a dict gives its own names."""
        found = {}
        for (index, metric, _), key in zip(self.parts or (), self.keys if self.parts else (), strict=True):
            value = metric.result()
            if isinstance(value, dict):
                prefix = self.outputs.metric_prefix(index)
                found |= {(name if prefix is None else f"{prefix}_{name}"): v for name, v in value.items()}
            else:
                found[key] = value
        return found

    def reset_state(self):
        """Start again."""
        for _, metric, _ in self.parts or ():
            metric.reset_state()

    @property
    def metrics(self):
        """The metrics, once resolved."""
        return [metric for _, metric, _ in self.parts or ()]

    @property
    def variables(self):
        """The state of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]


def _known_metric(identifier):
    """Return `identifier`, once its name is known; configs are read."""
    if isinstance(identifier, dict):
        return metrics.get(identifier)
    if isinstance(identifier, str) and identifier.lower() not in BY_SHAPES:
        metrics.get(identifier)
    return identifier


def _lists_by_output(what, given, outputs):
    """Return the list of metrics of each output."""
    if given is None or (nested.is_nested(given) and not given):
        return [[] for _ in range(outputs.count)]
    if outputs.count == 1:
        if isinstance(given, dict):
            given = list(outputs.spread(what, given).values())
        return [[metric for metric in nested.flatten(given) if metric is not None]]
    spread = outputs.spread(what, given)
    return [
        [metric for metric in nested.flatten(spread.get(index)) if metric is not None]
        for index in range(outputs.count)
    ]
