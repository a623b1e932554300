"""What recurrent layers do in one step: SimpleRNNCell, LSTMCell and GRUCell."""

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite import activations
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.recurrent_cell import TANH, RecurrentCell
from torchkeras_lite.layers.recurrent_kernels import GRUKernel, LSTMKernel, SimpleRNNKernel

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell"]

SIGMOID = (activations.sigmoid, torch.sigmoid, F.sigmoid)
RELU = (activations.relu, torch.relu, F.relu)
SHUT = -1e4  # its sigmoid is 0 in every dtype, that of its negative 1; float16 holds it


class SimpleRNNCell(RecurrentCell):
    """One step of a plain recurrent network: `activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Wraps a one-layer `torch.nn.RNN` as `self.rnn`, the weights of which it uses.

    Args:
        units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: See `RecurrentCell`.

    Shapes:
        inputs `(batch, features)`, states `[(batch, units)]` -> output `(batch, units)`, new states
        kernel `(features, units)`, recurrent_kernel `(units, units)`, bias `(units,)`

    Raises:
        ValueError: `units` is no positive integer.

    Source: Keras 3 `keras.layers.SimpleRNNCell`. Differs from torch: one bias; torch's second one stays 0.
    """

    kernel_name = "rnn"

    @property
    def kernel_function(self):
        """torch's function over sequences."""
        return torch.rnn_relu if self.activation in RELU else torch.rnn_tanh

    def make_kernel(self, *args, **kwargs):
        """Make the torch module."""
        return SimpleRNNKernel(*args, nonlinearity="relu" if self.activation in RELU else "tanh", **kwargs)

    def fits_kernel(self):
        """Whether the activation is one of torch's two."""
        return self.activation in TANH or self.activation in RELU

    def step(self, projected, states, training):
        """Return the new state."""
        return [self.activation(projected + self.recur(states[0], training))]


class LSTMCell(RecurrentCell):
    """One step of a long short-term memory.

    Wraps a one-layer `torch.nn.LSTM` as `self.lstm`, the weights of which it uses. Gates come in the order
    input, forget, candidate, output, in Keras and in torch.

    Args:
        units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: See `RecurrentCell`.
        recurrent_activation: Name or callable, of the gates.
        unit_forget_bias: Whether the bias of the forget gates starts as 1.

    Shapes:
        inputs `(batch, features)`, states `[h, c]`, each `(batch, units)` -> output, new states
        kernel `(features, 4 * units)`, recurrent_kernel `(units, 4 * units)`, bias `(4 * units,)`

    Raises:
        ValueError: `units` is no positive integer.

    Source: Keras 3 `keras.layers.LSTMCell`; Hochreiter and Schmidhuber 1997. Differs from torch: one bias;
    torch's second one stays 0, is not trained and not counted.
    """

    gates = (0, 1, 2, 3)
    kernel_name = "lstm"
    kernel_function = staticmethod(torch.lstm)
    make_kernel = LSTMKernel

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            **kwargs,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _finish_build(self, args, kwargs, device):
        super()._finish_build(args, kwargs, device)
        if self.use_bias and self.unit_forget_bias:
            with torch.no_grad():
                self.lstm.bias_ih_l0[self.units : 2 * self.units] = 1.0

    def fits_kernel(self):
        """Whether both activations are torch's."""
        return self.activation in TANH and self.recurrent_activation in SIGMOID

    def run_kernel_holding(self, inputs, states, held):
        """Run torch's kernel over `inputs`, the cell state unchanged where `held` is true.

        A further feature, 1 in these steps, opens the forget gates and closes the input gates: c is
        multiplied by exactly 1. (The output h does change there.)

        Args:
            inputs: `(batch, steps, features)`.
            states: List of states.
            held: `(batch, steps)`.

        Returns:
            Outputs of all steps; list of final states.
        """
        _, *rest = self.current_weights()
        kernel = self.kernel_for(inputs)
        inputs = torch.cat((inputs, held.unsqueeze(-1).to(inputs.dtype)), -1)
        shut = kernel.new_full((self.units, 1), SHUT)
        column = torch.cat((shut, -shut, torch.zeros_like(shut), torch.zeros_like(shut)))
        return self.run_function(inputs, states, (torch.cat((kernel, column), 1), *rest))

    def step(self, projected, states, training):
        """Return the new output and cell state."""
        h, c = states
        i, f, g, o = (projected + self.recur(h, training)).chunk(4, -1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        return [gate(o) * self.activation(c), c]


class _GRUWeight(WeightSpec):
    """A weight of a GRU: gates update, reset, candidate in Keras's last axis; reset, update, candidate in
    torch's."""

    def to_keras(self, tensor):
        """Return `tensor` in Keras's order of axes, update gates first."""
        r, z, n = super().to_keras(tensor).chunk(3, -1)
        return torch.cat((z, r, n), -1)

    def keras_shape(self, tensor):
        """Return the shape, a tuple, of `to_keras(tensor)`, without the work of that."""
        return tuple(super().to_keras(tensor).shape)

    def from_keras(self, tensor):
        """Return `tensor` in torch's order of axes, reset gates first."""
        z, r, n = tensor.chunk(3, -1)
        return super().from_keras(torch.cat((r, z, n), -1))


class GRUCell(RecurrentCell):
    """One step of a gated recurrent unit.

    Wraps a one-layer `torch.nn.GRU` as `self.gru`, the weights of which it uses.

    Args:
        units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: See `RecurrentCell`.
        recurrent_activation: Name or callable, of the gates.
        reset_after: Whether the reset gate acts after the product with the recurrent kernel, as in cuDNN,
            with a bias of its own there; otherwise before it, as first published.

    Shapes:
        inputs `(batch, features)`, states `[(batch, units)]` -> output `(batch, units)`, new states
        kernel `(features, 3 * units)`, recurrent_kernel `(units, 3 * units)`, bias `(2, 3 * units)`, or
            `(3 * units,)` without `reset_after`; gates in the order update, reset, candidate

    Raises:
        ValueError: `units` is no positive integer.

    Source: Keras 3 `keras.layers.GRUCell`; Cho et al. 2014 (arXiv:1406.1078). Differs from torch: the order
    of the gates (torch: reset, update, candidate); both biases are one weight.
    """

    gates = (1, 0, 2)
    kernel_name = "gru"
    kernel_function = staticmethod(torch.gru)

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        reset_after=True,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            **kwargs,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    @property
    def weight_specs(self):
        """Where the kernel, the recurrent kernel and the bias are kept."""
        return (
            _GRUWeight("kernel", at="gru.weight_ih_l0", keras_axes=(1, 0)),
            _GRUWeight("recurrent_kernel", at="gru.weight_hh_l0", keras_axes=(1, 0)),
            _GRUWeight("bias", at="gru.bias_l0" if self.reset_after else "gru.bias_ih_l0"),
        )

    def make_kernel(self, *args, **kwargs):
        """Make the torch module; the plain one, used for its weights alone, without `reset_after`."""
        return GRUKernel(*args, **kwargs) if self.reset_after else nn.GRU(*args, **kwargs)

    def split_biases(self, weights):
        """Return the four tensors; the rows of the bias are the two biases."""
        if self.use_bias and self.reset_after:
            weights = (*weights[:2], weights[2][0], weights[2][1])
        return super().split_biases(weights)

    def fits_kernel(self):
        """Whether the activations are torch's and the reset gate acts where torch's does."""
        return self.reset_after and self.activation in TANH and self.recurrent_activation in SIGMOID

    def step(self, projected, states, training):
        """Return the new state."""
        h = states[0]
        gate = self.recurrent_activation
        xr, xz, xn = projected.chunk(3, -1)
        if self.reset_after:
            hr, hz, hn = self.recur(h, training).chunk(3, -1)
            r, z = gate(xr + hr), gate(xz + hz)
            n = self.activation(xn + r * hn)
        else:
            hr, hz, hn = self.state_masks(h, training) or (1.0, 1.0, 1.0)
            wr, wz, wn = self.current_weights()[1].chunk(3)
            r, z = gate(xr + F.linear(h * hr, wr)), gate(xz + F.linear(h * hz, wz))
            n = self.activation(xn + F.linear(r * h * hn, wn))
        return [z * h + (1.0 - z) * n]
