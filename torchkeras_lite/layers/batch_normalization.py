"""Batch normalization, on torch's kernel, with Keras's momentum and biased running variance."""

import math

import torch
import torch.distributed as dist
from torch import nn

from torchkeras_lite import constraints, initializers, regularizers
from torchkeras_lite.base import processes
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.torch_layout import TorchLayoutCall, to_torch
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.batch_renormalization import Renormalizer, RootOf
from torchkeras_lite.layers.core import known_size


class BiasedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """torch's batch normalization over axis 1, for any rank, with the biased variance in `running_var`.

    Args:
        num_features: Size of axis 1.
        eps: Added to the variance.
        momentum: Weight of the new statistics (Keras's momentum is that of the old ones); `None`, as
            `torch.optim.swa_utils.update_bn` sets it: the mean over all batches.
        center: Whether there is a `bias`.
        scale: Whether there is a `weight`.
    """

    def __init__(self, num_features, eps, momentum, center, scale):
        super().__init__(num_features, eps, momentum)
        self.weight = self.weight if scale else None
        self.bias = self.bias if center else None

    def _check_input_dim(self, input):
        pass

    def forward(self, input):
        """Normalize by the statistics of the batch in training, else by the running ones."""
        if not self.training:
            return self._run(input, self.running_var, False, 0.0)
        momentum = self.momentum
        if momentum is None:
            self.num_batches_tracked.add_(1)
            momentum = 1.0 / float(self.num_batches_tracked)
        count = input.numel() // input.shape[1]
        # The kernel writes momentum * variance * n / (n - 1); old values are scaled alike before, and all is
        # scaled back after. A new tensor goes in, because backward keeps what went in and would notice a
        # change.
        bias = count / (count - 1) if count > 1 else 1.0
        variance = self.running_var * bias
        output = self._run(input, variance, True, momentum)
        if count > 1:
            torch.mul(variance, 1.0 / bias, out=self.running_var)
        else:  # the variance of one value is 0
            self.running_var.mul_(1.0 - momentum)
        return output

    def _run(self, input, variance, training, momentum):
        enabled = torch.backends.cudnn.enabled
        return torch.batch_norm(
            input,
            self.weight,
            self.bias,
            self.running_mean,
            variance,
            training,
            momentum,
            self.eps,
            enabled,
        )

    def update(self, mean, variance):
        """Move the running statistics towards `mean` and `variance`."""
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)

    def apply_statistics(self, input, mean, variance):
        """Normalize by `mean` and `variance`, through which gradients flow; in float32 at least."""
        shape = (1, -1, *(1,) * (input.ndim - 2))
        factor = torch.rsqrt(variance + self.eps)
        factor = factor if self.weight is None else factor * self.weight
        shift = -mean * factor if self.bias is None else self.bias - mean * factor
        return (input * factor.view(shape) + shift.view(shape)).to(input.dtype)


class BatchNormalization(Layer):
    """Normalizes every channel to mean 0 and variance 1, then scales and shifts it by learned weights.

    In training the statistics are those of the batch, and running averages of them are kept; in inference
    the running averages are used. A layer with `trainable = False` always uses the running averages and
    leaves them alone.

    Wraps a subclass of torch's batch normalization as `self.batch_norm`; images in `(batch, height, width,
    channels)` go in as `channels_last` memory, without a copy.

    Args:
        axis: The axis of the channels, -1 by default, 1 for channels_first images.
        momentum: Weight of the old running statistics at each step.
        epsilon: Added to the variance, so that no division is by 0.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: What
            weights start as.
        beta_regularizer, gamma_regularizer: Penalties on the weights, added to the loss.
        beta_constraint, gamma_constraint: Projections of the weights after every update.
        renorm: Whether to correct the batch's statistics towards the running ones (batch renormalization).
        renorm_clipping: Limits of the correction, a dict with any of `"rmin"`, `"rmax"`, `"dmax"`.
        renorm_momentum: Weight of the old running statistics that the correction uses.
        synchronized: Whether the processes of `torch.distributed`, where it is initialized, share the
            batch's statistics.

    Call arguments:
        mask: Boolean tensor of the rank of the inputs less one; steps where it is false do not count in the
            statistics.

    Shapes:
        output = input
        gamma, beta, moving_mean, moving_variance `(channels,)`, in `batch_norm.weight`, `.bias`,
        `.running_mean`, `.running_var`

    Raises:
        ValueError: the number of channels is unknown, or another one later; a mask of another rank; wrong
            `renorm_clipping`.

    Source: Keras 3 `keras.layers.BatchNormalization`; Ioffe and Szegedy 2015 (arXiv:1502.03167), 2017
    (arXiv:1702.03275) for `renorm`. Differs from torch: momentum 0.99 is torch's 0.01, epsilon is 1e-3
    (torch 1e-5), and the running variance is the biased one (divided by n, where torch divides by n - 1).
    """

    keeps_shape = True

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)):
            raise TypeError(
                f"{describe(self)}: `axis` must be one integer, the axis of the channels, got axis={axis!r}."
            )
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm = renorm
        self.renorm_clipping = check_clipping(self, renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        self.supports_masking = True
        if renorm:
            self.moving_stddev_initializer = RootOf(self.moving_variance_initializer)
            self.renorm_mean_initializer = self.moving_mean_initializer
            self.renorm_stddev_initializer = self.moving_stddev_initializer

    @property
    def weight_specs(self):
        """Where the weights are."""
        return _SPECS + _RENORM_SPECS if self.renorm else _SPECS

    def build(self, input_shape):
        """Make the module for the channels of `input_shape`."""
        ndim = len(input_shape)
        if not -ndim <= self.axis < ndim:
            raise ValueError(
                f"{describe(self)}: Axis {self.axis} is out of bounds for input shape "
                f"{tuple(input_shape)}. Received: axis={self.axis}. Pass an axis from {-ndim} to {ndim - 1}."
            )
        channels = known_size(self, input_shape, self.axis)
        self.batch_norm = BiasedBatchNorm(
            channels, self.epsilon, 1.0 - self.momentum, self.center, self.scale
        )
        if self.renorm:
            self.renormalizer = Renormalizer(
                channels, self.epsilon, 1.0 - self.renorm_momentum, self.renorm_clipping
            )
        self.input_spec = InputSpec(ndim=ndim, axes={self.axis: channels})
        self._to_torch, self._from_torch = channel_second(ndim, self.axis % ndim)

    def call(self, inputs, training=None, mask=None):
        """Normalize."""
        if not self._to_torch:
            return self._normalize(inputs, training, mask)
        return self._normalize(inputs.permute(self._to_torch), training, mask).permute(self._from_torch)

    def torch_layout_call(self):
        """Return how the layer computes in torch's layout, if the channels are last."""
        ndim = self.input_spec.ndim
        if self._to_torch != to_torch(ndim):
            return None

        def normalize(x):
            return self._normalize(x, self.training)

        return TorchLayoutCall(normalize, ndim)

    def _normalize(self, x, training, mask=None):
        """Normalize `x` of shape (batch, channels, ...)."""
        norm = self.batch_norm
        if not x.is_floating_point():
            x = x.to(norm.running_mean.dtype)
        learning = bool(training) and self.trainable
        if learning and (mask is not None or self.renorm or (self.synchronized and _distributed())):
            return self._with_statistics(x, mask)
        return norm(x) if norm.training is learning else in_mode(norm, learning, x)

    def _with_statistics(self, x, mask):
        """Normalize by statistics of masked steps or several processes, or by corrected ones."""
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        if mask is not None:
            mask = self._mask_for(wide, mask)
        mean, variance = moments(wide, mask, self.synchronized and _distributed())
        if not self.renorm:
            self.batch_norm.update(mean, variance)
            y = self.batch_norm.apply_statistics(wide, mean, variance)
        else:
            y = self.renormalizer(self.batch_norm, wide, mean, variance)
        return y.to(x.dtype)

    def _mask_for(self, x, mask):
        if mask.ndim != x.ndim - 1:
            raise ValueError(
                f"{describe(self)}: The mask provided should be one dimension less than the inputs. "
                f"Received: mask.shape={tuple(mask.shape)}, inputs.shape={tuple(x.shape)} (channels "
                "second)."
            )
        kept = mask.unsqueeze(-1).to(x.dtype)
        return kept.permute(self._to_torch) if self._to_torch else kept


_SPECS = (
    WeightSpec("gamma", at="batch_norm.weight"),
    WeightSpec("beta", at="batch_norm.bias"),
    WeightSpec("moving_mean", at="batch_norm.running_mean", trainable=False),
    WeightSpec("moving_variance", at="batch_norm.running_var", trainable=False),
)
_RENORM_SPECS = tuple(
    WeightSpec(name, at=f"renormalizer.{name}", trainable=False)
    for name in ("moving_stddev", "renorm_mean", "renorm_stddev")
)


def channel_second(ndim, axis):
    """Return the permutation that makes `axis` the second one, and its reverse; `None`s where it is."""
    if axis == 1:
        return None, None
    forth = [index for index in range(ndim) if index != axis]
    forth.insert(1, axis)
    return tuple(forth), tuple(forth.index(index) for index in range(ndim))


def in_mode(module, training, x):
    """Call `module` on `x` in the mode `training`, and leave its mode as it was."""
    before = module.training
    module.training = training
    try:
        return module(x)
    finally:
        module.training = before


def moments(x, mask=None, shared=False):
    """Return mean and biased variance of `x` over all axes but the second, differentiable.

    Args:
        x: Values, channels second.
        mask: Weights of the values, broadcast to `x`; `None`: all count.
        shared: Whether the processes of `torch.distributed` add their sums.
    """
    axes = [axis for axis in range(x.ndim) if axis != 1]
    if shared and not processes.part().rows:
        mask = x.new_zeros(()).expand_as(x)  # the row stands in for none
    if mask is None and not shared:
        variance, mean = torch.var_mean(x, axes, correction=0)
        return mean, variance
    spread = [1 if axis == 1 else size for axis, size in enumerate(x.shape)]
    if mask is None:
        count, epsilon = x.new_tensor(float(math.prod(spread))), 0.0
        weighted = x
    else:
        mask = mask.expand(
            *(
                m if axis == 1 else size
                for axis, (m, size) in enumerate(zip(mask.shape, x.shape, strict=True))
            )
        )
        count, epsilon = mask.sum(axes), 1e-7
        weighted = x * mask
    count, total = _add_up(shared, count.expand(x.shape[1]), weighted.sum(axes))
    shape = (1, -1, *(1,) * (x.ndim - 2))
    mean = total / (count + epsilon)
    squares = (x - mean.view(shape)).square()
    (squares,) = _add_up(shared, (squares if mask is None else squares * mask).sum(axes))
    return mean, squares / (count + epsilon)


def _distributed():
    return dist.is_available() and dist.is_initialized()


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx, tensor):
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        return _SumOverProcesses.apply(gradient)


def _add_up(shared, *sums):
    """Return the sums over all processes, differentiable; those of this process without `shared`."""
    return _SumOverProcesses.apply(torch.stack(sums)).unbind() if shared else sums


def check_clipping(layer, clipping):
    """Return the limits of batch renormalization as a dict.

    Raises:
        ValueError: an unknown limit, or limits that contradict one another.
    """
    clipping = dict(clipping or {})
    known = ["rmax", "rmin", "dmax"]
    if set(clipping) - set(known):
        raise ValueError(
            f"{describe(layer)}: Received invalid keys for `renorm_clipping` argument: {clipping}. "
            f"Supported values: {known}."
        )
    rmax, rmin, dmax = (clipping.get(key) for key in known)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            f"{describe(layer)}: rmax should be greater than rmin in the `renorm_clipping` argument. "
            f"Received: rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(
            f"{describe(layer)}: dmax should be non-negative in the `renorm_clipping` argument. Received: "
            f"dmax={dmax}."
        )
    return clipping
