"""`ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`: an LSTM whose products are convolutions."""

import torch
import torch.nn.functional as F

from torchkeras_lite import activations
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.base.windows import same_padding
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.layers.convolution import PaddedConvolution, kernel_axes
from torchkeras_lite.layers.recurrent import RNN
from torchkeras_lite.layers.regularization import draws
from torchkeras_lite.layers.spatial_arguments import count, refuse_strided_dilation

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]

GATES = 4  # input, forget, candidate, output, in this order


class ConvLSTMCell(PaddedConvolution):
    """One step of a convolutional LSTM, in which both matrix products are convolutions.

    Wraps two torch convolutions: `self.conv` over the input, for all four gates, and `self.recurrent_conv`
    over the state, which keeps its size.

    Args:
        rank: Number of spatial axes, 1 to 3.
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            recurrent_activation, use_bias, unit_forget_bias, dropout, recurrent_dropout, seed: See
            `ConvolutionalLSTM`.
        **weights_and_kwargs: `kernel=`, `recurrent_kernel=` and `bias=`, each a tuple of initializer,
            regularizer and constraint; the rest is for `Layer`.

    Shapes:
        inputs `(batch, ..., channels)`, states `[h, c]`, each `(batch, ..., filters)` -> output, new states

    Raises:
        ValueError: `filters` or sizes that are no positive integers; strides together with dilation.
    """

    weight_arguments = ("kernel", "recurrent_kernel", "bias")
    watches_mode = False

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
        activation,
        recurrent_activation,
        use_bias,
        unit_forget_bias,
        dropout,
        recurrent_dropout,
        seed,
        **weights_and_kwargs,
    ):
        self.rank = rank
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            None,
            **weights_and_kwargs,
        )
        refuse_strided_dilation(self, "Specifying `strides > 1` is not compatible with `dilation_rate > 1`")
        self.filters = count(self, "filters", filters)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.recurrent_initializer = self.recurrent_kernel_initializer
        self.recurrent_regularizer = self.recurrent_kernel_regularizer
        self.recurrent_constraint = self.recurrent_kernel_constraint
        self.unit_forget_bias = unit_forget_bias
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.seed = seed
        self.state_size = [self.filters, self.filters]
        self._recurrent_pads = None
        self._draws = draws(self, seed)
        self._masks = {}
        self.__dict__["_watches_mode"] = bool(self.dropout or self.recurrent_dropout)

    @property
    def weight_specs(self):
        """The two kernels, spatial axes first, and the bias."""
        axes, memory = kernel_axes(self.rank), self.weight_memory_format
        return (
            WeightSpec("kernel", "conv.weight", axes, memory_format=memory),
            WeightSpec("recurrent_kernel", "recurrent_conv.weight", axes, memory_format=memory),
            WeightSpec("bias", "conv.bias"),
        )

    def build(self, input_shape):
        """Make the torch modules for the channels of `input_shape`."""
        channels = self.prepare(input_shape)
        convolution = self.torch_module("Conv")
        self.conv = convolution(
            channels,
            GATES * self.filters,
            self.kernel_size,
            self.strides,
            self.module_padding,
            self.dilation_rate,
            bias=self.use_bias,
        )
        ends = [same_padding(1, size, 1) for size in self.kernel_size]
        even = any(before != after for before, after in ends)
        self._recurrent_pads = self.torch_pads(ends) if even else None
        pads = 0 if even else tuple(before for before, _ in ends)
        self.recurrent_conv = convolution(
            self.filters, GATES * self.filters, self.kernel_size, padding=pads, bias=False
        )
        self.input_spec = None  # `project` sees all steps as one batch

    def _finish_build(self, args, kwargs, device):
        super()._finish_build(args, kwargs, device)
        if self.use_bias and self.unit_forget_bias:
            with torch.no_grad():
                self.conv.bias[self.filters : 2 * self.filters] = 1.0

    def project(self, inputs, masks=None):
        """Return what `inputs`, `(batch, ...)`, contribute to the gates.

        Args:
            inputs: Images, in the user's layout.
            masks: For each gate the factors of `inputs`, or `None`.
        """
        return self._convolve(self.conv, self.pad, inputs, masks)

    def recur(self, state, masks=None):
        """Return what the state contributes to the gates; `masks` as in `project`."""
        return self._convolve(self.recurrent_conv, self._pad_state, state, masks)

    def _pad_state(self, state):
        return state if self._recurrent_pads is None else F.pad(state, self._recurrent_pads)

    def _convolve(self, module, pad, inputs, masks):
        if masks is None:
            return self.as_user_layout(module(self.as_torch_layout(pad(inputs))))
        # Gates see different inputs: side by side as groups of channels, the kernel as it is.
        parts = torch.cat([inputs * mask for mask in masks], self.channel_axis)
        convolve = getattr(F, f"conv{self.rank}d")
        tensors = (self.as_torch_layout(pad(parts)), module.weight, module.bias)
        fixed = (module.stride, module.padding, module.dilation, GATES)
        return self.as_user_layout(convolve(*tensors, *fixed))

    def step(self, projected, states, training):
        """Return the new output and memory for what `project` returned for this step."""
        h, c = states
        gates = projected + self.recur(h, self.state_masks(h, training))
        i, f, g, o = gates.chunk(GATES, self.channel_axis)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        return [gate(o) * self.activation(c), c]

    def call(self, inputs, states, training=None):
        """Compute one step: return the output and the new states."""
        projected = self.project(inputs, self.input_masks(inputs, training))
        new = self.step(projected, list(states), training)
        return new[0], new

    def input_masks(self, inputs, training):
        """Return for each gate the factors of the inputs of one step, in training; `None` without dropout."""
        return self._drawn("inputs", inputs, self.dropout, training)

    def state_masks(self, state, training):
        """Return for each gate the factors of the state, in training; `None` without dropout."""
        return self._drawn("state", state, self.recurrent_dropout, training)

    def _drawn(self, key, like, rate, training):
        if not training or not 0.0 < rate < 1.0:
            return None
        if key not in self._masks:
            kept = [self._draws.keep(like, like.shape, rate) for _ in range(GATES)]
            self._masks[key] = [mask / (1.0 - rate) for mask in kept]
        return self._masks[key]

    def reset_dropout_mask(self):
        """Have new factors of the inputs drawn."""
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self):
        """Have new factors of the state drawn."""
        self._masks.pop("state", None)

    def output_shape_for(self, input_shape):
        """Return the shape of the output, in the user's layout, for that of one step."""
        window, spatial = self.window, []
        for size, width, stride in zip(self.spatial_sizes(input_shape), window, self.strides, strict=True):
            if size is None:
                spatial.append(None)
            else:
                spatial.append(-(-size // stride) if self.padding == "same" else (size - width) // stride + 1)
        channels = (self.filters,)
        tail = (*spatial, *channels) if self.channels_last else (*channels, *spatial)
        return (input_shape[0], *tail)


class ConvolutionalLSTM(RNN):
    """Base of `ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`.

    The inputs of all steps are convolved in one call; the steps then add the convolution of the state.

    Args:
        filters: Number of output channels, an integer > 0.
        kernel_size: Size of the window, an integer for all spatial axes or one for each.
        strides: Step of the window over the input, an integer or one for each axis.
        padding: `"valid"` or `"same"`, of the convolution over the input. The state is always padded to keep
            its size.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        dilation_rate: Distance between neighbouring taps of the window over the input; not together with
            strides above 1.
        activation, recurrent_activation: Names or callables: of candidate and output, and of the gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: What the weights are drawn from.
        unit_forget_bias: Whether the bias of the forget gates starts as 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the outputs.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after updates.
        dropout: Fraction of the inputs set to 0 in training, the same ones in every step of a sequence; each
            gate loses other ones.
        recurrent_dropout: Fraction of the state set to 0 in training where it enters a step, likewise.
        seed: Integer for draws of the layer's own that repeat.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: See `RNN`.

    Raises:
        ValueError: an argument outside what is said above; inputs with another number of axes or channels, or
            smaller than the window; see `RNN`.
    """

    rank: int
    config_names_activity_regularizer = True
    cell_arguments = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "activation",
        "recurrent_activation",
        "use_bias",
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
        "unit_forget_bias",
        "kernel_regularizer",
        "recurrent_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "recurrent_constraint",
        "bias_constraint",
        "dropout",
        "recurrent_dropout",
        "seed",
    )

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        **kwargs,
    ):
        shared = {key: kwargs[key] for key in ("dtype", "trainable") if key in kwargs}
        cell = ConvLSTMCell(
            self.rank,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            recurrent_activation,
            use_bias,
            unit_forget_bias,
            dropout,
            recurrent_dropout,
            seed,
            kernel=(kernel_initializer, kernel_regularizer, kernel_constraint),
            recurrent_kernel=(recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
            name="conv_lstm_cell",
            **shared,
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        for name in self.cell_arguments:
            if name != "activity_regularizer":
                self.__dict__[name] = getattr(cell, name)
        self.__dict__["_watches_mode"] = cell._watches_mode
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def _step_shape(self, sequences_shape):
        return (sequences_shape[0], *sequences_shape[2:])

    def build(self, sequences_shape, initial_state_shape=None):
        """Build the cell for the shape of one step."""
        if not self.cell.built:
            self.cell.build(self._step_shape(sequences_shape))
            self.cell.built = True
        self._state_shape = self.cell.output_shape_for(self._step_shape(sequences_shape))
        channels = sequences_shape[self.cell.channel_axis + (self.cell.channel_axis > 0)]
        axis = -1 if self.cell.channels_last else 2
        self.input_spec = InputSpec(ndim=self.rank + 3, axes={axis: channels})
        if self.stateful:
            self._make_state_buffers(sequences_shape)

    def get_initial_state(self, batch_size):
        """Return two states of zeros for the sizes of images that the layer was built with.

        Raises:
            ValueError: a layer that is not built, or was built for images of unknown size.
        """
        shape = getattr(self, "_state_shape", (None,))[1:]
        if None in shape or not shape:
            raise ValueError(
                f"{describe(self)}: the sizes of its states follow from those of the images, which are not "
                "known. Build it with `Input` of known sizes, or pass `initial_state`."
            )
        zeros = torch.zeros(
            (batch_size, *shape), dtype=torch_dtype(self.compute_dtype), device=self.cell.conv.weight.device
        )
        return [zeros, zeros.clone()]

    def _zero_states(self, batch_size, like):
        shape = self.cell.output_shape_for(self._step_shape(like.shape))
        return [like.new_zeros((batch_size, *shape[1:])) for _ in range(2)]

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """Return the output shape for that of the sequences."""
        state = self.cell.output_shape_for(self._step_shape(sequences_shape))
        steps = (sequences_shape[1],) if self.return_sequences else ()
        output = (state[0], *steps, *state[1:])
        return (output, state, state) if self.return_state else output

    def _run_cell(self, sequences, mask, states, training):
        cell, probing = self.cell, shapes.is_probing() and sequences.is_meta
        num_steps = sequences.shape[1]
        sequences = sequences[:, :1] if probing else sequences
        masks = cell.input_masks(sequences[:, 0], training)
        if masks is not None:
            masks = [m.unsqueeze(1).expand_as(sequences).flatten(0, 1) for m in masks]
        projected = cell.project(sequences.flatten(0, 1), masks).unflatten(0, sequences.shape[:2])

        def step(inputs, states):
            new = cell.step(inputs, states, training)
            return new[0], new

        return self._run_steps(step, projected, mask, states, probing, num_steps)


class ConvLSTM1D(ConvolutionalLSTM):
    """Convolutional LSTM over sequences of sequences. Holds `torch.nn.Conv1d`s in `self.cell`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate: See `ConvolutionalLSTM`, like the
            other arguments.

    Shapes:
        input `(batch, time, steps, channels)` -> output `(batch, new_steps, filters)`, with
            `return_sequences` `(batch, time, new_steps, filters)`; channels before the spatial axis with
            `"channels_first"`; with `return_state` followed by h and c
        kernel `(kernel_size, channels, 4 * filters)`, recurrent_kernel `(kernel_size, filters, 4 * filters)`,
            bias `(4 * filters,)`; gates in the order input, forget, candidate, output

    Source: Keras 3 `keras.layers.ConvLSTM1D`; Shi et al. 2015 (arXiv:1506.04214). torch has no such module.
    """

    rank = 1


class ConvLSTM2D(ConvolutionalLSTM):
    """Convolutional LSTM over sequences of images. Holds `torch.nn.Conv2d`s in `self.cell`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate: See `ConvolutionalLSTM`, like the
            other arguments.

    Shapes:
        input `(batch, time, height, width, channels)` -> output `(batch, new_height, new_width, filters)`,
            with `return_sequences` `(batch, time, new_height, new_width, filters)`; channels before the
            spatial axes with `"channels_first"`; with `return_state` followed by h and c
        kernel `(height, width, channels, 4 * filters)`, recurrent_kernel `(height, width, filters,
            4 * filters)`, bias `(4 * filters,)`; gates in the order input, forget, candidate, output

    Source: Keras 3 `keras.layers.ConvLSTM2D`; Shi et al. 2015 (arXiv:1506.04214). torch has no such module.
    """

    rank = 2


class ConvLSTM3D(ConvolutionalLSTM):
    """Convolutional LSTM over sequences of volumes. Holds `torch.nn.Conv3d`s in `self.cell`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate: See `ConvolutionalLSTM`, like the
            other arguments.

    Shapes:
        input `(batch, time, depth, height, width, channels)` -> output `(batch, new_depth, new_height,
            new_width, filters)`, with `return_sequences` time after the batch; channels before the spatial
            axes with `"channels_first"`; with `return_state` followed by h and c
        kernel `(depth, height, width, channels, 4 * filters)`, recurrent_kernel `(depth, height, width,
            filters, 4 * filters)`, bias `(4 * filters,)`; gates in the order input, forget, candidate, output

    Source: Keras 3 `keras.layers.ConvLSTM3D`; Shi et al. 2015 (arXiv:1506.04214). torch has no such module.
    """

    rank = 3
