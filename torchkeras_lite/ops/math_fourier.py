"""Fourier transforms. Complex numbers are pairs of tensors, real and imaginary parts, as Keras has them."""

import torch
import torch.nn.functional as F

from torchkeras_lite.engine.operation import operation
from torchkeras_lite.ops.inputs import as_tensor, as_tensors, to_float

_WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}


def _complex(owner, x):
    """Return a pair of parts as one complex tensor."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(
            f"{owner}: Input `x` should be a tuple of two tensors - real and imaginary. Received: {x!r}."
        )
    real, imaginary = as_tensors(list(x))
    if real.shape != imaginary.shape:
        raise ValueError(
            f"{owner}: Input `x` should be a tuple of two tensors - real and imaginary. Both the real and "
            f"imaginary parts should have the same shape. Received: x[0].shape = {tuple(real.shape)}, "
            f"x[1].shape = {tuple(imaginary.shape)}."
        )
    if not real.is_floating_point() or not imaginary.is_floating_point():
        raise ValueError(
            f"{owner}: At least one tensor in input `x` is not of type float. Received: dtypes {real.dtype} "
            f"and {imaginary.dtype}. Cast them first."
        )
    return torch.complex(real, imaginary)


def _parts(x):
    return x.real, x.imag


@operation(name="FFT")
def fft(x):
    """Return the Fourier transform along the last axis.

    Args:
        x: Pair of tensors, real and imaginary parts.

    Returns:
        A pair of tensors of the same shape.

    Raises:
        ValueError: something else than two tensors of floats of one shape.

    Source: Keras 3 `keras.ops.fft`; torch's `torch.fft.fft`.
    """
    return _parts(torch.fft.fft(_complex("fft", x)))


@operation(name="FFT2")
def fft2(x):
    """Return the Fourier transform along the last two axes. See `fft`.

    Source: Keras 3 `keras.ops.fft2`; torch's `torch.fft.fft2`.
    """
    return _parts(torch.fft.fft2(_complex("fft2", x)))


@operation(name="IFFT2")
def ifft2(x):
    """Return the inverse of `fft2`. See `fft`.

    Source: Keras 3 `keras.ops.ifft2`; torch's `torch.fft.ifft2`.
    """
    return _parts(torch.fft.ifft2(_complex("ifft2", x)))


@operation(name="RFFT")
def rfft(x, fft_length=None):
    """Return the non-negative half of the Fourier transform of real values along the last axis.

    Args:
        x: Tensor.
        fft_length: To how many values the axis is cut, or filled up with zeros; `None`: as it is.

    Returns:
        A pair of tensors, real and imaginary parts, with `fft_length // 2 + 1` values on the last axis.

    Source: Keras 3 `keras.ops.rfft`; torch's `torch.fft.rfft`.
    """
    return _parts(torch.fft.rfft(to_float(x), fft_length))


@operation(name="IRFFT")
def irfft(x, fft_length=None):
    """Return the inverse of `rfft`.

    Args:
        x: Pair of tensors, real and imaginary parts.
        fft_length: How many values the last axis gets; `None`: twice those of `x` less 2.

    Source: Keras 3 `keras.ops.irfft`; torch's `torch.fft.irfft`.
    """
    return torch.fft.irfft(_complex("irfft", x), fft_length)


def _window(owner, window, sequence_length, sequence_stride, fft_length, like):
    """Return the window in the middle of `fft_length` values."""
    if isinstance(sequence_stride, bool) or not isinstance(sequence_stride, int) or sequence_stride < 1:
        raise ValueError(
            f"{owner}: `sequence_stride` must be a positive integer. Received: sequence_stride="
            f"{sequence_stride}."
        )
    if fft_length < sequence_length:
        raise ValueError(
            f"{owner}: `fft_length` must equal or larger than `sequence_length`. Received: "
            f"sequence_length={sequence_length}, fft_length={fft_length}."
        )
    if isinstance(window, str):
        if window not in _WINDOWS:
            raise ValueError(
                f'{owner}: If a string is passed to `window`, it must be one of `"hann"`, `"hamming"`. '
                f"Received: window={window}. Pass the values of another window."
            )
        values = _WINDOWS[window](sequence_length, dtype=like.dtype, device=like.device)
    else:
        values = as_tensor(window).to(device=like.device, dtype=like.dtype)
        if values.shape != (sequence_length,):
            raise ValueError(
                f"{owner}: The shape of `window` must be equal to [sequence_length]. Received: window shape "
                f"{tuple(values.shape)} and sequence_length={sequence_length}."
            )
    before = (fft_length - sequence_length) // 2
    return F.pad(values, (before, fft_length - sequence_length - before))


@operation(name="STFT")
def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """Return the Fourier transforms of overlapping pieces of the last axis.

    Args:
        x: Tensor (..., samples).
        sequence_length: Size of the window, in samples.
        sequence_stride: Distance of the pieces, in samples.
        fft_length: Size of the pieces, at least that of the window, which lies in their middle.
        window: `"hann"`, `"hamming"`, its values, or `None` for ones.
        center: Whether the pieces are centred on their places; the ends are reflected for that.

    Returns:
        A pair of tensors (..., pieces, fft_length // 2 + 1), real and imaginary parts.

    Raises:
        TypeError: another dtype than float32 or float64.
        ValueError: another window, sizes that do not go together.

    Source: Keras 3 `keras.ops.stft`; torch's `torch.stft`, which has the pieces last.
    """
    x = as_tensor(x)
    if x.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"stft: Invalid input type. Expected `float32` or `float64`. Received: {x.dtype}.")
    window = torch.ones(sequence_length, dtype=x.dtype, device=x.device) if window is None else window
    window = _window("stft", window, sequence_length, sequence_stride, fft_length, x)
    lead = x.shape[:-1]
    result = torch.stft(
        x.reshape(-1, x.shape[-1]),
        fft_length,
        sequence_stride,
        window=window,
        center=center,
        return_complex=True,
    ).transpose(1, 2)
    return _parts(result.reshape(*lead, *result.shape[1:]))


@operation(name="ISTFT")
def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """Return the samples whose `stft` is `x`, as far as the windows reach.

    Args:
        x: Pair of tensors (..., pieces, fft_length // 2 + 1), real and imaginary parts.
        sequence_length, sequence_stride, fft_length, center: See `stft`.
        window: See `stft`. `None`: the pieces are added as they are, so that samples in several of them are
            as many times too large, as in Keras.
        length: How many samples are returned; `None`: all that are covered.

    Raises:
        ValueError: another window, sizes that do not go together.

    Source: Keras 3 `keras.ops.istft`. Differs from `torch.istft`: where the windows are 0, so are the
    samples, and no error is raised.
    """
    pieces = torch.fft.irfft(_complex("istft", x), fft_length)  # (..., pieces, fft_length)
    lead, flat = pieces.shape[:-2], pieces.reshape(-1, *pieces.shape[-2:])
    if window is None:
        _window("istft", "hann", sequence_length, sequence_stride, fft_length, pieces)
        samples = _overlap(flat, sequence_stride)
    else:
        window = _window("istft", window, sequence_length, sequence_stride, fft_length, pieces)
        weights = (window * window).expand(1, pieces.shape[-2], fft_length)
        total = _overlap(weights, sequence_stride)
        covered = total > torch.finfo(total.dtype).tiny
        samples = _overlap(flat * window, sequence_stride) / torch.where(covered, total, 1.0)
    samples = samples.reshape(*lead, -1)
    if center:
        samples = samples[..., fft_length // 2 :]
        samples = samples if length is not None else samples[..., : -(fft_length // 2)]
    if length is None:
        return samples
    return F.pad(samples[..., :length], (0, max(length - samples.shape[-1], 0)))


def _overlap(pieces, stride):
    """Return the sum of pieces (batch, pieces, size), each `stride` places after the one before."""
    batch, count, size = pieces.shape
    total = (count - 1) * stride + size
    return F.fold(pieces.transpose(1, 2), (1, total), (1, size), stride=(1, stride)).reshape(batch, total)


@operation
def extract_sequences(x, sequence_length, sequence_stride):
    """Return overlapping pieces of the last axis.

    Args:
        x: Tensor (..., samples).
        sequence_length: Size of the pieces.
        sequence_stride: Their distance.

    Returns:
        A tensor (..., pieces, sequence_length), a view.

    Source: Keras 3 `keras.ops.extract_sequences`; torch's `Tensor.unfold`.
    """
    return as_tensor(x).unfold(-1, sequence_length, sequence_stride)


@operation
def view_as_complex(x):
    """Return pairs of numbers, real and imaginary parts on the last axis, as complex numbers (complex64).

    Raises:
        ValueError: a last axis of another size than 2.

    Source: Keras 3 `keras.ops.view_as_complex`; torch's `torch.view_as_complex`.
    """
    x = to_float(x)
    x = x.float() if x.dtype == torch.float64 else x
    if not x.ndim or x.shape[-1] != 2:
        raise ValueError(
            "view_as_complex: Last dimension of input must be size 2 (real and imaginary). Received shape: "
            f"{tuple(x.shape)}."
        )
    return torch.view_as_complex(x.contiguous())


@operation
def view_as_real(x):
    """Return complex numbers as pairs of numbers on a new last axis.

    Raises:
        TypeError: real numbers.

    Source: Keras 3 `keras.ops.view_as_real`; torch's `torch.view_as_real`.
    """
    x = as_tensor(x)
    if not x.is_complex():
        raise TypeError(f"view_as_real: expected complex numbers, got dtype {x.dtype}.")
    return torch.view_as_real(x)
