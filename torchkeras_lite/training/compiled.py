"""What `compile` was given, resolved against the model's outputs: one loss and the metrics."""

import torch
from torch import nn

from torchkeras_lite import losses, metrics
from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.metrics.resolve import BY_SHAPES, task_index

NAMES_BY_SHAPES = ("binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy")


class TorchLoss(losses.Loss):
    """A loss of torch's kind, `module(input, target)`, called in torch's order with the targets as torch
    wants them.

    Args:
        module: An `nn.Module` such as `nn.CrossEntropyLoss()`.
    """

    def __init__(self, module):
        super().__init__(name=type(module).__name__)
        self.module = module

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return `module(y_pred, y_true)`.

        Raises:
            ValueError: sample weights, which torch's losses do not take.
        """
        if sample_weight is not None:
            raise ValueError(
                f"{self.name}: torch's losses take no sample weights. Use a Keras loss, or weigh inside a "
                "function of your own."
            )
        if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 and not y_true.is_floating_point():
            y_true = y_true.squeeze(-1)
        if not y_true.is_floating_point() and isinstance(self.module, (nn.CrossEntropyLoss, nn.NLLLoss)):
            y_true = y_true.long()
        elif y_true.shape != y_pred.shape and y_true.numel() == y_pred.numel():
            y_true = y_true.reshape(y_pred.shape)
        return self.module(y_pred, y_true)


def loss_for(identifier, y_true, y_pred):
    """Return the `Loss` that `identifier` (a name, function, `Loss` or torch loss) stands for, given real
    outputs.

    Raises:
        ValueError: an unknown name.
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        identifier = NAMES_BY_SHAPES[task_index(y_true, y_pred)]
    if isinstance(identifier, nn.Module):
        return TorchLoss(identifier)
    found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    return losses.LossFunctionWrapper(found, name=getattr(found, "__name__", type(found).__name__))


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
            "have one shape "
            "(a last axis of size 1 may be missing)."
        )


def check_names(what, keys, names):
    """Raise for a key of `compile(loss={...})` and its like that is no output."""
    for key in keys:
        if key not in names:
            raise ValueError(
                f"compile: `{what}` names the output {key!r}, and the model has no such "
                f"output{suggestion(key, names)} Its "
                f"outputs: {names}."
            )


def names_of_outputs(model, y_pred):
    """Return the names of the flat outputs.

    Keys of a dict, names of the layers that make them, or `output_0`, ...
    """
    if isinstance(y_pred, dict):
        paths = [path for path, _ in nested.flatten_with_path(y_pred)]
        return ["_".join(map(str, path)) for path in paths]
    flat = nested.flatten(y_pred)
    names = getattr(model, "output_names", None)
    return names if names is not None else [f"output_{index}" for index in range(len(flat))]


def by_output(what, given, names, y_pred, default=None):
    """Spread an argument of `compile`, or targets, over the flat outputs.

    Args:
        what: Name of the argument, for messages.
        given: One value, a list with an entry for every output, or a dict by names of outputs.
        names: Names of the outputs.
        y_pred: The outputs.
        default: What outputs get that a dict does not name.
    """
    one_each = isinstance(given, (list, tuple, dict)) and what not in ("metrics", "weighted_metrics")
    if one_each and nested.same_structure(given, y_pred):
        return nested.flatten(given)
    if isinstance(given, dict):
        check_names(what, given, names)
        return [nested.unpack_single(given.get(name, default)) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(
                f"`{what}` should have as many entries as the model has outputs ({len(names)}: {names}), got "
                f"{len(given)}."
            )
        return list(given)
    return [given] * len(names)


class CompiledLoss:
    """The loss of the whole model: one for each output, weighted and summed.

    Args:
        loss: What `compile(loss=...)` was given.
        loss_weights: What `compile(loss_weights=...)` was given.
    """

    def __init__(self, loss, loss_weights=None):
        self.given = loss
        self.weights = loss_weights
        self.parts = None
        self.single = None
        self.trackers = []
        for identifier in nested.flatten(loss):
            if isinstance(identifier, str) and identifier.lower() not in ("crossentropy", "ce"):
                losses.get(identifier)  # unknown names are told at `compile`

    def build(self, model, y_true, y_pred):
        """Resolve names against the outputs of the first batch."""
        flat = nested.flatten(y_pred)
        names = names_of_outputs(model, y_pred)
        if len(flat) == 1:
            identifier = next(iter(nested.flatten(self.given)))
            if isinstance(self.given, dict):
                check_names("loss", self.given, names)
            elif isinstance(self.given, (list, tuple)) and len(self.given) != 1:
                by_output("loss", self.given, names, y_pred)
            weight = next(iter(nested.flatten(self.weights)))
            target = next(iter(nested.flatten(y_true)))
            self.single = loss_for(identifier, target, flat[0])
            check_shapes(self.single, target, flat[0], names[0])
            self.parts = [(0, self.single, weight, None)]
            return
        given = self.given
        if not isinstance(given, (list, tuple, dict)):
            given = [given] * len(names)
        identifiers = by_output("loss", given, names, y_pred)
        weights = by_output("loss_weights", self.weights, names, y_pred)
        targets = targets_by_output(y_true, y_pred, names)
        self.parts = []
        for index, (identifier, weight, name) in enumerate(zip(identifiers, weights, names, strict=True)):
            if identifier is not None:
                tracker = metrics.Mean(name=f"{name}_loss")
                loss = loss_for(identifier, targets[index], flat[index])
                check_shapes(loss, targets[index], flat[index], name)
                self.parts.append((index, loss, weight, tracker))
        self.trackers = [tracker for *_, tracker in self.parts]
        self.names = names

    def __call__(self, model, y_true, y_pred, sample_weight=None):
        """Return the weighted sum of the outputs' losses, a scalar tensor; keep track of each."""
        if self.parts is None:
            self.build(model, y_true, y_pred)
        if self.single is not None:
            if not isinstance(y_pred, torch.Tensor):
                y_pred = nested.flatten(y_pred)[0]
            if isinstance(y_true, (list, tuple, dict)):
                y_true = nested.flatten(y_true)[0]
            if isinstance(sample_weight, (list, tuple, dict)):
                sample_weight = nested.flatten(sample_weight)[0]
            loss, weight = self.single(y_true, y_pred, sample_weight), self.parts[0][2]
            return loss if weight is None else loss * weight
        outputs = nested.flatten(y_pred)
        targets = targets_by_output(y_true, y_pred, self.names)
        weights = weights_by_output(sample_weight, y_pred, self.names)
        total = None
        for index, loss, weight, tracker in self.parts:
            if targets[index] is None:
                raise ValueError(f"The output '{self.names[index]}' has a loss but was given no targets.")
            value = loss(targets[index], outputs[index], weights[index])
            with torch.no_grad():
                tracker.update_from_mean(value, outputs[index].shape[0])
            value = value if weight is None else value * weight
            total = value if total is None else total + value
        return total


def targets_by_output(y_true, y_pred, names):
    """Return one target (or `None`) for each flat output.

    Raises:
        ValueError: targets of one output where the model has several.
    """
    if isinstance(y_true, torch.Tensor) and len(names) > 1:
        raise ValueError(
            f"The model has the outputs {names}, but `y` is one array of shape {tuple(y_true.shape)}. Pass a "
            "list with the targets of each, or a dict by these names."
        )
    if isinstance(y_true, dict) or isinstance(y_pred, dict):
        if isinstance(y_true, dict) and set(y_true) == set(names):
            return [y_true[name] for name in names]
        if (
            isinstance(y_true, dict)
            and isinstance(y_pred, dict)
            and any(isinstance(v, dict) for v in y_true.values())
        ):
            return nested.flatten(y_true)
    if isinstance(y_true, (list, tuple)) and len(y_true) != len(names):
        flat = nested.flatten(y_true)
        if len(flat) == len(names):
            return flat
    return by_output("y", y_true, names, y_pred)


def weights_by_output(sample_weight, y_pred, names):
    """Return one set of sample weights (or `None`) for each flat output.

    One for all where only one is given.
    """
    return by_output("sample_weight", sample_weight, names, y_pred)


class CompiledMetrics(metrics.Metric):
    """All metrics that `compile` was given, as one.

    Args:
        given: `compile(metrics=...)`.
        weighted: `compile(weighted_metrics=...)`, which also see the sample weights.
    """

    def __init__(self, given, weighted):
        super().__init__(name="compile_metrics")
        self.given = given
        self.weighted = weighted
        self.parts = None
        self.keys = []
        for identifier in nested.flatten([given, weighted]):
            if isinstance(identifier, str) and identifier.lower() not in BY_SHAPES:
                metrics.get(identifier)  # unknown names are told at `compile`

    def build(self, model, y_true, y_pred):
        """Resolve names against the outputs of the first batch."""
        flat, names = nested.flatten(y_pred), names_of_outputs(model, y_pred)
        several = len(flat) > 1
        targets = targets_by_output(y_true, y_pred, names) if several else nested.flatten(y_true)
        self.parts, taken = [], set()
        for given, is_weighted in ((self.given, False), (self.weighted, True)):
            what = "weighted_metrics" if is_weighted else "metrics"
            for index, wanted in enumerate(_lists_by_output(what, given, names, y_pred)):
                for identifier in wanted:
                    metric = metrics.resolve(identifier, targets[index], flat[index])
                    self.parts.append((index, metric, is_weighted, names[index] if several else None))
        order = sorted(range(len(self.parts)), key=lambda i: (self.parts[i][0], self.parts[i][2], i))
        self.parts = [self.parts[i] for i in order]
        self.keys = []
        for _, metric, is_weighted, output in self.parts:
            name = metric.name if output is None else f"{output}_{metric.name}"
            if name in taken and is_weighted:
                name = f"weighted_{metric.name}" if output is None else f"{output}_weighted_{metric.name}"
            base, count = name, 0
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            taken.add(name)
            self.keys.append(name)
        self.names = names
        self.several = several

    def update(self, model, y_true, y_pred, sample_weight=None):
        """Add a batch to every metric."""
        if self.parts is None:
            self.build(model, y_true, y_pred)
        if not self.parts:
            return
        if not self.several:
            if not isinstance(y_pred, torch.Tensor):
                y_pred = nested.flatten(y_pred)[0]
            if isinstance(y_true, (list, tuple, dict)):
                y_true = nested.flatten(y_true)[0]
            if isinstance(sample_weight, (list, tuple, dict)):
                sample_weight = nested.flatten(sample_weight)[0]
            for _, metric, is_weighted, _ in self.parts:
                metric.update_state(y_true, y_pred, sample_weight=sample_weight if is_weighted else None)
            return
        outputs = nested.flatten(y_pred)
        targets = targets_by_output(y_true, y_pred, self.names)
        weights = weights_by_output(sample_weight, y_pred, self.names)
        for index, metric, is_weighted, _ in self.parts:
            weight = weights[index] if is_weighted else None
            metric.update_state(targets[index], outputs[index], sample_weight=weight)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch to every metric."""
        self.update(None, y_true, y_pred, sample_weight)

    def result(self):
        """Return a dict of results by name."""
        found = {}
        for (_, metric, *_), key in zip(self.parts or (), self.keys if self.parts else (), strict=True):
            value = metric.result()
            if isinstance(value, dict):
                found |= value
            else:
                found[key] = value
        return found

    def reset_state(self):
        """Start again."""
        for _, metric, *_ in self.parts or ():
            metric.reset_state()

    @property
    def metrics(self):
        """The metrics, once resolved."""
        return [metric for _, metric, *_ in self.parts or ()]

    @property
    def variables(self):
        """The state of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]


def _lists_by_output(what, given, names, y_pred):
    """Return the list of metrics of each output."""
    if given is None:
        return [[] for _ in names]
    if len(names) == 1:
        if isinstance(given, dict):
            check_names(what, given, names)
            given = next(iter(given.values()))
        given = given if isinstance(given, (list, tuple)) else [given]
        return [[metric for metric in nested.flatten(list(given)) if metric is not None]]
    if not isinstance(given, (list, tuple, dict)):
        given = [given] * len(names)
    spread = by_output(what, given, names, y_pred)
    return [
        []
        if part is None
        else [m for m in (part if isinstance(part, (list, tuple)) else [part]) if m is not None]
        for part in spread
    ]
