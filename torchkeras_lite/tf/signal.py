"""`tf.signal`: Fourier transforms, windows, frames and spectrograms."""

import math

import torch

from torchkeras_lite import ops
from torchkeras_lite.base.device import default_device
from torchkeras_lite.tf import dtypes
from torchkeras_lite.tf.conversion import convert, convert_beside, sizes
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.unknown import missing


def _transform(name, function):
    def called(input, name=None):
        return function(convert(input))

    called.__name__ = called.__qualname__ = name
    called.__doc__ = f"TensorFlow's `tf.signal.{name}`."
    return called


fft = _transform("fft", torch.fft.fft)
ifft = _transform("ifft", torch.fft.ifft)
fft2d = _transform("fft2d", torch.fft.fft2)
ifft2d = _transform("ifft2d", torch.fft.ifft2)
fft3d = _transform("fft3d", lambda x: torch.fft.fftn(x, dim=(-3, -2, -1)))
ifft3d = _transform("ifft3d", lambda x: torch.fft.ifftn(x, dim=(-3, -2, -1)))


def rfft(input_tensor, fft_length=None, name=None):
    """Return the first half of the Fourier transform of real numbers."""
    return torch.fft.rfft(convert(input_tensor), _length(fft_length))


def irfft(input_tensor, fft_length=None, name=None):
    """Return the real numbers of which the first half of the transform is given."""
    return torch.fft.irfft(convert(input_tensor), _length(fft_length))


def rfft2d(input_tensor, fft_length=None, name=None):
    """Return half of the two-dimensional Fourier transform of real numbers."""
    return torch.fft.rfft2(convert(input_tensor), None if fft_length is None else sizes(fft_length))


def irfft2d(input_tensor, fft_length=None, name=None):
    """Return the real numbers of which half of the two-dimensional transform is given."""
    return torch.fft.irfft2(convert(input_tensor), None if fft_length is None else sizes(fft_length))


def _length(fft_length):
    return None if fft_length is None else sizes(fft_length)[0]


def fftshift(x, axes=None, name=None):
    """Return a transform with the zero frequency in the middle."""
    return torch.fft.fftshift(convert(x), None if axes is None else sizes(axes))


def ifftshift(x, axes=None, name=None):
    """Undo `fftshift`."""
    return torch.fft.ifftshift(convert(x), None if axes is None else sizes(axes))


def hann_window(window_length, periodic=True, dtype=dtypes.float32, name=None):
    """Return Hann's window."""
    return _window(torch.hann_window, window_length, periodic, dtype)


def hamming_window(window_length, periodic=True, dtype=dtypes.float32, name=None):
    """Return Hamming's window."""
    return _window(torch.hamming_window, window_length, periodic, dtype)


def kaiser_window(window_length, beta=12.0, dtype=dtypes.float32, name=None):
    """Return Kaiser's window."""
    window = torch.kaiser_window(
        int(window_length), False, beta, dtype=dtypes.as_dtype(dtype), device=default_device()
    )
    return wrap(window)


def _window(make, length, periodic, dtype):
    periodic = periodic and int(length) % 2 == 0  # TensorFlow's windows of odd lengths are symmetric
    return wrap(make(int(length), periodic, dtype=dtypes.as_dtype(dtype), device=default_device()))


def frame(signal, frame_length, frame_step, pad_end=False, pad_value=0, axis=-1, name=None):
    """Return pieces of a signal, along a new axis after `axis`.

    Args:
        signal: The signal.
        frame_length: Values in a piece.
        frame_step: How much later the next piece begins.
        pad_end: Whether pieces that reach past the end are filled up with `pad_value` and kept.
        pad_value: The filling.
        axis: The axis of the signal.
        name: Accepted as in TensorFlow.
    """
    signal, length, step = convert(signal), int(frame_length), int(frame_step)
    axis %= signal.ndim
    size = signal.shape[axis]
    if pad_end:
        extra = max(-(-size // step) * step - step + length - size, 0)
        widths = [(0, extra if at == axis else 0) for at in range(signal.ndim)]
        signal = ops.pad(signal, widths, constant_values=pad_value)
    elif size < length:
        return signal.new_zeros(*signal.shape[:axis], 0, length, *signal.shape[axis + 1 :])
    return signal.unfold(axis, length, step).movedim(-1, axis + 1)


def overlap_and_add(signal, frame_step, name=None):
    """Return the sum of pieces `(..., pieces, length)`, each `frame_step` later than the one before."""
    signal, step = convert(signal), int(frame_step)
    count, length = signal.shape[-2:]
    total = (count - 1) * step + length
    columns = signal.reshape(-1, count, length).transpose(1, 2)
    added = torch.nn.functional.fold(columns, (1, total), (1, length), stride=(1, step))
    return added.reshape(*signal.shape[:-2], total)


def _next_power_of_two(number):
    return 1 << (number - 1).bit_length()


def stft(signals, frame_length, frame_step, fft_length=None, window_fn=hann_window, pad_end=False, name=None):
    """Return the short-time Fourier transform, `(..., pieces, frequencies)`.

    Args:
        signals: Real signals along the last axis.
        frame_length, frame_step, pad_end: As in `frame`.
        fft_length: Length of the transforms; `None`: the next power of two.
        window_fn: Function of length and dtype that returns a window, or `None`.
        name: Accepted as in TensorFlow.
    """
    frames = frame(signals, frame_length, frame_step, pad_end)
    if window_fn is not None:
        frames = frames * window_fn(int(frame_length), dtype=frames.dtype).to(frames.device)
    return torch.fft.rfft(frames, int(fft_length or _next_power_of_two(int(frame_length))))


def inverse_stft(stfts, frame_length, frame_step, fft_length=None, window_fn=hann_window, name=None):
    """Return signals from their short-time Fourier transform; `window_fn` is the window of the way back."""
    length = int(frame_length)
    frames = torch.fft.irfft(convert(stfts), int(fft_length or _next_power_of_two(length)))
    frames = torch.nn.functional.pad(frames, (0, max(length - frames.shape[-1], 0)))[..., :length]
    if window_fn is not None:
        frames = frames * window_fn(length, dtype=frames.dtype).to(frames.device)
    return overlap_and_add(frames, frame_step)


def inverse_stft_window_fn(frame_step, forward_window_fn=hann_window, name=None):
    """Return the window with which `inverse_stft` undoes `stft`."""
    step = int(frame_step)

    def window(frame_length, dtype=dtypes.float32):
        forward = forward_window_fn(frame_length, dtype=dtype)
        count = -(-frame_length // step)
        squares = torch.nn.functional.pad(forward**2, (0, count * step - frame_length))
        sums = squares.reshape(count, step).sum(0).repeat(count)[:frame_length]
        return forward / sums

    return window


def linear_to_mel_weight_matrix(
    num_mel_bins=20,
    num_spectrogram_bins=129,
    sample_rate=8000,
    lower_edge_hertz=125.0,
    upper_edge_hertz=3800.0,
    dtype=dtypes.float32,
    name=None,
):
    """Return the matrix that sums frequencies to bands of the mel scale, `(frequencies, bands)`.

    Args:
        num_mel_bins: Number of bands.
        num_spectrogram_bins: Number of frequencies, from 0 to half the sampling rate.
        sample_rate: Values of the signal a second.
        lower_edge_hertz, upper_edge_hertz: Where the bands begin and end.
        dtype: Dtype of the matrix.
        name: Accepted as in TensorFlow.
    """
    mel = lambda hertz: 1127.0 * torch.log1p(hertz / 700.0)
    frequencies = torch.linspace(0.0, float(sample_rate) / 2, int(num_spectrogram_bins), dtype=torch.float64)[
        1:
    ]
    limits = mel(torch.tensor([lower_edge_hertz, upper_edge_hertz], dtype=torch.float64)).tolist()
    edges = torch.linspace(*limits, int(num_mel_bins) + 2, dtype=torch.float64)
    places = mel(frequencies)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    bands = torch.minimum((places - low) / (middle - low), (high - places) / (high - middle)).clamp(min=0)
    matrix = torch.nn.functional.pad(bands, (0, 0, 1, 0)).to(dtypes.as_dtype(dtype))
    return wrap(matrix.to(default_device()))


def dct(input, type=2, n=None, axis=-1, norm=None, name=None):
    """Return the discrete cosine transform of the second or third type along the last axis.

    Raises:
        ValueError: another type, another `norm` than `None` and `"ortho"`.
    """
    if type not in (2, 3) or norm not in (None, "ortho") or axis != -1:
        raise ValueError(
            f"dct: types 2 and 3 along axis -1 are there, got type={type}, norm={norm!r}, axis={axis}."
        )
    input = convert(input)
    count = input.shape[-1] if n is None else int(n)
    input = torch.nn.functional.pad(input, (0, max(count - input.shape[-1], 0)))[..., :count]
    places = torch.arange(count, dtype=torch.float64, device=input.device)
    angles = math.pi * (2 * places + 1)[:, None] * places / (2 * count)
    matrix = 2 * torch.cos(angles)  # of the second type: rows are values, columns frequencies
    if norm == "ortho":
        scale = torch.full_like(places, math.sqrt(1 / (2 * count)))
        scale[0] = math.sqrt(1 / (4 * count))
        matrix = matrix * scale
        matrix = matrix if type == 2 else matrix.T
    elif type == 3:
        matrix = matrix.T.clone()
        matrix[0] /= 2
    return input @ matrix.to(input.dtype)


def mfccs_from_log_mel_spectrograms(log_mel_spectrograms, name=None):
    """Return the cepstral coefficients of logarithms of mel bands."""
    log_mel = convert(log_mel_spectrograms)
    return dct(log_mel) * convert_beside(1 / math.sqrt(2 * log_mel.shape[-1]), log_mel)


__all__ = [
    "dct",
    "fft",
    "fft2d",
    "fft3d",
    "fftshift",
    "frame",
    "hamming_window",
    "hann_window",
    "ifft",
    "ifft2d",
    "ifft3d",
    "ifftshift",
    "inverse_stft",
    "inverse_stft_window_fn",
    "irfft",
    "irfft2d",
    "kaiser_window",
    "linear_to_mel_weight_matrix",
    "mfccs_from_log_mel_spectrograms",
    "overlap_and_add",
    "rfft",
    "rfft2d",
    "stft",
]
__getattr__ = missing("tf.signal", {"mdct": "scipy.signal", "idct": "dct(type=3)"})
