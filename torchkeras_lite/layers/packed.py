"""A recurrent kernel over sequences with any mask, in one call.

A masked step leaves the states as they are, so a row's result is that of its unmasked steps alone. They are
sorted to the front of the row, the kernel runs, and each step takes the output of the last unmasked step at
or before it. What the kernel computes behind a row's last unmasked step is never read. Only the final cell
state of an LSTM has to stop there; then the sorted rows are packed.
"""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_masked(kernel, inputs, mask, states, *, sequences, states_needed):
    """Run `kernel` over the unmasked steps of every row.

    Args:
        kernel: Called as `kernel(inputs, states)` with padded or packed inputs; returns the outputs of all
            steps and a list of final states, the first of which is the output of the last step.
        inputs: `(batch, steps, features)`.
        mask: `(batch, steps)`, true where a step counts.
        states: List of initial states `(batch, units)`.
        sequences: Whether all outputs are wanted, or the last alone.
        states_needed: Whether the final states are wanted.

    Returns:
        Outputs `(batch, steps, units)` or `(batch, units)`, zero before a row's first unmasked step; final
        states, the initial ones in rows without an unmasked step.
    """
    sorted_inputs = _gather(inputs, torch.sort(mask.int(), dim=1, descending=True, stable=True).indices)
    lengths = mask.sum(1)
    started = (lengths > 0).unsqueeze(-1)  # (batch, 1)
    if states_needed and len(states) > 1:
        packed = pack_padded_sequence(
            sorted_inputs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        outputs, finals = kernel(packed, states)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        last = finals[0]
    else:
        outputs, _ = kernel(sorted_inputs, states)
        last = _gather(outputs, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
        finals = [last]
    finals = [torch.where(started, final, state) for final, state in zip(finals, states, strict=False)]
    if not sequences:
        return torch.where(started, last, torch.zeros_like(last)), finals
    steps = mask.long().cumsum(1) - 1  # (batch, steps)
    outputs = _gather(outputs, steps.clamp(min=0))
    return outputs.masked_fill((steps < 0).unsqueeze(-1), 0.0), finals


def _gather(values, steps):
    """Return `values[row, steps[row, i]]` for every row and i."""
    return values.gather(1, steps.unsqueeze(-1).expand(-1, -1, values.shape[-1]))
