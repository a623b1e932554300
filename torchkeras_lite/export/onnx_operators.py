"""ONNX forms of torch operators that torch's exporter does not know, or writes out step by step.

torch exports its recurrent functions as loops, and fixes the number of steps of all but the first. ONNX has
operators for them. While a model is exported to ONNX, each recurrent function is therefore one operator of
ours, which is translated into that of ONNX.
"""

import contextlib

import torch

__all__ = ["recurrent_functions_whole", "translations"]

_INT32 = 6  # ONNX's number of the type INT32
_library = torch.library.Library("torchkeras_lite", "DEF")
_WEIGHTS = "Tensor weight_ih, Tensor weight_hh, Tensor bias_ih, Tensor bias_hh"
_FUNCTIONS = {
    "lstm": torch.ops.aten.lstm.input,
    "gru": torch.ops.aten.gru.input,
    "rnn_tanh": torch.ops.aten.rnn_tanh.input,
    "rnn_relu": torch.ops.aten.rnn_relu.input,
}
for _name in _FUNCTIONS:
    _states, _results = ("Tensor h, Tensor c", ", Tensor") if _name == "lstm" else ("Tensor h", "")
    _library.define(f"{_name}(Tensor x, {_states}, {_WEIGHTS}) -> (Tensor, Tensor{_results})")


def _shapes(x, *rest):
    """Return results of the right shapes: outputs of all steps, final states."""
    states = rest[:-4]
    return (x.new_empty((*x.shape[:2], states[0].shape[-1])), *(state.clone() for state in states))


for _name in _FUNCTIONS:
    _library.impl(_name, _shapes, "Meta")
    _library.impl(_name, _shapes, "CPU")


@contextlib.contextmanager
def recurrent_functions_whole():
    """Let torch's recurrent functions be exported whole, not step by step.

    Gives the table of decompositions that makes the operators of ours of them.
    """
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    table = {op: _whole(getattr(torch.ops.torchkeras_lite, name).default) for name, op in _FUNCTIONS.items()}
    kept = {function: function.py_kernels.get(key) for function in table}
    for function, whole in table.items():
        function.py_kernels[key] = whole
        function._dispatch_cache.clear()
    try:
        yield table
    finally:
        for function, kernel in kept.items():
            function.py_kernels.pop(key, None)
            if kernel is not None:
                function.py_kernels[key] = kernel
            function._dispatch_cache.clear()


def _whole(operator):
    """Return a form of a recurrent function of torch that calls `operator` for each layer and direction."""

    def call(x, states, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first):
        states = states if isinstance(states, (tuple, list)) else (states,)
        directions, each = 1 + bidirectional, 4 if has_biases else 2
        if len(weights) != num_layers * directions * each:
            raise ValueError("export: recurrent modules with proj_size are not written to ONNX.")
        x = x if batch_first else x.transpose(0, 1)
        finals = []
        for layer in range(num_layers):
            outputs = []
            for place in range(layer * directions, (layer + 1) * directions):
                own = list(weights[place * each : (place + 1) * each])
                if not has_biases:
                    own += [own[0].new_zeros(own[0].shape[0])] * 2
                back = place % directions == 1
                start = (state[place : place + 1] for state in states)
                output, *final = operator(x.flip(1) if back else x, *start, *own)
                outputs.append(output.flip(1) if back else output)
                finals.append(final)
            x = torch.cat(outputs, -1) if bidirectional else outputs[0]
        finals = (torch.cat(parts) for parts in zip(*finals, strict=True))
        return (x if batch_first else x.transpose(0, 1), *finals)

    return call


def translations(opset):
    """Return the table that `torch.onnx.export` takes: a function of ONNX operators for a torch operator.

    Args:
        opset: A module of operators of onnxscript.
    """

    def sort_stable(self, stable=True, dim=-1, descending=False):
        # ONNX's TopK puts the lower index first where values are equal; runtimes lack it for narrow integers.
        narrow = str(self.dtype) in ("UINT8", "INT8", "BOOL", "INT16")
        values = opset.Cast(self, to=_INT32) if narrow else self
        count = opset.Slice(opset.Shape(self), [dim], [dim + 1] if dim != -1 else [2**31 - 1])
        values, order = opset.TopK(values, count, axis=dim, largest=int(descending), sorted=1)
        return opset.CastLike(values, self), order

    def gates(weight, order):
        """Put the gates in ONNX's order, and an axis of directions before them."""
        if order is not None:
            parts = opset.Split(weight, axis=0, num_outputs=len(order))
            weight = opset.Concat(*(parts[place] for place in order), axis=0)
        return opset.Unsqueeze(weight, [0])

    def recurrent(operator, order, **attributes):
        def translate(x, *rest):
            *states, weight_ih, weight_hh, bias_ih, bias_hh = rest
            biases = opset.Concat(gates(bias_ih, order), gates(bias_hh, order), axis=1)
            steps_first = opset.Transpose(x, perm=[1, 0, 2])
            arguments = (steps_first, gates(weight_ih, order), gates(weight_hh, order), biases, None, *states)
            size = rest[0].shape[-1]
            outputs, *finals = operator(*arguments, hidden_size=size, **attributes)
            outputs = opset.Transpose(opset.Squeeze(outputs, [1]), perm=[1, 0, 2])
            return (outputs, *finals)

        return translate

    def with_states(function, count):
        """Give a translation a signature with names, which the exporter reads."""
        if count == 2:
            return lambda x, h, c, weight_ih, weight_hh, bias_ih, bias_hh: function(
                x, h, c, weight_ih, weight_hh, bias_ih, bias_hh
            )
        return lambda x, h, weight_ih, weight_hh, bias_ih, bias_hh: function(
            x, h, weight_ih, weight_hh, bias_ih, bias_hh
        )

    ours = torch.ops.torchkeras_lite
    gru = recurrent(opset.GRU, (1, 0, 2), linear_before_reset=1)
    return {
        torch.ops.aten.sort.stable: sort_stable,
        ours.lstm.default: with_states(recurrent(opset.LSTM, (0, 3, 1, 2)), 2),
        ours.gru.default: with_states(gru, 1),
        ours.rnn_tanh.default: with_states(recurrent(opset.RNN, None, activations=["Tanh"]), 1),
        ours.rnn_relu.default: with_states(recurrent(opset.RNN, None, activations=["Relu"]), 1),
    }
