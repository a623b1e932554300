"""MobileNet: depthwise separable convolutions, with a width to choose."""

import warnings

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import STORE, WeightFile, assemble, channel_axis
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode
from torchkeras_lite.base.config import image_data_format

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

# filters and strides of each block
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
# the widths and image sizes that there are weights for; width: how the name of the file spells it
ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
SIZES = (128, 160, 192, 224)

preprocess_input = in_mode("tf")


def MobileNet(
    input_shape=None,
    alpha=1.0,
    depth_multiplier=1,
    dropout=1e-3,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    """MobileNet; for images of 224x224 pixels, with weights for 128, 160 and 192 too.

    The arguments that are not told here are described in `torchkeras_lite.applications`.

    Args:
        alpha: Width: the number of filters is multiplied by it. There are weights for 0.25, 0.5, 0.75 and 1.
        depth_multiplier: How many results a depthwise convolution has for a channel. There are weights for 1.
        dropout: Rate of the dropout before the predictions.
        name: Name; `None`: `mobilenet_<alpha>_<height>`.

    Source: Howard et al. 2017 (arXiv:1704.04861); Keras 3 `keras.applications.MobileNet`.
    """
    if weights == "imagenet":
        check_alpha(alpha, ALPHAS)
        if depth_multiplier != 1:
            raise ValueError(
                "If imagenet weights are being loaded, depth multiplier must be 1. Received "
                f"depth_multiplier={depth_multiplier}"
            )
    size = trained_size(input_shape, SIZES, weights)

    def body(x):
        x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
        x = _normalize(x, "conv1")
        for number, (filters, strides) in enumerate(BLOCKS, 1):
            x = _block(x, int(filters * alpha), strides, depth_multiplier, number)
        return x

    def top(x, classes, activation):
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(classes, 1, padding="same", name="conv_preds")(x)
        x = layers.Reshape((classes,), name="reshape_2")(x)
        return layers.Activation(activation, name="predictions")(x)

    file_name = f"mobilenet_{ALPHAS.get(alpha)}_{size}_tf{'' if include_top else '_no_top'}.h5"
    return assemble(
        body,
        WeightFile(file_name, f"{STORE}mobilenet/{file_name}"),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name or f"mobilenet_{alpha:.2f}_{height(input_shape)}",
        default_size=size,
        top=top,
        pool_names=(None, None),
    )


def check_alpha(alpha, known):
    """Raise if there are no weights for this width."""
    if alpha not in known:
        raise ValueError(
            f"If imagenet weights are being loaded, alpha must be one of {', '.join(map(str, known))} only. "
            f"Received alpha={alpha}"
        )


def height(input_shape):
    """Return the height that the automatic name tells, 224 where it is not known."""
    known = input_shape and tuple(input_shape)[1 if image_data_format() == "channels_first" else 0]
    return known or 224


def trained_size(input_shape, sizes, weights):
    """Return the size of the images that the weights for `input_shape` were trained with."""
    if input_shape is None:
        return 224
    sides = tuple(input_shape)[1:] if image_data_format() == "channels_first" else tuple(input_shape)[:2]
    if len(set(sides)) == 1 and sides[0] in sizes:
        return sides[0]
    if weights == "imagenet":
        warnings.warn(
            f"`input_shape` is undefined or non-square, or its height is not in {list(sizes)}. Weights for "
            "input shape (224, 224) will be loaded as the default.",
            stacklevel=3,
        )
    return 224


def _normalize(x, name):
    x = layers.BatchNormalization(axis=channel_axis(counted=True), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _block(x, filters, strides, depth_multiplier, number):
    if strides == 2:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="valid" if strides == 2 else "same",
        depth_multiplier=depth_multiplier,
        use_bias=False,
        name=f"conv_dw_{number}",
    )(x)
    x = _normalize(x, f"conv_dw_{number}")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return _normalize(x, f"conv_pw_{number}")
