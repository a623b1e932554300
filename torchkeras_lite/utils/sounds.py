"""Sounds: WAV files, sampling rates, batches of sounds of different lengths."""

import math
import wave

import numpy as np
import torch
import torch.nn.functional as F

LOBES = 6  # zero crossings of the resampling filter on each side
ROLLOFF = 0.99  # its cutoff, as a part of the lower of the two half rates


def read_wav(path):
    """Return the samples of a WAV file and how many there are a second.

    Args:
        path: Path of a file with PCM of 8, 16, 24 or 32 bits.

    Shapes:
        samples `(samples, channels)`, float32 from -1 to 1

    Raises:
        ValueError: another kind of file.
    """
    try:
        with wave.open(path, "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(
            f"{path} is no WAV file with PCM ({error}). Convert it, for example with ffmpeg -c:a pcm_s16le."
        ) from error
    return torch.from_numpy(_as_floats(frames, width).reshape(-1, channels)), rate


def _as_floats(frames, width):
    if width == 1:  # the only width without a sign
        return (np.frombuffer(frames, "u1").astype("float32") - 128) / 128
    if width == 3:
        values = np.frombuffer(frames, "u1").reshape(-1, 3)
        whole = np.zeros((len(values), 4), "u1")
        whole[:, 1:] = values
        return whole.view("<i4")[:, 0].astype("float32") / 2**31
    return np.frombuffer(frames, f"<i{width}").astype("float32") / 2 ** (8 * width - 1)


def resample(samples, rate, new_rate):
    """Return a sound at another sampling rate, by a windowed sinc filter.

    Args:
        samples: Tensor (samples, channels).
        rate, new_rate: Samples a second.
    """
    if rate == new_rate:
        return samples
    divisor = math.gcd(rate, new_rate)
    old, new = rate // divisor, new_rate // divisor
    cutoff = min(old, new) * ROLLOFF
    reach = math.ceil(LOBES * old / cutoff)
    places = torch.arange(-reach, reach + old, dtype=torch.float64)[None] / old
    times = ((places - torch.arange(new, dtype=torch.float64)[:, None] / new) * cutoff).clamp(-LOBES, LOBES)
    window = torch.cos(times * math.pi / LOBES / 2).square()
    filters = torch.sinc(times) * window * (cutoff / old)
    sound = F.pad(samples.T[:, None], (reach, reach + old))
    phases = F.conv1d(sound, filters[:, None].to(samples.dtype), stride=old)  # (channels, new, steps)
    return phases.transpose(1, 2).flatten(1)[:, : math.ceil(len(samples) * new / old)].T.contiguous()


def fit_length(samples, length):
    """Return a sound cut, or filled with zeros at its end, to `length` samples."""
    return F.pad(samples[:length], (0, 0, 0, max(length - len(samples), 0)))


def padded_batch(elements):
    """Return sounds, or sounds and labels, as a batch; channels and ends that are missing are zeros."""
    return _batch(elements, _padded)


def ragged_batch(elements):
    """Return sounds, or sounds and labels, as a batch in which sounds keep their lengths."""
    return _batch(elements, _ragged)


def _batch(elements, join):
    if not isinstance(elements[0], tuple):
        return join(elements)
    sounds, labels = zip(*elements, strict=True)
    return join(sounds), torch.stack(labels)


def _padded(sounds):
    length, channels = (max(sound.shape[axis] for sound in sounds) for axis in (0, 1))
    return torch.stack(
        [F.pad(sound, (0, channels - sound.shape[1], 0, length - len(sound))) for sound in sounds]
    )


def _ragged(sounds):
    return torch.nested.as_nested_tensor(list(sounds), layout=torch.jagged)
