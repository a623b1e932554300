"""From what a metric is given to tensors that go together: no graph, one device, one rank."""

import torch

from torchkeras_lite.losses.arguments import can_broadcast, match_ranks, to_tensor


def as_tensor(value, dtype=None, device=None):
    """Return `value`, a tensor, array, number or nested list, as a tensor without its graph.

    Args:
        value: What to convert. A tensor keeps its storage where nothing has to change.
        dtype: torch dtype; `None` keeps that of `value`.
        device: Where the tensor must be; `None` leaves it where it is.
    """
    tensor = to_tensor(value, dtype, device)
    return tensor.detach() if tensor.requires_grad else tensor


def as_pair(y_true, y_pred, dtype=None):
    """Return targets and predictions as tensors on one device, that of whichever is a tensor already."""
    if not isinstance(y_pred, torch.Tensor) and isinstance(y_true, torch.Tensor):
        return as_tensor(y_true, dtype), as_tensor(y_pred, dtype, y_true.device)
    y_pred = as_tensor(y_pred, dtype)
    return as_tensor(y_true, dtype, y_pred.device), y_pred


def check_shapes(owner, y_true, y_pred):
    """Raise where targets and predictions can't be compared element by element."""
    if y_true.shape != y_pred.shape and not can_broadcast(y_true.shape, y_pred.shape):
        raise ValueError(
            f"{owner}: expected `y_true` and `y_pred` of one shape, got y_true.shape={tuple(y_true.shape)} "
            f"and y_pred.shape={tuple(y_pred.shape)}. Pass one target for every prediction."
        )


def matched_pair(owner, y_true, y_pred, dtype=None):
    """Return `as_pair` of the two, with a missing or spare last axis of size 1 made good, once they fit."""
    y_true, y_pred = as_pair(y_true, y_pred, dtype)
    if y_true.shape != y_pred.shape:
        y_true, y_pred = match_ranks(y_true, y_pred)
        check_shapes(owner, y_true, y_pred)
    return y_true, y_pred


def spread_weight(owner, weight, shape):
    """Return `weight` broadcast to `shape`.

    Raises:
        ValueError: the shapes do not fit.
    """
    if weight.ndim > len(shape) or not all(
        size in (1, wanted) for size, wanted in zip(reversed(weight.shape), reversed(shape), strict=False)
    ):
        raise ValueError(
            f"{owner}: `sample_weight` of shape {tuple(weight.shape)} does not fit values of shape "
            f"{tuple(shape)}. Pass one weight a sample, or one weight a value."
        )
    return weight.expand(shape)


def apply_mask(sample_weight, mask, dtype):
    """Return the weights with 0 where `mask` is false; the mask as weights where there are none."""
    mask = as_tensor(mask, dtype)
    if sample_weight is None:
        return mask
    mask, weight = match_ranks(mask, as_tensor(sample_weight, dtype, mask.device))
    if not can_broadcast(mask.shape, weight.shape):
        raise ValueError(
            f"`sample_weight` of shape {tuple(weight.shape)} does not fit the mask of the predictions, of "
            f"shape {tuple(mask.shape)}. Pass weights of that shape, one a step."
        )
    return weight * mask


def divide_no_nan(numerator, denominator):
    """Return `numerator / denominator`, and 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0.0, numerator / denominator)
