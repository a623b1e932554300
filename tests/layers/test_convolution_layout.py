"""How convolutions lie in memory and in the module tree, which shapes they give, and that they export."""

import keras
import pytest
import torch
from torch import nn

from oracle import assert_layer_matches
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.convolution import Conv1D, Conv2D, Conv3D
from torchkeras_lite.layers.convolution_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from torchkeras_lite.layers.depthwise_convolution import DepthwiseConv2D
from torchkeras_lite.layers.input_layer import Input
from torchkeras_lite.layers.pooling import MaxPooling2D
from torchkeras_lite.layers.separable_convolution import SeparableConv1D, SeparableConv2D

PLAIN = [Conv1D, Conv2D, Conv3D]
SEPARABLE = [SeparableConv1D, SeparableConv2D]


def shape_of(cls, data_format, size=6, channels=4):
    """A shape of which every spatial size is another: odd and even ones."""
    spatial = [size, size + 1, size + 2][: cls.rank]
    return (2, *spatial, channels) if data_format == "channels_last" else (2, channels, *spatial)


def theirs(cls, **args):
    return getattr(keras.layers, cls.__name__)(**args)


@pytest.mark.parametrize(
    ("layer", "torch_class", "keys"),
    [
        (Conv1D(6, 3), nn.Conv1d, ["conv.weight", "conv.bias"]),
        (Conv2D(6, 3), nn.Conv2d, ["conv.weight", "conv.bias"]),
        (Conv3D(6, 3), nn.Conv3d, ["conv.weight", "conv.bias"]),
        (Conv1DTranspose(6, 3), nn.ConvTranspose1d, ["conv.weight", "conv.bias"]),
        (Conv2DTranspose(6, 3), nn.ConvTranspose2d, ["conv.weight", "conv.bias"]),
        (Conv3DTranspose(6, 3), nn.ConvTranspose3d, ["conv.weight", "conv.bias"]),
        (DepthwiseConv2D(3), nn.Conv2d, ["conv.weight", "conv.bias"]),
        (SeparableConv2D(6, 3), nn.Conv2d, ["depthwise.weight", "pointwise.weight", "pointwise.bias"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_hold_torch_modules(layer, torch_class, keys, rng):
    layer(torch.zeros(shape_of(layer, "channels_last")))
    assert list(layer.state_dict()) == keys
    assert any(isinstance(module, torch_class) for module in layer.children())


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("cls", [*PLAIN, *SEPARABLE])
def test_outputs_in_channels_last_are_contiguous(cls, padding):
    layer = cls(6, 3, padding=padding, activation="relu")
    x = torch.randn(shape_of(cls, "channels_last"), requires_grad=True)
    y = layer(x)
    assert y.is_contiguous()
    y.square().sum().backward()
    assert x.grad.is_contiguous()


@pytest.mark.parametrize(
    ("cls", "memory_format"),
    [
        (Conv2D, torch.channels_last),
        (Conv2DTranspose, torch.channels_last),
        (Conv3D, torch.channels_last_3d),
        (Conv3DTranspose, torch.channels_last_3d),
    ],
)
def test_weights_keep_their_memory_format(cls, memory_format):
    layer = cls(6, 3)
    x = torch.randn(shape_of(cls, "channels_last"))
    layer(x)

    def kept():
        weight = layer.conv.weight
        return weight.is_contiguous(memory_format=memory_format) and not weight.is_contiguous()

    assert kept()
    layer(x).sum().backward()
    assert layer.conv.weight.grad.is_contiguous(memory_format=memory_format)
    layer.set_weights([w + 1 for w in layer.get_weights()])
    assert kept()
    layer.load_state_dict(layer.state_dict())
    layer.double()
    assert kept()
    other = cls(6, 3, data_format="channels_first")
    other(torch.randn(shape_of(cls, "channels_first")))
    assert other.conv.weight.is_contiguous()


@pytest.mark.parametrize(
    "args", [{}, {"padding": "same"}, {"strides": 2}, {"padding": "same", "activation": "relu"}], ids=str
)
def test_nothing_is_copied(args):
    """What runs between the input and the output: views, the convolution, the activation."""
    layer = Conv2D(8, 3, **args)
    x = torch.randn(2, 9, 9, 4)
    layer(x)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        layer(x)
    ran = {event.name for event in profile.events()}
    assert not ran & {"aten::copy_", "aten::contiguous", "aten::clone", "aten::constant_pad_nd"}
    assert "aten::permute" in ran


def test_a_torch_channels_last_pipeline_passes_through():
    """An NCHW tensor in `channels_last` memory, permuted by the user, gives the numbers of `nn.Conv2d`."""
    layer = Conv2D(8, 3)
    x = torch.randn(2, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    y = layer(x.permute(0, 2, 3, 1))
    torch.testing.assert_close(y.permute(0, 3, 1, 2), layer.conv(x))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("cls", [Conv2D, Conv2DTranspose, SeparableConv2D])
def test_unknown_sizes_stay_unknown(cls, strides, padding):
    args = {"filters": 5, "kernel_size": 3, "strides": strides, "padding": padding}
    for shape in ((None, None, 3), (None, 7, 3), (8, None, 3)):
        assert cls(**args)(Input(shape)).shape == theirs(cls, **args)(keras.Input(shape)).shape


def test_a_layer_takes_other_sizes_later(rng):
    args = {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}
    layer, other = Conv2D(**args), theirs(Conv2D, **args)
    for size in (6, 7, 9):
        assert_layer_matches(layer, other, rng.normal(size=(2, size, size + 1, 3)))


class Stack(Layer):
    """A small convolutional network."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = [
            Conv2D(8, 3, padding="same", activation="relu"),
            MaxPooling2D(padding="same"),
            Conv2D(8, 3, strides=2, padding="same"),
            SeparableConv2D(4, 2, padding="same"),
            Conv2DTranspose(3, 3, strides=2, padding="same"),
        ]

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def test_export_with_an_unknown_batch():
    stack = Stack()
    x = torch.randn(4, 9, 10, 3)
    stack(x)
    program = torch.export.export(
        stack, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
    )
    more = torch.randn(7, 9, 10, 3)
    torch.testing.assert_close(program.module()(more), stack(more))


def test_export_with_unknown_sizes():
    layer = Conv2D(4, 3, strides=2, padding="same")
    x = torch.randn(2, 9, 10, 3)
    layer(x)
    sizes = {1: torch.export.Dim("height", min=4, max=64), 2: torch.export.Dim("width", min=4, max=64)}
    program = torch.export.export(layer, (x,), dynamic_shapes=(sizes,))
    for shape in ((2, 12, 15, 3), (2, 13, 16, 3)):
        more = torch.randn(shape)
        torch.testing.assert_close(program.module()(more), layer(more))
