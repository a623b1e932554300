"""Recurrent layers as calls of `nn.LSTM`, `nn.GRU` and `nn.RNN`."""

from torchkeras_lite.base.nested import flatten
from torchkeras_lite.export.traced import CannotWrite
from torchkeras_lite.export.writers import writes
from torchkeras_lite.layers.gru import GRU
from torchkeras_lite.layers.lstm import LSTM
from torchkeras_lite.layers.simple_rnn import SimpleRNN

__all__ = ["register"]


def write_recurrent(session, layer, sequences, initial_state=None, mask=None, training=None):
    """Write a layer that torch's kernel computes; others are looked into, step by step."""
    cell = layer.cell
    if layer.stateful:
        raise CannotWrite("it is stateful: the states of a batch are not handed on to the next one")
    if cell.recurrent_dropout:
        raise CannotWrite("it has recurrent_dropout, which torch's recurrent modules lack")
    if cell.dropout:
        raise CannotWrite("it has dropout that is the same in every step; put a SpatialDropout1D before it")
    if not layer.cell.fits_kernel() or layer.use_cudnn is False:
        return NotImplemented
    mask = flatten(mask)[0]
    if layer.go_backwards:
        sequences = sequences.flip(1)
        mask = None if mask is None else mask.flip(1)
    outputs, finals = _run(session, layer, sequences, flatten(initial_state), mask)
    if mask is not None and layer.zero_output_for_mask:
        outputs = outputs * mask.unsqueeze(-1)
    if not layer.return_sequences:
        outputs = outputs[:, -1]
    return (outputs, *(state.squeeze(0) for state in finals)) if layer.return_state else outputs


def _run(session, layer, sequences, states, mask):
    """Write the call of the kernel; return its outputs and a list of final states `(1, batch, units)`."""
    kernel = layer.cell._modules[layer.cell.kernel_name]
    states = [] if states == [None] else [state.unsqueeze(0) for state in states]
    given = (tuple(states) if len(states) > 1 else states[0],) if states else ()
    if mask is None:
        text = session.module_call(kernel, (sequences, *given), {})
    else:
        parts = ", ".join(map(session.write, (sequences, mask.bool(), *given)))
        text = f"run_masked({session.mark(kernel)}, {parts})"
    results = []
    for run in (0, 1):
        x = sequences.probes[run]
        start = x.new_empty((1, x.shape[0], layer.units))
        finals = (start, start) if layer.cell.kernel_name == "lstm" else start
        results.append((x.new_empty((*x.shape[:2], layer.units)), finals))
    outputs, finals = session.emit(text, results, session.mark(kernel))
    return outputs, flatten(finals)


def register():
    """Let recurrent layers be written so."""
    writes(LSTM, GRU, SimpleRNN)(write_recurrent)
