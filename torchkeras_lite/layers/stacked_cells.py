"""`StackedRNNCells`, and what cells of any kind have: states, and the form they come in."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.recurrent_cell import RecurrentCell

__all__ = ["StackedRNNCells", "as_sizes", "check_cell", "initial_states", "state_sizes"]


class StackedRNNCells(Layer):
    """Several cells as one: each step goes through all of them.

    Args:
        cells: List of cells, each fed with the output of the one before.

    Shapes:
        inputs `(batch, features)`, states: a list with the states of each cell -> output of the last cell,
            new states

    Raises:
        ValueError: something in `cells` has no `call` or no `state_size`.

    Source: Keras 3 `keras.layers.StackedRNNCells`.
    """

    watches_mode = False

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        for cell in cells:
            check_cell(self, cell)
        self.cells = list(cells)

    @property
    def state_size(self):
        """State sizes of the cells, a list."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self):
        """Size of the last cell's output."""
        last = self.cells[-1]
        size = getattr(last, "output_size", None)
        return size if size is not None else nested.flatten(last.state_size)[0]

    def get_initial_state(self, batch_size=None):
        """Return a list of the states that the cells start from."""
        like = torch.empty(0, dtype=self._compute, device=self._own_device())
        return initial_states(self, batch_size, like)

    def build(self, input_shape):
        """Build the cells, each for the output size of the one before."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
                cell.built = True
            size = getattr(cell, "output_size", None)
            size = nested.flatten(cell.state_size)[0] if size is None else size
            input_shape = (input_shape[0], *as_sizes(size))

    def call(self, inputs, states, training=None):
        """Compute one step of every cell."""
        new_states = []
        for cell, own in zip(self.cells, states, strict=True):
            inputs, new = cell(inputs, own if nested.is_nested(own) else [own])
            flat = nested.flatten(new)
            new_states.append(nested.pack_like(own, flat))
        return inputs, new_states


def state_sizes(cell):
    """Return the sizes of the states of `cell`, nested as the states it starts from are."""
    if isinstance(cell, StackedRNNCells):
        return [state_sizes(one) for one in cell.cells]
    size = cell.state_size
    return [size] if not nested.is_nested(size) and hasattr(cell, "get_initial_state") else size


def initial_states(cell, batch_size, like):
    """Return the states that `cell` starts from, zeros unless it says otherwise."""
    if isinstance(cell, StackedRNNCells):
        return [initial_states(one, batch_size, like) for one in cell.cells]
    if isinstance(cell, RecurrentCell) or not hasattr(cell, "get_initial_state"):
        return nested.map_structure(lambda size: like.new_zeros((batch_size, size)), state_sizes(cell))
    states = cell.get_initial_state(batch_size=batch_size)
    return nested.map_structure(lambda state: torch.as_tensor(state).to(like), states)


def check_cell(owner, cell):
    """Raise where `cell` is no cell.

    Raises:
        ValueError: it has no `call`, or no `state_size`.
    """
    if not callable(getattr(cell, "call", getattr(cell, "forward", None))):
        raise ValueError(
            f"{describe(owner)}: Argument `cell` should have a `call` method. Received: cell={cell!r}. Pass "
            "a layer such as `LSTMCell(units)`, or a list of them."
        )
    if not hasattr(cell, "state_size"):
        raise ValueError(
            f"{describe(owner)}: The RNN cell should have a `state_size` attribute (single integer or list "
            f"of integers, one integer per RNN state). Received: cell={cell!r}"
        )


def as_sizes(size):
    """Return a size, or a shape, as a tuple."""
    return tuple(size) if isinstance(size, (list, tuple)) else (size,)
