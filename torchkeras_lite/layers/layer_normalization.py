"""Normalization of every sample by itself: LayerNormalization, RMSNormalization, UnitNormalization."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite import constraints, initializers, regularizers
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.core import known_size, spec_for_axes


def axes_of(layer, axis, message):
    """Return `axis` as it is when an integer, else as a list.

    Raises:
        TypeError: it is neither an integer nor a list or tuple of them; `message` says so in Keras's words.
    """
    several = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if not several or any(isinstance(one, bool) or not isinstance(one, int) for one in several):
        raise TypeError(f"{describe(layer)}: {message}{axis!r}. Pass for example -1 or [1, 2].")
    return list(axis) if isinstance(axis, (list, tuple)) else axis


def trailing(layer, input_shape):
    """Return the sizes of the axes to normalize over, a permutation that puts them last, and its reverse.

    The permutations are `None` where the axes are the last ones already. `layer.axis` becomes a sorted list,
    as in Keras. Later inputs must have the same sizes there; of another rank they may be where all axes are
    counted from the end and are the last ones.
    """
    ndim = len(input_shape)
    axes = layer.axis if isinstance(layer.axis, list) else [layer.axis]
    check_axes(layer, axes, input_shape)
    layer.axis = sorted(axes)
    last = sorted({axis % ndim for axis in axes})
    sizes = tuple(known_size(layer, input_shape, axis) for axis in last)
    order = [axis for axis in range(ndim) if axis not in last] + last
    is_last = order == list(range(ndim))
    fixed = ndim if not is_last or max(axes) >= 0 else None
    from_end = {axis - ndim: size for axis, size in zip(last, sizes, strict=True)}
    layer.input_spec = InputSpec(ndim=fixed, min_ndim=len(last), axes=from_end)
    if is_last:
        return sizes, None, None
    return sizes, tuple(order), tuple(order.index(axis) for axis in range(ndim))


def check_axes(layer, axes, shape):
    """Raise unless inputs of `shape` have all the `axes`.

    Raises:
        ValueError: an axis outside of the shape.
    """
    ndim = len(shape)
    if any(not -ndim <= axis < ndim for axis in axes):
        raise ValueError(
            f"{describe(layer)}: expected `axis` from {-ndim} to {ndim - 1} for an input of shape "
            f"{tuple(shape)}, got axis={layer.axis}. Make the layer with an axis that the input has."
        )


class LayerNormalization(Layer):
    """Normalizes every sample to mean 0 and variance 1 over some axes, then applies learned weights.

    Wraps `torch.nn.LayerNorm` as `self.layer_norm`.

    Args:
        axis: The axis, or a list of axes, that are normalized over together; -1 by default. A list after the
            build.
        epsilon: Added to the variance, so that no division is by 0.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer: What the weights start as.
        beta_regularizer, gamma_regularizer: Penalties on the weights, added to the loss.
        beta_constraint, gamma_constraint: Projections of the weights after every update.
        rms_scaling: Old option: the mean is not subtracted, and there is no `beta`; `RMSNormalization` does
            it better.

    Shapes:
        output = input
        gamma, beta: the sizes of `axis`, in `layer_norm.weight` and `layer_norm.bias`

    Raises:
        TypeError: `axis` is neither an integer nor a list of them.
        ValueError: an axis that the input does not have, or whose size is unknown.

    Source: Keras 3 `keras.layers.LayerNormalization`; Ba et al. 2016 (arXiv:1607.06450). Differs from torch:
    epsilon is 1e-3 (torch 1e-5), and the axes need not be the last ones.
    """

    keeps_shape = True
    keeps_precision = True
    weight_specs = (
        WeightSpec("gamma", at="layer_norm.weight"),
        WeightSpec("beta", at="layer_norm.bias"),
    )

    def __init__(
        self,
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
        rms_scaling=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        words = "Expected an int or a list/tuple of ints for the argument 'axis', but received: "
        self.axis = axes_of(self, axis, words)
        if rms_scaling:
            warnings.warn(
                "You passed `rms_scaling=True`, which is deprecated. This argument incorrectly scales the "
                "input by the variance, not the root mean square. To correctly use RMS Normalization, "
                "please use `layers.RMSNormalization` instead.",
                stacklevel=3,
            )
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.rms_scaling = rms_scaling
        self.supports_masking = True

    def build(self, input_shape):
        """Make the module for the sizes that are normalized over."""
        sizes, self._to_last, self._from_last = trailing(self, input_shape)
        self.layer_norm = nn.LayerNorm(sizes, self.epsilon)
        if not (self.scale or self.rms_scaling):
            self.layer_norm.weight = None
        if not self.center or self.rms_scaling:
            self.layer_norm.bias = None

    def call(self, inputs):
        """Normalize."""
        if not inputs.is_floating_point():
            inputs = inputs.to(torch_dtype(self.compute_dtype))
        x = inputs.permute(self._to_last) if self._to_last else inputs
        y = self._by_deviation(x) if self.rms_scaling else self.layer_norm(x)
        dtype = self._compute if inputs.dtype is torch.float32 else inputs.dtype
        if y.dtype is not dtype:  # under a mixed policy, or torch's autocast, computed in float32
            y = y.to(dtype)
        return y.permute(self._from_last) if self._to_last else y

    def _by_deviation(self, x):
        axes = tuple(range(-len(self.layer_norm.normalized_shape), 0))
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        variance = torch.var(wide, axes, correction=0, keepdim=True)
        return wide * torch.rsqrt(variance + self.epsilon) * self.layer_norm.weight


class RMSNormalization(Layer):
    """Divides every sample by its root mean square over some axes, then scales it by a learned weight.

    Wraps `torch.nn.RMSNorm` as `self.rms_norm`.

    Args:
        axis: The axis, or a list of axes, that are taken together; -1 by default. A list after the build.
        epsilon: Added to the mean square, so that no division is by 0.

    Shapes:
        output = input
        scale: the sizes of `axis`, ones at first, in `rms_norm.weight`

    Raises:
        TypeError: `axis` is neither an integer nor a list of them.
        ValueError: an axis that the input does not have, or whose size is unknown.

    Source: Keras 3 `keras.layers.RMSNormalization`; Zhang and Sennrich 2019 (arXiv:1910.07467). Differs from
    torch: epsilon is 1e-6 (torch: the smallest step of the dtype), and the axes need not be the last ones.
    """

    keeps_shape = True
    weight_specs = (WeightSpec("scale", at="rms_norm.weight"),)

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes_of(
            self, axis, "Expected an int or a list/tuple of ints for the argument 'axis', but received: "
        )
        self.epsilon = epsilon
        self.scale_initializer = initializers.get("ones")

    def build(self, input_shape):
        """Make the module for the sizes that are taken together."""
        sizes, self._to_last, self._from_last = trailing(self, input_shape)
        self.rms_norm = nn.RMSNorm(sizes, self.epsilon)

    def call(self, inputs):
        """Normalize."""
        norm = self.rms_norm
        x = inputs.permute(self._to_last) if self._to_last else inputs
        if x.dtype is not norm.weight.dtype:  # half precision: computed in the dtype of the weight
            y = norm(x.to(norm.weight.dtype)).to(torch_dtype(self.compute_dtype))
        else:
            y = norm(x)
        return y.permute(self._from_last) if self._to_last else y


class UnitNormalization(Layer):
    """Scales every sample to length 1 over some axes; zeros stay zeros.

    Args:
        axis: The axis, or a list of axes, that are taken together; -1 by default.

    Shapes:
        output = input

    Raises:
        TypeError: `axis` is neither an integer nor a list of them.
        ValueError: an axis that the input does not have.

    Source: Keras 3 `keras.layers.UnitNormalization`; torch's `F.normalize`.
    """

    stateless = True
    keeps_batch = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        words = "Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: axis="
        self.axis = axes_of(self, axis, words)
        self.input_spec = spec_for_axes(self.axis)
        self.supports_masking = True

    def call(self, inputs):
        """Normalize."""
        if not inputs.is_floating_point():
            inputs = inputs.to(torch_dtype(self.compute_dtype))
        return F.normalize(inputs, dim=self.axis)
