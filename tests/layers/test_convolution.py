"""Convolutions against real Keras, their layout in memory, and what they refuse."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_layer_matches, plain_config
from torchkeras_lite.base import config
from torchkeras_lite.layers import (
    convolution,
    convolution_transpose,
    depthwise_convolution,
    separable_convolution,
)
from torchkeras_lite.layers.convolution import Conv1D, Conv2D, Conv3D
from torchkeras_lite.layers.convolution_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from torchkeras_lite.layers.depthwise_convolution import DepthwiseConv1D, DepthwiseConv2D
from torchkeras_lite.layers.input_layer import Input
from torchkeras_lite.layers.separable_convolution import SeparableConv1D, SeparableConv2D

FORMATS = ("channels_last", "channels_first")
PLAIN = [Conv1D, Conv2D, Conv3D]
TRANSPOSED = [Conv1DTranspose, Conv2DTranspose, Conv3DTranspose]
DEPTHWISE = [DepthwiseConv1D, DepthwiseConv2D]
SEPARABLE = [SeparableConv1D, SeparableConv2D]

formats = pytest.mark.parametrize("data_format", FORMATS)


def shape_of(cls, data_format, size=6, channels=4):
    """A shape of which every spatial size is another: odd and even ones."""
    spatial = [size, size + 1, size + 2][: cls.rank]
    return (2, *spatial, channels) if data_format == "channels_last" else (2, channels, *spatial)


def theirs(cls, **args):
    return getattr(keras.layers, cls.__name__)(**args)


def assert_matches(cls, shape, rng, **args):
    assert_layer_matches(cls(**args), theirs(cls, **args), rng.normal(size=shape))
    assert plain_config(cls(**args).get_config()) == plain_config(theirs(cls, **args).get_config())


@formats
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation_rate"),
    [(3, 1, 1), (3, 2, 1), (3, 1, 2), (2, 1, 1), (2, 2, 1), (2, 3, 1), (1, 2, 1), (4, 3, 1), (2, 1, 3)],
)
@pytest.mark.parametrize("cls", PLAIN)
def test_convolution(cls, kernel_size, strides, dilation_rate, padding, data_format, rng):
    args = {
        "kernel_size": kernel_size,
        "strides": strides,
        "dilation_rate": dilation_rate,
        "padding": padding,
    }
    for size in (5, 6):
        assert_matches(cls, shape_of(cls, data_format, size), rng, filters=3, data_format=data_format, **args)


@formats
@pytest.mark.parametrize("args", [{"strides": 2}, {"dilation_rate": 2}, {}, {"kernel_size": 4}], ids=str)
def test_causal_convolution(args, data_format, rng):
    args = {"filters": 3, "kernel_size": 3, "padding": "causal", "data_format": data_format, **args}
    assert_matches(Conv1D, shape_of(Conv1D, data_format), rng, **args)


def test_a_causal_convolution_sees_no_later_steps(rng):
    layer = Conv1D(2, 3, padding="causal", dilation_rate=2)
    x = torch.as_tensor(rng.normal(size=(1, 8, 3)).astype("float32"))
    changed = x.clone()
    changed[:, 5:] += 1
    torch.testing.assert_close(layer(x)[:, :5], layer(changed)[:, :5])
    assert not torch.allclose(layer(x)[:, 5:], layer(changed)[:, 5:])


@formats
@pytest.mark.parametrize(
    "args",
    [
        {"groups": 2, "activation": "relu"},
        {"kernel_size": (3, 2), "strides": (1, 2), "padding": "same", "use_bias": False},
        {"kernel_size": (1, 4), "strides": (2, 1), "padding": "same", "activation": "softmax"},
        {
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "kernel_constraint": "max_norm",
            "bias_constraint": "non_neg",
            "activity_regularizer": "l2",
        },
    ],
    ids=str,
)
def test_other_arguments_of_convolution(args, data_format, rng):
    args = {"filters": 6, "kernel_size": 3, "data_format": data_format, **args}
    assert_matches(Conv2D, shape_of(Conv2D, data_format), rng, **args)


TRANSPOSITIONS = [
    (kernel_size, strides, dilation_rate, output_padding)
    for kernel_size, strides, dilation_rate in [
        (3, 1, 1),
        (3, 2, 1),
        (4, 2, 1),
        (5, 2, 1),
        (2, 3, 1),
        (1, 3, 1),
        (3, 1, 2),
        (2, 1, 3),
        (7, 4, 1),
        (2, 5, 1),
    ]
    for output_padding in (None, *range(strides))
]


@formats
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel_size", "strides", "dilation_rate", "output_padding"), TRANSPOSITIONS)
def test_transposed_convolution(
    kernel_size, strides, dilation_rate, output_padding, padding, data_format, rng
):
    args = {
        "kernel_size": kernel_size,
        "strides": strides,
        "dilation_rate": dilation_rate,
        "padding": padding,
    }
    args |= {"filters": 3, "output_padding": output_padding, "data_format": data_format}
    for cls in (Conv1DTranspose, Conv2DTranspose):
        assert_matches(cls, shape_of(cls, data_format, 4), rng, **args)


@formats
@pytest.mark.parametrize(
    "args",
    [
        {"strides": (1, 2, 3), "padding": "same", "activation": "relu"},
        {"strides": 2, "output_padding": (0, 1, 0), "use_bias": False},
        {"dilation_rate": (1, 2, 1), "padding": "same"},
    ],
    ids=str,
)
def test_transposed_convolution_over_volumes(args, data_format, rng):
    args = {"filters": 2, "kernel_size": (3, 2, 2), "data_format": data_format, **args}
    assert_matches(Conv3DTranspose, shape_of(Conv3DTranspose, data_format, 3), rng, **args)


def test_output_padding_of_volumes_comes_after_the_data_format():
    layer = Conv3DTranspose(2, 3, 2, "same", "channels_first", 1)
    assert (layer.data_format, layer.output_padding) == ("channels_first", (1, 1, 1))


@formats
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("depth_multiplier", [1, 3])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation_rate"),
    [(3, 1, 1), (3, 2, 1), (3, 1, 2), (2, 1, 1), (2, 2, 1), (2, 3, 1), (3, 2, 2)],
)
@pytest.mark.parametrize("cls", [*DEPTHWISE, *SEPARABLE])
def test_depthwise_and_separable_convolution(
    cls, kernel_size, strides, dilation_rate, depth_multiplier, padding, data_format, rng
):
    args = {
        "kernel_size": kernel_size,
        "strides": strides,
        "dilation_rate": dilation_rate,
        "padding": padding,
    }
    args |= {"depth_multiplier": depth_multiplier, "data_format": data_format, "activation": "relu"}
    args |= {"filters": 5} if cls in SEPARABLE else {}
    assert_matches(cls, shape_of(cls, data_format), rng, **args)


@pytest.mark.parametrize("weight", ["depthwise", "pointwise"])
def test_weights_of_separable_convolutions_have_their_own_arguments(weight, rng):
    more = {f"{weight}_initializer": "ones", f"{weight}_regularizer": "l2", f"{weight}_constraint": "non_neg"}
    layer, other = SeparableConv2D(3, 2, **more), theirs(SeparableConv2D, filters=3, kernel_size=2, **more)
    x = torch.as_tensor(rng.normal(size=(2, 5, 5, 4)).astype("float32"))
    layer(x), other(x)
    kernel = getattr(layer, f"{weight}_kernel")
    assert (kernel.numpy() == 1).all()
    assert kernel.constraint is not None
    torch.testing.assert_close(sum(layer.losses), sum(other.losses))
    if weight == "depthwise":
        layer = DepthwiseConv2D(2, **more)
        layer(x)
        assert (layer.kernel.numpy() == 1).all()
        assert len(layer.losses) == 1


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (Conv2D(6, 3), 36, 54),
        (Conv2D(6, 3, groups=2), 18, 54),
        (Conv2DTranspose(6, 3), 54, 36),
        (DepthwiseConv2D(3, depth_multiplier=2), 36, 18),
    ],
    ids=lambda value: type(value).__name__,
)
def test_glorot_uniform_counts_fans_in_keras_layout(layer, fan_in, fan_out):
    layer.build((None, 8, 8, 4))
    limit = (6 / (fan_in + fan_out)) ** 0.5
    assert 0.9 * limit < np.abs(layer.kernel.numpy()).max() <= limit
    assert (layer.bias.numpy() == 0).all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: Conv2D(0, 3),
            r"Invalid value for argument `filters`. Expected a strictly positive .*filters=0.*Pass",
        ),
        (lambda: Conv2D("8", 3), r"Invalid value for argument `filters`.*filters=8.*Pass"),
        (
            lambda: Conv2D(4, (1, 0)),
            r"`kernel_size` argument must be a tuple of 2 integers.*values \{0\}.*`value > 0`",
        ),
        (lambda: Conv2D(4, (3,)), r"`kernel_size` argument must be a tuple of 2 integers.*\(3,\).*Pass"),
        (lambda: Conv2D(4, 3, strides=0), r"`strides` argument must be a tuple of 2 integers.*Pass"),
        (
            lambda: Conv2D(4, 3, dilation_rate="2"),
            r"`dilation_rate` argument must be a tuple of 2 integers.*Pass",
        ),
        (
            lambda: Conv2D(4, 3, strides=(1, 2), dilation_rate=(2, 1)),
            r"`strides > 1` not supported in conjunction with `dilation_rate > 1`.*Set one",
        ),
        (
            lambda: Conv2D(4, 3, padding="full"),
            r"`padding` argument must be one of \{'same', 'valid'\}.*'full'.*Pass",
        ),
        (
            lambda: Conv2D(4, 3, padding="causal"),
            r"`padding` argument.*Causal padding exists in `Conv1D` only",
        ),
        (lambda: Conv1DTranspose(4, 3, padding="causal"), r"Causal padding exists in `Conv1D` only"),
        (
            lambda: Conv2D(4, 3, data_format="nchw"),
            r"`data_format` must be one of 'channels_last', 'channels_first'",
        ),
        (lambda: Conv2D(4, 3, groups=0), r"number of groups must be a positive integer.*groups=0.*Pass"),
        (
            lambda: Conv2D(5, 3, groups=2),
            r"number of filters must be evenly divisible.*groups=2, filters=5.*Change",
        ),
        (
            lambda: Conv2D(4, 3, groups=2)(torch.zeros(1, 5, 5, 3)),
            r"number of input channels must be evenly divisible.*groups=2.*3 channels.*Change",
        ),
        (
            lambda: Conv2D(4, 3)(torch.zeros(1, 2, 2, 3)),
            r"output size would be zero or negative.*\(1, 2, 2, 3\).*Pass",
        ),
        (lambda: Conv2D(4, 3)(Input((2, 2, 3))), r"output size would be zero or negative.*Pass"),
        (
            lambda: Conv2D(4, 3)(Input((5, 5, None))),
            r"size of axis -1 of the input must be known.*Give that size",
        ),
        (
            lambda: Conv2D(4, 3)(torch.zeros(2, 5, 5)),
            r"incompatible with the layer: expected min_ndim=4, found ndim=3",
        ),
        (
            lambda: Conv2DTranspose(4, 3, 2, output_padding=2),
            r"`output_padding` must be strictly less than `strides`",
        ),
        (
            lambda: DepthwiseConv2D(3, depth_multiplier=0),
            r"argument `depth_multiplier`. Expected a strictly positive",
        ),
        (lambda: DepthwiseConv1D(5)(torch.zeros(1, 4, 3)), r"output size would be zero or negative"),
        (lambda: SeparableConv1D(4, 5)(torch.zeros(1, 4, 3)), r"output size would be zero or negative"),
    ],
)
def test_refusals(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_other_channels_later_are_refused():
    for layer, first, second in [
        (Conv2D(4, 3), (1, 5, 5, 3), (1, 5, 5, 4)),
        (Conv2D(4, 3, data_format="channels_first"), (1, 3, 5, 5), (1, 4, 5, 5)),
    ]:
        layer(torch.zeros(first))
        with pytest.raises(
            ValueError, match=r"incompatible with the layer: expected axis .* to have value 3"
        ):
            layer(torch.zeros(second))


def test_the_configured_data_format_is_the_default():
    config.set_image_data_format("channels_first")
    try:
        assert Conv2D(4, 3).data_format == "channels_first"
        assert Conv2D(4, 3, data_format="CHANNELS_LAST").data_format == "channels_last"
    finally:
        config.set_image_data_format("channels_last")


def test_names_and_aliases():
    assert [
        layer.name for layer in (Conv2D(1, 1), Conv2D(1, 1), Conv2DTranspose(1, 1), SeparableConv1D(1, 1))
    ] == [
        "conv2d",
        "conv2d_1",
        "conv2d_transpose",
        "separable_conv1d",
    ]
    assert DepthwiseConv2D(1).name == "depthwise_conv2d"
    for room in (convolution, convolution_transpose, depthwise_convolution, separable_convolution):
        for name in vars(room):
            if name.startswith(("Convolution", "SeparableConvolution")) and hasattr(keras.layers, name):
                assert getattr(room, name).__name__ == getattr(keras.layers, name).__name__
    assert convolution.Convolution2D is Conv2D


def test_a_subclass_with_arguments_of_its_own_keeps_the_config():
    class Scaled(Conv2D):
        def __init__(self, filters, kernel_size, scale=1.0, **kwargs):
            super().__init__(filters, kernel_size, **kwargs)
            self.scale = scale

        def call(self, inputs):
            return super().call(inputs) * self.scale

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}

    layer = Scaled(4, 3, scale=2.0, padding="same")
    assert layer.get_config()["scale"] == 2.0
    again = Scaled.from_config(layer.get_config())
    assert (again.scale, again.padding, again.filters) == (2.0, "same", 4)
