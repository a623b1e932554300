"""Floats of eight bits: a scale that follows the largest values seen."""

import torch

from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.ops.inputs import as_tensor


def float8_linear(linear):
    """Return an `nn.Linear` with the same parameters whose three matrix products are in floats of eight bits.

    torchao does it; where the device has no such kernels, their precision is simulated.

    Raises:
        ImportError: torchao is not installed.
    """
    try:
        from torchao.float8 import Float8LinearConfig
        from torchao.float8.float8_linear import Float8Linear
    except ImportError:
        raise ImportError("quantize: mode 'float8' needs the package torchao: pip install torchao") from None
    device = linear.weight.device
    has_kernels = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9)
    return Float8Linear.from_float(linear, Float8LinearConfig(emulate=not has_kernels))


def compute_float8_scale(amax, scale, dtype_max, margin=0):
    """Return the scale by which values are divided before they become floats of eight bits.

    Args:
        amax: Largest absolute value seen.
        scale: The scale so far, kept where `amax` is 0 or not finite.
        dtype_max: Largest value of the dtype.
        margin: Powers of two to stay below it.

    Source: Keras 3 `keras.quantizers.compute_float8_scale`.
    """
    amax, scale = as_tensor(amax), as_tensor(scale)
    usable = (amax > 0) & torch.isfinite(amax)
    return torch.where(usable, amax * 2**margin / dtype_max, scale)


def compute_float8_amax_history(x, amax_history):
    """Return the largest absolute values of the last steps with that of `x`, at the front, as the newest.

    Source: Keras 3 `keras.quantizers.compute_float8_amax_history`.
    """
    history = as_tensor(amax_history).roll(-1)
    return torch.cat([as_tensor(x).abs().amax().to(history.dtype).reshape(1), history[1:]])


def quantize_and_dequantize(inputs, scale, quantized_dtype, compute_dtype):
    """Return `inputs` with the precision of `quantized_dtype`, in `compute_dtype`.

    Args:
        inputs: Float tensor.
        scale: What values are divided by before, and multiplied by after.
        quantized_dtype: `"float8_e4m3fn"` or `"float8_e5m2"`.
        compute_dtype: Dtype of the result.

    Source: Keras 3 `keras.quantizers.quantize_and_dequantize`.
    """
    quantized, compute = torch_dtype(quantized_dtype), torch_dtype(compute_dtype)
    scale = as_tensor(scale).to(compute)
    largest = torch.finfo(quantized).max
    values = (as_tensor(inputs) / scale).clamp(-largest, largest).to(quantized)
    return values.to(compute) * scale
