"""What `predict` returns: the outputs of all batches as NumPy arrays."""

import numpy as np
import torch

from torchkeras_lite.base import nested, text

FIRST_BATCHES = 8  # room for so many at first, where the number of rows is not known


class Collected:
    """The outputs of all batches as NumPy arrays.

    Args:
        outputs: Outputs of the first batch.
        batches: The batches.
    """

    def __init__(self, outputs, batches):
        self.template = outputs
        rows = getattr(batches, "num_rows", None)  # unknown where batches are counted
        self.parts = [Rows(rows) for _ in nested.flatten(outputs)]

    def add(self, outputs):
        """Take the outputs of one batch."""
        flat = (outputs,) if isinstance(outputs, torch.Tensor) else nested.flatten(outputs)
        for part, output in zip(self.parts, flat, strict=True):
            part.add(output)

    def arrays(self):
        """Return the arrays in the form of the outputs."""
        return nested.pack_like(self.template, [part.array() for part in self.parts])


class Rows:
    """One output of all batches, written into blocks: kept as they come, the small results of each batch
    would lie between its large values, and memory would grow by these.

    Args:
        count: Number of rows, where it is known.
    """

    def __init__(self, count):
        self.count = count
        self.pieces = []  # arrays that are full
        self.block = None
        self.filled = 0

    def add(self, output):
        """Take the rows of one batch."""
        if not isinstance(output, torch.Tensor):
            self._close()
            self.pieces.append(output if text.is_text(output) else np.atleast_1d(np.asarray(output)))
            return
        output = output if output.ndim else output.reshape(1)
        stop = self.filled + len(output)
        room = None if self.block is None else self.block[self.filled : stop]
        if room is None or room.shape != output.shape:
            self._open(output)
            stop = len(output)
            room = self.block[:stop]
        room.copy_(output)
        self.filled = stop

    def _open(self, output):
        """Begin a block that holds `output` at least."""
        before, rows = self.block, len(output)
        self._close()
        if self.count is not None and before is None and not self.pieces:
            rows = max(rows, self.count)
        elif before is None or before.shape[1:] == output.shape[1:]:  # else sizes change from batch to batch
            rows = max(rows * FIRST_BATCHES, 0 if before is None else 2 * len(before))
        dtype = torch.float32 if output.dtype == torch.bfloat16 else output.dtype
        self.block = torch.empty((rows, *output.shape[1:]), dtype=dtype)

    def _close(self):
        if self.block is not None:
            rows = self.block[: self.filled]
            self.pieces.append((rows if 2 * self.filled > len(self.block) else rows.clone()).numpy())
        self.block, self.filled = None, 0

    def array(self):
        """Return all rows."""
        self._close()
        return self.pieces[0] if len(self.pieces) == 1 else np.concatenate(self.pieces)
