"""`tf.test`: what scripts ask about the machine."""

import torch

from torchkeras_lite.tf.config import list_logical_devices
from torchkeras_lite.tf.unknown import missing


def is_gpu_available(cuda_only=False, min_cuda_compute_capability=None):
    """Return whether there is an accelerator."""
    return torch.cuda.is_available() if cuda_only else bool(list_logical_devices("GPU"))


def gpu_device_name():
    """Return the name of the first accelerator, or an empty string."""
    return next((device.name for device in list_logical_devices("GPU")), "")


def is_built_with_cuda():
    """Return whether this torch can use CUDA."""
    return torch.backends.cuda.is_built()


def is_built_with_gpu_support():
    """Return whether this torch can use CUDA or ROCm."""
    return torch.backends.cuda.is_built() or torch.version.hip is not None


__all__ = ["gpu_device_name", "is_built_with_cuda", "is_built_with_gpu_support", "is_gpu_available"]
__getattr__ = missing("tf.test", {"TestCase": "unittest.TestCase and torch.testing.assert_close"})
