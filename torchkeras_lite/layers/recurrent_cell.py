"""`RecurrentCell`: what the cells with a torch kernel share.

A cell keeps its weights in one of torch's recurrent modules, in torch's layout. Where that module computes
what the arguments ask for, a recurrent layer runs it over the whole sequence; otherwise, and when a cell is
called by itself, the steps are computed from the same weights.
"""

import torch
import torch.nn.functional as F
from torch import nn

from torchkeras_lite import activations, constraints, initializers, regularizers
from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import positive_int
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.core import known_size
from torchkeras_lite.layers.regularization import draws

__all__ = ["TANH", "RecurrentCell", "reset_dropout"]

TANH = (activations.tanh, torch.tanh, F.tanh)


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
        recurrent_dropout: Fraction of the state set to 0 in training where it enters a step, likewise. With
            it, or with `implementation=1` as in Keras, each gate of an LSTM or GRU loses other ones.
        seed: Integer for draws of the cell's own that repeat; `None`: torch's global generator.
    """

    watches_mode = False
    gates: tuple[int, ...] = (0,)  # for each of torch's gates, in torch's order, its place in Keras's

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
        implementation = kwargs.pop("implementation", 2) if len(self.gates) > 1 else 2
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
        self.implementation = 1 if self.recurrent_dropout else implementation
        self.seed = seed
        self.state_size = self.units
        self.output_size = self.units
        self._draws = draws(self, seed)
        self._masks = {}
        self.__dict__["_watches_mode"] = bool(self.dropout or self.recurrent_dropout)
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
        dtype = torch_dtype(self.variable_dtype)
        kernel = self.make_kernel(features, self.units, bias=self.use_bias, batch_first=True, dtype=dtype)
        setattr(self, self.kernel_name, kernel)

    def _finish_build(self, args, kwargs, device):
        super()._finish_build(args, kwargs, device)
        self._modules[self.kernel_name].flatten_parameters()
        self.current_weights()

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
            stale = not kept or any(a is not b for a, b in zip(weights, kept, strict=True))
            own = all(isinstance(weight, nn.Parameter) and not weight.is_meta for weight in weights)
            if stale and own and not torch.compiler.is_compiling():  # exporting, others stand for them
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
        values = inputs if isinstance(inputs, torch.Tensor) else inputs.data
        kernel, *rest = self.current_weights()
        used = self.kernel_for(values)
        mixed = self.compute_dtype != self.variable_dtype
        if torch.compiler.is_dynamo_compiling() or mixed or used is not kernel:
            return self.run_function(inputs, states, (used, *rest))
        outputs, final = self._modules[self.kernel_name](inputs, _stacked(states))
        return outputs, _unstacked(final)

    def run_function(self, inputs, states, weights):
        """Run torch's kernel with these weights, cast to the dtype of the inputs; see `run_kernel`."""
        values = inputs if isinstance(inputs, torch.Tensor) else inputs.data
        weights = [w.to(values.dtype) for w in weights if w is not None]
        if values.is_cuda:  # one block of memory, as cuDNN wants them
            block = torch.cat([weight.flatten() for weight in weights])
            parts = block.split([weight.numel() for weight in weights])
            weights = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
        rest = (weights, self.use_bias, 1, 0.0, False, False)
        with torch.autocast(values.device.type, enabled=False):
            if values is inputs:
                outputs, *final = self.kernel_function(inputs, _stacked(states), *rest, True)
                return outputs, _unstacked(final)
            states = [state.index_select(0, inputs.sorted_indices) for state in states]
            outputs, *final = self.kernel_function(values, inputs.batch_sizes, _stacked(states), *rest)
            final = [state.index_select(1, inputs.unsorted_indices) for state in final]
            return inputs._replace(data=outputs), _unstacked(final)

    def kernel_for(self, inputs):
        """Return the input weight, in torch's layout, for inputs as `drop_inputs` returned them."""
        kernel = self.current_weights()[0]
        if inputs.shape[-1] == kernel.shape[1]:
            return kernel
        return torch.block_diag(*kernel.chunk(len(self.gates)))

    def project(self, inputs):
        """Return what the inputs of one step, or of all steps, contribute to the gates."""
        return F.linear(inputs, self.kernel_for(inputs), self.current_weights()[2])

    def recur(self, state, training):
        """Return what the state contributes to the gates."""
        _, weight, _, bias = self.current_weights()
        masks = self.state_masks(state, training)
        if masks is None:
            return F.linear(state, weight, bias)
        dropped = torch.stack([state * mask for mask in masks])  # (gates, batch, units)
        product = torch.matmul(dropped, weight.unflatten(0, (len(masks), -1)).mT)
        product = product.transpose(0, 1).flatten(1)  # (batch, gates * units)
        return product if bias is None else product + bias

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

    def drop_inputs(self, inputs, training):
        """Set features of `(batch, [steps,] features)` to 0, in training: the same ones in all steps.

        Where each gate loses other features, the gates' inputs are returned side by side; see `kernel_for`.
        """
        if not training or not self.dropout:
            return inputs
        masks = self._in_order(self.get_dropout_mask(inputs if inputs.ndim == 2 else inputs[:, 0]))
        if inputs.ndim == 3:
            masks = [mask.unsqueeze(1) for mask in masks]
        return torch.cat([inputs * mask for mask in masks], -1)

    def state_masks(self, state, training):
        """Return the factors of the state for each of torch's gates, in training; `None` without dropout."""
        if not training or not self.recurrent_dropout:
            return None
        return self._in_order(self.get_recurrent_dropout_mask(state))

    def _in_order(self, masks):
        return [masks[place] for place in self.gates] if isinstance(masks, list) else [masks]

    def get_dropout_mask(self, step_input):
        """Return the factors of the inputs, drawn once until `reset_dropout_mask`; with several, a list."""
        return self._mask("inputs", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input):
        """Return the factors of the state, drawn once until `reset_recurrent_dropout_mask`; likewise."""
        return self._mask("state", step_input, self.recurrent_dropout)

    def reset_dropout_mask(self):
        """Have new factors of the inputs drawn."""
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self):
        """Have new factors of the state drawn."""
        self._masks.pop("state", None)

    def _mask(self, key, like, rate):
        if rate == 0:
            return None
        if key not in self._masks:
            scale = 1.0 - rate if rate < 1 else 1.0
            count = len(self.gates) if self.implementation == 1 else 1
            masks = [self._draws.keep(like, like.shape, rate) / scale for _ in range(count)]
            self._masks[key] = masks if len(masks) > 1 else masks[0]
        return self._masks[key]


def _stacked(states):
    """Return a list of states `(batch, units)` as torch's kernels take them, `(1, batch, units)`."""
    states = tuple(state.unsqueeze(0) for state in states)
    return states if len(states) > 1 else states[0]


def _unstacked(states):
    return [state.squeeze(0) for state in (states if isinstance(states, (tuple, list)) else (states,))]


def reset_dropout(cell):
    """Have new dropout masks drawn, in `cell` and the cells in it."""
    for one in getattr(cell, "cells", (cell,)):
        if hasattr(one, "reset_dropout_mask"):
            one.reset_dropout_mask()
            one.reset_recurrent_dropout_mask()
