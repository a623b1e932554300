"""DenseNet: the output of every block is joined to all that came before it."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, channel_axis, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

EPSILON = 1.001e-5
GROWTH = 32  # channels that a block adds
# depth: blocks in each stage, checksums of the files with and without the top
VARIANTS = {
    121: ((6, 12, 24, 16), ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")),
    169: ((6, 12, 32, 32), ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b")),
    201: ((6, 12, 48, 32), ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1")),
}

preprocess_input = in_mode("torch")


def DenseNet121(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="densenet121",
):
    """DenseNet with 121 layers; for images of 224x224 pixels, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Huang et al. 2016 (arXiv:1608.06993); Keras 3 `keras.applications.DenseNet121`.
    """
    return _densenet(121, **locals())


def DenseNet169(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="densenet169",
):
    """DenseNet with 169 layers; for images of 224x224 pixels, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Huang et al. 2016 (arXiv:1608.06993); Keras 3 `keras.applications.DenseNet169`.
    """
    return _densenet(169, **locals())


def DenseNet201(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="densenet201",
):
    """DenseNet with 201 layers; for images of 224x224 pixels, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Huang et al. 2016 (arXiv:1608.06993); Keras 3 `keras.applications.DenseNet201`.
    """
    return _densenet(201, **locals())


def _densenet(depth, include_top, **arguments):
    counts, hashes = VARIANTS[depth]

    def body(x):
        x = layers.ZeroPadding2D(3)(x)
        x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
        x = _normalize(x, "conv1_bn", "conv1_relu")
        x = layers.ZeroPadding2D(1)(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for stage, count in enumerate(counts, 2):
            for block in range(1, count + 1):
                x = _block(x, f"conv{stage}_block{block}")
            if stage < 5:
                x = _transition(x, f"pool{stage}")
        return _normalize(x, "bn", "relu")

    file = kernels_file(f"densenet{depth}", "densenet", hashes, include_top)
    return assemble(
        body, file, include_top=include_top, default_size=224, channels_last_only="DenseNet", **arguments
    )


def _normalize(x, name, relu_name):
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=EPSILON, name=name)(x)
    return layers.Activation("relu", name=relu_name)(x)


def _block(x, name):
    new = _normalize(x, f"{name}_0_bn", f"{name}_0_relu")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = _normalize(new, f"{name}_1_bn", f"{name}_1_relu")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=channel_axis(), name=f"{name}_concat")([x, new])


def _transition(x, name):
    """Halve channels, height and width."""
    x = _normalize(x, f"{name}_bn", f"{name}_relu")
    x = layers.Conv2D(x.shape[channel_axis()] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)
