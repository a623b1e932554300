"""Penalties on weights and activities, under Keras's names: callables that return a scalar tensor."""

import math
import numbers

import torch

from torchkeras_lite.base import config, registry, serialization
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.base.old_names import Renamed, old_members, takes_old

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


def _as_tensor(x):
    return x if hasattr(x, "__torch_function__") else torch.as_tensor(x)


def _factor(owner, argument, value):
    finite = isinstance(value, numbers.Real) and math.isfinite(value)
    if not finite or value < 0:
        raise ValueError(
            f"{owner}: Invalid value for argument {argument}: expected a non-negative float, got "
            f"{argument}={value!r}. Pass the strength of the penalty, for example 0.01."
        )
    return float(value)


def _rounded(value):
    # Keras holds these factors as tensors, so configs show them rounded to `floatx()`.
    return torch.tensor(value, dtype=torch_dtype(config.floatx()), device="cpu").item()


class Regularizer:
    """Base of regularizers: callables that return the penalty on a tensor, and have a config.

    Source: Keras 3 `keras.Regularizer`.
    """

    def __call__(self, x):
        """Return the penalty on `x`: 0 here."""
        return 0.0

    def get_config(self):
        """Return the constructor's arguments.

        Raises:
            NotImplementedError: a subclass that does not override this.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not implement get_config(). Add one that returns the constructor's "
            "arguments, so that the regularizer can be saved."
        )

    @classmethod
    def from_config(cls, config):
        """Return a regularizer with the arguments of `config`."""
        return cls(**config)


class L1(Regularizer):
    """Penalty `l1 * sum(|x|)`.

    Args:
        l1: Strength of the penalty, a number >= 0.

    Source: Keras 3 `keras.regularizers.L1`.
    """

    @takes_old({"l": Renamed(("l1",))}, "L1")
    def __init__(self, l1=0.01):
        self.l1 = _rounded(_factor("L1", "l1", 0.01 if l1 is None else l1))

    def __call__(self, x):
        """Return the penalty on `x`."""
        return self.l1 * torch.sum(torch.abs(_as_tensor(x)))

    def get_config(self):
        """Return the constructor's arguments."""
        return {"l1": self.l1}


class L2(Regularizer):
    """Penalty `l2 * sum(x**2)`.

    Args:
        l2: Strength of the penalty, a number >= 0.

    Source: Keras 3 `keras.regularizers.L2`. Differs from torch: the `weight_decay` of torch's optimizers is
    the gradient's factor, that is `2 * l2`.
    """

    @takes_old({"l": Renamed(("l2",))}, "L2")
    def __init__(self, l2=0.01):
        self.l2 = _factor("L2", "l2", 0.01 if l2 is None else l2)

    def __call__(self, x):
        """Return the penalty on `x`."""
        return self.l2 * torch.sum(torch.square(_as_tensor(x)))

    def get_config(self):
        """Return the constructor's arguments."""
        return {"l2": self.l2}


class L1L2(Regularizer):
    """Penalty `l1 * sum(|x|) + l2 * sum(x**2)`.

    Args:
        l1: Strength of the first penalty, a number >= 0.
        l2: Strength of the second penalty, a number >= 0.

    The name `"l1_l2"` stands for `L1L2(l1=0.01, l2=0.01)`, as in `tf.keras`; Keras 3 refuses that name.

    Source: Keras 3 `keras.regularizers.L1L2`.
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.l1 = _factor("L1L2", "l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("L1L2", "l2", 0.0 if l2 is None else l2)

    def __call__(self, x):
        """Return the penalty on `x`."""
        x = _as_tensor(x)
        if not self.l1:
            return self.l2 * torch.sum(torch.square(x))
        penalty = self.l1 * torch.sum(torch.abs(x))
        return penalty + self.l2 * torch.sum(torch.square(x)) if self.l2 else penalty

    def get_config(self):
        """Return the constructor's arguments."""
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Penalty on vectors that are not orthogonal: `factor` times the mean |cosine| over their pairs.

    Args:
        factor: Strength of the penalty, a number >= 0.
        mode: `"rows"` or `"columns"`: which vectors of the matrix are to be orthogonal.

    Raises:
        ValueError: another `mode`; a negative `factor`; a tensor that is no matrix.

    Source: Keras 3 `keras.regularizers.OrthogonalRegularizer`. A single vector has no pair and costs 0
    here, where Keras returns NaN.
    """

    def __init__(self, factor=0.01, mode="rows"):
        self.factor = _rounded(_factor("OrthogonalRegularizer", "factor", factor))
        if mode not in ("rows", "columns"):
            raise ValueError(
                'Invalid value for argument `mode`. Expected one of {"rows", "columns"}. '
                f"Received: mode={mode}"
            )
        self.mode = mode

    def __call__(self, inputs):
        """Return the penalty on the matrix `inputs`."""
        inputs = _as_tensor(inputs)
        if len(inputs.shape) != 2:
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        vectors = inputs if self.mode == "rows" else torch.t(inputs)
        count = vectors.shape[0]
        directions = torch.nn.functional.normalize(vectors, dim=1, eps=1e-12)
        cosines = torch.matmul(directions, torch.t(directions))
        pairs = max(count * (count - 1) / 2, 1)
        return self.factor * torch.sum(torch.abs(torch.triu(cosines, 1))) / pairs

    def get_config(self):
        """Return the constructor's arguments."""
        return {"factor": self.factor, "mode": self.mode}


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

_CLASSES = {
    "L1": L1,
    "L1L2": L1L2,
    "L2": L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
    "Regularizer": Regularizer,
    "l1": L1,
    "l1l2": L1L2,
    "l2": L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
    "regularizer": Regularizer,
}
_lookup = Lookup(
    "regularizer",
    {**_CLASSES, "l1_l2": L1L2},
    instance_of=Regularizer,
    remedy="a callable that returns a scalar, such as `L2(1e-4)`",
)


def get(identifier):
    """Return the regularizer that `identifier` stands for.

    Args:
        identifier: A name, a class, a config, a callable, or `None`, which stays `None`.

    Raises:
        ValueError: an unknown name, or something that is no callable.

    Source: Keras 3 `keras.regularizers.get`.
    """
    return deserialize(identifier) if isinstance(identifier, (dict, str)) else _lookup.get(identifier)


def serialize(regularizer):
    """Return the config of `regularizer`.

    Source: Keras 3 `keras.regularizers.serialize`.
    """
    return serialization.serialize_keras_object(regularizer)


def deserialize(config, custom_objects=None):
    """Return the regularizer that `config`, a name or what `serialize` returned, describes.

    Args:
        config: A name or a dict; one without a module is looked for here.
        custom_objects: Mapping of names to classes and functions that are not public.

    Source: Keras 3 `keras.regularizers.deserialize`.
    """
    if isinstance(config, dict):
        config = {"module": "keras.regularizers", **config}
        return serialization.deserialize_keras_object(config, custom_objects)
    with registry.CustomObjectScope(custom_objects):
        regularizer = _lookup.get(config)
    return L1L2(l1=0.01, l2=0.01) if config == "l1_l2" and type(regularizer) is L1L2 else regularizer


registry.publish("regularizers", {**_CLASSES, "l1_l2": L1L2})
registry.publish("", {"Regularizer": Regularizer})

__getattr__ = old_members(__name__)
