"""Metrics: running results over the batches of an epoch.

The state of a metric is torch tensors on the device of the data, and an update never waits for the device:
it adds tensors, and what Python knows by itself (how many samples came) is kept as a number. Only reading
a result costs a wait, and only the reader pays it.
"""

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.base.naming import to_snake_case
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from torchkeras_lite.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from torchkeras_lite.metrics.auc import AUC
from torchkeras_lite.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from torchkeras_lite.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from torchkeras_lite.metrics.epoch_metric import EpochMetric
from torchkeras_lite.metrics.fbeta import F1Score, FBetaScore
from torchkeras_lite.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from torchkeras_lite.metrics.margin import CategoricalHinge, Hinge, SquaredHinge
from torchkeras_lite.metrics.metric import Metric
from torchkeras_lite.metrics.operating_points import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from torchkeras_lite.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from torchkeras_lite.metrics.reduction import Mean, MeanMetricWrapper, Sum
from torchkeras_lite.metrics.regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    R2Score,
    RootMeanSquaredError,
)
from torchkeras_lite.metrics.resolve import metric_for
from torchkeras_lite.metrics.torch_metric import TorchMetric

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "EpochMetric",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TorchMetric",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "resolve",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

# Around metrics of other packages, which no name or config stands for.
_NOT_NAMED = ("EpochMetric", "TorchMetric", "deserialize", "get", "resolve", "serialize")
_objects = {name: globals()[name] for name in __all__ if name not in _NOT_NAMED}
_classes = {name: value for name, value in _objects.items() if isinstance(value, type)}
_short = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
# Names that scripts for tf.keras use, and default names that are not the snake case of the class.
_other = {
    "cosine_proximity": CosineSimilarity,
    "fbeta_score": FBetaScore,
    "kullback_leibler_divergence": KLDivergence,
    "logcosh": LogCoshError,
}
_lookup = Lookup(
    "metric",
    _objects
    | {to_snake_case(name): value for name, value in _classes.items()}
    | _short
    | {name.upper(): value for name, value in _short.items()}
    | _other,
    instance_of=Metric,
    remedy="a Metric or a function of (y_true, y_pred)",
)


def get(identifier):
    """Return the metric that `identifier` stands for.

    Args:
        identifier: Name of a class, as it is or in snake case, or a short form (`"mse"`); a class; a config;
            a `Metric` or a function, which pass through; `None`, which stays `None`. `"acc"`, and an
            `"accuracy"` that fits the task, need shapes: see `resolve`.

    Raises:
        ValueError: an unknown name, or something of another kind.

    >>> get("mse")
    <MeanSquaredError name=mean_squared_error>

    Source: Keras 3 `keras.metrics.get`.
    """
    return _lookup.get(identifier)


def resolve(identifier, y_true, y_pred):
    """Return the metric that `identifier` in `compile(metrics=[...])` stands for, with its name in logs.

    Args:
        identifier: A string, which becomes the name as it was typed; a function, whose own name is taken; a
            class, a config or a `Metric`, which keep theirs. `"accuracy"`, `"acc"`, `"crossentropy"` and
            `"ce"`, in any case, are chosen by the shapes: binary where the last axis of `y_pred` has size 1,
            sparse where labels are class numbers, else categorical.
        y_true: A batch of targets, or anything with its `shape`.
        y_pred: A batch of predictions, or anything with its `shape`.

    Raises:
        ValueError: `None`, an unknown name, or something of another kind.
    """
    return metric_for(identifier, y_true, y_pred, get)


def serialize(metric):
    """Return the config of a metric or a metric function, of plain values.

    Source: Keras 3 `keras.metrics.serialize`.
    """
    return serialization.serialize_keras_object(metric)


def deserialize(config, custom_objects=None):
    """Return the metric that a config describes.

    Args:
        config: What `serialize` returned, or a name.
        custom_objects: Mapping of names to classes and functions that are not public and not registered.

    Raises:
        TypeError: a class or function of an unknown name.

    Source: Keras 3 `keras.metrics.deserialize`.
    """
    with registry.CustomObjectScope(custom_objects):
        return (
            _lookup.get(config) if isinstance(config, str) else serialization.deserialize_keras_object(config)
        )


registry.publish("metrics", _objects)

__getattr__ = old_members(__name__)
