"""EfficientNet: inverted bottlenecks with squeeze and excitation, in eight sizes."""

import math

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import WeightFile, assemble, channel_axis, same_ends
from torchkeras_lite.applications.imagenet_utils import decode_predictions
from torchkeras_lite.applications.imagenet_utils import unchanged as preprocess_input
from torchkeras_lite.base.config import image_data_format
from torchkeras_lite.initializers import VarianceScaling

__all__ = [
    *(f"EfficientNetB{number}" for number in range(8)),
    "decode_predictions",
    "preprocess_input",
]

# kernel size, repeats, filters that come in and go out, expansion, strides
BLOCKS = (
    (3, 1, 32, 16, 1, 1),
    (3, 2, 16, 24, 6, 2),
    (5, 2, 24, 40, 6, 2),
    (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1),
    (5, 4, 112, 192, 6, 2),
    (3, 1, 192, 320, 6, 1),
)
# width and depth against B0, size of the images, dropout, checksums of the files with and without the top
VARIANTS = {
    0: (1.0, 1.0, 224, 0.2, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
    1: (1.0, 1.1, 240, 0.2, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
    2: (1.1, 1.2, 260, 0.3, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    3: (1.2, 1.4, 300, 0.3, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
    4: (1.4, 1.8, 380, 0.4, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    5: (1.6, 2.2, 456, 0.4, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
    6: (1.8, 2.6, 528, 0.5, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
    7: (2.0, 3.1, 600, 0.5, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
}
SE_RATIO = 0.25
DROP_CONNECT = 0.2  # share of the blocks' results that the last block drops in training
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
CONVOLUTIONS = {"mode": "fan_out", "distribution": "truncated_normal"}


def EfficientNetB0(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb0",
):
    """EfficientNet B0; for images of 224x224 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB0`.
    """
    return _efficientnet(0, **locals())


def EfficientNetB1(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb1",
):
    """EfficientNet B1; for images of 240x240 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB1`.
    """
    return _efficientnet(1, **locals())


def EfficientNetB2(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb2",
):
    """EfficientNet B2; for images of 260x260 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB2`.
    """
    return _efficientnet(2, **locals())


def EfficientNetB3(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb3",
):
    """EfficientNet B3; for images of 300x300 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB3`.
    """
    return _efficientnet(3, **locals())


def EfficientNetB4(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb4",
):
    """EfficientNet B4; for images of 380x380 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB4`.
    """
    return _efficientnet(4, **locals())


def EfficientNetB5(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb5",
):
    """EfficientNet B5; for images of 456x456 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB5`.
    """
    return _efficientnet(5, **locals())


def EfficientNetB6(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb6",
):
    """EfficientNet B6; for images of 528x528 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB6`.
    """
    return _efficientnet(6, **locals())


def EfficientNetB7(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetb7",
):
    """EfficientNet B7; for images of 600x600 pixels with values from 0 to 255.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Tan and Le 2019 (arXiv:1905.11946); Keras 3 `keras.applications.EfficientNetB7`.
    """
    return _efficientnet(7, **locals())


def _efficientnet(number, include_top, weights, **arguments):
    width, depth, size, dropout, *hashes = VARIANTS[number]
    total = sum(_repeats(block[1], depth) for block in BLOCKS)

    def body(x):
        x = layers.Rescaling(1.0 / 255.0)(x)
        x = layers.Normalization(axis=channel_axis())(x)
        if weights == "imagenet":  # the files hold variances in the place of deviations
            x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in DEVIATION])(x)
        x = layers.ZeroPadding2D(same_ends(x, 3), name="stem_conv_pad")(x)
        x = convolution(round_filters(32, width), 3, "stem_conv", strides=2, padding="valid")(x)
        x = normalize(x, "stem_bn", "stem_activation")
        done = 0
        for stage, (kernel, count, filters_in, filters_out, ratio, strides) in enumerate(BLOCKS, 1):
            filters_in, filters_out = round_filters(filters_in, width), round_filters(filters_out, width)
            for repeat in range(_repeats(count, depth)):
                name = f"block{stage}{chr(ord('a') + repeat)}"
                rate = DROP_CONNECT * done / total
                x = _block(x, name, kernel, filters_in, filters_out, ratio, strides, rate)
                filters_in, strides = filters_out, 1
                done += 1
        x = convolution(round_filters(1280, width), 1, "top_conv")(x)
        return normalize(x, "top_bn", "top_activation")

    def top(x, classes, activation):
        return classify(x, classes, activation, dropout, bias_initializer="zeros")

    name = f"efficientnetb{number}{'' if include_top else '_notop'}.h5"
    origin = f"https://storage.googleapis.com/keras-applications/{name}"
    file = WeightFile(name, origin, hashes[not include_top])
    return assemble(
        body, file, include_top=include_top, weights=weights, default_size=size, top=top, **arguments
    )


def convolution(filters, kernel_size, name, **arguments):
    """Return a convolution as these architectures have them."""
    arguments = {"padding": "same", "use_bias": False, **arguments}
    initializer = VarianceScaling(2.0, **CONVOLUTIONS)
    return layers.Conv2D(filters, kernel_size, kernel_initializer=initializer, name=name, **arguments)


def normalize(x, name, activation_name=None, momentum=0.99):
    """Return `x` after batch normalization and, where it has a name, the activation."""
    x = layers.BatchNormalization(axis=channel_axis(), momentum=momentum, name=name)(x)
    return x if activation_name is None else layers.Activation("swish", name=activation_name)(x)


def depthwise(x, kernel_size, strides, padding, name):
    """Return `x` after a depthwise convolution."""
    return layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        depthwise_initializer=VarianceScaling(2.0, **CONVOLUTIONS),
        name=name,
    )(x)


def squeeze_and_excite(x, filters, name):
    """Return `x`, each channel times a factor found from the means of all, through `filters` channels."""
    channels = x.shape[channel_axis()]
    factors = layers.GlobalAveragePooling2D(name=f"{name}_se_squeeze")(x)
    shape = (channels, 1, 1) if image_data_format() == "channels_first" else (1, 1, channels)
    factors = layers.Reshape(shape, name=f"{name}_se_reshape")(factors)
    factors = convolution(filters, 1, f"{name}_se_reduce", use_bias=True, activation="swish")(factors)
    factors = convolution(channels, 1, f"{name}_se_expand", use_bias=True, activation="sigmoid")(factors)
    return layers.Multiply(name=f"{name}_se_excite")([x, factors])


def add_around(x, around, rate, name):
    """Return `x` (whole samples of it dropped in training) plus what went around the block."""
    if rate > 0:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([x, around])


def classify(x, classes, activation, dropout, bias_initializer):
    """Return predictions from the means of the features."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(dropout, name="top_dropout")(x)
    return layers.Dense(
        classes,
        activation=activation,
        kernel_initializer=VarianceScaling(1.0 / 3.0, mode="fan_out", distribution="uniform"),
        bias_initializer=bias_initializer,
        name="predictions",
    )(x)


def round_filters(filters, width):
    """Return `filters` times `width` as a multiple of 8, not more than a tenth below."""
    wanted = filters * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _repeats(count, depth):
    return math.ceil(depth * count)


def _block(x, name, kernel_size, filters_in, filters_out, ratio, strides, rate):
    around = x
    if ratio != 1:
        x = convolution(filters_in * ratio, 1, f"{name}_expand_conv")(x)
        x = normalize(x, f"{name}_expand_bn", f"{name}_expand_activation")
    if strides == 2:
        x = layers.ZeroPadding2D(same_ends(x, kernel_size), name=f"{name}_dwconv_pad")(x)
    x = depthwise(x, kernel_size, strides, "valid" if strides == 2 else "same", f"{name}_dwconv")
    x = normalize(x, f"{name}_bn", f"{name}_activation")
    x = squeeze_and_excite(x, max(1, int(filters_in * SE_RATIO)), name)
    x = convolution(filters_out, 1, f"{name}_project_conv")(x)
    x = normalize(x, f"{name}_project_bn")
    fits = strides == 1 and filters_in == filters_out
    return add_around(x, around, rate, name) if fits else x
