"""ResNet, second version: normalization and relu stand before each convolution."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode
from torchkeras_lite.applications.resnet import BLOCKS, FILTERS, normalize, stem

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

# checksums of the files with and without the top
HASHES = {
    50: ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    101: ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    152: ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}

preprocess_input = in_mode("tf")


def ResNet50V2(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet50v2",
):
    """Second version of ResNet with 50 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: He et al. 2016 (arXiv:1603.05027); Keras 3 `keras.applications.ResNet50V2`.
    """
    return _resnet_v2(50, **locals())


def ResNet101V2(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet101v2",
):
    """Second version of ResNet with 101 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: He et al. 2016 (arXiv:1603.05027); Keras 3 `keras.applications.ResNet101V2`.
    """
    return _resnet_v2(101, **locals())


def ResNet152V2(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet152v2",
):
    """Second version of ResNet with 152 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: He et al. 2016 (arXiv:1603.05027); Keras 3 `keras.applications.ResNet152V2`.
    """
    return _resnet_v2(152, **locals())


def _resnet_v2(depth, include_top, **arguments):
    def body(x):
        x = stem(x, normalized=False)
        for stage, (filters, count) in enumerate(zip(FILTERS, BLOCKS[depth], strict=True), 2):
            for block in range(1, count + 1):
                strides = 2 if block == count and stage < 5 else 1
                x = _block(x, filters, strides, block == 1, f"conv{stage}_block{block}")
        return normalize(x, "post")

    file = kernels_file(f"resnet{depth}v2", "resnet", HASHES[depth], include_top)
    return assemble(body, file, include_top=include_top, default_size=224, **arguments)


def _block(x, filters, strides, projects, name):
    ready = normalize(x, f"{name}_preact")
    if projects:
        around = layers.Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(ready)
    else:
        around = layers.MaxPooling2D(1, strides=strides)(x) if strides > 1 else x
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = normalize(x, f"{name}_1")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = normalize(x, f"{name}_2")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([around, x])
