"""EfficientNetV2: in the first stages one convolution in place of a narrow and a depthwise one."""

import math

from torchkeras_lite import layers
from torchkeras_lite.applications import efficientnet
from torchkeras_lite.applications.assembly import assemble, channel_axis, weight_file
from torchkeras_lite.applications.efficientnet import (
    DEVIATION,
    DROP_CONNECT,
    MEAN,
    SE_RATIO,
    add_around,
    convolution,
    depthwise,
    squeeze_and_excite,
)
from torchkeras_lite.applications.imagenet_utils import decode_predictions
from torchkeras_lite.applications.imagenet_utils import unchanged as preprocess_input
from torchkeras_lite.initializers import Constant

__all__ = [
    *(f"EfficientNetV2{variant}" for variant in ("B0", "B1", "B2", "B3", "L", "M", "S")),
    "decode_predictions",
    "preprocess_input",
]

# whether the depthwise convolution is fused with the first, repeats, filters that come in and go out,
# expansion, strides; kernels are 3x3, and blocks that are not fused have squeeze and excitation
BASE = (
    (True, 1, 32, 16, 1, 1),
    (True, 2, 16, 32, 4, 2),
    (True, 2, 32, 48, 4, 2),
    (False, 3, 48, 96, 4, 2),
    (False, 5, 96, 112, 6, 1),
    (False, 8, 112, 192, 6, 2),
)
SMALL = (
    (True, 2, 24, 24, 1, 1),
    (True, 4, 24, 48, 4, 2),
    (True, 4, 48, 64, 4, 2),
    (False, 6, 64, 128, 4, 2),
    (False, 9, 128, 160, 6, 1),
    (False, 15, 160, 256, 6, 2),
)
MEDIUM = (
    (True, 3, 24, 24, 1, 1),
    (True, 5, 24, 48, 4, 2),
    (True, 5, 48, 80, 4, 2),
    (False, 7, 80, 160, 4, 2),
    (False, 14, 160, 176, 6, 1),
    (False, 18, 176, 304, 6, 2),
    (False, 5, 304, 512, 6, 1),
)
LARGE = (
    (True, 4, 32, 32, 1, 1),
    (True, 7, 32, 64, 4, 2),
    (True, 7, 64, 96, 4, 2),
    (False, 10, 96, 192, 4, 2),
    (False, 19, 192, 224, 6, 1),
    (False, 25, 224, 384, 6, 2),
    (False, 7, 384, 640, 6, 1),
)
# blocks, width and depth against them, size of the images, checksums of the files with and without the top
VARIANTS = {
    "b0": (BASE, 1.0, 1.0, 224, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"),
    "b1": (BASE, 1.0, 1.1, 240, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"),
    "b2": (BASE, 1.1, 1.2, 260, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"),
    "b3": (BASE, 1.2, 1.4, 300, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"),
    "s": (SMALL, 1.0, 1.0, 384, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"),
    "m": (MEDIUM, 1.0, 1.0, 480, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"),
    "l": (LARGE, 1.0, 1.0, 480, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"),
}
MOMENTUM = 0.9
DROPOUT = 0.2


def EfficientNetV2B0(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-b0",
):
    """EfficientNetV2 B0; for images of 224x224 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2B0`.
    """
    return _efficientnet_v2("b0", **locals())


def EfficientNetV2B1(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-b1",
):
    """EfficientNetV2 B1; for images of 240x240 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2B1`.
    """
    return _efficientnet_v2("b1", **locals())


def EfficientNetV2B2(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-b2",
):
    """EfficientNetV2 B2; for images of 260x260 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2B2`.
    """
    return _efficientnet_v2("b2", **locals())


def EfficientNetV2B3(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-b3",
):
    """EfficientNetV2 B3; for images of 300x300 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2B3`.
    """
    return _efficientnet_v2("b3", **locals())


def EfficientNetV2S(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-s",
):
    """EfficientNetV2 S; for images of 384x384 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2S`.
    """
    return _efficientnet_v2("s", **locals())


def EfficientNetV2M(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-m",
):
    """EfficientNetV2 M; for images of 480x480 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2M`.
    """
    return _efficientnet_v2("m", **locals())


def EfficientNetV2L(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="efficientnetv2-l",
):
    """EfficientNetV2 L; for images of 480x480 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Tan and Le 2021 (arXiv:2104.00298); Keras 3 `keras.applications.EfficientNetV2L`.
    """
    return _efficientnet_v2("l", **locals())


def _efficientnet_v2(variant, include_top, include_preprocessing, **arguments):
    blocks, width, depth, size, *hashes = VARIANTS[variant]
    total = sum(block[1] for block in blocks)

    def body(x):
        x = _preprocess(x, variant) if include_preprocessing else x
        x = convolution(_round_filters(blocks[0][2], width), 3, "stem_conv", strides=2)(x)
        x = _normalize(x, "stem_bn", "stem_activation")
        done = 0
        for stage, (is_fused, count, filters_in, filters_out, ratio, strides) in enumerate(blocks, 1):
            filters_in, filters_out = _round_filters(filters_in, width), _round_filters(filters_out, width)
            for repeat in range(math.ceil(depth * count)):
                name = f"block{stage}{chr(ord('a') + repeat)}"
                rate = DROP_CONNECT * done / total
                block = _fused_block if is_fused else _block
                x = block(x, name, filters_in, filters_out, ratio, strides, rate)
                filters_in, strides = filters_out, 1
                done += 1
        x = convolution(_round_filters(1280, width), 1, "top_conv")(x)
        return _normalize(x, "top_bn", "top_activation")

    def top(x, classes, activation):
        return efficientnet.classify(x, classes, activation, DROPOUT, Constant(0.0))

    file = weight_file(f"efficientnetv2-{variant}", "efficientnet_v2", hashes, include_top)
    return assemble(body, file, include_top=include_top, default_size=size, top=top, **arguments)


def _preprocess(x, variant):
    if not variant.startswith("b") or x.shape[channel_axis()] != len(MEAN):
        return layers.Rescaling(1.0 / 128.0, offset=-1)(x)
    x = layers.Rescaling(1.0 / 255.0)(x)
    variance = [deviation**2 for deviation in DEVIATION]
    return layers.Normalization(mean=list(MEAN), variance=variance, axis=channel_axis())(x)


def _normalize(x, name, activation_name=None):
    return efficientnet.normalize(x, name, activation_name, momentum=MOMENTUM)


def _round_filters(filters, width):
    """Return `filters` times `width` as a multiple of 8."""
    return max(8, int(filters * width + 4) // 8 * 8)


def _block(x, name, filters_in, filters_out, ratio, strides, rate):
    around = x
    x = convolution(filters_in * ratio, 1, f"{name}_expand_conv")(x)
    x = _normalize(x, f"{name}_expand_bn", f"{name}_expand_activation")
    x = depthwise(x, 3, strides, "same", f"{name}_dwconv2")
    x = _normalize(x, f"{name}_bn", f"{name}_activation")
    x = squeeze_and_excite(x, max(1, int(filters_in * SE_RATIO)), name)
    x = convolution(filters_out, 1, f"{name}_project_conv")(x)
    x = _normalize(x, f"{name}_project_bn")
    fits = strides == 1 and filters_in == filters_out
    return add_around(x, around, rate, name) if fits else x


def _fused_block(x, name, filters_in, filters_out, ratio, strides, rate):
    around = x
    if ratio == 1:
        x = convolution(filters_out, 3, f"{name}_project_conv", strides=strides)(x)
        x = _normalize(x, f"{name}_project_bn", f"{name}_project_activation")
    else:
        x = convolution(filters_in * ratio, 3, f"{name}_expand_conv", strides=strides)(x)
        x = _normalize(x, f"{name}_expand_bn", f"{name}_expand_activation")
        x = convolution(filters_out, 1, f"{name}_project_conv")(x)
        x = _normalize(x, f"{name}_project_bn")
    fits = strides == 1 and filters_in == filters_out
    return add_around(x, around, rate, name) if fits else x
