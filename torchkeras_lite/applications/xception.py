"""Xception: depthwise separable convolutions throughout."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, channel_axis, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

HASHES = ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97")
# block: filters of its separable convolutions, and whether it halves the size
BLOCKS = {
    2: ((128, 128), True),
    3: ((256, 256), True),
    4: ((728, 728), True),
    **dict.fromkeys(range(5, 13), ((728, 728, 728), False)),
    13: ((728, 1024), True),
}

preprocess_input = in_mode("tf")


def Xception(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="xception",
):
    """Xception; for images of 299x299 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Chollet 2016 (arXiv:1610.02357); Keras 3 `keras.applications.Xception`.
    """
    return _xception(**locals())


def _xception(include_top, **arguments):
    file = kernels_file("xception", "xception", HASHES, include_top)
    return assemble(
        _body,
        file,
        include_top=include_top,
        default_size=299,
        min_size=71,
        pool_names=(None, None),
        **arguments,
    )


def _body(x):
    for number, (filters, strides) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{number}"
        x = layers.Conv2D(filters, 3, strides=strides, use_bias=False, name=name)(x)
        x = layers.BatchNormalization(axis=channel_axis(counted=True), name=f"{name}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_act")(x)
    for block, (filters, halves) in BLOCKS.items():
        x = _block(x, f"block{block}", filters, halves, first=block == 2)
    for number, filters in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{number}"
        x = _separable(x, filters, name)
        x = layers.Activation("relu", name=f"{name}_act")(x)
    return x


def _separable(x, filters, name):
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(axis=channel_axis(counted=True), name=f"{name}_bn")(x)


def _block(x, name, filters, halves, first):
    around = x
    if halves:
        around = layers.Conv2D(filters[-1], 1, strides=2, padding="same", use_bias=False)(x)
        around = layers.BatchNormalization(axis=channel_axis(counted=True))(around)
    for number, count in enumerate(filters, 1):
        if not (first and number == 1):  # the first block gets what was activated already
            x = layers.Activation("relu", name=f"{name}_sepconv{number}_act")(x)
        x = _separable(x, count, f"{name}_sepconv{number}")
    if halves:
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.Add()([x, around])
