"""The way of batches to the device: ahead of their use on CUDA, where copies and kernels overlap."""

import torch

from torchkeras_lite.base import nested


def to_device(tensor, device):
    """Return `tensor` on `device`; on the way to CUDA through pinned memory, without waiting.

    Arrays of strings stay where they are.
    """
    if not isinstance(tensor, torch.Tensor) or tensor.device == device:
        return tensor
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def moved(batch, device):
    """Return the tensors of a batch, nested as they are, on `device`."""
    return nested.map_structure(lambda tensor: to_device(tensor, device), batch)


def ahead(batches, device):
    """Yield batches on a CUDA device, each copied on a stream of its own while the one before is in use."""
    side = torch.cuda.Stream(device)
    waiting = None
    for batch in batches:
        with torch.cuda.stream(side):
            coming = moved(batch, device), side.record_event()
        if waiting is not None:
            yield _ready(*waiting, device)
        waiting = coming
    if waiting is not None:
        yield _ready(*waiting, device)


def _ready(batch, copied, device):
    current = torch.cuda.current_stream(device)
    current.wait_event(copied)
    for tensor in nested.flatten(batch):
        if isinstance(tensor, torch.Tensor) and tensor.device.type == "cuda":
            tensor.record_stream(current)  # its memory is not given away before this stream is done with it
    return batch
