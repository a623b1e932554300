"""Batch renormalization: what `BatchNormalization(renorm=True)` adds to batch normalization."""

import torch
from torch import nn


class RootOf:
    """Initializer: the square root of what another one gives.

    Args:
        initializer: The other one.
    """

    def __init__(self, initializer):
        self.initializer = initializer

    def __call__(self, shape, dtype=None, device=None):
        """Return a new tensor."""
        return torch.sqrt(self.initializer(shape, dtype=dtype, device=device))


class Renormalizer(nn.Module):
    """Corrects the statistics of a batch towards slowly moving ones, which it keeps.

    Args:
        num_features: Number of channels.
        eps: Added to the variance.
        momentum: Weight of the new statistics in `renorm_mean` and `renorm_stddev`.
        clipping: Limits of the correction: `rmin` and `rmax` of the factor, `dmax` of the shift; any may be
            missing.

    Source: Ioffe 2017 (arXiv:1702.03275).
    """

    def __init__(self, num_features, eps, momentum, clipping):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.clipping = clipping
        for name in ("moving_stddev", "renorm_mean", "renorm_stddev"):
            self.register_buffer(name, torch.zeros(num_features))

    def forward(self, norm, x, mean, variance):
        """Normalize `x`, channels second, and move all running statistics, those of `norm` too."""
        with torch.no_grad():
            stddev = torch.sqrt(variance + self.eps)
            factor = stddev / self.renorm_stddev
            shift = (mean - self.renorm_mean) / self.renorm_stddev
            low, high, most = (self.clipping.get(key) for key in ("rmin", "rmax", "dmax"))
            if low is not None or high is not None:
                factor = factor.clamp(low, high)
            if most is not None:
                shift = shift.clamp(-most, most)
            self.renorm_mean.lerp_(mean.to(self.renorm_mean.dtype), self.momentum)
            self.renorm_stddev.lerp_(stddev.to(self.renorm_stddev.dtype), self.momentum)
            self.moving_stddev.lerp_(stddev.to(self.moving_stddev.dtype), norm.momentum)
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
            norm.running_var.copy_(self.moving_stddev.square() - self.eps)
        # (x - mean) / stddev * factor + shift, as a normalization by other statistics.
        factor = torch.rsqrt(variance + self.eps) * factor
        shift = shift - mean * factor
        if norm.weight is not None:
            factor, shift = factor * norm.weight, shift * norm.weight
        if norm.bias is not None:
            shift = shift + norm.bias
        shape = (1, -1, *(1,) * (x.ndim - 2))
        return x * factor.view(shape) + shift.view(shape)
