"""Activations as layers: Activation, ReLU and its variants, Softmax."""

import functools
import warnings

import torch
import torch.nn.functional as F

from torchkeras_lite import activations, constraints, initializers, regularizers
from torchkeras_lite.activations.pointwise import is_pointwise
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.torch_layout import TorchLayoutCall, in_user_layout
from torchkeras_lite.layers.core import known_size, spec_for_axes


class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: Name or callable of `activations`; a layer or torch module too.

    Shapes:
        output = input

    Raises:
        ValueError: an unknown name.

    Source: Keras 3 `keras.layers.Activation`.
    """

    stateless = True
    keeps_batch = True

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.supports_masking = True

    def call(self, inputs):
        """Apply the function."""
        return self.activation(inputs)

    def torch_layout_call(self):
        """Return how the function is applied in torch's layout, where it looks at each value alone."""
        activation = self.activation
        if not is_pointwise(activation):
            return None

        def activate(x):
            return activation(x) if self.activation is activation else in_user_layout(self.forward, x)

        return TorchLayoutCall(activate)


class ReLU(Layer):
    """Rectified linear unit: `max(x, 0)`, with three generalizations.

    Args:
        max_value: Largest output, a number >= 0; `None` for no limit.
        negative_slope: Slope below `threshold`, a number >= 0.
        threshold: Values above it pass, others become `negative_slope * (x - threshold)`; a number >= 0.

    Shapes:
        output = input

    Raises:
        ValueError: an argument below 0, or `None` for another than `max_value`.

    Source: Keras 3 `keras.layers.ReLU`. With the defaults this is `torch.relu`.
    """

    stateless = True
    keeps_shape = True

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError(
                f"{describe(self)}: max_value of a ReLU layer cannot be a negative value. Received: "
                f"max_value={max_value}. Pass a number of 0 or more, or None for no limit."
            )
        for argument, value in (("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None or value < 0:
                raise ValueError(
                    f"{describe(self)}: {argument} of a ReLU layer cannot be None or a negative value. "
                    f"Received: {argument}={value}. Pass a number of 0 or more."
                )
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold
        self.supports_masking = True
        self._function = torch.relu
        if max_value is not None or negative_slope or threshold:
            self._function = functools.partial(
                activations.relu, negative_slope=negative_slope, max_value=max_value, threshold=threshold
            )

    def call(self, inputs):
        """Apply the function."""
        return self._function(inputs)

    def torch_layout_call(self):
        """Return how the values are computed in any layout."""
        return TorchLayoutCall(self.forward)


class LeakyReLU(Layer):
    """Leaky rectified linear unit: `x` where positive, else `negative_slope * x`.

    Args:
        negative_slope: Slope for negative values, a number >= 0. tf.keras's name `alpha` is taken too.

    Shapes:
        output = input

    Raises:
        ValueError: `negative_slope` is `None` or below 0.

    Source: Keras 3 `keras.layers.LeakyReLU`; torch's `F.leaky_relu`. Differs from torch: slope 0.3, where
    `nn.LeakyReLU` has 0.01 (and the function `activations.leaky_relu` 0.2).
    """

    stateless = True
    keeps_shape = True

    def __init__(self, negative_slope=0.3, **kwargs):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("Argument `alpha` is deprecated. Use `negative_slope` instead.", stacklevel=3)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                f"{describe(self)}: The negative_slope value of a Leaky ReLU layer cannot be None or "
                f"negative value. Expected a float. Received: negative_slope={negative_slope}. Pass a "
                "number of 0 or more, such as 0.3."
            )
        self.negative_slope = negative_slope
        self.supports_masking = True

    def call(self, inputs):
        """Apply the function."""
        return F.leaky_relu(inputs, self.negative_slope)

    def torch_layout_call(self):
        """Return how the values are computed in any layout."""
        return TorchLayoutCall(self.forward)


class PReLU(Layer):
    """Parametric rectified linear unit: `x` where positive, else `alpha * x`, with a learned `alpha`.

    Args:
        alpha_initializer: What the slopes are drawn from, zeros by default.
        alpha_regularizer: Penalty on the slopes, added to the loss.
        alpha_constraint: Projection of the slopes after every update.
        shared_axes: Axes (1 is the first after the batch) along which one slope serves all, an integer or a
            list; for images `[1, 2]` gives a slope a channel. `None`: a slope for every value of a sample.

    Shapes:
        output = input
        alpha: the input's shape without the batch, 1 at `shared_axes`

    Raises:
        ValueError: the size of an axis that is not shared is unknown.

    Source: Keras 3 `keras.layers.PReLU`; He et al. 2015 (arXiv:1502.01852). Differs from torch: slopes start
    at 0 and there is one for every value, where `nn.PReLU` has a single one of 0.25 (or one a channel).
    """

    keeps_shape = True

    def __init__(
        self,
        alpha_initializer="Zeros",
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None and not isinstance(shared_axes, (list, tuple)):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else list(shared_axes)
        self.supports_masking = True

    def build(self, input_shape):
        """Make the slopes for inputs of this shape."""
        ndim = len(input_shape)
        shared = self.shared_axes or []
        if any(not isinstance(axis, int) or axis == 0 or not -ndim < axis < ndim for axis in shared):
            raise ValueError(
                f"{describe(self)}: expected `shared_axes` from 1 to {ndim - 1} for an input of shape "
                f"{tuple(input_shape)}, got shared_axes={shared}. Axis 0 is the batch."
            )
        shared = {axis % ndim for axis in shared}
        own = {axis: known_size(self, input_shape, axis) for axis in range(1, ndim) if axis not in shared}
        self.alpha = self.add_weight(
            shape=tuple(own.get(axis, 1) for axis in range(1, ndim)),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        self.input_spec = InputSpec(ndim=ndim, axes=own)

    def call(self, inputs):
        """Apply the function."""
        alpha = self.alpha
        if alpha.dtype is not inputs.dtype and inputs.is_floating_point():  # mixed precision
            alpha = alpha.to(inputs.dtype)
        return torch.relu(inputs) - alpha * torch.relu(-inputs)


class ELU(Layer):
    """Exponential linear unit: `x` where positive, else `alpha * (exp(x) - 1)`.

    Args:
        alpha: Minus the limit for very negative values.

    Shapes:
        output = input

    Source: Keras 3 `keras.layers.ELU`; torch's `F.elu`; Clevert et al. 2015 (arXiv:1511.07289).
    """

    stateless = True
    keeps_shape = True

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs):
        """Apply the function."""
        return F.elu(inputs, self.alpha)


class Softmax(Layer):
    """Softmax: positive values that sum to 1 along an axis.

    Args:
        axis: The axis, or a list of axes that are taken together.

    Call arguments:
        mask: Boolean tensor that broadcasts to the inputs; where it is false the output is 0. A row without
            a true value is all zeros.

    Shapes:
        output = input

    Raises:
        ValueError: `mask` does not broadcast to the inputs; an axis that the inputs do not have.

    Source: Keras 3 `keras.layers.Softmax`; torch's `torch.softmax`, which has one axis and no mask.
    """

    stateless = True
    keeps_batch = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.input_spec = spec_for_axes(axis)
        self.supports_masking = True
        one = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        self._function = functools.partial(activations.softmax, axis=one)

    def call(self, inputs, mask=None):
        """Apply the function, to the values that the mask keeps."""
        if mask is None:
            return self._function(inputs)
        _check_mask(self, inputs, mask)
        # The lowest float alone would turn a row without a true value into nan gradients; adding a finite
        # one does not.
        lowest = -3e4 if inputs.dtype is torch.float16 else -1e9
        kept = mask.to(inputs.dtype)
        return self._function(inputs + (1.0 - kept) * lowest) * kept


def _check_mask(layer, inputs, mask):
    received = f"Received: inputs.shape={tuple(inputs.shape)}, mask.shape={tuple(mask.shape)}."
    if mask.ndim > inputs.ndim:
        raise ValueError(
            f"{describe(layer)}: The `mask` must be broadcastable to `inputs` and must not have more "
            f"dimensions. {received}"
        )
    if any(m not in (1, size) for m, size in zip(reversed(mask.shape), reversed(inputs.shape), strict=False)):
        raise ValueError(
            f"{describe(layer)}: The `mask` must be broadcastable to `inputs`. Each mask dimension must be "
            f"1 or match the corresponding input dimension. {received}"
        )
