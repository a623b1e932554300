"""InceptionResNetV2: branches of convolutions whose joint result is added to what goes around them."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, channel_axis, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode
from torchkeras_lite.applications.inception_v3 import (
    AVERAGE,
    COLUMN,
    HALVE,
    MAX,
    ROW,
    STEM,
    chain,
    convolve,
    join,
)
from torchkeras_lite.layers.inception_resnet import CustomScaleLayer

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

HASHES = ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4")
# Joined branches, in the form of `inception_v3`.
MIXED_5B = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)), (AVERAGE, (64, 1)))
MIXED_6A = (((384, 3, HALVE),), ((256, 1), (256, 3), (384, 3, HALVE)), (MAX,))
MIXED_7A = (
    ((256, 1), (384, 3, HALVE)),
    ((256, 1), (288, 3, HALVE)),
    ((256, 1), (288, 3), (320, 3, HALVE)),
    (MAX,),
)
BLOCK_35 = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3)))
BLOCK_17 = (((192, 1),), ((128, 1), (160, ROW), (192, COLUMN)))
BLOCK_8 = (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))

preprocess_input = in_mode("tf")


def InceptionResNetV2(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="inception_resnet_v2",
):
    """InceptionResNetV2; for images of 299x299 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Szegedy et al. 2016 (arXiv:1602.07261); Keras 3 `keras.applications.InceptionResNetV2`.
    """
    file = kernels_file("inception_resnet_v2", "inception_resnet_v2", HASHES, include_top)
    return assemble(
        _body,
        file,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name,
        default_size=299,
        min_size=75,
        pool_names=(None, None),
    )


def _body(x):
    x = chain(x, STEM)
    x = join(x, MIXED_5B, "mixed_5b")
    for number in range(1, 11):
        x = _block(x, BLOCK_35, 0.17, f"block35_{number}")
    x = join(x, MIXED_6A, "mixed_6a")
    for number in range(1, 21):
        x = _block(x, BLOCK_17, 0.1, f"block17_{number}")
    x = join(x, MIXED_7A, "mixed_7a")
    for number in range(1, 10):
        x = _block(x, BLOCK_8, 0.2, f"block8_{number}")
    x = _block(x, BLOCK_8, 1.0, "block8_10", activates=False)
    return convolve(x, 1536, 1, name="conv_7b")


def _block(x, branches, scale, name, activates=True):
    found = join(x, branches, f"{name}_mixed")
    channels = x.shape[channel_axis()]
    found = layers.Conv2D(channels, 1, padding="same", name=f"{name}_conv")(found)
    x = CustomScaleLayer(scale)([x, found])
    return layers.Activation("relu", name=f"{name}_ac")(x) if activates else x
