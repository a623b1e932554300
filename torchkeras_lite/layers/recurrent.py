"""`RNN`: a cell, run over the steps of sequences; the base of SimpleRNN, LSTM and GRU.

Cells with a torch kernel (`RecurrentCell`) get the whole sequence at once where the kernel computes what
they do; every other cell is called step by step.
"""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.auto_config import serialize_argument
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.packed import run_masked
from torchkeras_lite.layers.recurrent_cell import RecurrentCell, reset_dropout
from torchkeras_lite.layers.stacked_cells import (
    StackedRNNCells,
    as_sizes,
    check_cell,
    initial_states,
    state_sizes,
)

__getattr__ = old_members(__name__)


class RNN(Layer):
    """Runs a cell over the steps of sequences.

    Args:
        cell: A layer with `call(inputs, states) -> (output, new_states)` and `state_size`, an integer or a
            list of them; `output_size` where that is not the first state's, and `get_initial_state(
            batch_size)` where the states do not start as zeros of `(batch, size)`. A list of cells becomes
            `StackedRNNCells`.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the final states are returned, after the output.
        go_backwards: Whether the steps are taken in reverse; outputs stay in the order they were computed.
        stateful: Whether a batch starts from the final states of the one before. Needs a fixed batch size.
        unroll: Accepted as in Keras; results do not depend on it.
        zero_output_for_mask: Whether outputs of masked steps are 0; otherwise they repeat the last output.

    Called as `layer(sequences, initial_state=None, mask=None, training=None)`; `initial_state` is a tensor or
    a list. A mask `(batch, steps)` travels with the sequences or is passed: masked steps change nothing, in
    whatever places they are. Outputs are 0 before a row's first unmasked step.

    Shapes:
        input `(batch, steps, ...)` -> output `(batch, ...)`, or `(batch, steps, ...)` with
            `return_sequences`; with `return_state` followed by the states

    Raises:
        ValueError: no cell; `stateful` without a fixed batch size, or with another one later; other initial
            states than the cell has; a mask of another number of steps.

    Source: Keras 3 `keras.layers.RNN`. Differs from Keras: a list `[sequences, *states]` is taken as input,
    as in tf.keras.
    """

    creates_masks = False

    cell_arguments: tuple[str, ...] = ()
    watches_mode = False

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(self, cell)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self._num_state_buffers = 0
        if isinstance(cell, RecurrentCell):  # other cells are called as layers, and tell it themselves
            self.__dict__["_watches_mode"] = cell._watches_mode

    def get_config(self):
        """Return the constructor's arguments."""
        arguments = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")
        config = super().get_config()
        for name in (*arguments, "zero_output_for_mask", *(self.cell_arguments or ("cell",))):
            config[name] = serialize_argument(getattr(self, name), name)
        return config

    @property
    def state_size(self):
        """Sizes of the states, a list."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    @property
    def states(self):
        """The states kept for the next batch, with `stateful`; `None` otherwise."""
        if not self._num_state_buffers:
            return None
        return [getattr(self, f"rnn_state_{index}") for index in range(self._num_state_buffers)]

    def get_initial_state(self, batch_size):
        """Return the list of states that a sequence starts from."""
        like = next((p for p in self.cell.parameters() if p.is_floating_point()), None)
        device = self._own_device() if like is None else like.device
        return self._zero_states(batch_size, torch.empty(0, dtype=self._compute, device=device))

    def _zero_states(self, batch_size, like):
        states = initial_states(self.cell, batch_size, like)
        return states if isinstance(states, list) else list(states) if isinstance(states, tuple) else [states]

    def reset_state(self):
        """Set the states that `stateful` keeps to 0."""
        for state in self.states or ():
            state.detach_().zero_()

    def reset_states(self):
        """Alias of `reset_state`."""
        self.reset_state()

    def _start(self, sequences, initial_state):
        """Return the nested list of states that this call starts from."""
        batch = sequences.shape[0]
        if initial_state is None and not self.stateful:
            return self._zero_states(batch, sequences)
        form = self._zero_states(1 if initial_state is not None else batch, sequences)
        if initial_state is None:
            kept = self.states
            if kept[0].shape[0] != batch:
                raise ValueError(
                    f"{describe(self)}: if an RNN is stateful, the batch size of the input sequences must be "
                    f"the same as the batch size of the initial state. Expected batch size: "
                    f"{kept[0].shape[0]}. Received batch size: {batch}. Pass batches of one size."
                )
            return nested.pack_like(form, [state.clone() for state in kept])
        given = nested.flatten(initial_state)
        if len(given) != len(nested.flatten(form)):
            raise ValueError(
                f"{describe(self)}: expected {len(nested.flatten(form))} initial state(s), got {len(given)}. "
                f"Pass a list of tensors (batch, size) with the sizes {self.state_size}."
            )
        for state, zeros in zip(given, nested.flatten(form), strict=True):
            if isinstance(self.cell, RecurrentCell) and state.shape[1:] != zeros.shape[1:]:
                raise ValueError(
                    f"{describe(self)}: expected initial states of shape {(batch, *zeros.shape[1:])}, got "
                    f"one of shape {tuple(state.shape)}. Pass a tensor (batch, size) for each of the sizes "
                    f"{self.state_size}."
                )
        return nested.pack_like(form, [state.to(sequences.dtype) for state in given])

    def _keep(self, states):
        for kept, state in zip(self.states, nested.flatten(states), strict=True):
            kept.copy_(state.detach())

    def build(self, sequences_shape, initial_state_shape=None):
        """Build the cell for the shape of one step."""
        step_shape = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build(step_shape)
            self.cell.built = True
        if self.input_spec is not None:
            self.input_spec = InputSpec(ndim=3, axes={-1: sequences_shape[-1]})
        if self.stateful:
            self._make_state_buffers(sequences_shape)

    def _make_state_buffers(self, sequences_shape):
        if sequences_shape[0] is None:
            raise ValueError(
                f"{describe(self)}: when using `stateful=True` in a RNN, the batch size must be static. "
                f"Found dynamic batch size: sequence.shape={tuple(sequences_shape)}. Pass `batch_shape=` to "
                "`Input`."
            )
        states = nested.flatten(self.get_initial_state(sequences_shape[0]))
        for index, state in enumerate(states):
            self.register_buffer(f"rnn_state_{index}", state.clone(), persistent=False)
        self._num_state_buffers = len(states)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """Return the output shape for that of the sequences."""
        batch = sequences_shape[0]
        sizes = state_sizes(self.cell)
        output = getattr(self.cell, "output_size", None)
        output = nested.flatten(sizes)[0] if output is None else output
        steps = (sequences_shape[1],) if self.return_sequences else ()
        output = (batch, *steps, *as_sizes(output))
        if not self.return_state:
            return output
        sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
        return (output, *nested.map_structure(lambda size: (batch, *as_sizes(size)), list(sizes)))

    def compute_mask(self, sequences, previous_mask):
        """Return the mask of the outputs: the input's with `return_sequences`, none for states."""
        mask = nested.flatten(previous_mask)[0]
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    def __call__(self, sequences, *args, **kwargs):
        """Compute; a list `[sequences, *states]` is taken apart. See `Layer`."""
        if isinstance(sequences, (list, tuple)) and not args and kwargs.get("initial_state") is None:
            sequences, *states = sequences
            if states:
                kwargs["initial_state"] = states
        return super().__call__(sequences, *args, **kwargs)

    def call(self, sequences, initial_state=None, mask=None, training=None):
        """Run the cell over the sequences."""
        states = self._start(sequences, initial_state)
        mask = nested.flatten(mask)[0]
        if mask is not None and not torch.compiler.is_compiling():
            self._check_mask(mask, sequences)
        if self.go_backwards:
            sequences = sequences.flip(1)
            mask = None if mask is None else mask.flip(1)
        mask = None if mask is None else mask.bool()
        if training:
            reset_dropout(self.cell)
        output, states = self._run_cell(sequences, mask, states, training)
        if training:
            reset_dropout(self.cell)
        if self.stateful and not shapes.is_probing():
            self._keep(states)
        return (output, *states) if self.return_state else output

    def _check_mask(self, mask, sequences):
        if mask.shape[1:] != sequences.shape[1:2]:
            raise ValueError(
                f"{describe(self)}: expected a mask of shape {tuple(sequences.shape[:2])}, (batch, steps), "
                f"got {tuple(mask.shape)}. Pass a mask with a value for every step."
            )

    def _run_cell(self, sequences, mask, states, training):
        cell = self.cell
        probing = shapes.is_probing() and sequences.is_meta
        states_needed = self.return_state or self.stateful
        if not isinstance(cell, RecurrentCell):
            return self._run_steps(self._call_cell, sequences, mask, states, probing)
        sequences = cell.drop_inputs(sequences, training)
        if probing or not self._runs_kernel(training):
            projected = cell.project(sequences[:, :1] if probing else sequences)

            def step(inputs, states):
                new = cell.step(inputs, states, training)
                return new[0], new

            return self._run_steps(step, projected, mask, states, probing, sequences.shape[1])
        if mask is None:
            outputs, states = cell.run_kernel(sequences, states)
            return (outputs if self.return_sequences else states[0]), states
        output, states = run_masked(
            cell,
            sequences,
            mask,
            states,
            sequences=self.return_sequences,
            states_needed=states_needed,
        )
        if self.zero_output_for_mask:
            output = output * (mask.unsqueeze(-1) if self.return_sequences else mask[:, -1:])
        return output, states

    def _runs_kernel(self, training):
        return self.cell.runs_kernel(training)

    def _call_cell(self, inputs, states):
        output, new_states = self.cell(inputs, states)
        return output, (new_states if isinstance(new_states, (list, tuple)) else [new_states])

    def _run_steps(self, step, sequences, mask, states, probing, num_steps=None):
        """Call `step(inputs, states) -> (output, states)` for every step; once, probing."""
        num_steps = num_steps or sequences.shape[1]
        outputs, previous = [], None
        for index in range(1 if probing else num_steps):
            output, new_states = step(sequences[:, index], states)
            emitted = output
            if mask is not None:
                keep = mask[:, index]
                previous = torch.zeros_like(output) if previous is None else previous
                zero = torch.zeros_like(output)
                emitted = where(keep, output, zero if self.zero_output_for_mask else previous)
                previous = where(keep, output, previous)
                new_states = nested.pack_like(
                    states,
                    [
                        where(keep, new, old)
                        for new, old in zip(nested.flatten(new_states), nested.flatten(states), strict=True)
                    ],
                )
            states = list(new_states)
            if self.return_sequences:
                outputs.append(emitted)
        if not self.return_sequences:
            return emitted, states
        return torch.stack(outputs * num_steps if probing else outputs, 1), states


def where(keep, new, old):
    """Return rows of `new` where `keep` `(batch,)` holds, else of `old`."""
    return torch.where(keep.view(-1, *(1,) * (new.ndim - 1)), new, old)
