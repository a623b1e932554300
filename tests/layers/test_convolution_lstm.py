"""ConvLSTM1D, ConvLSTM2D and ConvLSTM3D against Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close, assert_layer_matches, copy_weights, plain_config
from torchkeras_lite import layers

SIZES = (6, 7, 5)

ARGUMENTS = {
    "default-1d": (1, {"kernel_size": 3}),
    "even-same-1d": (1, {"kernel_size": 2, "padding": "same", "return_sequences": True}),
    "channels-first-1d": (1, {"kernel_size": 3, "strides": 2, "data_format": "channels_first"}),
    "default-2d": (2, {"kernel_size": (2, 3), "return_state": True}),
    "strided-2d": (2, {"kernel_size": 3, "strides": 2, "padding": "same", "return_sequences": True}),
    "dilated-2d": (2, {"kernel_size": 2, "dilation_rate": 2, "use_bias": False, "go_backwards": True}),
    "channels-first-2d": (2, {"kernel_size": 2, "data_format": "channels_first", "unit_forget_bias": False}),
    "other-activations-2d": (
        2,
        {"kernel_size": 2, "activation": "relu", "recurrent_activation": "hard_sigmoid"},
    ),
    "default-3d": (3, {"kernel_size": 2, "padding": "same"}),
    "sequences-3d": (3, {"kernel_size": (1, 2, 3), "return_sequences": True, "return_state": True}),
}
table = pytest.mark.parametrize("case", list(ARGUMENTS))


def pair(case, **more):
    rank, arguments = ARGUMENTS[case]
    arguments = {"filters": 3, "recurrent_initializer": "he_normal", **arguments, **more}
    name = f"ConvLSTM{rank}D"
    return getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)


def images(case, rng, steps=4):
    rank, arguments = ARGUMENTS[case]
    shape = (2, steps, *SIZES[:rank], 2)
    x = rng.normal(size=shape).astype("float32")
    return x if "data_format" not in arguments else np.moveaxis(x, -1, 2)


@table
def test_values_and_gradients_are_those_of_keras(case, rng):
    ours, theirs = pair(case)
    assert_layer_matches(ours, theirs, images(case, rng))
    assert [w.path.split("/")[-1] for w in ours.weights] == [w.path.split("/")[-1] for w in theirs.weights]


@table
def test_shapes_and_configs_are_those_of_keras(case, rng):
    ours, theirs = pair(case)
    shape = images(case, rng).shape
    assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape)
    assert plain_config(ours.get_config()) == plain_config(theirs.get_config())
    again = type(ours).from_config(ours.get_config())
    assert plain_config(again.get_config()) == plain_config(ours.get_config())


@table
@pytest.mark.parametrize("zero_output", [False, True])
def test_masks_act_as_in_keras(case, zero_output, rng):
    ours, theirs = pair(case, zero_output_for_mask=zero_output)
    x = torch.as_tensor(images(case, rng))
    mask = torch.tensor([[True, False, True, True], [False, False, True, False]])
    ours(x), theirs(x)
    copy_weights(ours, theirs)
    assert_close(ours(x, mask=mask), theirs(x, mask=mask))


def test_initial_states_are_taken(rng):
    ours, theirs = pair("default-2d")
    x = torch.as_tensor(images("default-2d", rng))
    _, h, c = theirs(x)
    states = [torch.randn_like(h), torch.randn_like(c)]
    ours(x)
    copy_weights(ours, theirs)
    assert_close(ours(x, initial_state=states), theirs(x, initial_state=states))


def test_stateful_goes_on_and_can_be_reset(rng):
    x = images("default-2d", rng)
    model = torchkeras_lite.Sequential(
        [torchkeras_lite.Input(batch_shape=x.shape), layers.ConvLSTM2D(3, 2, stateful=True)]
    )
    first, second = model.predict(x, verbose=0), model.predict(x, verbose=0)
    assert not np.allclose(first, second)
    model.layers[0].reset_states()
    np.testing.assert_allclose(model.predict(x, verbose=0), first, rtol=1e-6)


def test_sizes_may_be_unknown():
    inputs = torchkeras_lite.Input((None, None, 8, 1))
    outputs = layers.ConvLSTM2D(4, 3, return_sequences=True)(inputs)
    assert outputs.shape == (None, None, None, 6, 4)
    model = torchkeras_lite.Model(inputs, outputs)
    assert model(torch.zeros(2, 3, 5, 8, 1)).shape == (2, 3, 3, 6, 4)


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}, {"dropout": 1.0}], ids=str)
def test_dropout_acts_in_training_only(rates):
    layer = layers.ConvLSTM1D(2, 3, padding="same", seed=3, **rates)
    x = torch.ones(8, 5, 6, 2)
    expected = layers.ConvLSTM1D(2, 3, padding="same")
    expected(x), layer(x)
    expected.set_weights(layer.get_weights())
    torch.testing.assert_close(layer(x), expected(x))
    changed = not torch.allclose(layer(x, training=True), expected(x))
    assert changed == (0.0 < next(iter(rates.values())) < 1.0)  # Keras drops nothing at a rate of 1


def test_gates_lose_inputs_of_their_own():
    cell = layers.ConvLSTM1D(2, 1, dropout=0.5, use_bias=False, seed=3).cell
    cell.build((None, 4, 3))
    x = torch.ones(2, 4, 3)
    masks = cell.input_masks(x, training=True)
    assert not torch.equal(masks[0], masks[1])
    kernel = cell.conv.weight.unflatten(0, (4, 2))[..., 0]
    expected = torch.cat([(x * mask) @ weight.t() for mask, weight in zip(masks, kernel, strict=True)], -1)
    torch.testing.assert_close(cell.project(x, masks), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "filters=0. Pass an integer of 1 or more"),
        ({"kernel_size": 0}, "kernel_size=0.*Pass 2 integers of 1 or more"),
        ({"strides": 2, "dilation_rate": 2}, "Set one of them to 1"),
        ({"padding": "causal"}, "padding='causal'"),
        ({"recurrent_activation": "sigmod"}, "sigmoid"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        layers.ConvLSTM2D(**{"filters": 3, "kernel_size": 3, **arguments})


def test_wrong_inputs_are_refused():
    layer = layers.ConvLSTM2D(3, 3)
    with pytest.raises(ValueError, match="expected ndim=5, found ndim=4"):
        layer(torch.zeros(2, 8, 8, 1))
    with pytest.raises(ValueError, match="does not fit"):
        layer(torch.zeros(2, 4, 2, 8, 1))
    layer(torch.zeros(2, 4, 8, 8, 1))
    with pytest.raises(ValueError, match="axis -1"):
        layer(torch.zeros(2, 4, 8, 8, 2))
    with pytest.raises(ValueError, match=r"batch size must be static.*batch_shape"):
        layers.ConvLSTM2D(3, 3, stateful=True)(torchkeras_lite.Input((4, 8, 8, 1)))
