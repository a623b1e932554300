"""ConvNeXt: depthwise convolutions of 7x7 between layers of transformers' kind."""

from torchkeras_lite import Sequential, layers
from torchkeras_lite.applications.assembly import assemble, weight_file
from torchkeras_lite.applications.efficientnet import DEVIATION, MEAN
from torchkeras_lite.applications.imagenet_utils import decode_predictions
from torchkeras_lite.applications.imagenet_utils import unchanged as preprocess_input
from torchkeras_lite.layers.convnext import LayerScale

__all__ = [
    *(f"ConvNeXt{size}" for size in ("Base", "Large", "Small", "Tiny", "XLarge")),
    "decode_predictions",
    "preprocess_input",
]

# blocks and channels of each stage, checksums of the files with and without the top
VARIANTS = {
    "tiny": (
        (3, 3, 9, 3),
        (96, 192, 384, 768),
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "small": (
        (3, 3, 27, 3),
        (96, 192, 384, 768),
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "base": (
        (3, 3, 27, 3),
        (128, 256, 512, 1024),
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "large": (
        (3, 3, 27, 3),
        (192, 384, 768, 1536),
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "xlarge": (
        (3, 3, 27, 3),
        (256, 512, 1024, 2048),
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
}
EPSILON = 1e-6
SCALE = 1e-6  # what the factors at the end of each block start at


def ConvNeXtTiny(
    include_top=True,
    include_preprocessing=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="convnext_tiny",
):
    """ConvNeXt Tiny; for images of 224x224 pixels with values from 0 to 255, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Liu et al. 2022 (arXiv:2201.03545); Keras 3 `keras.applications.ConvNeXtTiny`.
    """
    return _convnext("tiny", **locals())


def ConvNeXtSmall(
    include_top=True,
    include_preprocessing=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="convnext_small",
):
    """ConvNeXt Small; for images of 224x224 pixels with values from 0 to 255, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Liu et al. 2022 (arXiv:2201.03545); Keras 3 `keras.applications.ConvNeXtSmall`.
    """
    return _convnext("small", **locals())


def ConvNeXtBase(
    include_top=True,
    include_preprocessing=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="convnext_base",
):
    """ConvNeXt Base; for images of 224x224 pixels with values from 0 to 255, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Liu et al. 2022 (arXiv:2201.03545); Keras 3 `keras.applications.ConvNeXtBase`.
    """
    return _convnext("base", **locals())


def ConvNeXtLarge(
    include_top=True,
    include_preprocessing=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="convnext_large",
):
    """ConvNeXt Large; for images of 224x224 pixels with values from 0 to 255, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Liu et al. 2022 (arXiv:2201.03545); Keras 3 `keras.applications.ConvNeXtLarge`.
    """
    return _convnext("large", **locals())


def ConvNeXtXLarge(
    include_top=True,
    include_preprocessing=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="convnext_xlarge",
):
    """ConvNeXt XLarge; for images of 224x224 pixels with values from 0 to 255, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`,
    `include_preprocessing` too.

    Source: Liu et al. 2022 (arXiv:2201.03545); Keras 3 `keras.applications.ConvNeXtXLarge`.
    """
    return _convnext("xlarge", **locals())


def _convnext(variant, include_top, include_preprocessing, name, **arguments):
    depths, widths, *hashes = VARIANTS[variant]
    stem = name or f"convnext_{variant}"  # what the names of the layers begin with

    def body(x):
        if include_preprocessing and x.shape[-1] == len(MEAN):
            x = _preprocess(x, stem)
        x = Sequential(
            [
                layers.Conv2D(widths[0], 4, strides=4, name=f"{stem}_stem_conv"),
                layers.LayerNormalization(epsilon=EPSILON, name=f"{stem}_stem_layernorm"),
            ],
            name=f"{stem}_stem",
        )(x)
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            x = _downsample(x, width, stem, stage - 1) if stage else x
            for block in range(depth):
                x = _block(x, width, f"{stem}_stage_{stage}_block_{block}")
        return x

    def top(x, classes, activation):
        x = layers.GlobalAveragePooling2D(name=f"{stem}_head_gap")(x)
        x = layers.LayerNormalization(epsilon=EPSILON, name=f"{stem}_head_layernorm")(x)
        return layers.Dense(classes, activation=activation, name=f"{stem}_head_dense")(x)

    file = weight_file(f"convnext_{variant}", "convnext", hashes, include_top)
    return assemble(
        body,
        file,
        include_top=include_top,
        name=name,
        default_size=224,
        top=top,
        pool_names=(None, None),
        after_pool=lambda x: layers.LayerNormalization(epsilon=EPSILON)(x),
        channels_last_only="ConvNeXt",
        **arguments,
    )


def _preprocess(x, stem):
    mean = [value * 255 for value in MEAN]
    variance = [(value * 255) ** 2 for value in DEVIATION]
    return layers.Normalization(mean=mean, variance=variance, name=f"{stem}_prestem_normalization")(x)


def _downsample(x, width, stem, number):
    return Sequential(
        [
            layers.LayerNormalization(epsilon=EPSILON, name=f"{stem}_downsampling_layernorm_{number}"),
            layers.Conv2D(width, 2, strides=2, name=f"{stem}_downsampling_conv_{number}"),
        ],
        name=f"{stem}_downsampling_block_{number}",
    )(x)


def _block(x, width, name):
    around = x
    x = layers.Conv2D(width, 7, padding="same", groups=width, name=f"{name}_depthwise_conv")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_layernorm")(x)
    x = layers.Dense(4 * width, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(width, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(SCALE, width, name=f"{name}_layer_scale")(x)
    x = layers.Activation("linear", name=f"{name}_identity")(x)
    return around + x
