"""What recurrent layers do in one step: SimpleRNNCell, LSTMCell, GRUCell and StackedRNNCells.

The cells keep their weights in torch's recurrent modules, in torch's layout. Where such a module computes
what the arguments ask for, a recurrent layer runs it over the whole sequence; otherwise, and when a cell is
called by itself, the steps are computed here from the same weights.
"""

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite import activations, constraints, initializers, regularizers
from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe, positive_int
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.core import known_size
from torchkeras_lite.layers.recurrent_kernels import GRUKernel, LSTMKernel, SimpleRNNKernel
from torchkeras_lite.layers.regularization import draws

__all__ = ["GRUCell", "LSTMCell", "RecurrentCell", "SimpleRNNCell", "StackedRNNCells"]

TANH = (activations.tanh, torch.tanh, F.tanh, "tanh")
SIGMOID = (activations.sigmoid, torch.sigmoid, F.sigmoid)
RELU = (activations.relu, torch.relu, F.relu)


class RecurrentCell(Layer):
    """Base of the cells with a torch kernel: weights, dropout masks, one step, a whole sequence.

    A subclass names its torch module in `kernel_name` and the torch function behind it in `kernel_function`,
    and defines `step`.

    Args:
        units: Size of the output and of each state, an integer > 0.
        activation: Name or callable.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: What the weights are drawn from.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after updates.
        dropout: Fraction of the inputs set to 0 in training, the same ones in every step of a sequence.
        recurrent_dropout: Fraction of the state set to 0 in training where it enters a step, likewise.
        seed: Integer for draws of the cell's own that repeat; `None`: torch's global generator.
    """

    gates = 1

    def __init__(
        self,
        units,
        activation="tanh",
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
        seed=None,
        **kwargs,
    ):
        kwargs.pop("implementation", None)
        super().__init__(**kwargs)
        self.units = positive_int(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_kernel_initializer = self.recurrent_initializer = initializers.get(
            recurrent_initializer
        )
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_kernel_regularizer = self.recurrent_regularizer = regularizers.get(
            recurrent_regularizer
        )
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_kernel_constraint = self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.seed = seed
        self.state_size = self.units
        self.output_size = self.units
        self._draws = draws(self, seed)
        self._masks = {}
        self.__dict__["_weights"] = ()

    @property
    def weight_specs(self):
        """Where the kernel, the recurrent kernel and the bias are kept."""
        return (
            WeightSpec("kernel", at=f"{self.kernel_name}.weight_ih_l0", keras_axes=(1, 0)),
            WeightSpec("recurrent_kernel", at=f"{self.kernel_name}.weight_hh_l0", keras_axes=(1, 0)),
            WeightSpec("bias", at=f"{self.kernel_name}.bias_ih_l0"),
        )

    def build(self, input_shape):
        """Make the torch module for the last size of `input_shape`."""
        features = known_size(self, input_shape, -1)
        kernel = self.make_kernel(features, self.units, bias=self.use_bias, batch_first=True)
        setattr(self, self.kernel_name, kernel)

    def _finish_build(self, args, kwargs, device):
        super()._finish_build(args, kwargs, device)
        self._modules[self.kernel_name].flatten_parameters()
        self.current_weights()

    # ---------------------------------------------------------------- the kernel over whole sequences

    def fits_kernel(self):
        """Whether torch's kernel computes what the arguments ask for."""
        return self.activation in TANH

    def runs_kernel(self, training):
        """Whether a whole sequence can be given to torch's kernel now."""
        return self.fits_kernel() and not (training and self.recurrent_dropout)

    def current_weights(self):
        """Return input weight, recurrent weight, input bias and recurrent bias, in torch's layout."""
        if not torch.compiler.is_dynamo_compiling():
            weights = tuple(self._modules[self.kernel_name]._parameters.values())
            kept = self._weights
            if not kept or any(a is not b for a, b in zip(weights, kept, strict=True)):
                if all(isinstance(weight, nn.Parameter) and not weight.is_meta for weight in weights):
                    self.__dict__["_weights"] = weights
                return self.split_biases(weights)
        # torch.compile refuses to touch an `nn.LSTM`, but compiles its function.
        return self.split_biases(self._weights)

    def split_biases(self, weights):
        """Return the four tensors, the biases `None` where there are none."""
        return (*weights, None, None)[:4]

    def run_kernel(self, inputs, states):
        """Run torch's kernel over `inputs`, `(batch, steps, features)` or packed.

        Returns:
            Outputs of all steps; list of final states.
        """
        state = tuple(state.unsqueeze(0) for state in states)  # (1, batch, units)
        state = state if len(state) > 1 else state[0]
        values = inputs if isinstance(inputs, torch.Tensor) else inputs.data
        mixed = self.compute_dtype != self.variable_dtype
        if torch.compiler.is_dynamo_compiling() or mixed:
            weights = [w if w.dtype is values.dtype else w.to(values.dtype) for w in self.current_weights() if w is not None]
            with torch.autocast(values.device.type, enabled=False):
                outputs, final = self._run_function(inputs, state, weights)
        else:
            outputs, final = self._modules[self.kernel_name](inputs, state)
        final = final if isinstance(final, tuple) else (final,)
        return outputs, [state.squeeze(0) for state in final]

    def _run_function(self, inputs, state, weights):
        function = self.kernel_function
        rest = (weights, self.use_bias, 1, 0.0, False, False)
        if isinstance(inputs, torch.Tensor):
            outputs, *final = function(inputs, state, *rest, True)
        else:
            state = (
                tuple(s.index_select(1, inputs.sorted_indices) for s in state)
                if isinstance(state, tuple)
                else state.index_select(1, inputs.sorted_indices)
            )
            outputs, *final = function(inputs.data, inputs.batch_sizes, state, *rest)
            outputs = inputs._replace(data=outputs)
            final = [s.index_select(1, inputs.unsorted_indices) for s in final]
        return outputs, tuple(final)

    # ---------------------------------------------------------------- one step

    def project(self, inputs):
        """Return what the inputs of one step, or of all steps, contribute to the gates."""
        weight, _, bias, _ = self.current_weights()
        return F.linear(inputs, weight, bias)

    def recur(self, state):
        """Return what the state contributes to the gates."""
        _, weight, _, bias = self.current_weights()
        return F.linear(state, weight, bias)

    def step(self, projected, states, training):
        """Return the new states, the output first.

        Args:
            projected: What `project` returned for this step.
            states: List of states.
            training: Whether to drop.
        """
        raise NotImplementedError

    def call(self, inputs, states, training=None):
        """Compute one step: return the output and the new states."""
        flat = list(states) if nested.is_nested(states) else [states]
        new = self.step(self.project(self.drop_inputs(inputs, training)), flat, training)
        return new[0], (new if nested.is_nested(states) else new[0])

    def get_initial_state(self, batch_size=None):
        """Return a list of states of zeros."""
        device = self._own_device()
        dtype = self._compute
        return [
            torch.zeros((batch_size, size), dtype=dtype, device=device)
            for size in nested.flatten(self.state_size)
        ]

    # ---------------------------------------------------------------- dropout

    def drop_inputs(self, inputs, training):
        """Set features to 0, in training: the same ones in all steps of `inputs` `(batch, [steps,] features)`."""
        if not training or not self.dropout:
            return inputs
        mask = self.get_dropout_mask(inputs if inputs.ndim == 2 else inputs[:, 0])
        return inputs * (mask if inputs.ndim == 2 else mask.unsqueeze(1))

    def drop_state(self, state, training):
        """Set parts of a state to 0, in training."""
        if not training or not self.recurrent_dropout:
            return state
        return state * self.get_recurrent_dropout_mask(state)

    def get_dropout_mask(self, step_input):
        """Return the factors of the inputs, drawn once until `reset_dropout_mask`."""
        return self._mask("inputs", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input):
        """Return the factors of the state, drawn once until `reset_recurrent_dropout_mask`."""
        return self._mask("state", step_input, self.recurrent_dropout)

    def reset_dropout_mask(self):
        """Have new factors of the inputs drawn."""
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self):
        """Have new factors of the state drawn."""
        self._masks.pop("state", None)

    def _mask(self, key, like, rate):
        if rate == 0:
            return torch.ones_like(like)
        if key not in self._masks:
            kept = self._draws.keep(like, like.shape, rate)
            self._masks[key] = kept / (1.0 - rate) if rate < 1 else kept
        return self._masks[key]


def reset_dropout(cell):
    """Have new dropout masks drawn, in `cell` and the cells in it."""
    for one in getattr(cell, "cells", (cell,)):
        if hasattr(one, "reset_dropout_mask"):
            one.reset_dropout_mask()
            one.reset_recurrent_dropout_mask()


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
        return [self.activation(projected + self.recur(self.drop_state(states[0], training)))]


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

    kernel_name = "lstm"
    kernel_function = staticmethod(torch.lstm)
    make_kernel = LSTMKernel

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", unit_forget_bias=True, kernel_regularizer=None,
                 recurrent_regularizer=None, bias_regularizer=None, kernel_constraint=None,
                 recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0,
                 seed=None, **kwargs):
        super().__init__(units, activation, use_bias, kernel_initializer, recurrent_initializer,
                         bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
                         kernel_constraint, recurrent_constraint, bias_constraint, dropout,
                         recurrent_dropout, seed, **kwargs)
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

    def step(self, projected, states, training):
        """Return the new output and cell state."""
        h, c = states
        i, f, g, o = (projected + self.recur(self.drop_state(h, training))).chunk(4, -1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        return [gate(o) * self.activation(c), c]


class _GRUWeight(WeightSpec):
    """A weight of a GRU: gates update, reset, candidate in Keras's last axis; reset, update, candidate in
    torch's."""

    def to_keras(self, tensor):
        """Return `tensor` transposed, update gates first."""
        if self.name != "bias":
            tensor = tensor.t()
        r, z, n = tensor.chunk(3, -1)
        return torch.cat((z, r, n), -1)

    def from_keras(self, tensor):
        """Return `tensor` transposed, reset gates first."""
        z, r, n = tensor.chunk(3, -1)
        tensor = torch.cat((r, z, n), -1)
        return tensor if self.name == "bias" else tensor.t()


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

    kernel_name = "gru"
    kernel_function = staticmethod(torch.gru)

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, dropout=0.0, recurrent_dropout=0.0, reset_after=True, seed=None,
                 **kwargs):
        super().__init__(units, activation, use_bias, kernel_initializer, recurrent_initializer,
                         bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
                         kernel_constraint, recurrent_constraint, bias_constraint, dropout,
                         recurrent_dropout, seed, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    @property
    def weight_specs(self):
        """Where the kernel, the recurrent kernel and the bias are kept."""
        return (
            _GRUWeight("kernel", at="gru.weight_ih_l0"),
            _GRUWeight("recurrent_kernel", at="gru.weight_hh_l0"),
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
        h = self.drop_state(states[0], training)
        gate = self.recurrent_activation
        xr, xz, xn = projected.chunk(3, -1)
        if self.reset_after:
            hr, hz, hn = self.recur(h).chunk(3, -1)
            r, z = gate(xr + hr), gate(xz + hz)
            n = self.activation(xn + r * hn)
        else:
            gates, candidate = self.current_weights()[1].split((2 * self.units, self.units))
            hr, hz = F.linear(h, gates).chunk(2, -1)
            r, z = gate(xr + hr), gate(xz + hz)
            n = self.activation(xn + F.linear(r * h, candidate))
        return [z * h + (1.0 - z) * n]
