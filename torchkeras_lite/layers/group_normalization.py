"""Normalization of groups of channels: GroupNormalization."""

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite import constraints, initializers, regularizers
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.batch_normalization import channel_second


class GroupNormalization(Layer):
    """Normalizes groups of channels of every sample to mean 0 and variance 1, then applies learned weights.

    Wraps `torch.nn.GroupNorm` as `self.group_norm`.

    Args:
        groups: Number of groups, which divides the number of channels. 1 is layer normalization over all but
            the batch, the number of channels (or -1) instance normalization.
        axis: The axis of the channels, -1 by default.
        epsilon: Added to the variance, so that no division is by 0.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer: What the weights start as.
        beta_regularizer, gamma_regularizer: Penalties on the weights, added to the loss.
        beta_constraint, gamma_constraint: Projections of the weights after every update.

    Shapes:
        output = input
        gamma, beta `(channels,)`, in `group_norm.weight` and `group_norm.bias`

    Raises:
        ValueError: `groups` is no positive integer or -1, or does not divide the channels; an unknown number
            of channels.

    Source: Keras 3 `keras.layers.GroupNormalization`; Wu and He 2018 (arXiv:1803.08494). Differs from torch:
    epsilon is 1e-3 (torch 1e-5), and the channels are last.
    """

    keeps_shape = True
    keeps_precision = True
    weight_specs = (
        WeightSpec("gamma", at="group_norm.weight"),
        WeightSpec("beta", at="group_norm.bias"),
    )

    def __init__(
        self,
        groups=32,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(groups, bool) or not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(
                f"{describe(self)}: Received an invalid value for argument `groups`, expected a positive "
                f"integer (or `-1` for instance normalization). Received: groups={groups!r}."
            )
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def build(self, input_shape):
        """Make the module for the channels of `input_shape`."""
        ndim = len(input_shape)
        if not -ndim <= self.axis < ndim or self.axis % ndim == 0:
            raise ValueError(
                f"{describe(self)}: expected `axis` to be an axis of the input behind the batch, got "
                f"axis={self.axis} for an input of shape {tuple(input_shape)}. Pass one from 1 to {ndim - 1}."
            )
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"{describe(self)}: Axis {self.axis} of input tensor should have a defined dimension but "
                f"the layer received an input with shape {tuple(input_shape)}."
            )
        if self.groups == -1:
            self.groups = channels
        if channels < self.groups:
            raise ValueError(
                f"{describe(self)}: Number of groups ({self.groups}) cannot be more than the number of "
                f"channels ({channels}). Pass a divisor of the number of channels."
            )
        if channels % self.groups:
            raise ValueError(
                f"{describe(self)}: Number of groups ({self.groups}) must be a multiple of the number of "
                f"channels ({channels}): the groups must be of one size. Pass a divisor of the number of "
                "channels."
            )
        self.group_norm = nn.GroupNorm(self.groups, channels, self.epsilon)
        if not self.scale:
            self.group_norm.weight = None
        if not self.center:
            self.group_norm.bias = None
        self.input_spec = InputSpec(ndim=ndim, axes={self.axis: channels})
        self._to_torch, self._from_torch = channel_second(ndim, self.axis % ndim)

        # torch's kernel has no gradient for a bias without a weight.
        self._bias_shape = (1, channels, *(1,) * (ndim - 2)) if self.center and not self.scale else None

    def call(self, inputs):
        """Normalize."""
        if not inputs.is_floating_point():
            inputs = inputs.to(torch_dtype(self.compute_dtype))
        x = inputs.permute(self._to_torch) if self._to_torch else inputs
        y = self.group_norm(x) if self._bias_shape is None else self._without_weight(x)
        dtype = self._compute if inputs.dtype is torch.float32 else inputs.dtype
        if y.dtype is not dtype:  # under a mixed policy, or torch's autocast, computed in float32
            y = y.to(dtype)
        return y.permute(self._from_torch) if self._to_torch else y

    def _without_weight(self, x):
        norm = self.group_norm
        return F.group_norm(x, norm.num_groups, eps=norm.eps) + norm.bias.view(self._bias_shape)
