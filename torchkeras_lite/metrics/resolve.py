"""From what `compile(metrics=[...])` is given to a `Metric` with the name it has in logs."""

from torchkeras_lite import losses
from torchkeras_lite.base import naming
from torchkeras_lite.metrics import accuracy, probabilistic
from torchkeras_lite.metrics.epoch_metric import EpochMetric, is_epoch_function
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.reduction import MeanMetricWrapper
from torchkeras_lite.metrics.torch_metric import TorchMetric, is_torch_metric

# By the kind of the task: one output, class numbers, one-hot labels.
BY_SHAPES = {
    "accuracy": (
        accuracy.BinaryAccuracy,
        accuracy.SparseCategoricalAccuracy,
        accuracy.CategoricalAccuracy,
    ),
    "crossentropy": (
        probabilistic.BinaryCrossentropy,
        probabilistic.SparseCategoricalCrossentropy,
        probabilistic.CategoricalCrossentropy,
    ),
}
BY_SHAPES |= {"acc": BY_SHAPES["accuracy"], "ce": BY_SHAPES["crossentropy"]}


def task_index(y_true, y_pred):
    """Return 0 for a single output, 1 for labels that are class numbers, 2 for one-hot labels.

    Args:
        y_true: Anything with a `shape`.
        y_pred: Anything with a `shape`.

    Source: Keras 3, how `compile` reads `"accuracy"` and `"crossentropy"`.
    """
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    if pred_shape[-1:] == (1,):
        return 0
    if len(true_shape) < len(pred_shape) or (true_shape[-1:] == (1,) and pred_shape[-1] > 1):
        return 1
    return 2


def metric_for(identifier, y_true, y_pred, get):
    """Return the metric that `metrics.resolve` describes; `get` looks up what the shapes do not decide."""
    if identifier is None:
        raise ValueError("Expected a metric, got None. Pass a name, a function or a Metric, or leave it out.")
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPES:
        return BY_SHAPES[identifier.lower()][task_index(y_true, y_pred)](name=identifier)
    if is_torch_metric(identifier):
        return TorchMetric(identifier)
    if is_epoch_function(identifier):
        return EpochMetric(identifier)
    found = get(identifier)
    if not isinstance(found, Metric):
        name = identifier if isinstance(identifier, str) else function_name(found)
        return MeanMetricWrapper(found, name=name)
    if isinstance(identifier, str):
        found.name = identifier
    return found


def function_name(function):
    """Return the name of a function or callable object in logs, in snake case."""
    if isinstance(function, losses.Loss):
        return function.name
    name = getattr(function, "name", None)
    if isinstance(name, str):
        return name
    return naming.to_snake_case(getattr(function, "__name__", type(function).__name__))
