"""Windows for signals: symmetric, `floatx()`, on the default device."""

import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.dtypes import torch_dtype


def _window(make, x, *settings):
    dtype = torch_dtype(config.floatx())
    return make(int(x), periodic=False, dtype=dtype, device=default_device(), **dict(settings))


def bartlett(x):
    """Return the triangular window with `x` values, 0 at both ends."""
    return _window(torch.bartlett_window, x)


def blackman(x):
    """Return the Blackman window with `x` values."""
    return _window(torch.blackman_window, x)


def hamming(x):
    """Return the Hamming window with `x` values."""
    return _window(torch.hamming_window, x)


def hanning(x):
    """Return the Hann window with `x` values, 0 at both ends."""
    return _window(torch.hann_window, x)


def kaiser(x, beta):
    """Return the Kaiser window with `x` values, the narrower the larger `beta`."""
    return _window(torch.kaiser_window, x, ("beta", float(beta)))
