"""`GRU`, on torch's kernel with any mask."""

from torchkeras_lite.layers.kernel_rnn import KernelRNN
from torchkeras_lite.layers.recurrent_cells import GRUCell

__all__ = ["GRU"]


class GRU(KernelRNN):
    """Gated recurrent unit over the steps of sequences.

    Wraps `torch.nn.GRU` as `self.cell.gru`; `self.cell` is a `GRUCell`. The kernel runs the whole sequence in
    one call, with any mask. Other activations than the default ones, `reset_after=False`, and
    `recurrent_dropout` in training, run step by step on the same weights.

    Args:
        units: Size of the output and of the state, an integer > 0.
        activation, recurrent_activation: Names or callables: of the candidate, and of the gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: What the weights are drawn from.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the outputs.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after updates.
        dropout: Fraction of the inputs set to 0 in training, the same ones in every step of a sequence.
        recurrent_dropout: Fraction of the state set to 0 in training where it enters a step, likewise. With
            it, or with `implementation=1` as in Keras, each gate loses other ones.
        seed: Integer for draws of the layer's own that repeat.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: See `RNN`.
        reset_after: Whether the reset gate acts after the product with the recurrent kernel, as in cuDNN and
            torch; otherwise before it, as first published.
        use_cudnn: `False` runs step by step, `True` refuses arguments that torch's kernel cannot honour.

    Shapes:
        input `(batch, steps, features)` -> `(batch, units)`, or `(batch, steps, units)` with
            `return_sequences`; with `return_state` followed by the state `(batch, units)`
        kernel `(features, 3 * units)`, recurrent_kernel `(units, 3 * units)`, bias `(2, 3 * units)`, or
            `(3 * units,)` without `reset_after`; gates in the order update, reset, candidate

    Raises:
        ValueError: `units` is no positive integer; a later input has other features; see `RNN`.

    Source: Keras 3 `keras.layers.GRU`; Cho et al. 2014 (arXiv:1406.1078). Differs from torch: the order of
    the gates (torch: reset, update, candidate), both biases in one weight, Glorot uniform kernel, orthogonal
    recurrent kernel and zero bias; batch first.
    """

    cell_class = GRUCell
    cell_name = "gru_cell"
    cell_arguments = (
        "units",
        "activation",
        "recurrent_activation",
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
        "reset_after",
        "seed",
    )

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
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(
            {
                "units": units,
                "activation": activation,
                "recurrent_activation": recurrent_activation,
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
                "reset_after": reset_after,
                "seed": seed,
            },
            use_cudnn,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
