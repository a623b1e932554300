"""Losses of torch, called in torch's order of arguments and with targets as torch wants them."""

import copy
import functools
import inspect

import torch
from torch import nn

from torchkeras_lite import losses
from torchkeras_lite.base import processes
from torchkeras_lite.losses.loss import reduce_weighted_values

# By the kind of targets: class numbers, places of classes as integers, or values like the predictions.
CLASS_LOSSES = ("CrossEntropyLoss", "NLLLoss", "NLLLoss2d", "MultiMarginLoss")
CLASS_FUNCTIONS = ("cross_entropy", "nll_loss", "multi_margin_loss")
INDEX_LOSSES = ("MultiLabelMarginLoss", "multilabel_margin_loss")


class TorchLoss(losses.Loss):
    """A loss of torch's kind, `loss(input, target)`, in the place of a loss of Keras.

    Class numbers may have any dtype and a last axis of size 1; the classes are on the last axis of the
    predictions, as everywhere in this package, and are moved to where torch looks for them (predictions with
    axis 1 as the classes are taken as well, where only that fits). A missing or spare last axis of size 1 is
    made good. Sample weights and masks are taken by losses of `torch.nn` alone and work as in Keras: the mean
    is over the number of samples.

    Args:
        loss: An `nn.Module` such as `nn.CrossEntropyLoss()` or its class, a function of
            `torch.nn.functional`, or a `functools.partial` of one.

    Raises:
        ValueError: a loss that is not called with a prediction and a target alone; targets of another shape,
            where torch would stretch one to the other; when called with sample weights, a loss that has
            weights of its own or is not torch's; class probabilities for predictions with more than two axes,
            whose classes torch looks for on axis 1.
    """

    def __init__(self, loss):
        loss = loss() if isinstance(loss, type) else loss
        function = loss.func if isinstance(loss, functools.partial) else loss
        self.kind = function.__name__ if hasattr(function, "__name__") else type(function).__name__
        super().__init__(name=self.kind)
        _check_arguments(self.kind, loss)
        self.module = loss
        self.of_torch = is_functional(loss) or type(loss).__module__ == "torch.nn.modules.loss"
        self._unreduced = None
        self.reduction = "sum" if getattr(loss, "reduction", "mean") == "sum" else "sum_over_batch_size"

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the loss of `y_pred`."""
        mask = getattr(y_pred, "_keras_mask", None)
        if y_pred.dtype in (torch.float16, torch.bfloat16):
            y_pred = y_pred.float()
        if isinstance(self.module, nn.Module) and self._unreduced is None:
            self.module.to(y_pred.device)
        y_true, y_pred = self._as_torch_wants(y_true, y_pred)
        if sample_weight is None and mask is None:
            if processes.part() is not processes.WHOLE:
                return self._of_part(y_pred, y_true)
            return self.module(y_pred, y_true)
        values = self._values(y_pred, y_true)
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, owner=self.name)

    def _as_torch_wants(self, y_true, y_pred):
        if self.kind in (*CLASS_LOSSES, *CLASS_FUNCTIONS):
            return self._classes(y_true, y_pred)
        if y_true.shape != y_pred.shape and y_true.numel() == y_pred.numel():
            y_true = y_true.reshape(y_pred.shape)
        if self.of_torch and y_true.shape != y_pred.shape:
            raise ValueError(
                f"{self.name}: the output has shape {tuple(y_pred.shape)} and its targets have shape "
                f"{tuple(y_true.shape)}. Both must have one shape (a last axis of size 1 may be missing)."
            )
        if self.kind in INDEX_LOSSES:
            return y_true.long(), y_pred
        if self.of_torch and y_pred.is_floating_point() and y_true.dtype is not y_pred.dtype:
            y_true = y_true.to(y_pred.dtype)
        return y_true, y_pred

    def _of_part(self, y_pred, y_true):
        """Return the loss of a part; weighed by their shares, the parts' losses give the batch's."""
        share = processes.part().share
        if self.reduction == "sum":
            return self.module(y_pred, y_true) / (share or 1)
        counts = self.kind in CLASS_LOSSES and y_true.ndim < y_pred.ndim and self.of_torch
        if not counts or self.module.reduction != "mean":
            return self.module(y_pred, y_true)
        weight, kept = self.module.weight, y_true != self.module.ignore_index
        counted = kept if weight is None else weight[y_true.where(kept, 0)] * kept
        divisor = processes.total_divisor(counted.sum(dtype=y_pred.dtype))
        summing = copy.copy(self.module)
        summing.reduction = "sum"
        return summing(y_pred, y_true) / divisor

    def _classes(self, y_true, y_pred):
        if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 and y_pred.shape[-1] != 1:
            y_true = y_true.squeeze(-1)
        if y_true.shape == y_pred.shape:
            if y_pred.ndim > 2:
                raise ValueError(
                    f"{self.name}: class probabilities of shape {tuple(y_true.shape)} do not tell which axis "
                    "holds the classes. Pass class numbers, of one axis less than the predictions."
                )
            return y_true.to(y_pred.dtype), y_pred
        if y_pred.ndim > 2 and y_true.shape == y_pred.shape[:-1]:
            y_pred = y_pred.movedim(-1, 1)
        return y_true.long(), y_pred

    def _values(self, y_pred, y_true):
        """Return one value a sample, which weights can be multiplied to."""
        if self._unreduced is None:
            has_weights = getattr(self.module, "weight", None) is not None
            ignores = getattr(self.module, "ignore_index", -100) != -100
            batchmean = getattr(self.module, "reduction", "mean") == "batchmean"
            plain = isinstance(self.module, nn.Module) and self.of_torch
            if not plain or has_weights or ignores or batchmean:
                raise ValueError(
                    f"{self.name}: sample weights, class weights and masks work with losses of `torch.nn` "
                    "without `weight` and `ignore_index`. Use such a one, a Keras loss, or weigh inside a "
                    "function of your own."
                )
            self._unreduced = copy.copy(self.module)
            self._unreduced.reduction = "none"
        values = self._unreduced(y_pred, y_true)
        return values.mean(-1) if values.ndim == y_pred.ndim and values.ndim > 1 else values


def _check_arguments(kind, loss):
    """Raise unless `loss` can be called with two arguments."""
    try:
        signature = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss)
    except ValueError:  # a builtin that does not tell
        return
    try:
        signature.bind(None, None)
    except TypeError:
        raise ValueError(
            f"compile: {kind} is called with {', '.join(signature.parameters)}, and a loss gets an output "
            "and its targets. Put it into a function `loss(y_true, y_pred)` that splits them, or into "
            "`compute_loss` of a model of your own."
        ) from None


def is_functional(loss):
    """Whether `loss` is a function of `torch.nn.functional`, or a `functools.partial` of one."""
    function = loss.func if isinstance(loss, functools.partial) else loss
    return getattr(function, "__module__", None) == "torch.nn.functional"


def is_torch_loss(loss):
    """Whether `loss` is called in torch's order: a module or its class, a function of
    `torch.nn.functional`."""
    is_class = isinstance(loss, type) and issubclass(loss, nn.Module)
    return is_class or isinstance(loss, nn.Module) or is_functional(loss)
