"""Which activation functions compute each value for itself, wherever it stands in its tensor."""

import torch
import torch.nn.functional as F

from torchkeras_lite.activations import rectifiers, shrinkage, sigmoids, smooth

_POINTWISE = {
    torch.exp,
    torch.relu,
    torch.sigmoid,
    torch.tanh,
    F.elu,
    F.gelu,
    F.leaky_relu,
    F.relu,
    F.relu6,
    F.selu,
    F.silu,
    rectifiers.celu,
    rectifiers.elu,
    rectifiers.leaky_relu,
    rectifiers.relu,
    rectifiers.relu6,
    rectifiers.selu,
    shrinkage.hard_shrink,
    shrinkage.soft_shrink,
    shrinkage.tanh_shrink,
    sigmoids.hard_sigmoid,
    sigmoids.hard_tanh,
    sigmoids.log_sigmoid,
    sigmoids.sigmoid,
    sigmoids.softsign,
    sigmoids.tanh,
    smooth.exponential,
    smooth.gelu,
    smooth.hard_silu,
    smooth.linear,
    smooth.mish,
    smooth.silu,
    smooth.softplus,
}


def is_pointwise(activation):
    """Whether an activation is known to compute each value for itself; `False` where it is not known."""
    return callable(getattr(activation, "__hash__", None)) and activation in _POINTWISE
