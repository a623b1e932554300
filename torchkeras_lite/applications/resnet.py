"""ResNet: blocks of three convolutions, each with a way around it."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, channel_axis, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

EPSILON = 1.001e-5
FILTERS = (64, 128, 256, 512)
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
# checksums of the files with and without the top
HASHES = {
    50: ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    101: ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    152: ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
}

preprocess_input = in_mode("caffe")


def ResNet50(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet50",
):
    """ResNet with 50 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: He et al. 2015 (arXiv:1512.03385); Keras 3 `keras.applications.ResNet50`.
    """
    return _resnet(50, **locals())


def ResNet101(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet101",
):
    """ResNet with 101 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: He et al. 2015 (arXiv:1512.03385); Keras 3 `keras.applications.ResNet101`.
    """
    return _resnet(101, **locals())


def ResNet152(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet152",
):
    """ResNet with 152 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: He et al. 2015 (arXiv:1512.03385); Keras 3 `keras.applications.ResNet152`.
    """
    return _resnet(152, **locals())


def _resnet(depth, include_top, **arguments):
    def body(x):
        x = stem(x, normalized=True)
        for stage, (filters, count) in enumerate(zip(FILTERS, BLOCKS[depth], strict=True), 2):
            for block in range(1, count + 1):
                strides = 2 if block == 1 and stage > 2 else 1
                x = _block(x, filters, strides, block == 1, f"conv{stage}_block{block}")
        return x

    file = kernels_file(f"resnet{depth}", "resnet", HASHES[depth], include_top)
    return assemble(body, file, include_top=include_top, default_size=224, **arguments)


def stem(x, normalized):
    """Return what the blocks start from: images convolved and pooled to a quarter of their size."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = normalize(x, "conv1") if normalized else x
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def normalize(x, name):
    """Return `x` after batch normalization and relu, of the names `<name>_bn` and `<name>_relu`."""
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=EPSILON, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _block(x, filters, strides, projects, name):
    around = x
    if projects:
        around = layers.Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(x)
        around = layers.BatchNormalization(axis=channel_axis(), epsilon=EPSILON, name=f"{name}_0_bn")(around)
    x = layers.Conv2D(filters, 1, strides=strides, name=f"{name}_1_conv")(x)
    x = normalize(x, f"{name}_1")
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = normalize(x, f"{name}_2")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=EPSILON, name=f"{name}_3_bn")(x)
    x = layers.Add(name=f"{name}_add")([around, x])
    return layers.Activation("relu", name=f"{name}_out")(x)
