"""Activations that squeeze values into a bounded range: sigmoid, tanh and their piecewise relatives."""

import torch
import torch.nn.functional as F

from torchkeras_lite.activations.inputs import as_tensor


def sigmoid(x):
    """Logistic function: `1 / (1 + exp(-x))`, between 0 and 1.

    Source: Keras 3 `keras.activations.sigmoid`; torch's `torch.sigmoid`.
    """
    return torch.sigmoid(as_tensor(x))


def hard_sigmoid(x):
    """Piecewise linear sigmoid: `relu6(x + 3) / 6`.

    Source: Keras 3 `keras.activations.hard_sigmoid`; torch's `F.hardsigmoid`. Keras 2 had slope 0.2 here.
    """
    return F.hardsigmoid(as_tensor(x))


def sparse_sigmoid(x):
    """Piecewise linear sigmoid on [-1, 1]: `(clip(x, -1, 1) + 1) / 2`.

    Source: Keras 3 `keras.activations.sparse_sigmoid`.
    """
    return 0.5 * (F.hardtanh(as_tensor(x)) + 1)


def log_sigmoid(x):
    """Logarithm of the sigmoid: `-log(1 + exp(-x))`, without overflow.

    Source: Keras 3 `keras.activations.log_sigmoid`; torch's `F.logsigmoid`.
    """
    return F.logsigmoid(as_tensor(x))


def tanh(x):
    """Hyperbolic tangent, between -1 and 1.

    Source: Keras 3 `keras.activations.tanh`; torch's `torch.tanh`.
    """
    return torch.tanh(as_tensor(x))


def hard_tanh(x):
    """Piecewise linear tanh: `clip(x, -1, 1)`.

    Source: Keras 3 `keras.activations.hard_tanh`; torch's `F.hardtanh`.
    """
    return F.hardtanh(as_tensor(x))


def softsign(x):
    """Softsign: `x / (1 + |x|)`, between -1 and 1.

    Source: Keras 3 `keras.activations.softsign`; torch's `F.softsign`.
    """
    return F.softsign(as_tensor(x))
