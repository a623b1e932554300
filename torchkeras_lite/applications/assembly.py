"""What all architectures share: the checks of the arguments, the input, the top and the weights."""

import os
import warnings
from dataclasses import dataclass

from torchkeras_lite import activations, layers
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.base.config import image_data_format
from torchkeras_lite.engine.keras_tensor import KerasTensor
from torchkeras_lite.models import Model
from torchkeras_lite.utils.downloads import get_file

STORE = "https://storage.googleapis.com/tensorflow/keras-applications/"
CLASSES = 1000


@dataclass(frozen=True)
class WeightFile:
    """A file of weights trained on ImageNet.

    Args:
        name: Its name in the cache.
        origin: Where it is downloaded from.
        file_hash: Its checksum, where Keras gives one.
    """

    name: str
    origin: str
    file_hash: str | None = None

    def fetch(self):
        """Return the path of the file in the cache, downloaded where it is not there."""
        return get_file(self.name, self.origin, cache_subdir="models", file_hash=self.file_hash)


def weight_file(stem, folder, hashes, include_top, no_top="_notop"):
    """Return the file `<stem>.h5`, or `<stem><no_top>.h5`, whose address ends in the same name."""
    name = f"{stem}{'' if include_top else no_top}.h5"
    return WeightFile(name, f"{STORE}{folder}/{name}", hashes[not include_top])


def kernels_file(name, folder, hashes, include_top):
    """Return the file with the long name that the older architectures have."""
    return weight_file(f"{name}_weights_tf_dim_ordering_tf_kernels", folder, hashes, include_top)


def assemble(
    body,
    file,
    *,
    include_top,
    weights,
    input_tensor,
    input_shape,
    pooling,
    classes,
    classifier_activation,
    name,
    default_size,
    min_size=32,
    top=None,
    pool_names=("avg_pool", "max_pool"),
    after_pool=None,
    channels_last_only=None,
    fixed_size=True,
):
    """Return the model of an architecture.

    Args:
        body: Function from the symbolic input to the features.
        file: The `WeightFile` for `weights="imagenet"`.
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name:
            The arguments of the public function; see `torchkeras_lite.applications`.
        default_size: Height and width of the images that the model is for.
        min_size: Least height and width.
        top: Function `(features, classes, activation)` to the predictions.
        pool_names: Names of the pooling layers without a top; `(None, None)` for automatic ones.
        after_pool: Function applied to the output when there is no top.
        channels_last_only: Name of the family, if it has that data format alone.
        fixed_size: Whether the top needs a known height and width.
    """
    if channels_last_only and image_data_format() == "channels_first":
        raise ValueError(
            f"{channels_last_only} does not support the `channels_first` image data format. Call "
            "keras.config.set_image_data_format('channels_last') first."
        )
    activation = activations.get(classifier_activation)
    _check(include_top, weights, classes, activation, pooling)
    if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
        raise ValueError(
            "Argument `input_tensor` must be a KerasTensor. Received invalid type: input_tensor of type "
            f"{type(input_tensor).__name__}. Make one with keras.Input(...)."
        )
    shape = _shape(input_shape, default_size, min_size, weights, include_top and fixed_size)
    if input_tensor is None:
        inputs = sources = layers.Input(shape=shape)
    else:
        _check_agreement(input_shape, input_tensor)
        inputs, sources = input_tensor, source_inputs(input_tensor)
    x = body(inputs)
    if include_top:
        x = (top or classify)(x, classes, activation)
    else:
        x = pool(x, pooling, pool_names)
        x = x if after_pool is None else after_pool(x)
    model = Model(sources, x, name=name)
    if weights is not None:
        model.load_weights(file.fetch() if weights == "imagenet" else os.fspath(weights))
    return model


def classify(x, classes, activation):
    """Return predictions from the means of the features."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def pool(x, pooling, names):
    """Return the features, their means or their maxima."""
    if pooling is None:
        return x
    kind, name = {
        "avg": (layers.GlobalAveragePooling2D, names[0]),
        "max": (layers.GlobalMaxPooling2D, names[1]),
    }[pooling]
    return kind(name=name)(x)


def channel_axis(counted=False):
    """Return the axis of the channels: 3 or 1, with `counted` from the end: -1 or 1."""
    if image_data_format() == "channels_first":
        return 1
    return -1 if counted else 3


def same_ends(x, kernel_size):
    """Return the padding before a convolution of stride 2 with which it reads the places that TensorFlow's
    padding "same" does.

    Args:
        x: The symbolic input.
        kernel_size: Size of the kernel, odd.
    """
    start = 1 if image_data_format() == "channels_last" else 2
    reach = kernel_size // 2
    return tuple((reach - (size is None or size % 2 == 0), reach) for size in x.shape[start : start + 2])


def source_inputs(tensor):
    """Return the inputs that a symbolic tensor was computed from, in the order of their use."""
    found, seen, waiting = [], set(), [tensor]
    while waiting:
        call = waiting.pop(0).call
        if id(call) in seen:
            continue
        seen.add(id(call))
        if call.is_input:
            found += call.tensors
        waiting += call.inputs
    return found


def _check(include_top, weights, classes, activation, pooling):
    if weights not in (None, "imagenet") and not os.path.exists(weights):
        raise ValueError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet' "
            "(pre-training on ImageNet), or the path to the weights file to be loaded. Received: "
            f"weights={weights!r}, and there is no such file."
        )
    if pooling is not None:
        one_of("applications", "pooling", pooling, ("avg", "max"))
    if not include_top:
        return
    if weights == "imagenet" and classes != CLASSES:
        raise ValueError(
            "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000. Received "
            f"classes={classes}. Pass include_top=False and add a top of your own."
        )
    if weights is not None and activation not in (activations.softmax, activations.linear):
        raise ValueError(
            "Only `None` and `softmax` activations are allowed for the `classifier_activation` argument when "
            "using pretrained weights, with `include_top=True`; Received: "
            f"classifier_activation={activation}"
        )


def _shape(given, default_size, min_size, weights, needs_size):
    """Return the shape of the input: the given one, checked, or the default."""
    channels_first = image_data_format() == "channels_first"

    def arranged(size, channels):
        return (channels, size, size) if channels_first else (size, size, channels)

    if given is None:
        return arranged(default_size if needs_size else None, 3)
    shape = tuple(given)
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must be a tuple of three integers. Received: input_shape={given}")
    channels = shape[0 if channels_first else -1]
    sides = shape[1:] if channels_first else shape[:2]
    if weights == "imagenet" and needs_size and shape != arranged(default_size, 3):
        raise ValueError(
            "When setting `include_top=True` and loading `imagenet` weights, `input_shape` should be "
            f"{arranged(default_size, 3)}. Received: input_shape={given}. Pass include_top=False for images "
            "of other sizes."
        )
    if weights == "imagenet" and channels != 3:
        raise ValueError(f"The input must have 3 channels; Received `input_shape={given}`")
    if channels not in (1, 3):
        warnings.warn(
            "This model usually expects 1 or 3 input channels. However, it was passed an input_shape with "
            f"{channels} input channels.",
            stacklevel=4,
        )
    if any(side is not None and side < min_size for side in sides):
        raise ValueError(f"Input size must be at least {min_size}x{min_size}; Received: input_shape={given}")
    if needs_size and None in shape:
        raise ValueError(
            "If `include_top` is True, you should specify a static `input_shape`. Received: "
            f"input_shape={given}"
        )
    return shape


def _check_agreement(input_shape, input_tensor):
    if input_shape is None:
        return
    for wanted, size in zip(input_shape, input_tensor.shape[1:], strict=False):
        if None not in (wanted, size) and wanted != size:
            raise ValueError(
                f"`input_shape` and the shape of `input_tensor` must be equal. Received: input_shape="
                f"{tuple(input_shape)}, input_tensor.shape={tuple(input_tensor.shape)}. Leave `input_shape` "
                "out."
            )
