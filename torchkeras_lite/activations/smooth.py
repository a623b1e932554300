"""Unbounded smooth activations, the gated ones among them: GELU, SiLU, Mish, softplus, GLU."""

import torch
import torch.nn.functional as F

from torchkeras_lite.activations.inputs import as_tensor


def linear(x):
    """Return `x` as it is: the activation that `None` stands for.

    Source: Keras 3 `keras.activations.linear`.
    """
    return x


def exponential(x):
    """Exponential function.

    Source: Keras 3 `keras.activations.exponential`; torch's `torch.exp`.
    """
    return torch.exp(as_tensor(x))


def gelu(x, approximate=False):
    """Gaussian error linear unit: `x * P(X <= x)` for a standard normal `X`.

    Args:
        x: Tensor of any shape.
        approximate: Whether to use the tanh approximation.

    Source: Keras 3 `keras.activations.gelu`; torch's `F.gelu`; Hendrycks and Gimpel 2016 (arXiv:1606.08415).
    """
    return F.gelu(as_tensor(x), approximate="tanh" if approximate else "none")


def silu(x):
    """Sigmoid linear unit, also known as swish: `x * sigmoid(x)`.

    Source: Keras 3 `keras.activations.silu`; torch's `F.silu`; Ramachandran et al. 2017 (arXiv:1710.05941).
    """
    return F.silu(as_tensor(x))


def hard_silu(x):
    """Piecewise SiLU, also known as hard swish: `x * relu6(x + 3) / 6`.

    Source: Keras 3 `keras.activations.hard_silu`; torch's `F.hardswish`; Howard et al. 2019
    (arXiv:1905.02244).
    """
    return F.hardswish(as_tensor(x))


def mish(x):
    """Mish: `x * tanh(softplus(x))`.

    Source: Keras 3 `keras.activations.mish`; torch's `F.mish`; Misra 2019 (arXiv:1908.08681).
    """
    return F.mish(as_tensor(x))


def softplus(x):
    """Smooth ReLU: `log(1 + exp(x))`.

    Source: Keras 3 `keras.activations.softplus`; torch's `F.softplus`.
    """
    return F.softplus(as_tensor(x))


def squareplus(x, b=4):
    """Algebraic smooth ReLU: `(x + sqrt(x**2 + b)) / 2`.

    Args:
        x: Tensor of any shape.
        b: How smooth the bend is; 0 gives ReLU.

    Source: Keras 3 `keras.activations.squareplus`; Barron 2021 (arXiv:2112.11687).
    """
    x = as_tensor(x)
    return (x + torch.sqrt(x**2 + b)) / 2


def sparse_plus(x):
    """Smooth ReLU that is exactly 0 up to -1 and exactly `x` from 1 on: `(x + 1)**2 / 4` between.

    Source: Keras 3 `keras.activations.sparse_plus`.
    """
    x = as_tensor(x)
    return torch.where(x < 1, (F.hardtanh(x) + 1) ** 2 / 4, x)


def glu(x, axis=-1):
    """Gated linear unit: the first half of `x` times the sigmoid of the second half.

    Args:
        x: Tensor whose size on `axis` is even.
        axis: The axis that is halved.

    Source: Keras 3 `keras.activations.glu`; torch's `F.glu`; Dauphin et al. 2016 (arXiv:1612.08083).
    """
    return F.glu(as_tensor(x), dim=axis)
