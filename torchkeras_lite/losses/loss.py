"""`Loss`, the base of all losses, and how loss values are weighted and reduced to one number."""

import torch

from torchkeras_lite.base import config, naming, processes, serialization
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.base.dtypes import standardize_dtype, torch_dtype
from torchkeras_lite.losses.arguments import (
    can_broadcast,
    device_of,
    match_ranks,
    match_structures,
    to_tensor,
    to_tensors,
)

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
REDUCTIONS = (*MEANS, "sum", "none", None)


class Reduction:
    """Names of the reductions, as tf.keras scripts spell them (`Reduction.SUM`). Plain strings do as well."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls):
        """Return the four names."""
        return (cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE)


def standardize_reduction(reduction):
    """Return `reduction`, one of `REDUCTIONS`; tf.keras's `"auto"` becomes `"sum_over_batch_size"`."""
    if reduction == "auto":
        return "sum_over_batch_size"
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"Invalid value for argument `reduction`: {reduction!r}{suggestion(reduction, REDUCTIONS)} "
            f"Pass one of {', '.join(map(repr, REDUCTIONS))}."
        )
    return reduction


def _compute_dtype(dtype):
    """Return the name of the dtype that `dtype` (or a policy, its name or its config) computes in."""
    if isinstance(dtype, dict):
        dtype = dtype["config"]["name"]
    dtype = getattr(dtype, "compute_dtype", dtype)
    if isinstance(dtype, str):
        dtype = dtype.removeprefix("mixed_")
    return standardize_dtype(dtype, default=config.floatx())


class Loss:
    """What a training step minimises: `loss(y_true, y_pred, sample_weight=None)` gives one number.

    Subclasses write `call(y_true, y_pred)`, which returns one loss value a sample (or a step, or a pixel).
    The rest is done here: arguments become tensors of the loss's dtype on the device of `y_pred`, values
    are weighted and reduced. Nothing in it waits for the device.

    Args (those of every loss class):
        name: Name of the loss; made from the class when not given.
        reduction: `"sum_over_batch_size"` or `"mean"`: the sum divided by the number of values (not by the
            sum of weights). `"mean_with_sample_weight"`: divided by the sum of weights. `"sum"`. `"none"`
            or `None`: the values as they are.
        dtype: Dtype, or dtype policy, to compute in; `config.floatx()` when not given.

    Shapes of a call:
        y_true, y_pred: arrays of one shape, or nested structures of them where `call` takes such. A missing
            or spare last axis of size 1 in one of them is made good.
        sample_weight: shape of the loss values, or one that broadcasts to it from the last axis. Values
            `(batch, steps)` take weights `(batch, steps)`, `(batch, 1)` or `(batch, steps, 1)`, but not
            `(batch,)`.

    A mask on the predictions (the attribute `_keras_mask` of the tensor, which layers set) leaves values
    out; the means then divide by the number of values kept.

    Source: Keras 3 `keras.losses.Loss`.
    """

    integer_targets = False

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        self.name = name or naming.auto_name(self)
        self.reduction = standardize_reduction(reduction)
        self._dtype = _compute_dtype(dtype)
        self._torch_dtype = torch_dtype(self._dtype)

    @property
    def dtype(self):
        """Name of the dtype that the loss computes in."""
        return self._dtype

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the loss of `y_pred`, weighted and reduced."""
        mask = getattr(y_pred, "_keras_mask", None)
        dtype = self._torch_dtype
        device = device_of(y_pred)
        y_pred = to_tensors(y_pred, dtype, device)
        y_true = to_tensors(y_true, None if self.integer_targets else dtype, device)
        if sample_weight is None and mask is None and self.reduction in MEANS:
            mean = self.call_mean(y_true, y_pred)
            if mean is not None:
                return mean
        values = self.call(y_true, y_pred)
        mask = _both(mask, getattr(values, "_keras_mask", None))
        values = to_tensor(values, dtype)
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, owner=self.name)

    def call(self, y_true, y_pred):
        """Return the loss values, one a sample. Subclasses write this."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `call`. Write `call(self, y_true, y_pred)`, which returns one "
            "loss value a sample."
        )

    def call_mean(self, y_true, y_pred):
        """Return the mean of all loss values where that is cheaper than `call`, else `None`.

        Asked only when there are no weights and no mask of the predictions.
        """
        return None

    def get_config(self):
        """Return the constructor's arguments."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config):
        """Return a new loss with the arguments that `get_config` gave."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A loss class around a function `fn(y_true, y_pred, **kwargs)` that returns one loss value a sample.

    Args:
        fn: The function.
        reduction, name, dtype: As in `Loss`.
        **kwargs: Passed on to `fn` at every call.

    Source: Keras 3, the class that `compile` puts around a loss function.
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **kwargs):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self.integer_targets = getattr(fn, "integer_targets", False)
        self._fn_kwargs = kwargs

    def call(self, y_true, y_pred):
        """Return `fn` of the arguments, once their ranks agree."""
        if not self.integer_targets:
            y_true, y_pred = match_structures(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def call_mean(self, y_true, y_pred):
        """Return what the function's own `whole_mean` gives, if it has one and nobody overrode `call`."""
        whole_mean = getattr(self.fn, "whole_mean", None)
        if whole_mean is None or type(self).call is not LossFunctionWrapper.call:
            return None
        if not isinstance(y_pred, torch.Tensor):  # a list of outputs, which `call` stacks
            return None
        if not self.integer_targets:
            y_true, y_pred = match_structures(y_true, y_pred)
            if y_true.shape != y_pred.shape:
                return None
        if y_pred.numel() == 0:
            return None
        return whole_mean(y_true, y_pred, **self._fn_kwargs)

    def get_config(self):
        """Return the constructor's arguments, the function by name."""
        return {
            **super().get_config(),
            "fn": serialization.serialize_keras_object(self.fn),
            **serialization.serialize_keras_object(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config):
        """Return a new loss with the arguments that `get_config` gave."""
        return cls(**(serialization.deserialize_keras_object(config) if "fn" in config else config))

    def __repr__(self):
        name = getattr(self.fn, "__name__", self.fn)
        return f"<{type(self).__name__}({name}, kwargs={self._fn_kwargs})>"


class FunctionLoss(LossFunctionWrapper):
    """Base of this room's classes: each stands for one of its functions and keeps the function's arguments.

    `unsaved_defaults` names the arguments that Keras leaves out of its configs. They are written only when
    they differ from the default, so that configs equal Keras's and no setting is lost.
    """

    unsaved_defaults: dict = {}

    def __init__(self, fn, reduction, name, dtype, **arguments):
        super().__init__(fn, reduction=reduction, name=name, dtype=dtype, **arguments)
        vars(self).update(arguments)

    def get_config(self):
        """Return the constructor's arguments."""
        saved = {
            key: value
            for key, value in self._fn_kwargs.items()
            if key not in self.unsaved_defaults or value != self.unsaved_defaults[key]
        }
        return {**Loss.get_config(self), **saved}


def whole_mean_of(function):
    """Decorate a cheaper way to the mean of all the values that `function` returns.

    It is called with the arguments of `function`, as tensors of one shape.
    """

    def attach(whole_mean):
        function.whole_mean = whole_mean
        return whole_mean

    return attach


def _both(first, second):
    if first is None or second is None:
        return second if first is None else first
    return first & second


def reduce_weighted_values(
    values, sample_weight=None, mask=None, reduction="sum_over_batch_size", owner="loss"
):
    """Weigh, mask and reduce loss values.

    Args:
        values: Tensor of loss values.
        sample_weight: Weights, `None` for ones.
        mask: Boolean tensor, true for values that count; `None` for all.
        reduction: As in `Loss`.
        owner: Name for messages.

    Raises:
        ValueError: weights of a shape that doesn't broadcast to the values.
    """
    if sample_weight is None and mask is None:
        weight = None
    else:
        weight = _merged_weight(values, sample_weight, mask, reduction, owner)
        values, weight = match_ranks(values, weight)
        _check_weight(owner, values, weight)
        values = values * weight
    if reduction in ("none", None) or values.ndim == 0 or tuple(values.shape) == (0,):
        return values
    if reduction == "sum" or values.numel() == 0:
        share = processes.part().share
        return values.sum() if share in (0, 1) else values.sum() / share  # shares weigh it again
    if reduction == "mean_with_sample_weight" and weight is not None:
        divisor = processes.total_divisor(weight.sum())
        is_zero = divisor == 0
        return (values.sum() / divisor.masked_fill(is_zero, 1)).masked_fill(is_zero, 0)
    return values.mean()


def _merged_weight(values, sample_weight, mask, reduction, owner):
    """Return weights and mask as one tensor; for the plain means it makes up for the values left out."""
    if sample_weight is not None:
        sample_weight = to_tensor(sample_weight, values.dtype, values.device)
    if mask is None:
        return sample_weight
    mask = to_tensor(mask, values.dtype, values.device)
    if reduction in ("sum_over_batch_size", "mean"):
        kept = processes.total_divisor(mask.sum())
        mask = mask * (mask.numel() / kept.clamp(min=processes.part().share or 1))
    if sample_weight is None:
        return mask
    mask, sample_weight = match_ranks(mask, sample_weight)
    _check_weight(owner, mask, sample_weight, "a mask")
    return mask * sample_weight


def _check_weight(owner, values, weight, what="loss values"):
    if not can_broadcast(values.shape, weight.shape):
        rank = values.ndim
        per_sample = (*values.shape[:1], *(1,) * (rank - 1))
        raise ValueError(
            f"{owner}: expected `sample_weight` or mask of a shape that broadcasts to {what} of shape "
            f"{tuple(values.shape)}, got {tuple(weight.shape)}. For one weight a sample pass shape "
            f"{per_sample}."
        )
