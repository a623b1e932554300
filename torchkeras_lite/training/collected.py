"""What `predict` returns: the outputs of all batches as NumPy arrays."""

import numpy as np
import torch

from torchkeras_lite.base import nested, text
from torchkeras_lite.training.steps import batch_length


class Collected:
    """The outputs of all batches as NumPy arrays. Where the number of rows is known, they are written in
    place.

    Args:
        outputs: Outputs of the first batch.
        batches: The batches.
    """

    def __init__(self, outputs, batches):
        self.template = outputs
        self.rows = getattr(batches, "num_rows", None)  # unknown where batches are counted
        self.parts = [self._start(t) for t in nested.flatten(outputs)]
        self.position = 0

    def _start(self, tensor):
        if self.rows is None or not isinstance(tensor, torch.Tensor) or not tensor.ndim:
            return []
        dtype = torch.float32 if tensor.dtype == torch.bfloat16 else tensor.dtype
        return torch.empty((self.rows, *tensor.shape[1:]), dtype=dtype)

    def add(self, outputs):
        """Take the outputs of one batch."""
        flat = nested.flatten(outputs)
        start = self.position
        stop = start + batch_length(outputs)
        for index, tensor in enumerate(flat):
            place = self.parts[index]
            fits = isinstance(place, torch.Tensor) and isinstance(tensor, torch.Tensor)
            if (
                fits
                and tensor.shape[1:] == place.shape[1:]
                and stop <= len(place)
                and len(tensor) == stop - start
            ):
                place[start:stop].copy_(tensor)
                continue
            if isinstance(place, torch.Tensor):  # sizes that change from batch to batch
                place = self.parts[index] = [place[:start].numpy().copy()] if start else []
            if text.is_text(tensor):
                place.append(tensor)
                continue
            tensor = tensor.detach() if isinstance(tensor, torch.Tensor) else torch.as_tensor(tensor)
            place.append((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy())
        self.position = stop

    def arrays(self):
        """Return the arrays in the form of the outputs."""
        flat = []
        for part in self.parts:
            if isinstance(part, torch.Tensor):
                flat.append(part[: self.position].numpy())
            else:
                flat.append(np.concatenate([np.atleast_1d(p) for p in part]))
        return nested.pack_like(self.template, flat)
