"""What `predict` returns where several processes computed parts of the batches."""

import numpy as np

from torchkeras_lite.base import nested, processes
from torchkeras_lite.training.collected import Collected


class DividedOutputs(Collected):
    """The outputs of all processes, in the order of the data.

    Args:
        outputs: Outputs of this process's first part.
        batches: The batches.
        team: The `Team`, which knows the part.
    """

    def __init__(self, outputs, batches, team):
        super().__init__(outputs, batches)
        self.team = team
        self.rows_of_batches = []

    def add(self, outputs):
        """Take the outputs of one part; the row that stands in for an empty one is left out."""
        rows = self.team.part.rows
        self.rows_of_batches.append(rows)
        super().add(outputs if rows else nested.map_structure(lambda leaf: leaf[:0], outputs))

    def arrays(self):
        """Return the arrays of all processes, batch by batch, in the form of the outputs."""
        own = [part.array() for part in self.parts]
        found = processes.from_all((self.rows_of_batches, own))
        pieces = []
        for rows, arrays in found:
            ends = np.cumsum(rows)[:-1]
            pieces.append([np.split(array, ends) for array in arrays])
        batches = range(len(self.rows_of_batches))
        whole = [
            np.concatenate([process[index][batch] for batch in batches for process in pieces])
            for index in range(len(own))
        ]
        return nested.pack_like(self.template, whole)
