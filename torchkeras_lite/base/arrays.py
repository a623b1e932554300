"""NumPy arrays that layers are called on, as tensors."""

import torch

from torchkeras_lite.base.dtypes import widened

_returned: dict[str, type | None] = {"class": None}


def return_as(tensor_class):
    """Let layers that are called on NumPy arrays compute with tensors of a class, and so return them.

    Args:
        tensor_class: A subclass of `torch.Tensor` that results of torch functions are of too, or `None` for
            plain tensors.
    """
    _returned["class"] = tensor_class


def as_tensor(array, device):
    """Return an array as a tensor on a device."""
    tensor = widened(torch.as_tensor(array, device=device))
    return tensor if _returned["class"] is None else tensor.as_subclass(_returned["class"])
