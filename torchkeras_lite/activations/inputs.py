"""What an activation is given, as something torch's functions take."""

import numpy as np
import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.dtypes import torch_dtype, widened


def as_tensor(x):
    """Return `x` itself where torch's functions take it (tensors, weights, symbolic tensors), else a tensor.

    Arrays keep their dtype; Python floats become `floatx()` and Python integers `int32`, as in Keras.
    """
    if isinstance(x, torch.Tensor) or hasattr(x, "__torch_function__"):
        return x
    if isinstance(x, (np.ndarray, np.generic)):
        return widened(torch.as_tensor(x, device=default_device()))
    tensor = torch.as_tensor(x, device=default_device())
    if tensor.is_floating_point():
        return tensor.to(torch_dtype(config.floatx()))
    return tensor.to(torch.int32) if tensor.dtype == torch.int64 else tensor
