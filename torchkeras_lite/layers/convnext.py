"""The two layers that Keras's ConvNeXt models hold and Keras does not export; files of such models
need them.
"""

import torch

from torchkeras_lite.base.checks import unit_interval
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.initializers import Constant


class LayerScale(Layer):
    """Multiplies the last axis by trained factors, which start small.

    Args:
        init_values: What the factors start at.
        projection_dim: Size of the last axis.

    Shapes:
        input `(batch, ..., projection_dim)` -> the same

    Source: Keras 3 `keras.src.applications.convnext.LayerScale`; Touvron et al. 2021 (arXiv:2103.17239).
    """

    def __init__(self, init_values, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, input_shape):
        """Make the factors."""
        self.gamma = self.add_weight(
            shape=(self.projection_dim,), initializer=Constant(self.init_values), name="gamma"
        )

    def call(self, inputs):
        """Multiply."""
        return inputs * self.gamma


class StochasticDepth(Layer):
    """Sets whole samples to 0 in training, and scales the others up.

    Args:
        drop_path_rate: Share of the samples that is dropped, in [0, 1).

    Shapes:
        input `(batch, ...)` -> the same

    Source: Keras 3 `keras.src.applications.convnext.StochasticDepth`; Huang et al. 2016 (arXiv:1603.09382).
    """

    def __init__(self, drop_path_rate, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_rate = unit_interval(self, "drop_path_rate", drop_path_rate, open_end=True)

    def call(self, inputs, training=None):
        """Drop samples, in training."""
        if not training or not self.drop_path_rate:
            return inputs
        keep = 1 - self.drop_path_rate
        sizes = (inputs.shape[0], *(1,) * (inputs.ndim - 1))
        return inputs / keep * torch.floor(keep + torch.rand(sizes, dtype=inputs.dtype, device=inputs.device))
