"""Losses: classes for `compile(loss=...)` with weights, masks and reductions, and the functions beneath them.

A function returns one loss value a sample, a class one number. Some functions also know a cheaper way to
the mean of all values (`whole_mean_of`); a class takes it when there are no weights and no mask, the usual
training step.
"""

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from torchkeras_lite.losses.distributions import KLDivergence, Poisson, kl_divergence, poisson
from torchkeras_lite.losses.embeddings import Circle, circle
from torchkeras_lite.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
)
from torchkeras_lite.losses.loss import Loss, LossFunctionWrapper, Reduction
from torchkeras_lite.losses.maximum_margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from torchkeras_lite.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from torchkeras_lite.losses.segmentation import Dice, Tversky, dice, tversky
from torchkeras_lite.losses.sequence import CTC, ctc

# tf.keras's names
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh

__all__ = [
    "BCE",
    "CTC",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "Reduction",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "kullback_leibler_divergence",
    "log_cosh",
    "logcosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

_NOT_LOSSES = ("Reduction", "deserialize", "get", "serialize")
_objects = {name: globals()[name] for name in __all__ if name not in _NOT_LOSSES}
_lookup = Lookup(
    "loss",
    {**_objects, "cosine_proximity": cosine_similarity, "huber_loss": huber},
    instance_of=Loss,
    remedy="a Loss or a function of (y_true, y_pred)",
)


def get(identifier):
    """Return the loss that `identifier` stands for.

    Args:
        identifier: Name of a function (which is returned) or of a class (which is instantiated); a class; a
            config dict; a `Loss` or any other callable, which passes through; `None`, which stays `None`.

    Raises:
        ValueError: an unknown name, or something of another kind.

    >>> get("mse").__name__
    'mean_squared_error'

    Source: Keras 3 `keras.losses.get`.
    """
    return _lookup.get(identifier)


def serialize(loss):
    """Return the config of a `Loss` or a loss function, of plain values.

    Source: Keras 3 `keras.losses.serialize`.
    """
    return serialization.serialize_keras_object(loss)


def deserialize(name, custom_objects=None):
    """Return the loss that a config describes.

    Args:
        name: What `serialize` returned, or a name.
        custom_objects: Mapping of names to classes and functions that are not public and not registered.

    Source: Keras 3 `keras.losses.deserialize`.
    """
    with registry.CustomObjectScope(custom_objects):
        return _lookup.get(name) if isinstance(name, str) else serialization.deserialize_keras_object(name)


registry.publish("losses", {name: value for name, value in _objects.items() if name != "LossFunctionWrapper"})
registry.publish("src.losses.losses", {"LossFunctionWrapper": LossFunctionWrapper})

__getattr__ = old_members(__name__)
