"""NASNet: two kinds of cells found by search, each of which reads the two before it."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import STORE, WeightFile, assemble, same_ends
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

# channels at the end, cells in a row, channels of the stem, size of the images, whether a cell after a
# reduction also reads the cell before that, checksums of the files with and without the top
VARIANTS = {
    "mobile": (
        (1056, 4, 32, 224, True),
        ("020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63"),
    ),
    "large": (
        (4032, 6, 96, 331, False),
        ("11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5"),
    ),
}
MOMENTUM = 0.9997

preprocess_input = in_mode("tf")


def NASNetMobile(
    input_shape=None,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="nasnet_mobile",
):
    """NASNet Mobile; for images of 224x224 pixels, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Zoph et al. 2017 (arXiv:1707.07012); Keras 3 `keras.applications.NASNetMobile`. Differs: Keras
    refuses it on torch.
    """
    return _nasnet("mobile", **locals())


def NASNetLarge(
    input_shape=None,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="nasnet_large",
):
    """NASNet Large; for images of 331x331 pixels, `channels_last` alone.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Zoph et al. 2017 (arXiv:1707.07012); Keras 3 `keras.applications.NASNetLarge`.
    """
    return _nasnet("large", **locals())


def _nasnet(variant, include_top, **arguments):
    (last, count, stem, size, reads_before), hashes = VARIANTS[variant]
    filters = last // 24

    def body(x):
        x = layers.Conv2D(
            stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1"
        )(x)
        x, before = _normalize(x, "stem_bn1"), None
        x, before = _reduction_cell(x, before, filters // 4, "stem_1")
        x, before = _reduction_cell(x, before, filters // 2, "stem_2")
        for row in range(3):
            if row:
                reduced, one_before = _reduction_cell(x, before, filters * 2**row, f"reduce_{row * count}")
                x, before = reduced, one_before if reads_before else before
            first = row * count + (row > 0)
            for number in range(first, first + count):
                x, before = _normal_cell(x, before, filters * 2**row, str(number))
        return layers.Activation("relu")(x)

    def top(x, classes, activation):
        x = layers.GlobalAveragePooling2D()(x)
        return layers.Dense(classes, activation=activation, name="predictions")(x)

    end = "" if include_top else "_no_top"
    origin = f"{STORE}nasnet/NASNet-{variant}{end.replace('_', '-')}.h5"
    return assemble(
        body,
        WeightFile(f"nasnet_{variant}{end}.h5", origin, hashes[not include_top]),
        include_top=include_top,
        default_size=size,
        top=top,
        pool_names=(None, None),
        channels_last_only="NASNet",
        **arguments,
    )


def _normalize(x, name):
    return layers.BatchNormalization(momentum=MOMENTUM, name=name)(x)


def _pointwise(x, filters, name):
    return layers.Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _separable(x, filters, kernel_size, name, strides=1):
    """Return `x` after relu, a separable convolution and batch normalization, twice."""
    for number in (1, 2):
        x = layers.Activation("relu")(x)
        halves = number == 1 and strides == 2
        if halves:
            x = layers.ZeroPadding2D(same_ends(x, kernel_size), name=f"separable_conv_1_pad_{name}")(x)
        x = layers.SeparableConv2D(
            filters,
            kernel_size,
            strides=strides if number == 1 else 1,
            padding="valid" if halves else "same",
            use_bias=False,
            name=f"separable_conv_{number}_{name}",
        )(x)
        x = _normalize(x, f"separable_conv_{number}_bn_{name}")
    return x


def _adjust(before, x, filters, name):
    """Return the result of the cell before, in the size of `x` and with `filters` channels."""
    if before is None:
        return x
    if before.shape[1] != x.shape[1]:
        before = layers.Activation("relu", name=f"adjust_relu_1_{name}")(before)
        even = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{name}")(before)
        even = _pointwise(even, filters // 2, f"adjust_conv_1_{name}")
        odd = layers.ZeroPadding2D(((0, 1), (0, 1)))(before)
        odd = layers.Cropping2D(((1, 0), (1, 0)))(odd)
        odd = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{name}")(odd)
        odd = _pointwise(odd, filters // 2, f"adjust_conv_2_{name}")
        return _normalize(layers.Concatenate()([even, odd]), f"adjust_bn_{name}")
    if before.shape[-1] != filters:
        before = layers.Activation("relu")(before)
        before = _pointwise(before, filters, f"adjust_conv_projection_{name}")
        return _normalize(before, f"adjust_bn_{name}")
    return before


def _normal_cell(x, before, filters, name):
    p, previous = _adjust(before, x, filters, name), x
    h = _pointwise(layers.Activation("relu")(x), filters, f"normal_conv_1_{name}")
    h = _normalize(h, f"normal_bn_1_{name}")

    def average(value, place):
        return layers.AveragePooling2D(3, strides=1, padding="same", name=f"normal_{place}_{name}")(value)

    def separable(value, kernel_size, place):
        return _separable(value, filters, kernel_size, f"normal_{place}_{name}")

    def add(number, left, right):
        return layers.Add(name=f"normal_add_{number}_{name}")([left, right])

    parts = [
        add(1, separable(h, 5, "left1"), separable(p, 3, "right1")),
        add(2, separable(p, 5, "left2"), separable(p, 3, "right2")),
        add(3, average(h, "left3"), p),
        add(4, average(p, "left4"), average(p, "right4")),
        add(5, separable(h, 3, "left5"), h),
    ]
    return layers.Concatenate(name=f"normal_concat_{name}")([p, *parts]), previous


def _reduction_cell(x, before, filters, name):
    p, previous = _adjust(before, x, filters, name), x
    h = _pointwise(layers.Activation("relu")(x), filters, f"reduction_conv_1_{name}")
    h = _normalize(h, f"reduction_bn_1_{name}")
    padded = layers.ZeroPadding2D(same_ends(h, 3), name=f"reduction_pad_1_{name}")(h)

    def pooled(kind, place):
        return kind(3, strides=2, name=f"reduction_{place}_{name}")(padded)

    def separable(value, kernel_size, place, strides=2):
        return _separable(value, filters, kernel_size, f"reduction_{place}_{name}", strides)

    def add(number, left, right):
        return layers.Add(name=f"reduction_add{number}_{name}")([left, right])

    first = add("_1", separable(h, 5, "left1"), separable(p, 7, "right1"))
    second = add("_2", pooled(layers.MaxPooling2D, "left2"), separable(p, 7, "right2"))
    third = add("3", pooled(layers.AveragePooling2D, "left3"), separable(p, 5, "right3"))
    fourth = layers.AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{name}")(first)
    fourth = layers.Add()([second, fourth])
    fifth = add("4", separable(first, 3, "left4", 1), pooled(layers.MaxPooling2D, "right5"))
    return layers.Concatenate(name=f"reduction_concat_{name}")([second, third, fourth, fifth]), previous
