"""Pieces of plain PyTorch that are copied into generated files where a model needs them.

Every one stands alone: it uses torch, F and nn, and others of these pieces only where it says so.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

__all__ = ["BatchNorm", "run_masked"]


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization over axis 1 whose running variance is the biased one, as Keras keeps it.

    torch's own divides the running variance by n - 1.
    """

    def __init__(self, num_features, eps, momentum, scale=True, center=True):
        super().__init__(num_features, eps, momentum)
        if not scale:
            self.weight = None
        if not center:
            self.bias = None

    def _check_input_dim(self, input):
        pass

    def forward(self, input):
        """Normalize by the statistics of the batch in training, else by the running ones."""
        if not self.training:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        with torch.no_grad():
            momentum = self.momentum
            if momentum is None:  # the mean over all batches
                self.num_batches_tracked += 1
                momentum = 1.0 / float(self.num_batches_tracked)
            axes = [axis for axis in range(input.ndim) if axis != 1]
            variance, mean = torch.var_mean(input, axes, correction=0)
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance, momentum)
        return F.batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)


def run_masked(rnn, inputs, mask, state=None):
    """Run a recurrent module over the steps of `inputs` where `mask` `(batch, steps)` is true.

    The other steps change nothing: their outputs repeat the last one, or are 0 before the first.
    """
    order = mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    inputs = inputs.gather(1, order.unsqueeze(-1).expand_as(inputs))
    lengths = mask.sum(1)
    packed = pack_padded_sequence(inputs, lengths.clamp(min=1).cpu(), True, enforce_sorted=False)
    outputs, final = rnn(packed, state)
    outputs, _ = pad_packed_sequence(outputs, True, total_length=mask.shape[1])
    steps = mask.long().cumsum(1) - 1
    outputs = outputs.gather(1, steps.clamp(min=0).unsqueeze(-1).expand_as(outputs))
    started = (lengths > 0).unsqueeze(-1)
    finals = final if isinstance(final, tuple) else (final,)
    states = state if isinstance(state, tuple) else (state,) * len(finals)
    finals = tuple(
        torch.where(started, new, torch.zeros_like(new) if old is None else old)
        for new, old in zip(finals, states, strict=True)
    )
    return outputs.masked_fill((steps < 0).unsqueeze(-1), 0.0), finals if len(finals) > 1 else finals[0]
