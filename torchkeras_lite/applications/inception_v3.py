"""InceptionV3: branches with kernels of several sizes side by side."""

from torchkeras_lite import layers
from torchkeras_lite.applications.assembly import assemble, channel_axis, kernels_file
from torchkeras_lite.applications.imagenet_utils import decode_predictions, in_mode

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

HASHES = ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")
# A convolution is (filters, kernel size), of stride 1 and padding "same"; with VALID or HALVE behind it, of
# padding "valid", and of stride 2 too. Names stand for pooling, `Fork` for two convolutions side by side.
VALID = {"padding": "valid"}
HALVE = {"padding": "valid", "strides": 2}
MAX = "max pooling that halves"
AVERAGE = "average pooling that keeps the size"
ROW, COLUMN = (1, 7), (7, 1)
STEM = (
    (32, 3, HALVE),
    (32, 3, VALID),
    (64, 3),
    MAX,
    (80, 1, VALID),
    (192, 3, VALID),
    MAX,
)


class Fork(tuple):
    """Convolutions side by side at the end of a branch, joined again."""


def _small(pooled):
    return (((64, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)), (AVERAGE, (pooled, 1)))


def _long(inside):
    return (
        ((192, 1),),
        ((inside, 1), (inside, ROW), (192, COLUMN)),
        ((inside, 1), (inside, COLUMN), (inside, ROW), (inside, COLUMN), (192, ROW)),
        (AVERAGE, (192, 1)),
    )


FORK = Fork(((384, (1, 3)), (384, (3, 1))))
WIDE = (((320, 1),), ((384, 1), FORK), ((448, 1), (384, 3), FORK), (AVERAGE, (192, 1)))
# name of the layer that joins the branches: the branches
BLOCKS = {
    "mixed0": _small(32),
    "mixed1": _small(64),
    "mixed2": _small(64),
    "mixed3": (((384, 3, HALVE),), ((64, 1), (96, 3), (96, 3, HALVE)), (MAX,)),
    "mixed4": _long(128),
    "mixed5": _long(160),
    "mixed6": _long(160),
    "mixed7": _long(192),
    "mixed8": (
        ((192, 1), (320, 3, HALVE)),
        ((192, 1), (192, ROW), (192, COLUMN), (192, 3, HALVE)),
        (MAX,),
    ),
    "mixed9": WIDE,
    "mixed10": WIDE,
}
# the first fork of a block has a name of its own
FORK_NAMES = {"mixed9": "mixed9_0", "mixed10": "mixed9_1"}

preprocess_input = in_mode("tf")


def InceptionV3(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="inception_v3",
):
    """InceptionV3; for images of 299x299 pixels.

    The arguments are described in `torchkeras_lite.applications`.

    Source: Szegedy et al. 2015 (arXiv:1512.00567); Keras 3 `keras.applications.InceptionV3`.
    """
    file = kernels_file("inception_v3", "inception_v3", HASHES, include_top)
    return assemble(
        _body,
        file,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name,
        default_size=299,
        min_size=75,
        pool_names=(None, None),
    )


def _body(x):
    x = chain(x, STEM)
    for name, branches in BLOCKS.items():
        x = join(x, branches, name, FORK_NAMES.get(name))
    return x


def convolve(x, filters, kernel_size, options=None, name=None):
    """Return `x` after a convolution, batch normalization and relu."""
    options = {"padding": "same", **(options or {})}
    x = layers.Conv2D(filters, kernel_size, use_bias=False, name=name, **options)(x)
    x = layers.BatchNormalization(axis=channel_axis(), scale=False, name=name and f"{name}_bn")(x)
    return layers.Activation("relu", name=name and f"{name}_ac")(x)


def chain(x, steps, fork_name=None):
    """Return `x` after the steps of one branch, in the form of the tables above."""
    for step in steps:
        if step == MAX:
            x = layers.MaxPooling2D(3, strides=2)(x)
        elif step == AVERAGE:
            x = layers.AveragePooling2D(3, strides=1, padding="same")(x)
        elif isinstance(step, Fork):
            ends = [convolve(x, *end) for end in step]
            x = layers.Concatenate(axis=channel_axis(), name=fork_name)(ends)
        else:
            x = convolve(x, *step)
    return x


def join(x, branches, name, fork_name=None):
    """Return the results of branches that start from `x`, joined along the channels."""
    results = []
    for branch in branches:
        results.append(chain(x, branch, fork_name))
        if isinstance(branch[-1], Fork):
            fork_name = None
    return layers.Concatenate(axis=channel_axis(), name=name)(results)
