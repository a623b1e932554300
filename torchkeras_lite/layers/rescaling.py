"""Rescaling: a fixed linear map of the inputs."""

import numpy as np
import torch

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine.layer import Layer


class Rescaling(Layer):
    """Multiplies by a constant and adds another: `inputs * scale + offset`, in training and inference alike.

    Args:
        scale: A number, or values that broadcast to the inputs (one a channel, in the data format of
            `config`), such as `1 / 255` for bytes.
        offset: A number or values, likewise.

    Shapes:
        output = input, in the dtype of the layer

    Source: Keras 3 `keras.layers.Rescaling`.
    """

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def build(self, input_shape=None):
        """Put values, as against numbers, on the device of the layer."""
        for name, value in (("_factor", self.scale), ("_shift", self.offset)):
            if isinstance(value, (int, float)):
                setattr(self, name, value)
            else:
                array = value if isinstance(value, torch.Tensor) else np.asarray(value)
                dtype = dtypes.torch_dtype(self.compute_dtype)
                tensor = torch.as_tensor(array, dtype=dtype, device=default_device())
                if tensor.ndim == 1 and input_shape and config.image_data_format() == "channels_first":
                    tensor = tensor.view(-1, *(1,) * (len(input_shape) - 2))
                self.register_buffer(name, tensor, persistent=False)

    def call(self, inputs):
        """Multiply and add."""
        if not inputs.is_floating_point():
            inputs = inputs.to(dtypes.torch_dtype(self.compute_dtype))
        return inputs * self._factor + self._shift
