"""The precision that `compile` was asked for: autocasting, float64, products of float32 matrices."""

import contextlib

import torch
from torch import nn

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.precision import DTypePolicy

# The names accepted, each with what it stands for.
_NAMES = {
    "bfloat16": ("bf16", "bfloat16", "mixed_bfloat16", "bf16-mixed"),
    "float16": ("fp16", "float16", "half", "mixed_float16", "16-mixed"),
    "float32": ("fp32", "float32", "highest"),
    "tf32": ("tf32", "high"),
    "float64": ("fp64", "float64", "double"),
}
KINDS = {name: kind for kind, names in _NAMES.items() for name in names}
HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def standardize(precision):
    """Return which of `bfloat16`, `float16`, `float32`, `tf32`, `float64` is meant, `None` for `None`.

    Raises:
        ValueError: another name.
    """
    if precision is None:
        return None
    name = str(precision).removeprefix("torch.").lower()
    if name not in KINDS:
        raise ValueError(
            f"compile: unknown `precision` {precision!r}{suggestion(name, list(KINDS))} Known: 'bf16' and "
            "'fp16' (autocasting, float32 weights), 'float32', 'tf32', 'float64', or None."
        )
    return KINDS[name]


def apply(model, kind):
    """Make the calls of `model` compute in a precision.

    With `bfloat16` and `float16` every call of the model runs under `torch.autocast`, modules of torch
    included, and its outputs are float32 again; weights stay float32. `float64` turns the weights and the
    policies of all layers.
    """
    if kind in HALF:
        model.__dict__["_compiled_call_impl"] = _Autocast(model, HALF[kind], model._compiled_call_impl)
    elif kind == "float64":
        policy = DTypePolicy("float64")
        for layer in collecting.all_layers(model):
            layer.dtype_policy = policy
        model.double()


class _Autocast:
    """The call of a model under autocast, in the place where torch keeps a compiled call."""

    def __init__(self, model, dtype, compiled):
        self.call = model._call_impl if compiled is None else compiled
        self.dtype = dtype

    def __call__(self, *args, **kwargs):
        tensors = (part for part in nested.flatten((args, kwargs)) if isinstance(part, torch.Tensor))
        device = next((tensor.device.type for tensor in tensors), "cpu")
        if device == "meta":
            return self.call(*args, **kwargs)
        with torch.autocast(device, dtype=self.dtype):
            outputs = self.call(*args, **kwargs)
        return nested.map_structure(_to_float32, outputs)


def _to_float32(output):
    if not isinstance(output, torch.Tensor) or output.dtype not in HALF.values():
        return output
    mask = getattr(output, "_keras_mask", None)
    output = output.float()
    if mask is not None:
        output._keras_mask = mask
    return output


@contextlib.contextmanager
def float32_products(kind):
    """Multiply float32 matrices as `kind` says while a loop runs: `tf32` on tensor cores, `float32` in full.

    Other kinds leave torch's settings alone. They are restored afterwards.
    """
    if kind not in ("tf32", "float32"):
        yield
        return
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = kind == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


def has_batch_normalization(model):
    """Whether a layer of `model` normalizes by the statistics of a batch while it trains."""
    return any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training for module in model.modules()
    )
