"""A recurrent kernel over sequences with any mask, in one call.

A masked step leaves the states as they are, so a row's result is that of its unmasked steps alone. They are
sorted to the front of the row, the kernel runs, and each step takes the output of the last unmasked step at
or before it. What the kernel computes behind a row's last unmasked step is never read, so nothing has to be
packed, and no length has to be known on the host. Only the final cell state of an LSTM has to stop there:
the rows are packed for cuDNN, which takes lengths; elsewhere, where packed rows run several times slower
than padded ones, the cell holds its state by a gate.
"""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_masked(cell, inputs, mask, states, *, sequences, states_needed):
    """Run the kernel of `cell` over the unmasked steps of every row.

    Args:
        cell: A `RecurrentCell`.
        inputs: `(batch, steps, features)`.
        mask: `(batch, steps)`, true where a step counts.
        states: List of initial states `(batch, units)`.
        sequences: Whether all outputs are wanted, or the last alone.
        states_needed: Whether the final states are wanted.

    Returns:
        Outputs `(batch, steps, units)` or `(batch, units)`, zero before a row's first unmasked step; final
        states, the initial ones in rows without an unmasked step.
    """
    counts, order = torch.sort(mask.to(torch.uint8), dim=1, descending=True, stable=True)
    inputs = _gather(inputs, order)
    lengths = mask.sum(1)
    started = (lengths > 0).unsqueeze(-1)  # (batch, 1)
    if not states_needed or len(states) == 1:
        outputs, _ = cell.run_kernel(inputs, states)
        finals = []
    elif inputs.is_cuda and not torch.compiler.is_compiling():
        lengths_on_host = lengths.clamp(min=1).cpu()
        packed = pack_padded_sequence(inputs, lengths_on_host, batch_first=True, enforce_sorted=False)
        outputs, finals = cell.run_kernel(packed, states)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=mask.shape[1])
    else:
        outputs, finals = cell.run_kernel_holding(inputs, states, counts == 0)
    last = _gather(outputs, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)  # (batch, units)
    finals = [last, *finals[1:]]
    finals = [torch.where(started, final, state) for final, state in zip(finals, states, strict=False)]
    if not sequences:
        return torch.where(started, last, torch.zeros_like(last)), finals
    steps = mask.long().cumsum(1) - 1  # (batch, steps)
    outputs = _gather(outputs, steps.clamp(min=0))
    return outputs.masked_fill((steps < 0).unsqueeze(-1), 0.0), finals


def _gather(values, steps):
    """Return `values[row, steps[row, i]]` for every row and i."""
    return values.gather(1, steps.unsqueeze(-1).expand(-1, -1, values.shape[-1]))
