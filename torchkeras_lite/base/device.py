"""Where new weights live: `with device(...)`, else torch's default device, else the first accelerator."""

import contextlib
import contextvars
import re

import torch

from torchkeras_lite.base import processes

_chosen: contextvars.ContextVar[torch.device | None] = contextvars.ContextVar("device", default=None)


def parse_device(name):
    """Return a `torch.device` from torch's spelling ("cuda:1") or Keras's and TensorFlow's ("gpu:0",
    "/GPU:0").

    Raises:
        ValueError: the name is not that of a device.
    """
    if isinstance(name, torch.device):
        return name
    match = re.fullmatch(r"/?(?:device:)?([a-z]+)(?::(\d+))?", str(name).lower())
    if match:
        kind, index = match.groups()
        if kind == "gpu":
            kind = (
                torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cuda"
            )
        try:
            return (
                torch.device(kind)
                if index is None or kind in ("cpu", "meta")
                else torch.device(kind, int(index))
            )
        except RuntimeError:
            pass
    raise ValueError(f"device: expected a name such as 'cpu', 'cuda:1' or 'gpu:0', got {name!r}.")


@contextlib.contextmanager
def device(device_name):
    """Build the weights, and make the tensors, of the code inside on `device_name`.

    Args:
        device_name: `"cpu"`, `"cuda:1"`, `"mps"`, Keras's `"gpu:0"`, or a `torch.device`.

    Source: Keras 3 `keras.device`.
    """
    chosen = parse_device(device_name)
    token = _chosen.set(chosen)
    try:
        with chosen:
            yield chosen
    finally:
        _chosen.reset(token)


@contextlib.contextmanager
def build_on(chosen):
    """Make layers that are built inside go to the device of the layer that holds them."""
    token = _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.reset(token)


def default_device():
    """Return the device on which a model that has seen no tensor yet is built."""
    if torch.compiler.is_compiling():  # which can neither read context variables nor ask torch's setting
        return torch.empty(0).device
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    configured = torch.get_default_device()
    if configured.type != "cpu" or not torch.accelerator.is_available():
        return configured
    return processes.accelerator()
