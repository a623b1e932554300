"""MobileNetV2: inverted bottlenecks, wide inside and narrow at their ends."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import STORE, WeightFile, assemble, channel_axis, same_ends
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode
from torchkeras_lite.applications.mobilenet import check_alpha, height, trained_size

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# expansion, filters, repeats, strides of the first
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# the widths and image sizes that there are weights for
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
SIZES = (96, 128, 160, 192, 224)
MOMENTUM = 0.999

preprocess_input = in_mode("tf")


def MobileNetV2(
    input_shape=None,
    alpha=1.0,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    """MobileNetV2; for images of 224x224 pixels, with weights for 96, 128, 160 and 192 too.

    The arguments that are not told here are described in `torchkeras_lite.applications`.

    Args:
        alpha: Width: the number of filters is multiplied by it. There are weights for 0.35, 0.5, 0.75, 1, 1.3
            and 1.4.
        name: Name; `None`: `mobilenetv2_<alpha>_<height>`.

    Source: Sandler et al. 2018 (arXiv:1801.04381); Keras 3 `keras.applications.MobileNetV2`.
    """
    if weights == "imagenet":
        check_alpha(alpha, ALPHAS)
    size = trained_size(input_shape, SIZES, weights)

    def body(x):
        filters = multiple_of_8(32 * alpha)
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
        x = _normalize(x, "bn_Conv1", "Conv1_relu")
        number = 0
        for expansion, filters, count, strides in BLOCKS:
            for repeat in range(count):
                name = f"block_{number}" if number else "expanded_conv"
                x = _block(x, name, expansion, multiple_of_8(int(filters * alpha)), 1 if repeat else strides)
                number += 1
        last = multiple_of_8(1280 * max(alpha, 1.0))
        x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
        return _normalize(x, "Conv_1_bn", "out_relu")

    file_name = (
        f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{size}"
        f"{'' if include_top else '_no_top'}.h5"
    )
    return assemble(
        body,
        WeightFile(file_name, f"{STORE}mobilenet_v2/{file_name}"),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name or f"mobilenetv2_{alpha:.2f}_{height(input_shape)}",
        default_size=size,
        top=_top,
        pool_names=(None, None),
    )


def multiple_of_8(wanted):
    """Return the multiple of 8 next to `wanted`, not more than a tenth below."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _top(x, classes, activation):
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def _normalize(x, name, relu_name=None):
    x = layers.BatchNormalization(axis=channel_axis(counted=True), momentum=MOMENTUM, name=name)(x)
    return x if relu_name is None else layers.ReLU(6.0, name=relu_name)(x)


def _block(x, name, expansion, filters, strides):
    around, channels = x, x.shape[channel_axis()]
    if expansion != 1:
        x = layers.Conv2D(expansion * channels, 1, padding="same", use_bias=False, name=f"{name}_expand")(x)
        x = _normalize(x, f"{name}_expand_BN", f"{name}_expand_relu")
    if strides == 2:
        x = layers.ZeroPadding2D(same_ends(x, 3), name=f"{name}_pad")(x)
    padding = "valid" if strides == 2 else "same"
    x = layers.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False, name=f"{name}_depthwise")(
        x
    )
    x = _normalize(x, f"{name}_depthwise_BN", f"{name}_depthwise_relu")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project")(x)
    x = _normalize(x, f"{name}_project_BN")
    fits = strides == 1 and channels == filters
    return layers.Add(name=f"{name}_add")([around, x]) if fits else x
