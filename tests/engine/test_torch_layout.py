"""Graphs that stay in torch's layout: the results of layer after layer, and no axes moved between them."""

import copy
import linecache

import pytest
import torch

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.activations.pointwise import is_pointwise
from torchkeras_lite.engine.direct import DirectGraph, forward_of


def images(*sizes, channels=3):
    return keras.Input((*sizes, channels))


def residual():
    inputs = images(9, 8)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    y = layers.Conv2D(6, 3, 2, padding="same")(x)
    y = layers.LeakyReLU()(layers.BatchNormalization(scale=False)(y))
    y = layers.Conv2D(6, 2, padding="same", activation="gelu")(y)
    y = layers.Add()([y, layers.Conv2D(6, 1, 2)(x)])
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.ReLU()(y))))


def gated():
    inputs = images(6, 6)
    x = layers.Conv2D(4, 3, activation="silu")(inputs)
    gate = layers.Conv2D(4, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Concatenate(axis=3)([layers.Multiply()([x, gate]), x])
    return keras.Model(inputs, [layers.AveragePooling2D(padding="same")(x), layers.Flatten()(x)])


def pooled():
    inputs = images(7, 6)
    x = layers.MaxPooling2D(2, 1, padding="same")(layers.Conv2D(4, 3)(inputs))
    x = layers.Concatenate(axis=1)([x, layers.Maximum()([x, layers.MaxPooling2D(3, 1, "same")(x)])])
    return keras.Model(inputs, layers.GlobalMaxPooling2D()(x))


def over_channels():
    inputs = images(5, 5)
    x = layers.Activation("softmax")(layers.Conv2D(4, 2)(inputs))
    x = layers.Conv2D(3, 2, activation="softmax")(layers.Activation(lambda x: x.cumsum(-1))(x))
    x = layers.BatchNormalization(axis=1)(layers.Conv2D(3, 1)(x))
    return keras.Model(inputs, layers.Dropout(0.4)(layers.Dense(3, "tanh")(layers.Conv2D(3, 1)(x))))


def sequences():
    inputs = images(9)
    x = layers.Conv1D(4, 3, padding="causal", activation="relu")(inputs)
    x = layers.Concatenate()([x, layers.BatchNormalization()(layers.Conv1D(4, 3, padding="same")(x))])
    return keras.Model(inputs, layers.Conv1D(2, 2, 2, padding="same")(layers.MaxPooling1D()(x)))


def volumes():
    inputs = images(5, 4, 6, channels=2)
    x = layers.Conv3D(3, 3, 2, padding="same", activation="elu")(inputs)
    x = layers.Concatenate()([x, layers.BatchNormalization()(x)])
    return keras.Model(inputs, layers.GlobalMaxPooling3D()(layers.Conv3D(2, 2)(x)))


def there_and_back():
    inputs = images(8, 8)
    x = layers.SeparableConv2D(4, 3, padding="same", activation="relu", depth_multiplier=2)(inputs)
    x = layers.DepthwiseConv2D(3, 2, padding="same")(x)
    x = layers.Conv2DTranspose(4, 3, 2, padding="same", activation="relu")(layers.BatchNormalization()(x))
    y = layers.Conv2DTranspose(4, 2, 1, padding="same")(x)
    x = layers.Concatenate()([layers.Conv2DTranspose(3, 4, 1, padding="same", activation="gelu")(y), x])
    return keras.Model(inputs, layers.SeparableConv2D(2, 3, 2, padding="same")(x))


def sequences_there_and_back():
    inputs = images(8)
    x = layers.SeparableConv1D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv1DTranspose(4, 3, 2, padding="same")(layers.DepthwiseConv1D(2, 2, padding="same")(x))
    return keras.Model(inputs, layers.Conv1DTranspose(2, 2, 1, padding="same", activation="tanh")(x))


def of_one_channel():
    inputs = images(6, 6, channels=1)
    x = layers.Conv2D(1, 3, 2, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, layers.Conv2D(2, 3)(x))


def shared():
    inputs = images(6, 6)
    convolution, norm = layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()
    x = norm(convolution(norm(convolution(inputs))))
    return keras.Model(inputs, [x, layers.Add()([x, inputs]), layers.Average()([x, x])])


def channels_first():
    inputs = keras.Input((3, 6, 6))
    x = layers.Conv2D(4, 3, data_format="channels_first")(inputs)
    x = layers.Concatenate()([x, layers.MaxPooling2D(2, 1, "same", data_format="channels_first")(x)])
    return keras.Model(inputs, layers.GlobalAveragePooling2D(data_format="channels_first")(x))


class Ordered(layers.Add):
    """A class of the user's that looks at more than one value."""

    def combine(self, inputs):
        return super().combine(inputs).cumsum(-1)


def of_the_user():
    inputs = images(6, 6)
    x = layers.Conv2D(3, 3, padding="same")(inputs)
    x = Ordered()([x, layers.BatchNormalization()(x)])
    return keras.Model(inputs, layers.Conv2D(2, 3)(keras.ops.flip(x, 2)))


MODELS = [
    residual,
    gated,
    pooled,
    over_channels,
    sequences,
    volumes,
    there_and_back,
    sequences_there_and_back,
    of_one_channel,
    shared,
    channels_first,
    of_the_user,
]


def results(model, call, training):
    x = torch.randn(4, *model.input_shape[1:], generator=torch.Generator().manual_seed(2))
    torch.manual_seed(3)
    outputs = call(x.requires_grad_())
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if training:
        sum(output.square().sum() for output in outputs).backward()
    return [*outputs, *model.buffers()], [x.grad, *(p.grad for p in model.parameters())]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_values_gradients_and_layout_are_those_of_the_layers(make, training):
    keras.utils.set_random_seed(1)
    model = make()
    for weight in model.weights:
        weight.assign(torch.rand(weight.shape) + 0.1)
    model.train(training)
    model(torch.zeros(2, *model.input_shape[1:]))
    other = copy.deepcopy(model)
    call = forward_of(model)
    assert isinstance(call, DirectGraph)
    found, gradients = results(model, call, training)
    expected, wanted = results(other, other, training)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0, check_stride=True)
    for one, two in zip(gradients, wanted, strict=True):  # of two ways, added in another order
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def code_of(model):
    model.eval()
    model(torch.zeros(2, *model.input_shape[1:]))
    return "".join(linecache.getlines(forward_of(model).function.__code__.co_filename))


@pytest.mark.parametrize(("make", "times"), [(residual, 1), (channels_first, 0)], ids=["last", "first"])
def test_axes_are_moved_once(make, times):
    assert code_of(make()).count(".permute(") == times


@pytest.mark.parametrize("index", [1, 2], ids=["Conv2D", "Activation"])
def test_an_activation_that_is_changed_later_is_applied_to_the_layout_it_expects(index):
    chain = [layers.Conv2D(4, 3), layers.Conv2D(4, 1), layers.Activation("relu"), layers.Conv2D(2, 3)]
    model = keras.Sequential([images(8, 8), *chain])
    x = torch.randn(2, 8, 8, 3)
    call = forward_of(model)
    model(x)
    call = forward_of(model)
    model.layers[index].activation = keras.activations.softmax
    torch.testing.assert_close(call(x), model(x), rtol=0, atol=0)


def test_which_activations_look_at_one_value():
    x = torch.randn(2, 3, 4, 5)
    for name in keras.activations.__all__:
        function = getattr(keras.activations, name)
        if is_pointwise(function):
            torch.testing.assert_close(function(x.permute(0, 3, 1, 2)), function(x).permute(0, 3, 1, 2))
    named = ("softmax", "log_softmax", "sparsemax", "glu")
    assert not any(is_pointwise(getattr(keras.activations, name)) for name in named)
    assert not any(map(is_pointwise, (None, {}, layers.ReLU(), lambda x: x)))
