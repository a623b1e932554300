"""Spectrograms of sound: STFTSpectrogram by convolution, MelSpectrogram by `torch.stft`."""

import math
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.checks import describe, one_of, positive_int
from torchkeras_lite.base.device import default_device
from torchkeras_lite.engine import shapes
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.weights import WeightSpec
from torchkeras_lite.initializers.stft import STFT

MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
LEAST_POWER = 1e-7


class STFTSpectrogram(Layer):
    """Short-time Fourier transform of each channel, as a trainable convolution.

    Wraps one or two `torch.nn.Conv1d`, `self.real` and `self.imag`, whose kernels begin as windowed waves.

    Args:
        mode: What is given: `"log"` (of the magnitude), `"magnitude"`, `"psd"` (power, doubled where a bin
            stands for two frequencies), `"real"`, `"imag"`, `"angle"`, or `"stft"`: real, then imaginary.
        frame_length: Samples a frame.
        frame_step: Samples from frame to frame, up to `frame_length`; `None`: half of `frame_length`.
        fft_length: Length of the transform, from `frame_length` up; `None`: the next power of two.
        window: Name of a window, its values, or `None` for none.
        periodic: Whether the window is periodic instead of symmetric.
        scaling: `"density"`, `"spectrum"` or `None`: what the window is divided by, see
            `initializers.STFT`.
        padding: `"valid"` or `"same"`.
        expand_dims: Whether channels keep an axis of their own, instead of lying beside each other.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Shapes:
        input `(batch, time, channels)` -> output `(batch, frames, channels * bins)`, with `expand_dims`
        `(batch, frames, bins, channels)`; channels_first: `(batch, channels * bins, frames)`, `(batch,
        channels, frames, bins)`. `bins` is `fft_length // 2 + 1`, twice that with `"stft"`
        kernels `(frame_length, 1, fft_length // 2 + 1)`

    Raises:
        ValueError: an unknown name; lengths that do not fit together; an input shorter than a frame.
        TypeError: an input of integers.

    Source: Keras 3 `keras.layers.STFTSpectrogram`.
    """

    def __init__(
        self,
        mode="log",
        frame_length=256,
        frame_step=None,
        fft_length=None,
        window="hann",
        periodic=False,
        scaling="density",
        padding="valid",
        expand_dims=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.mode = one_of(self, "mode", mode, MODES)
        self.padding = one_of(self, "padding", padding, ("valid", "same"))
        self.frame_length = positive_int(self, "frame_length", frame_length)
        if frame_step is not None and not 0 < frame_step <= frame_length:
            raise ValueError(
                f"{describe(self)}: `frame_step` should be a positive integer not greater than "
                f"`frame_length`, got frame_step={frame_step}, frame_length={frame_length}."
            )
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                f"{describe(self)}: `fft_length` should be not less than `frame_length`, got fft_length="
                f"{fft_length}, frame_length={frame_length}."
            )
        if fft_length is not None and fft_length & (fft_length - 1):
            warnings.warn(
                f"`fft_length` is recommended to be a power of two. Received fft_length={fft_length}",
                stacklevel=2,
            )
        self.frame_step = frame_step
        self.fft_length = fft_length
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.expand_dims = expand_dims
        self.data_format = config.standardize_data_format(data_format, self)
        self.__dict__.update(
            _step=frame_step or max(frame_length // 2, 1),
            _fft_length=fft_length or 2 ** math.ceil(math.log2(frame_length)),
            real_kernel_initializer=STFT("real", window, scaling, periodic),
            imag_kernel_initializer=STFT("imag", window, scaling, periodic),
        )
        self.input_spec = InputSpec(ndim=3)

    @property
    def weight_specs(self):
        """The kernels that the mode needs."""
        parts = [part for part in ("real", "imag") if self.mode not in ("real", "imag") or self.mode == part]
        return tuple(WeightSpec(f"{part}_kernel", f"{part}.weight", (2, 1, 0)) for part in parts)

    def build(self, input_shape):
        """Make the convolutions, of one channel, which all channels go through."""
        bins = self._fft_length // 2 + 1
        for spec in self.weight_specs:
            module = nn.Conv1d(1, bins, self.frame_length, stride=self._step, bias=False)
            setattr(self, spec.at.partition(".")[0], module)

    def call(self, inputs):
        """Transform the frames of each channel."""
        if not inputs.is_floating_point():
            raise TypeError(
                f"{describe(self)}: Invalid input type. Expected `float16`, `float32` or `float64`, got "
                f"{inputs.dtype}. Scale the integers of a recording to [-1, 1]: `x / 32768` for 16 bits."
            )
        if self.data_format == "channels_last":
            inputs = inputs.transpose(1, 2)
        _, channels, time = inputs.shape
        x = inputs.reshape(-1, 1, time)
        if self.padding == "same":
            missing = (-(-time // self._step) - 1) * self._step + self.frame_length - time
            missing = max(missing, 0)
            x = functional.pad(x, (missing // 2, missing - missing // 2))
        if not torch.compiler.is_compiling() and x.shape[-1] < self.frame_length:
            raise ValueError(
                f"{describe(self)}: expected at least frame_length={self.frame_length} samples, got {time}. "
                "Pass longer inputs, or padding='same'."
            )
        found = self._transform(x)
        found = found.reshape(-1, channels, *found.shape[1:])  # (batch, channels, bins, frames)
        if self.expand_dims:
            order = (0, 3, 2, 1) if self.data_format == "channels_last" else (0, 1, 3, 2)
            return found.permute(order)
        found = found.flatten(1, 2)
        return found.transpose(1, 2) if self.data_format == "channels_last" else found

    def _transform(self, x):
        if self.mode in ("real", "imag"):
            return (self.real if self.mode == "real" else self.imag)(x)
        real, imag = self.real(x), self.imag(x)
        if self.mode == "stft":
            return torch.cat([real, imag], 1)
        if self.mode == "angle":
            return torch.atan2(imag, real)
        power = real.square() + imag.square()
        if self.mode == "psd":
            return power * self._sides(power)
        magnitude = torch.sqrt(power.clamp(min=LEAST_POWER))
        return magnitude if self.mode == "magnitude" else torch.log(magnitude)

    def _sides(self, power):
        """How many frequencies each bin stands for: negative ones mirror all but the first and last."""
        sides = torch.full((power.shape[1], 1), 2.0, dtype=power.dtype, device=power.device)
        sides[0] = 1.0
        if self._fft_length % 2 == 0:
            sides[-1] = 1.0
        return sides


class MelSpectrogram(Layer):
    """Spectrogram of raw sound on the mel scale, in decibels, by `torch.stft`.

    Args:
        fft_length: Length of the transform.
        sequence_stride: Samples from frame to frame.
        sequence_length: Samples a frame, up to `fft_length`; `None`: `fft_length`.
        window: `"hann"`, `"hamming"`, the values of a window, or `None` for none.
        sampling_rate: Samples a second.
        num_mel_bins: Number of bands.
        min_freq: Lowest frequency, in Hz.
        max_freq: Highest frequency, in Hz; `None`: half of `sampling_rate`.
        power_to_db: Whether to give decibels.
        top_db: Decibels below the loudest value of the whole batch at which values are cut; `None`: nowhere.
        mag_exp: Exponent of the magnitudes: 2 is power.
        min_power: Least power that is told from silence.
        ref_power: Power of 0 dB.

    Shapes:
        input `(time,)` or `(batch, time)` -> output `(num_mel_bins, frames)`, `(batch, num_mel_bins, frames)`
        with `frames = time // sequence_stride + 1`

    Raises:
        ValueError: `fft_length` below `sequence_length`; an unknown window; an input too short to be mirrored
            at its ends by `fft_length // 2` samples.

    Source: Keras 3 `keras.layers.MelSpectrogram`.
    """

    def __init__(
        self,
        fft_length=2048,
        sequence_stride=512,
        sequence_length=None,
        window="hann",
        sampling_rate=16000,
        num_mel_bins=128,
        min_freq=20.0,
        max_freq=None,
        power_to_db=True,
        top_db=80.0,
        mag_exp=2.0,
        min_power=1e-10,
        ref_power=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power
        if fft_length < self.sequence_length:
            raise ValueError(
                f"{describe(self)}: `fft_length` must be greater than or equal to `sequence_length`, got "
                f"sequence_length={self.sequence_length}, fft_length={fft_length}."
            )
        if isinstance(window, str):
            one_of(self, "window", window, ("hann", "hamming"))

    @property
    def _spectrum_dtype(self):
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape=None):
        """Compute the window and the bands."""
        dtype, device = dtypes.torch_dtype(self._spectrum_dtype), self._device or default_device()
        length = self.sequence_length
        if isinstance(self.window, str):
            window = getattr(torch, f"{self.window}_window")(length, dtype=torch.float64, device="cpu")
        else:
            window = torch.ones(length) if self.window is None else torch.as_tensor(np.asarray(self.window))
        bands = self.linear_to_mel_weight_matrix(
            num_mel_bins=self.num_mel_bins,
            num_spectrogram_bins=self.fft_length // 2 + 1,
            sampling_rate=self.sampling_rate,
            lower_edge_hertz=self.min_freq,
            upper_edge_hertz=self.max_freq,
            dtype=self._spectrum_dtype,
        )
        self.register_buffer("window_values", window.to(device, dtype), persistent=False)
        self.register_buffer("bands", bands.T.contiguous().to(device), persistent=False)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins=20,
        num_spectrogram_bins=129,
        sampling_rate=8000,
        lower_edge_hertz=125.0,
        upper_edge_hertz=3800.0,
        dtype="float32",
    ):
        """Return how much each bin of a spectrum counts in each band of the mel scale.

        Args:
            num_mel_bins: Number of bands: overlapping triangles of equal width on the mel scale.
            num_spectrogram_bins: Number of bins, from 0 Hz to half of `sampling_rate`; the first counts 0.
            sampling_rate: Samples a second.
            lower_edge_hertz, upper_edge_hertz: Where the first band begins and the last one ends.
            dtype: Dtype name.

        Returns:
            A tensor of shape `(num_spectrogram_bins, num_mel_bins)`.
        """
        frequencies = torch.linspace(0.0, sampling_rate / 2, num_spectrogram_bins, dtype=torch.float64)[1:]
        edges = torch.tensor([lower_edge_hertz, upper_edge_hertz], dtype=torch.float64)
        first, last = hertz_to_mel(edges).tolist()
        edges = torch.linspace(first, last, num_mel_bins + 2, dtype=torch.float64)
        lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
        mel = hertz_to_mel(frequencies).unsqueeze(1)
        triangles = torch.minimum((mel - lower) / (center - lower), (upper - mel) / (upper - center))
        return functional.pad(triangles.clamp(min=0.0), (0, 0, 1, 0)).to(dtypes.torch_dtype(dtype))

    def call(self, inputs):
        """Transform, add up the bands, and give decibels."""
        dtype = dtypes.torch_dtype(self.compute_dtype)
        time = inputs.shape[-1]
        if shapes.is_probing() and time >= self.sequence_stride:  # whatever the ends would need
            frames = time // self.sequence_stride + 1
            return inputs.new_zeros((*inputs.shape[:-1], self.num_mel_bins, frames), dtype=dtype)
        if not torch.compiler.is_compiling() and time <= self.fft_length // 2:
            raise ValueError(
                f"{describe(self)}: expected more than fft_length // 2 = {self.fft_length // 2} samples, "
                f"because the ends are mirrored by that much; got {time}. Pass longer inputs, or a smaller "
                "`fft_length`."
            )
        with torch.autocast(inputs.device.type if inputs.device.type != "meta" else "cpu", enabled=False):
            spectrum = torch.stft(
                inputs.reshape(-1, time).to(self.bands.dtype),
                self.fft_length,
                self.sequence_stride,
                self.sequence_length,
                self.window_values,
                center=True,
                pad_mode="reflect",
                return_complex=True,
            )
            mel = torch.matmul(self.bands, spectrum.abs() ** self.mag_exp)
            if self.power_to_db:
                mel = self._decibels(mel)
        return mel.reshape(*inputs.shape[:-1], self.num_mel_bins, -1).to(dtype)

    def _decibels(self, power):
        reference = math.log10(max(self.ref_power, self.min_power))
        found = 10.0 * (torch.log10(power.clamp(min=self.min_power)) - reference)
        return found if self.top_db is None else torch.maximum(found, found.max() - self.top_db)


def hertz_to_mel(frequencies):
    """Return frequencies in Hz on the mel scale of HTK."""
    return 1127.0 * torch.log1p(frequencies / 700.0)
