"""VGG: stacks of 3x3 convolutions, between them pooling."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode

__all__ = ["VGG16", "VGG19", "decode_predictions", "preprocess_input"]

# depth: convolutions in each block, checksums of the files with and without the top
VARIANTS = {
    16: ((2, 2, 3, 3, 3), ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")),
    19: ((2, 2, 4, 4, 4), ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")),
}
FILTERS = (64, 128, 256, 512, 512)

preprocess_input = in_mode("caffe")


def VGG16(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="vgg16",
):
    """VGG with 16 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Simonyan and Zisserman 2014 (arXiv:1409.1556); Keras 3 `keras.applications.VGG16`.
    """
    return _vgg(16, **locals())


def VGG19(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="vgg19",
):
    """VGG with 19 layers; for images of 224x224 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Simonyan and Zisserman 2014 (arXiv:1409.1556); Keras 3 `keras.applications.VGG19`.
    """
    return _vgg(19, **locals())


def _vgg(depth, include_top, **arguments):
    counts, hashes = VARIANTS[depth]

    def body(x):
        for block, (filters, count) in enumerate(zip(FILTERS, counts, strict=True), 1):
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
            x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        return x

    file = kernels_file(f"vgg{depth}", f"vgg{depth}", hashes, include_top)
    return assemble(
        body,
        file,
        include_top=include_top,
        default_size=224,
        top=_top,
        pool_names=(None, None),
        **arguments,
    )


def _top(x, classes, activation):
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)
