"""torch's recurrent modules, as layers hold them: one layer, one direction, batch first.

They differ from their base classes in where the list of weights that is given to the kernel comes from: it
is read anew in every call, so that a replaced parameter (by `torch.func.functional_call`, by a move to
another device) is the one that is used.
"""

import torch
from torch import nn

__all__ = ["GRUKernel", "LSTMKernel", "SimpleRNNKernel"]


class _CurrentWeights:
    """Reads the weights by their names in every call."""

    @property
    def _flat_weights(self):
        return [getattr(self, name, None) for name in self.__dict__.get("_flat_weights_names", ())]

    @_flat_weights.setter
    def _flat_weights(self, weights):
        pass  # nn.RNNBase keeps a list here; see above


class LSTMKernel(_CurrentWeights, nn.LSTM):
    """`torch.nn.LSTM`."""


class SimpleRNNKernel(_CurrentWeights, nn.RNN):
    """`torch.nn.RNN`."""


class GRUKernel(_CurrentWeights, nn.GRU):
    """`torch.nn.GRU` whose two biases are the rows of one parameter `bias_l0` `(2, 3 * hidden_size)`.

    Keras has them in one weight, and so one optimizer slot and one gradient norm. A `state_dict` of
    `torch.nn.GRU` loads all the same.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.bias:
            rows = [self._parameters.pop(name) for name in ("bias_ih_l0", "bias_hh_l0")]
            if rows[0].is_meta:  # where `torch.stack` would load torch's compiler
                bias = torch.empty(2, *rows[0].shape, device="meta", dtype=rows[0].dtype)
                self.bias_l0 = nn.Parameter(bias)
            else:
                self.bias_l0 = nn.Parameter(torch.stack([row.detach() for row in rows]))

    def _row(self, index):
        if "bias_l0" not in self._parameters:  # while `nn.GRU` is being made, and without a bias
            raise AttributeError("bias_l0")
        return self.bias_l0[index]

    @property
    def bias_ih_l0(self):
        """The bias of the inputs."""
        return self._row(0)

    @property
    def bias_hh_l0(self):
        """The bias of the state."""
        return self._row(1)

    def flatten_parameters(self):
        """Make the weights one block of memory, as cuDNN wants them; nothing on other devices."""
        if "bias_l0" not in self._parameters:
            super().flatten_parameters()
            return
        weights = [self.weight_ih_l0, self.weight_hh_l0, self.bias_l0]
        suits = all(w.is_cuda and w.dtype is weights[0].dtype for w in weights)
        if not suits or not torch.backends.cudnn.is_acceptable(weights[0]):
            return
        with torch.no_grad(), torch.cuda.device_of(weights[0]):
            block = torch.cat([w.reshape(-1) for w in weights])
            for weight, part in zip(weights, block.split([w.numel() for w in weights]), strict=True):
                weight.data = part.view(weight.shape)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        rows = [f"{prefix}bias_ih_l0", f"{prefix}bias_hh_l0"]
        if self.bias and all(key in state_dict for key in rows):
            state_dict[f"{prefix}bias_l0"] = torch.stack([state_dict.pop(key) for key in rows])
        super()._load_from_state_dict(state_dict, prefix, *args)
