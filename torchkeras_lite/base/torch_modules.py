"""Modules and functions of `torch.nn` in configs: those of a closed list, by the arguments that made them.

A module keeps nearly every argument of its constructor as an attribute. What is written is made again once,
on the meta device, and compared; a module that would come back otherwise is refused, never written in part.
"""

import inspect

import torch
from torch import nn
from torch.nn import functional

from torchkeras_lite.base import dtypes
from torchkeras_lite.base.checks import suggestion

MODULE, FUNCTIONS = "torch.nn", "torch.nn.functional"
PADDINGS = [
    f"{kind}Pad{n}d"
    for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero")
    for n in (1, 2, 3)
]
BY_AXES = (
    *("AdaptiveAvgPool", "AdaptiveMaxPool", "AvgPool", "BatchNorm", "Conv", "ConvTranspose", "Dropout"),
    *("InstanceNorm", "LPPool", "MaxPool"),
)
NAMES = (
    *(f"{kind}{n}d" for kind in BY_AXES for n in (1, 2, 3)),
    *PADDINGS,
    *(
        "Linear",
        "Bilinear",
        "Embedding",
        "EmbeddingBag",
        "LSTM",
        "GRU",
        "RNN",
        "LSTMCell",
        "GRUCell",
        "RNNCell",
    ),
    *("MultiheadAttention", "LayerNorm", "GroupNorm", "RMSNorm", "LocalResponseNorm", "Dropout"),
    *("AlphaDropout", "FeatureAlphaDropout", "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid"),
    *("Hardswish", "Hardtanh", "Identity", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU"),
    *(
        "ReLU",
        "ReLU6",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Softmax2d",
        "Softmin",
        "Softplus",
        "Softshrink",
    ),
    *("Softsign", "Tanh", "Tanhshrink", "Threshold", "ChannelShuffle", "Flatten", "Fold", "PixelShuffle"),
    *("PixelUnshuffle", "Unflatten", "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
    *("Sequential", "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HingeEmbeddingLoss", "HuberLoss"),
    *("KLDivLoss", "L1Loss", "MSELoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss"),
    *("MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss"),
)
LOSS_FUNCTIONS = (
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div"),
    *("l1_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss"),
    *("nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss"),
)
CLASSES = {name: getattr(nn, name) for name in NAMES}
_NAMES = {cls: name for name, cls in CLASSES.items()}
# Recurrent modules take their arguments as `*args, **kwargs`, which tells no names.
RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
NOT_ARGUMENTS = ("self", "device", "dtype", "args", "kwargs", "size_average", "reduce", "_weight", "_freeze")


def is_known(module):
    """Whether the class of `module` is in the closed list."""
    return type(module) in _NAMES


def class_entry(cls):
    """Return what a config has for a class of the list itself, `None` for another class."""
    return _entry(_NAMES[cls], None) if cls in _NAMES else None


def function_entry(function):
    """Return what a config has for a loss of `torch.nn.functional`, `None` for another function."""
    name = getattr(function, "__name__", None)
    if name not in LOSS_FUNCTIONS or getattr(functional, name) is not function:
        return None
    return {"module": FUNCTIONS, "class_name": "function", "config": name, "registered_name": "function"}


def _entry(name, config):
    return {"module": MODULE, "class_name": name, "config": config, "registered_name": None}


def module_entry(module, serialize):
    """Return what a config has for a module.

    Args:
        module: The module.
        serialize: What turns tensors (weights of classes in a loss) into plain values.

    Raises:
        TypeError: a class that is not in the list, or a module that its arguments do not tell whole.
    """
    if not is_known(module):
        raise TypeError(_refusal(module, "its class is none of those of `torch.nn` that a file may name"))
    name = type(module).__name__
    if name == "Sequential":
        parts = [[key, module_entry(part, serialize)] for key, part in module.named_children()]
        return _entry(name, {"modules": parts})
    arguments = _arguments(module)
    frozen = sorted(key for key, p in module.named_parameters() if not p.requires_grad)
    try:
        made = _made(type(module), {key: _tensor_free(value) for key, value in arguments.items()}, "meta")
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(_refusal(module, f"it cannot be made again: {error}")) from None
    if _look(made) != _look(module):
        raise TypeError(_refusal(module, "its arguments do not tell all of it"))
    config = {key: serialize(value) for key, value in arguments.items()}
    return _entry(name, {**config, "frozen": frozen} if frozen else config)


def _refusal(module, why):
    return (
        f"Cannot write the torch module {type(module).__name__} into a config: {why}. Save the weights with "
        "`model.save_weights(path)` (or `torch.save(model.state_dict(), path)`) and make the model in code, "
        "or put the module into a Layer of your own that makes it in `__init__`, registered with "
        "`@saving.register_keras_serializable()`."
    )


def _arguments(module):
    parameters = inspect.signature(type(module).__init__).parameters
    names = [name for name in parameters if name not in NOT_ARGUMENTS]
    if isinstance(module, nn.RNNBase):
        names = [*RECURRENT, "proj_size" if isinstance(module, nn.LSTM) else None]
        names = [name for name in names if name] + (["nonlinearity"] if type(module) is nn.RNN else [])
    found = {}
    for name in names:
        value = getattr(module, "bias_k" if name == "add_bias_kv" else name, None)
        if name == "bias" and isinstance(module, nn.MultiheadAttention):
            value = module.in_proj_bias is not None
        elif name in ("bias", "add_bias_kv") and not isinstance(value, bool):
            value = value is not None
        has_value = name in vars(module) and name in parameters and parameters[name].default is not None
        if value is not None or has_value:
            found[name] = value
    if isinstance(module, nn.PReLU):
        found["init"] = 0.25  # the weight holds the value
    first = next(module.parameters(), None)
    if first is not None and first.dtype is not torch.float32:
        found["dtype"] = first.dtype
    return found


def _tensor_free(value):
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _look(module):
    """Return all that two modules made by the same arguments have in common."""
    kinds = (bool, int, float, str, tuple, list)
    attributes = {k: v for k, v in vars(module).items() if isinstance(v, kinds) and k[0] != "_"}
    attributes.pop("training")
    shapes = {key: (value.shape, value.dtype) for key, value in module.state_dict().items()}
    return repr(module), attributes, shapes


def _made(cls, arguments, device):
    with torch.device(device):
        return cls(**arguments)


def find_class(name):
    """Return the class of the list that a config calls `name`.

    Raises:
        TypeError: a name that is not in the list.
    """
    if not isinstance(name, str) or name not in CLASSES:
        raise TypeError(
            f"Could not locate class {name!r} of module '{MODULE}'{suggestion(str(name), CLASSES)} Files may "
            "name the modules of a closed list alone."
        )
    return CLASSES[name]


def find_function(name):
    """Return the loss of `torch.nn.functional` that a config calls `name`.

    Raises:
        TypeError: a name that is not in the list.
    """
    if name not in LOSS_FUNCTIONS:
        raise TypeError(
            f"Could not locate function {name!r} of module '{FUNCTIONS}'"
            f"{suggestion(str(name), LOSS_FUNCTIONS)} Files may name its losses alone."
        )
    return getattr(functional, name)


def from_entry(entry, deserialize, device):
    """Return the class or the module that `module_entry` described.

    Args:
        entry: The entry.
        deserialize: The reverse of `serialize` there.
        device: Where the module's tensors are made.

    Raises:
        TypeError: a class that is not in the list, arguments that it does not have.
    """
    cls, config = find_class(entry["class_name"]), entry["config"]
    if config is None:
        return cls
    if not isinstance(config, dict):
        raise TypeError(f"Expected 'config' to be a dict for '{entry['class_name']}', got {config!r}.")
    if cls is nn.Sequential:
        made = nn.Sequential()
        for name, part in config["modules"]:
            made.add_module(name, from_entry(part, deserialize, device))
        return made
    arguments = {key: _argument(key, deserialize(value)) for key, value in config.items() if key != "frozen"}
    try:
        module = _made(cls, arguments, device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"'{MODULE}.{entry['class_name']}' cannot be made of {arguments}: {error}") from None
    for key, parameter in module.named_parameters():
        parameter.requires_grad_(key not in config.get("frozen", ()))
    return module


def _argument(key, value):
    if key == "dtype":
        return dtypes.torch_dtype(value)
    return tuple(value) if isinstance(value, list) else value
