"""Convolution kernels that compute a short-time Fourier transform."""

import math

import torch

from torchkeras_lite.base.checks import one_of, suggestion
from torchkeras_lite.initializers.initializer import Initializer, placement

TORCH_WINDOWS = ("bartlett", "blackman", "cosine", "exponential", "hamming", "hann", "nuttall")


def window_values(name, length, periodic):
    """Return the window called `name` as a float64 tensor: torch's own, else the one of `scipy.signal`.

    Raises:
        ValueError: an unknown name, or one that only SciPy knows where SciPy is not installed.
    """
    if name in TORCH_WINDOWS:
        make = getattr(torch.signal.windows, name)
        return make(length, sym=not periodic, dtype=torch.float64, device="cpu")
    try:
        from scipy.signal import get_window
    except ImportError:
        raise ValueError(
            f"STFT: unknown window {name!r}{suggestion(name, TORCH_WINDOWS)} "
            f"Known: {', '.join(TORCH_WINDOWS)}. For the other windows of SciPy install it: pip install scipy"
        ) from None
    try:
        return torch.from_numpy(get_window(name, length, periodic))
    except ValueError as error:
        raise ValueError(f"STFT: unknown window {name!r}: {error}") from None


class STFT(Initializer):
    """Make the kernel of a 1D convolution that computes one part of a short-time Fourier transform.

    Args:
        side: `"real"` or `"imag"`.
        window: Name of a window of torch (or of SciPy, where it is installed), its values, or `None`.
        scaling: `"density"` divides the window by its L2 norm, `"spectrum"` by its L1 norm, `None` by 1.
        periodic: Whether the window is periodic instead of symmetric.

    Shapes:
        `(frame_length, 1, fft_length // 2 + 1)`

    Raises:
        ValueError: another `side` or `scaling`; an unknown window, or one of another length than the frame.

    Source: Keras 3 `keras.initializers.STFT`.
    """

    def __init__(self, side="real", window="hann", scaling="density", periodic=False):
        self.side = one_of("STFT", "side", side, ("real", "imag"))
        self.scaling = one_of("STFT", "scaling", scaling, ("density", "spectrum", None))
        if isinstance(window, str):
            window_values(window, 1, periodic)
        self.window = window
        self.periodic = periodic

    def __call__(self, shape, dtype=None, device=None):
        """Return a new kernel; see `Initializer`."""
        shape, dtype, device = placement(self, shape, dtype, device)
        if len(shape) != 3:
            raise ValueError(
                f"STFT: expected a shape (frame_length, 1, fft_length // 2 + 1), got shape={shape}. "
                "Use it for the kernels of Conv1D layers."
            )
        if device.type == "meta":
            return torch.empty(shape, dtype=dtype, device=device)
        frame_length, _, bins = shape
        time = torch.arange(frame_length, dtype=dtype, device=device).reshape(-1, 1, 1)
        frequency = torch.arange(bins, dtype=dtype, device=device) / max(2 * (bins - 1), 1)
        angle = -2 * time * frequency * math.pi
        kernel = torch.cos(angle) if self.side == "real" else torch.sin(angle)
        if self.window is not None:
            window = self._window(frame_length, dtype, device)
            kernel = kernel * window
            if self.scaling == "density":
                kernel = kernel / torch.sqrt(torch.sum(torch.square(window)))
            elif self.scaling == "spectrum":
                kernel = kernel / torch.sum(torch.abs(window))
        return kernel.expand(shape).contiguous()

    def _window(self, frame_length, dtype, device):
        if isinstance(self.window, str):
            values = window_values(self.window, frame_length, self.periodic)
        else:
            values = torch.as_tensor(self.window, device="cpu")
        if tuple(values.shape) != (frame_length,):
            raise ValueError(
                f"STFT: the shape of `window` must be equal to [frame_length], here ({frame_length},); got a "
                f"window of shape {tuple(values.shape)}."
            )
        return values.to(device, dtype).reshape(-1, 1, 1)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "side": self.side,
            "window": self.window,
            "periodic": self.periodic,
            "scaling": self.scaling,
        }
