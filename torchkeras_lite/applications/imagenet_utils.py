"""What goes into and comes out of models trained on ImageNet: `preprocess_input`, `decode_predictions`."""

import json

import numpy as np
import torch

from torchkeras_lite import ops
from torchkeras_lite.applications.assembly import CLASSES, WeightFile
from torchkeras_lite.base.config import floatx, standardize_data_format
from torchkeras_lite.base.dtypes import torch_dtype
from torchkeras_lite.engine.keras_tensor import is_symbolic

__all__ = ["decode_predictions", "preprocess_input"]

INDEX = WeightFile(
    "imagenet_class_index.json",
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
    "c2c37ea517e94d9795004a39431a14cb",
)
# mode: whether red and blue change places, divisor, mean of each channel, deviation of each channel
MODES = {
    "caffe": (True, 1.0, (103.939, 116.779, 123.68), None),
    "tf": (False, 127.5, (1.0,), None),
    "torch": (False, 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def preprocess_input(x, data_format=None, mode="caffe"):
    """Bring images of values 0 to 255 into the range that a model was trained with.

    Args:
        x: Images, an array or a tensor (symbolic too), one or a batch of them.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.
        mode: `"caffe"`: red and blue change places, the mean of each channel is taken off; `"tf"`: to
            [-1, 1]; `"torch"`: to [0, 1], then normalized by the mean and deviation of each channel.

    Returns:
        An array or tensor like `x`; of integers, one of floats.

    Raises:
        ValueError: an unknown mode or data format; another number of channels in the modes that have means of
            channels.

    Source: Keras 3 `keras.applications.imagenet_utils.preprocess_input`. Differs: what is passed in is never
    written to; integer tensors become floats in every mode, as arrays do; a fourth channel is refused where
    channels have means of their own.
    """
    if mode not in MODES:
        raise ValueError(f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: mode={mode}")
    if data_format not in (None, "channels_first", "channels_last"):
        raise ValueError(
            "Expected data_format to be one of `channels_first` or `channels_last`. "
            f"Received: data_format={data_format}"
        )
    axis = -1 if standardize_data_format(data_format) == "channels_last" else -3
    swaps, divisor, means, deviations = MODES[mode]
    is_tensor = isinstance(x, torch.Tensor) or is_symbolic(x)
    x = x if is_tensor else np.asarray(x)
    if len(means) > 1 and (x.ndim < -axis or x.shape[axis] != len(means)):
        raise ValueError(
            f"preprocess_input: mode {mode!r} needs images of 3 channels along axis {axis}, got shape "
            f"{tuple(x.shape)}. Repeat the channel of grey images, leave out a fourth one."
        )
    if is_tensor:
        return _scale_tensor(x, axis, swaps, divisor, means, deviations)
    x = x if np.issubdtype(x.dtype, np.floating) else x.astype(floatx())
    x = np.flip(x, axis) if swaps else x
    x = x / x.dtype.type(divisor) if divisor != 1.0 else x
    x = x - _beside(np.asarray(means, x.dtype), axis)
    return x if deviations is None else x / _beside(np.asarray(deviations, x.dtype), axis)


def _scale_tensor(x, axis, swaps, divisor, means, deviations):
    dtype = x.dtype if is_symbolic(x) else str(x.dtype).removeprefix("torch.")
    if "float" not in dtype:
        dtype = floatx()
        x = ops.cast(x, dtype)
    make = {"dtype": torch_dtype(dtype), "device": x.device}
    x = ops.flip(x, axis) if swaps else x
    x = x / divisor if divisor != 1.0 else x
    if len(means) == 1:
        return x - means[0]
    x = x - _beside(torch.tensor(means, **make), axis)
    return x if deviations is None else x / _beside(torch.tensor(deviations, **make), axis)


def _beside(values, axis):
    """Return one value a channel, in a shape that goes with images whose channels lie along `axis`."""
    return values if axis == -1 or len(values) == 1 else values.reshape(-1, 1, 1)


def unchanged(x, data_format=None):
    """Return `x` as it is: the model has layers that scale the images.

    Args:
        x: Images with values from 0 to 255.
        data_format: Without effect.
    """
    return x


def in_mode(mode):
    """Return the `preprocess_input` of an architecture."""

    def preprocess_input(x, data_format=None):
        return _preprocess(x, data_format=data_format, mode=mode)

    preprocess_input.__doc__ = f"""Bring images of values 0 to 255 into the range that this architecture was \
trained with.

    The same as `imagenet_utils.preprocess_input(x, data_format, mode="{mode}")`.
    """
    return preprocess_input


_preprocess = preprocess_input


def decode_predictions(preds, top=5):
    """Return the names of the likeliest classes of ImageNet.

    Args:
        preds: Predictions of shape `(samples, 1000)`, an array or a tensor.
        top: How many classes to return for each sample.

    Returns:
        For each sample a list of `(WordNet id, name, score)`, the likeliest first.

    Raises:
        ValueError: predictions of another shape.
        OSError: the list of names is neither in the cache nor can be downloaded.

    Source: Keras 3 `keras.applications.imagenet_utils.decode_predictions`.
    """
    preds = preds.detach().cpu().numpy() if isinstance(preds, torch.Tensor) else np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != CLASSES:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). "
            f"Received array with shape: {preds.shape}. A model with other classes has names of your own."
        )
    with open(INDEX.fetch(), encoding="utf-8") as file:
        names = json.load(file)
    likeliest = np.argsort(preds, axis=1)[:, ::-1][:, :top]
    return [
        [(*names[str(index)], scores[index]) for index in row]
        for row, scores in zip(likeliest, preds, strict=True)
    ]
