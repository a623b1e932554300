"""`SimpleRNN`, on torch's kernel with any mask."""

from torchkeras_lite.layers.kernel_rnn import KernelRNN
from torchkeras_lite.layers.recurrent_cells import SimpleRNNCell

__all__ = ["SimpleRNN"]


class SimpleRNN(KernelRNN):
    """Plain recurrent network: every step is `h = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Wraps `torch.nn.RNN` as `self.cell.rnn`; `self.cell` is a `SimpleRNNCell`. The kernel runs the whole
    sequence in one call, with any mask. Other activations than tanh and relu, and `recurrent_dropout` in
    training, run step by step on the same weights.

    Args:
        units: Size of the output and of the state, an integer > 0.
        activation: Name or callable.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: What the weights are drawn from.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the outputs.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after updates.
        dropout: Fraction of the inputs set to 0 in training, the same ones in every step of a sequence.
        recurrent_dropout: Fraction of the state set to 0 in training where it enters a step, likewise.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: See `RNN`.
        seed: Integer for draws of the layer's own that repeat. As in Keras, not part of the config.

    Shapes:
        input `(batch, steps, features)` -> `(batch, units)`, or `(batch, steps, units)` with
            `return_sequences`; with `return_state` followed by the state `(batch, units)`
        kernel `(features, units)`, recurrent_kernel `(units, units)`, bias `(units,)`

    Raises:
        ValueError: `units` is no positive integer; a later input has other features; see `RNN`.

    Source: Keras 3 `keras.layers.SimpleRNN`. Differs from torch: one bias (the second one stays 0), Glorot
    uniform kernel, orthogonal recurrent kernel and zero bias; batch first.
    """

    cell_class = SimpleRNNCell
    cell_name = "simple_rnn_cell"
    cell_arguments = (
        "units",
        "activation",
        "use_bias",
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "recurrent_regularizer",
        "bias_regularizer",
        "kernel_constraint",
        "recurrent_constraint",
        "bias_constraint",
        "dropout",
        "recurrent_dropout",
    )

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            {
                "units": units,
                "activation": activation,
                "use_bias": use_bias,
                "kernel_initializer": kernel_initializer,
                "recurrent_initializer": recurrent_initializer,
                "bias_initializer": bias_initializer,
                "kernel_regularizer": kernel_regularizer,
                "recurrent_regularizer": recurrent_regularizer,
                "bias_regularizer": bias_regularizer,
                "kernel_constraint": kernel_constraint,
                "recurrent_constraint": recurrent_constraint,
                "bias_constraint": bias_constraint,
                "dropout": dropout,
                "recurrent_dropout": recurrent_dropout,
                "seed": seed,
            },
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
