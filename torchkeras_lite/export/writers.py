"""What is written for modules that are not looked into: torch's own modules, and layers that become one.

A constructor is the text that makes a module. A writer takes a call of a layer down.
"""

import inspect
import math

import torch
from torch import nn

from torchkeras_lite.base.nested import flatten
from torchkeras_lite.export.traced import CannotWrite
from torchkeras_lite.layers.batch_normalization import BiasedBatchNorm
from torchkeras_lite.layers.data_format import ChannelsLastConv1d, ChannelsLastConvTranspose1d
from torchkeras_lite.layers.gru import GRU
from torchkeras_lite.layers.lstm import LSTM
from torchkeras_lite.layers.projected_attention import Projection
from torchkeras_lite.layers.recurrent_cell import reset_dropout
from torchkeras_lite.layers.recurrent_kernels import GRUKernel, LSTMKernel, SimpleRNNKernel
from torchkeras_lite.layers.regularization import (
    AlphaDropout,
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from torchkeras_lite.layers.simple_rnn import SimpleRNN

__all__ = ["constructor_of", "depends_on_mode", "state_of", "writer_of", "writes"]

# Subclasses of ours, and the torch class that computes the same.
PLAIN = {
    ChannelsLastConv1d: nn.Conv1d,
    ChannelsLastConvTranspose1d: nn.ConvTranspose1d,
    LSTMKernel: nn.LSTM,
    GRUKernel: nn.GRU,
    SimpleRNNKernel: nn.RNN,
}
DROPOUTS = {
    Dropout: "nn.Dropout",
    AlphaDropout: "nn.AlphaDropout",
    SpatialDropout1D: "nn.Dropout1d",
    SpatialDropout2D: "nn.Dropout2d",
    SpatialDropout3D: "nn.Dropout3d",
}
KEYWORD = inspect.Parameter.KEYWORD_ONLY
CONTAINERS = (nn.Sequential, nn.ModuleList)
MODAL = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, *DROPOUTS)
_writers: dict[type, object] = {}


def writes(*classes):
    """Register a writer `(session, layer, *args, **kwargs) -> results` for layers of these very classes.

    It returns `NotImplemented` for a layer that has to be looked into.
    """

    def register(writer):
        for cls in classes:
            _writers[cls] = writer
        return writer

    return register


def writer_of(module):
    """Return the writer for a module, or `None`."""
    return _writers.get(type(module))


def depends_on_mode(module):
    """Whether a module, or one inside it, computes something else in training."""
    return any(isinstance(one, MODAL) for one in module.modules())


def state_of(module):
    """Return the state of what `constructor_of` makes: keys and tensors."""
    if type(module) in DROPOUTS:
        return {}
    if type(module) is Projection:
        weight = module.kernel.reshape(_features(module), -1).t()
        return {"weight": weight} | ({} if module.bias is None else {"bias": module.bias.flatten()})
    state = dict(module.state_dict(keep_vars=True))
    if isinstance(module, GRUKernel) and "bias_l0" in state:
        rows = state.pop("bias_l0")
        state |= {"bias_ih_l0": rows[0], "bias_hh_l0": rows[1]}
    return state


def constructor_of(module):
    """Return the text that makes a module like `module`, or `None` where there is none."""
    kind = type(module)
    if kind in DROPOUTS:
        return f"{DROPOUTS[kind]}({module.rate})"
    if kind is Projection:
        features, bias = _features(module), "" if module.bias is not None else ", bias=False"
        return f"nn.Linear({features}, {module.kernel.numel() // features}{bias})"
    if kind is BiasedBatchNorm:
        flags = "" if module.weight is not None else ", scale=False"
        flags += "" if module.bias is not None else ", center=False"
        momentum = _rounded(module.momentum)
        return f"BatchNorm({module.num_features}, eps={module.eps}, momentum={momentum}{flags})"
    plain = PLAIN.get(kind, kind)
    if getattr(nn, plain.__name__, None) is not plain or _is_parametrized(module):
        return None
    if kind in CONTAINERS:
        parts = [constructor_of(part) for part in module]
        return None if None in parts else f"nn.{kind.__name__}({_sequence(kind, parts)})"
    for short in (True, False):
        positional, named = _arguments(plain, module, short)
        if _makes_alike(plain, positional, named, module):
            break
    else:
        return None
    texts = [*map(repr, positional), *(f"{name}={value!r}" for name, value in named.items())]
    return f"nn.{plain.__name__}({', '.join(texts)})".replace("'", '"')


def _features(projection):
    """Return the number of values that a projection of attention sums over."""
    return math.prod(projection.kernel.shape[: projection._summed])


def _is_parametrized(module):
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    return hasattr(module, "parametrizations") or any(hooks)


def _sequence(kind, parts):
    joined = ", ".join(parts)
    return f"[{joined}]" if kind is nn.ModuleList else joined


def _rounded(number):
    """Return a float without the digits that 1 - 0.99 leaves."""
    return float(f"{number:.12g}")


def _arguments(kind, module, short):
    """Return constructor arguments, by position and by name, from the attributes of their names.

    Those that are the defaults are left out. Where `short`, equal numbers of a tuple are one number.
    """
    recurrent = issubclass(kind, nn.RNNBase)
    parameters = dict(inspect.signature(nn.RNNBase if recurrent else kind).parameters)
    if kind is nn.RNN:
        parameters["nonlinearity"] = inspect.Parameter("nonlinearity", KEYWORD, default="tanh")
    positional, named = [], {}
    for name, parameter in parameters.items():
        if name in ("mode", "device", "dtype") or not hasattr(module, name):
            continue
        value = getattr(module, name)
        if name == "bias" and type(value) is not bool:
            value = value is not None
        value = _argument(value) if short else value
        if parameter.default is parameter.empty and parameter.kind is not KEYWORD:
            positional.append(value)
        elif value != parameter.default:
            named[name] = value
    return positional, named


def _argument(value):
    if isinstance(value, tuple) and len(value) and all(type(one) is int for one in value):
        return value[0] if len(set(value)) == 1 else value
    return value


def _makes_alike(kind, positional, named, module):
    """Whether the arguments make a module with the same settings and the same state."""
    try:
        with torch.device("meta"):
            made = kind(*positional, **named)
    except (TypeError, ValueError, RuntimeError):
        return False
    shapes = {key: tuple(tensor.shape) for key, tensor in state_of(module).items()}
    return made.extra_repr() == module.extra_repr() and shapes == {
        key: tuple(tensor.shape) for key, tensor in made.state_dict().items()
    }


@writes(Dropout, AlphaDropout)
def _dropout(session, layer, inputs):
    if layer.noise_shape is not None:
        return NotImplemented
    return inputs if layer.rate == 0 else session.leaf(layer, (inputs,), {}, pointwise=True)


@writes(SpatialDropout1D, SpatialDropout2D, SpatialDropout3D)
def _spatial_dropout(session, layer, inputs):
    if layer.rate == 0:
        return inputs
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        return session.leaf(layer, (inputs,), {})
    last = inputs.ndim - 1
    return session.leaf(layer, (inputs.movedim(last, 1),), {}).movedim(1, last)


@writes(Projection)
def _projection(session, layer, inputs):
    """Write a projection of attention as `nn.Linear`, where its weights may have another form."""
    if not session.may_reshape or layer.lora_enabled:
        return NotImplemented
    summed = layer._summed
    x = inputs if summed == 1 else inputs.flatten(-summed)
    features, sizes = layer.kernel.numel() // _features(layer), tuple(layer.kernel.shape[summed:])
    with session.at_rest():
        results = [probe.new_empty((*probe.shape[:-1], features)) for probe in x.probes]
    y = session.emit(session.module_call(layer, (x,), {}), results, session.mark(layer))
    return layer.activation(y if len(sizes) == 1 else y.unflatten(-1, sizes))


@writes(LSTM, GRU, SimpleRNN)
def _recurrent(session, layer, sequences, initial_state=None, mask=None, training=None):
    """Write a layer that torch's kernel computes; others are looked into, step by step."""
    cell = layer.cell
    if layer.stateful:
        raise CannotWrite("it is stateful: the states of a batch are not handed on to the next one")
    if cell.recurrent_dropout:
        raise CannotWrite("it has recurrent_dropout, which torch's recurrent modules lack")
    if cell.dropout and cell.implementation == 1:
        raise CannotWrite(
            "it has dropout of other features for each gate; give it implementation=2, with the same for all"
        )
    if not layer.cell.fits_kernel() or layer.use_cudnn is False:
        return NotImplemented
    mask = flatten(mask)[0]
    if layer.go_backwards:
        sequences = sequences.flip(1)
        mask = None if mask is None else mask.flip(1)
    if cell.dropout:
        reset_dropout(cell)
        sequences = cell.drop_inputs(sequences, layer.training if training is None else training)
        reset_dropout(cell)
    outputs, finals = _run_kernel(session, layer, sequences, flatten(initial_state), mask)
    if mask is not None and layer.zero_output_for_mask:
        outputs = outputs * mask.unsqueeze(-1)
    if not layer.return_sequences:
        outputs = outputs[:, -1]
    return (outputs, *(state.squeeze(0) for state in finals)) if layer.return_state else outputs


def _run_kernel(session, layer, sequences, states, mask):
    """Write the call of the kernel; return its outputs and a list of final states `(1, batch, units)`."""
    kernel = layer.cell._modules[layer.cell.kernel_name]
    states = [] if states == [None] else [state.unsqueeze(0) for state in states]
    given = (tuple(states) if len(states) > 1 else states[0],) if states else ()
    if mask is None:
        text = session.module_call(kernel, (sequences, *given), {})
    else:
        parts = ", ".join(map(session.write, (sequences, mask.bool(), *given)))
        text = f"run_masked({session.mark(kernel)}, {parts})"
    results = []
    with session.at_rest():
        for x in sequences.probes:
            start = x.new_empty((1, x.shape[0], layer.units))
            finals = (start, start) if layer.cell.kernel_name == "lstm" else start
            results.append((x.new_empty((*x.shape[:2], layer.units)), finals))
    outputs, finals = session.emit(text, results, session.mark(kernel))
    return outputs, flatten(finals)
