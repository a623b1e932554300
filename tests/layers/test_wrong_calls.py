"""Wrong calls, one line a case: each message names the layer, what came and what to do."""

import re

import numpy as np
import pytest
import torch

from torchkeras_lite import Input, layers

IMAGE, OTHER_IMAGE = (2, 5, 5, 3), (2, 5, 5, 4)
STEPS, OTHER_STEPS = (2, 4, 3), (2, 4, 5)

# An input of another rank than the layer takes.
RANKS = {
    "Dense": (lambda: layers.Dense(3), (4,), "Reshape the input"),
    "EinsumDense": (lambda: layers.EinsumDense("abc,cd->abd", (None, 6)), (2, 3), "Pass inputs with 3 axes"),
    "Conv1D": (lambda: layers.Conv1D(3, 2), (2, 3), "Reshape the input"),
    "Conv2D": (lambda: layers.Conv2D(3, 2), STEPS, "Reshape the input"),
    "Conv3D": (lambda: layers.Conv3D(3, 2), IMAGE, "Reshape the input"),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, 2), STEPS, "Reshape the input"),
    "DepthwiseConv2D": (lambda: layers.DepthwiseConv2D(2), STEPS, "Reshape the input"),
    "SeparableConv2D": (lambda: layers.SeparableConv2D(3, 2), STEPS, "Reshape the input"),
    "MaxPooling2D": (lambda: layers.MaxPooling2D(), STEPS, "Pass inputs with 4 axes"),
    "GlobalAveragePooling2D": (lambda: layers.GlobalAveragePooling2D(), STEPS, "Pass inputs with 4 axes"),
    "AdaptiveMaxPooling1D": (lambda: layers.AdaptiveMaxPooling1D(2), IMAGE, "Pass inputs with 3 axes"),
    "ZeroPadding2D": (lambda: layers.ZeroPadding2D(), STEPS, "Pass inputs with 4 axes"),
    "UpSampling1D": (lambda: layers.UpSampling1D(), IMAGE, "Pass inputs with 3 axes"),
    "RepeatVector": (lambda: layers.RepeatVector(2), STEPS, "Pass inputs with 2 axes"),
    "Permute": (lambda: layers.Permute((2, 1)), (2, 3), "Pass inputs with 3 axes"),
    "LSTM": (lambda: layers.LSTM(3), (2, 3), "Pass inputs with 3 axes"),
    "GRU": (lambda: layers.GRU(3), IMAGE, "Pass inputs with 3 axes"),
    "ConvLSTM2D": (lambda: layers.ConvLSTM2D(3, 2), IMAGE, "Pass inputs with 5 axes"),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Dense(3)), (2,), "Pass one tensor"),
    "Resizing": (lambda: layers.Resizing(2, 2), (3, 3), "Add or remove axes"),
    "Softmax": (lambda: layers.Softmax(axis=3), (2, 3), "Reshape the input"),
    "UnitNormalization": (lambda: layers.UnitNormalization(axis=[1, 2]), (2, 3), "Reshape the input"),
}

# Inputs of one size, then of another.
SIZES = {
    "Dense": (lambda: layers.Dense(3), (2, 3), (2, 4)),
    "EinsumDense": (lambda: layers.EinsumDense("abc,cd->abd", (None, 6)), STEPS, OTHER_STEPS),
    "EinsumDense with dots": (lambda: layers.EinsumDense("...c,cd->...d", 6), STEPS, OTHER_STEPS),
    "EinsumDense with dots behind": (lambda: layers.EinsumDense("ab...,bd->ad...", 6), STEPS, (2, 6, 3)),
    "Conv1D": (lambda: layers.Conv1D(3, 2), STEPS, OTHER_STEPS),
    "Conv2D": (lambda: layers.Conv2D(3, 2), IMAGE, OTHER_IMAGE),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, 2), IMAGE, OTHER_IMAGE),
    "DepthwiseConv2D": (lambda: layers.DepthwiseConv2D(2), IMAGE, OTHER_IMAGE),
    "SeparableConv2D": (lambda: layers.SeparableConv2D(3, 2), IMAGE, OTHER_IMAGE),
    "BatchNormalization": (lambda: layers.BatchNormalization(), (2, 3), (2, 4)),
    "LayerNormalization": (lambda: layers.LayerNormalization(), (2, 3), (2, 4)),
    "LayerNormalization of two": (lambda: layers.LayerNormalization(axis=[1, 2]), STEPS, (2, 5, 3)),
    "RMSNormalization": (lambda: layers.RMSNormalization(), (2, 3), (2, 4)),
    "GroupNormalization": (lambda: layers.GroupNormalization(1), (2, 3), (2, 4)),
    "Normalization": (lambda: layers.Normalization(), (2, 3), (2, 4)),
    "PReLU": (lambda: layers.PReLU(), (2, 3), (2, 4)),
    "SimpleRNN": (lambda: layers.SimpleRNN(3), STEPS, OTHER_STEPS),
    "LSTM": (lambda: layers.LSTM(3), STEPS, OTHER_STEPS),
    "GRU": (lambda: layers.GRU(3), STEPS, OTHER_STEPS),
    "ConvLSTM1D": (lambda: layers.ConvLSTM1D(3, 2), IMAGE, OTHER_IMAGE),
    "Bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3)), STEPS, OTHER_STEPS),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Dense(3)), STEPS, OTHER_STEPS),
    "TimeDistributed Conv1D": (lambda: layers.TimeDistributed(layers.Conv1D(3, 2)), IMAGE, OTHER_IMAGE),
    "SpectralNormalization": (lambda: layers.SpectralNormalization(layers.Dense(3)), (2, 3), (2, 4)),
}


def tensors(*shape):
    return torch.zeros(shape)


def self_attention(layer, *shapes):
    for shape in shapes:
        x = tensors(*shape)
        layer(x, x)


def twice(layer, first, second):
    layer(tensors(*first))
    layer(tensors(*second))


OTHERS = {
    "Attention": (
        lambda: layers.Attention(name="one")([tensors(2, 3, 4), tensors(2, 3, 5)]),
        "Attention 'one'.*(2, 3, 4).*(2, 3, 5).*project one of them",
    ),
    "AdditiveAttention": (
        lambda: layers.AdditiveAttention(name="one")([tensors(2, 3, 4), tensors(2, 3, 5)]),
        "AdditiveAttention 'one'.*(2, 3, 4).*(2, 3, 5).*project one of them",
    ),
    "MultiHeadAttention": (
        lambda: self_attention(layers.MultiHeadAttention(2, 3, name="one"), (2, 3, 4), (2, 3, 5)),
        "value 4.*(2, 3, 5) (the projection 'query' of MultiHeadAttention 'one').*Pass inputs of shape",
    ),
    "a mask of pairs": (
        lambda: layers.MultiHeadAttention(2, 3, name="one")(
            tensors(2, 3, 4), tensors(2, 3, 4), attention_mask=tensors(2, 3, 5).bool()
        ),
        "MultiHeadAttention 'one'.*`attention_mask`.*(3, 3).*(2, 3, 5).*Pass a mask made for",
    ),
    "a mask of values": (
        lambda: layers.GroupQueryAttention(3, 2, 1, name="one")(
            tensors(2, 3, 4), tensors(2, 3, 4), value_mask=tensors(2, 5).bool()
        ),
        "GroupedQueryAttention 'one'.*`value_mask`.*(3,).*(2, 5).*Pass a mask made for",
    ),
    "strides with dilation": (
        lambda: layers.Conv2D(3, 2, strides=2, dilation_rate=2, name="one"),
        "Conv2D 'one'.*strides=(2, 2) and dilation_rate=(2, 2).*Set one",
    ),
    "strides with dilation over time": (
        lambda: layers.ConvLSTM1D(3, 2, strides=2, dilation_rate=3),
        "Specifying `strides > 1` is not compatible with `dilation_rate > 1`.*strides=(2,).*Set one",
    ),
    "groups": (
        lambda: layers.Conv2D(3, 2, groups=2, name="one"),
        "Conv2D 'one'.*groups=2, filters=3.*Change one",
    ),
    "groups of channels": (
        lambda: layers.Conv2D(4, 2, groups=2, name="one")(tensors(*IMAGE)),
        "Conv2D 'one'.*groups=2.*3 channels.*Change `groups`",
    ),
    "groups of a norm": (
        lambda: layers.GroupNormalization(8, name="one")(tensors(2, 4)),
        "GroupNormalization 'one'.*(8).*(4).*Pass a divisor",
    ),
    "axis of a batch norm": (
        lambda: layers.BatchNormalization(axis=3, name="one")(tensors(2, 3)),
        "BatchNormalization 'one'.*(2, 3).*axis=3.*Pass an axis from -2 to 1",
    ),
    "axis of a layer norm": (
        lambda: layers.LayerNormalization(axis=3, name="one")(tensors(2, 3)),
        "LayerNormalization 'one'.*(2, 3).*axis=3.*Make the layer",
    ),
    "axis of a normalization": (
        lambda: layers.Normalization(axis=3, name="one")(tensors(2, 3)),
        "Normalization 'one'.*ndim=2 and axis=(3,).*Make the layer",
    ),
    "units": (lambda: layers.Dense(0, name="one"), "Dense 'one'.*units=0.*Pass an integer of 1 or more"),
    "heads": (
        lambda: layers.MultiHeadAttention(-1, 3, name="one"),
        "MultiHeadAttention 'one': argument `num_heads`.*num_heads=-1.*Pass an integer",
    ),
    "a stateful batch size": (
        lambda: twice(layers.LSTM(3, stateful=True, name="one"), (2, 4, 3), (5, 4, 3)),
        "LSTM 'one'.*Expected batch size: 2. Received batch size: 5. Pass batches",
    ),
    "a stateful batch size of images": (
        lambda: twice(layers.ConvLSTM1D(3, 2, stateful=True, name="one"), (2, 4, 5, 3), (5, 4, 5, 3)),
        "ConvLSTM1D 'one'.*Expected batch size: 2. Received batch size: 5. Pass batches",
    ),
    "a stateful batch size that is unknown": (
        lambda: layers.GRU(3, stateful=True, name="one")(Input((4, 3))),
        "GRU 'one'.*sequence.shape=(None, 4, 3).*Pass `batch_shape=`",
    ),
    "an initial state": (
        lambda: layers.GRU(3, name="one")(tensors(2, 4, 3), initial_state=tensors(2, 5)),
        "GRU 'one'.*shape (2, 3).*shape (2, 5).*Pass a tensor",
    ),
    "a mask of steps": (
        lambda: layers.LSTM(3, name="one")(tensors(2, 4, 3), mask=torch.ones(2, 5).bool()),
        "LSTM 'one'.*shape (2, 4), (batch, steps), got (2, 5). Pass a mask",
    ),
}


@pytest.mark.parametrize("case", list(RANKS))
def test_an_input_of_another_rank_is_refused(case):
    make, shape, remedy = RANKS[case]
    layer = make()
    with pytest.raises(ValueError, match=remedy) as caught:
        layer(tensors(*shape))
    assert layer.name in str(caught.value)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("case", list(SIZES))
def test_a_changed_size_is_refused(case):
    make, first, second = SIZES[case]
    layer = make()
    layer(tensors(*first))
    with pytest.raises(ValueError, match=r"incompatible with the layer: expected (axis|shape)") as caught:
        layer(tensors(*second))
    said = str(caught.value)
    assert layer.name.removeprefix("bidirectional") in said  # whose layers inside speak
    assert str(second) in said
    assert "Pass inputs of shape" in said or "Reshape the input" in said
    layer(tensors(*first))


@pytest.mark.parametrize("case", list(OTHERS))
def test_other_wrong_calls_are_refused(case):
    call, said = OTHERS[case]
    with pytest.raises(ValueError, match=".*".join(map(re.escape, said.split(".*")))):
        call()


@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_vocabulary_that_is_not_set(name):
    data = np.array([1]) if name == "IntegerLookup" else np.array(["a"])
    with pytest.raises(RuntimeError, match=rf"{name} 'one': you must set the layer's vocabulary.*`adapt`"):
        getattr(layers, name)(name="one")(data)


def test_a_missing_argument_is_named():
    with pytest.raises(
        TypeError, match=r"MultiHeadAttention 'one': missing a required argument: 'value'. Call"
    ):
        layers.MultiHeadAttention(2, 3, name="one")(tensors(2, 3, 4))


def test_a_spectrogram_of_integers_is_refused():
    with pytest.raises(TypeError, match=r"STFTSpectrogram 'one'.*got torch.int64. Scale the integers"):
        layers.STFTSpectrogram(name="one")(torch.ones(2, 400, 1, dtype=torch.int64))


def test_what_a_constructor_refuses_is_a_type_error_in_a_config():
    with pytest.raises(
        TypeError, match=r"deserializing class 'Embedding' using config=(?s:.*)`input_dim` must be"
    ):
        layers.Embedding.from_config({"input_dim": 3.7, "output_dim": 8})


def test_layers_over_the_last_axes_take_other_ranks():
    for layer in (layers.LayerNormalization(), layers.RMSNormalization(), layers.Normalization()):
        layer(tensors(2, 3))
        assert layer(tensors(2, 4, 3)).shape == (2, 4, 3)
