"""`SpectralNormalization`: a wrapper that keeps the largest singular value of a kernel at 1."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from torchkeras_lite import initializers
from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.weights import Weight
from torchkeras_lite.layers.wrapper import Wrapper

__all__ = ["SpectralNormalization"]


class SpectralNormalization(Wrapper):
    """Divides a layer's kernel by an estimate of its largest singular value, before every training call.

    The kernel is seen as a matrix whose columns are its last axis. Each training call improves the estimate
    by `power_iterations` steps from the vector of the call before, and overwrites the kernel.

    Args:
        layer: A layer with a weight `kernel` or `embeddings`, such as `Dense`, `Conv2D` or `Embedding`.
        power_iterations: Steps of power iteration in a call, an integer > 0.

    Shapes:
        those of `layer`; vector_u `(1, size of the kernel's last axis)`

    Raises:
        ValueError: `power_iterations` is no positive integer; `layer` has no kernel and no embeddings.

    Source: Keras 3 `keras.layers.SpectralNormalization`; Miyato et al. 2018 (arXiv:1802.05957). Differs from
    torch: `torch.nn.utils.parametrizations.spectral_norm` keeps the kernel as it is, divides in every call,
    and lets gradients pass through the division.
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        try:
            self.power_iterations = positive_int(self, "power_iterations", power_iterations)
        except ValueError:
            raise ValueError(
                f"{describe(self)}: `power_iterations` should be greater than zero. Received: "
                f"`power_iterations={power_iterations}`. Pass an integer of 1 or more."
            ) from None

    def build(self, input_shape):
        """Build the layer inside, and make the vector of the power iteration."""
        super().build(input_shape)
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))
        kernel = next((found for found in map(self._inner_weight, ("kernel", "embeddings")) if found), None)
        if kernel is None:
            raise ValueError(
                f"{describe(self)}: {type(self.layer).__name__} object has no attribute 'kernel' nor "
                "'embeddings'. Wrap a layer that has one, such as Dense, Conv2D or Embedding."
            )
        self.declare(kernel)
        self.__dict__["kernel"] = kernel  # also where the layer calls it `embeddings`
        self.vector_u = self.add_weight(
            shape=(1, kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            name="vector_u",
        )

    def _inner_weight(self, name):
        """Return a view, from here, of the weight of the layer inside that is called `name`."""
        return next(
            (
                Weight(self, replace(weight.spec, at=f"layer.{weight.spec.at}"), weight._info)
                for weight in self.layer.weights
                if weight.name == name and weight.owner is self.layer
            ),
            None,
        )

    @torch.no_grad()
    def normalize_kernel(self):
        """Divide the kernel by the estimate of its largest singular value; one of zeros stays."""
        spec, stored = self.kernel.spec, self.kernel.tensor
        value = spec.to_keras(stored)
        matrix = value.reshape(-1, value.shape[-1])
        u = self.vector_u
        for _ in range(self.power_iterations):
            v = F.normalize(u @ matrix.t(), dim=None)
            u = F.normalize(v @ matrix, dim=None)
        sigma = v @ matrix @ u.t()
        zero = (matrix == 0).all()
        self.vector_u.copy_(torch.where(zero, self.vector_u, u))
        stored.copy_(spec.from_keras(torch.where(zero, value, value / sigma)))

    def call(self, inputs, training=None):
        """Normalize the kernel, in training, and call the layer."""
        if training:
            self.normalize_kernel()
        outputs = self.layer(inputs)
        return outputs.to(inputs.dtype) if inputs.is_floating_point() else outputs
