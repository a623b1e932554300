"""MobileNetV3: inverted bottlenecks found by search, some with squeeze and excitation."""

from dataclasses import dataclass

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, channel_axis, same_ends, weight_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions
from torchkeras_lite.applications.imagenet_utils import unchanged as preprocess_input
from torchkeras_lite.applications.mobilenet import trained_size
from torchkeras_lite.applications.mobilenet_v2 import multiple_of_8

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

MOMENTUM = 0.999
SE_RATIO = 0.25
# expansion, filters, kernel size, strides, whether there is squeeze and excitation, activation
SMALL = (
    (1, 16, 3, 2, True, "relu"),
    (72 / 16, 24, 3, 2, False, "relu"),
    (88 / 24, 24, 3, 1, False, "relu"),
    (4, 40, 5, 2, True, "hard_swish"),
    *((6, 40, 5, 1, True, "hard_swish"),) * 2,
    *((3, 48, 5, 1, True, "hard_swish"),) * 2,
    (6, 96, 5, 2, True, "hard_swish"),
    *((6, 96, 5, 1, True, "hard_swish"),) * 2,
)
LARGE = (
    (1, 16, 3, 1, False, "relu"),
    (4, 24, 3, 2, False, "relu"),
    (3, 24, 3, 1, False, "relu"),
    (3, 40, 5, 2, True, "relu"),
    *((3, 40, 5, 1, True, "relu"),) * 2,
    (6, 80, 3, 2, False, "hard_swish"),
    (2.5, 80, 3, 1, False, "hard_swish"),
    *((2.3, 80, 3, 1, False, "hard_swish"),) * 2,
    *((6, 112, 3, 1, True, "hard_swish"),) * 2,
    (6, 160, 5, 2, True, "hard_swish"),
    *((6, 160, 5, 1, True, "hard_swish"),) * 2,
)
# blocks, and channels before the predictions
VARIANTS = {"small": (SMALL, 1024), "large": (LARGE, 1280)}
# the variants and widths that there are weights for: checksums of the files with and without the top
HASHES = {
    "large_224_0.75_float": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": (
        "675e7b876c45c57e9e63e6d90a36599c",
        "ec5221f64a2f6d1ef965a614bdae7973",
    ),
    "small_224_0.75_float": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": (
        "99cd97fb2fcdad2bf028eb838de69e37",
        "cde8136e733e811080d9fcd8a252f7e4",
    ),
}


def MobileNetV3Small(
    input_shape=None,
    alpha=1.0,
    minimalistic=False,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    classes=1000,
    pooling=None,
    dropout_rate=0.2,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="MobileNetV3Small",
):
    """MobileNetV3 Small; for images of 224x224 pixels with values from 0 to 255.

    The arguments that are not told here are described in `torchkeras_lite.applications`.

    Args:
        alpha: Width: the number of filters is multiplied by it. There are weights for 0.75 and 1.
        minimalistic: Whether only 3x3 kernels and relu are used, without squeeze and excitation.
        dropout_rate: Rate of the dropout before the predictions.

    Source: Howard et al. 2019 (arXiv:1905.02244); Keras 3 `keras.applications.MobileNetV3Small`. Differs:
    a warning only where a shape is given that the weights were not trained with.
    """
    return _mobilenet_v3("small", **locals())


def MobileNetV3Large(
    input_shape=None,
    alpha=1.0,
    minimalistic=False,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    classes=1000,
    pooling=None,
    dropout_rate=0.2,
    classifier_activation="softmax",
    include_preprocessing=True,
    name="MobileNetV3Large",
):
    """MobileNetV3 Large; for images of 224x224 pixels with values from 0 to 255.

    The arguments are those of `MobileNetV3Small`.

    Source: Howard et al. 2019 (arXiv:1905.02244); Keras 3 `keras.applications.MobileNetV3Large`. Differs:
    a warning only where a shape is given that the weights were not trained with.
    """
    return _mobilenet_v3("large", **locals())


def _mobilenet_v3(
    variant,
    alpha,
    minimalistic,
    dropout_rate,
    include_preprocessing,
    include_top,
    weights,
    input_shape,
    **arguments,
):
    blocks, last = VARIANTS[variant]
    file_name = f"{variant}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}_float"
    if weights == "imagenet":
        trained_size(input_shape, (224,), weights)
        if file_name not in HASHES:
            raise ValueError(
                "If imagenet weights are being loaded, alpha can be one of `0.75`, `1.0` for non "
                f"minimalistic or `1.0` for minimalistic only. Received alpha={alpha}, "
                f"minimalistic={minimalistic}"
            )
    activation = "relu" if minimalistic else "hard_swish"

    def body(x):
        x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x) if include_preprocessing else x
        x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
        x = _activate(_normalize(x, "conv"), activation)
        for number, block in enumerate(blocks):
            x = Block(*block).narrowed(alpha, minimalistic)(x, f"expanded_conv_{number}".removesuffix("_0"))
        channels = multiple_of_8(x.shape[channel_axis()] * 6)
        x = layers.Conv2D(channels, 1, padding="same", use_bias=False, name="conv_1")(x)
        return _activate(_normalize(x, "conv_1"), activation)

    def top(x, classes, classifier_activation):
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        channels = multiple_of_8(last * alpha) if alpha > 1.0 else last
        x = _activate(layers.Conv2D(channels, 1, padding="same", name="conv_2")(x), activation)
        x = layers.Dropout(dropout_rate)(x) if dropout_rate > 0 else x
        x = layers.Conv2D(classes, 1, padding="same", name="logits")(x)
        x = layers.Flatten()(x)
        return layers.Activation(classifier_activation, name="predictions")(x)

    file = weight_file(
        f"weights_mobilenet_v3_{file_name}",
        "mobilenet_v3",
        HASHES.get(file_name, (None, None)),
        include_top,
        no_top="_no_top_v2",
    )
    return assemble(
        body,
        file,
        include_top=include_top,
        weights=weights,
        input_shape=input_shape,
        default_size=224,
        top=top,
        fixed_size=False,
        **arguments,
    )


@dataclass(frozen=True)
class Block:
    """One inverted bottleneck.

    Args:
        expansion: How many times as many channels there are inside.
        filters: Channels that go out.
        kernel_size: Size of the depthwise kernel.
        strides: Its strides.
        excites: Whether there is squeeze and excitation.
        activation: `"relu"` or `"hard_swish"`.
    """

    expansion: float
    filters: int
    kernel_size: int
    strides: int
    excites: bool
    activation: str

    def narrowed(self, alpha, minimalistic):
        """Return the block in another width, and in plain parts if `minimalistic`."""
        filters = multiple_of_8(self.filters * alpha)
        if minimalistic:
            return Block(self.expansion, filters, 3, self.strides, False, "relu")
        return Block(self.expansion, filters, self.kernel_size, self.strides, self.excites, self.activation)

    def __call__(self, x, name):
        """Return the block applied to `x`, with layers that are named after `name`."""
        around, channels = x, x.shape[channel_axis()]
        inside = multiple_of_8(channels * self.expansion)
        if self.expansion != 1:
            x = layers.Conv2D(inside, 1, padding="same", use_bias=False, name=f"{name}_expand")(x)
            x = _activate(_normalize(x, f"{name}_expand"), self.activation)
        if self.strides == 2:
            x = layers.ZeroPadding2D(same_ends(x, self.kernel_size), name=f"{name}_depthwise_pad")(x)
        x = layers.DepthwiseConv2D(
            self.kernel_size,
            strides=self.strides,
            padding="valid" if self.strides == 2 else "same",
            use_bias=False,
            name=f"{name}_depthwise",
        )(x)
        x = _activate(_normalize(x, f"{name}_depthwise"), self.activation)
        x = _squeeze_and_excite(x, inside, f"{name}_squeeze_excite") if self.excites else x
        x = layers.Conv2D(self.filters, 1, padding="same", use_bias=False, name=f"{name}_project")(x)
        x = _normalize(x, f"{name}_project")
        fits = self.strides == 1 and channels == self.filters
        return layers.Add(name=f"{name}_add")([around, x]) if fits else x


def _normalize(x, name):
    axis = channel_axis(counted=True)
    return layers.BatchNormalization(axis=axis, momentum=MOMENTUM, name=f"{name}_bn")(x)


def _activate(x, activation):
    return layers.ReLU()(x) if activation == "relu" else layers.Activation(activation)(x)


def _squeeze_and_excite(x, channels, name):
    factors = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    reduced = multiple_of_8(channels * SE_RATIO)
    factors = layers.Conv2D(reduced, 1, padding="same", name=f"{name}_conv")(factors)
    factors = layers.ReLU(name=f"{name}_relu")(factors)
    factors = layers.Conv2D(channels, 1, padding="same", name=f"{name}_conv_1")(factors)
    factors = layers.ReLU(6.0)(factors + 3.0) * (1.0 / 6.0)  # a sigmoid of straight lines
    return layers.Multiply(name=f"{name}_mul")([x, factors])
