"""The function that loops call in place of a model: the same results, and no change of a model is missed."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.engine.direct import DirectGraph, forward_of

X = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


def stack(*more):
    return keras.Sequential([keras.Input((8,)), layers.Dense(5, "relu"), *more, layers.Dense(3)])


def branches():
    inputs = keras.Input((8,))
    x = layers.Dense(8, "tanh")(inputs)
    x = layers.Add()([x, inputs])
    x = layers.Concatenate()([x, layers.Dropout(0.5)(x)])
    x = keras.ops.multiply(x, 2.0)
    return keras.Model(inputs, [layers.Dense(2)(x), layers.BatchNormalization()(x)])


def frozen_base():
    base = keras.Sequential(
        [keras.Input((8,)), layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.5)]
    )
    inputs = keras.Input((8,))
    return keras.Model(inputs, layers.Dense(2)(base(inputs, training=False)))


class OfFive(layers.Layer):
    """Takes sequences of five steps, which nothing but its `input_spec` checks."""

    def build(self, input_shape):
        self.input_spec = layers.InputSpec(axes={1: 5})

    def call(self, inputs):
        return inputs * 1

    def compute_output_shape(self, input_shape):
        return input_shape


def casts():
    inputs = keras.Input((8,))
    x = layers.Dense(4)(inputs)
    integers = layers.Activation("linear")(keras.ops.argmax(x, -1, keepdims=True))
    doubles = layers.ReLU()(keras.ops.cast(x, "float64"))
    return keras.Model(inputs, [integers, doubles, layers.ReLU(dtype="float64")(x)])


MODELS = {
    "stack": stack,
    "no bias": lambda: stack(layers.Dense(4, use_bias=False)),
    "activation layers": lambda: stack(layers.LeakyReLU(), layers.Activation("softmax")),
    "a layer as activation": lambda: stack(layers.Dense(4, activation=layers.ReLU())),
    "torch modules": lambda: stack(nn.Linear(5, 5), nn.Dropout(0.3)),
    "adapted": lambda: stack(layers.Dense(4, lora_rank=2)),
    "recurrent": lambda: stack(layers.Reshape((5, 1)), layers.LSTM(3)),
    "branches": branches,
    "casts": casts,
    "a base in inference mode": frozen_base,
    "nested": lambda: stack(keras.Sequential([keras.Input((5,)), layers.Dense(5, "elu")])),
}


def results(call, model, training):
    model.train(training)
    model.zero_grad()
    torch.manual_seed(3)
    outputs = [call(X)] if isinstance(call(X[:0]), torch.Tensor) else call(X)
    torch.manual_seed(3)
    outputs = call(X)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    if training:
        sum(output.square().sum() for output in outputs).backward()
    return [*outputs, *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_values_and_gradients_are_those_of_the_model(make, training):
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        models.append(make().train(training))
        models[-1](X)
    one, other = models
    call = forward_of(one)
    assert isinstance(call, DirectGraph)
    found, expected = results(call, one, training), results(other, other, training)
    assert len(found) == len(expected) > 0
    for value, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=0, atol=0)


def add_hook(model):
    model.layers[0].register_forward_hook(lambda module, inputs, output: output + 1)


def add_inner_hook(model):
    model.layers[0].linear.register_forward_hook(lambda module, inputs, output: output + 1)


def change_activation(model):
    model.layers[0].activation = keras.activations.get("sigmoid")


def replace_linear(model):
    model.layers[0].linear = nn.Linear(8, 5)


def parametrize_linear(model):
    class Doubled(nn.Module):
        def forward(self, weight):
            return 2 * weight

    nn.utils.parametrize.register_parametrization(model.layers[0].linear, "weight", Doubled())


def add_layer(model):
    model.add(layers.Activation("exponential"))


def enable_lora(model):
    model.layers[0].enable_lora(2, a_initializer="ones", b_initializer="ones")


def replace_weight(model):
    model.layers[0].linear.weight = nn.Parameter(torch.ones(5, 8))


CHANGES = [
    add_hook,
    add_inner_hook,
    change_activation,
    replace_linear,
    parametrize_linear,
    add_layer,
    enable_lora,
    replace_weight,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("again", [False, True], ids=["in an epoch", "in the next"])
def test_what_changes_is_seen(change, again):
    model = stack()
    call = forward_of(model)
    before = call(X)
    change(model)
    call = forward_of(model) if again else call
    torch.testing.assert_close(call(X), model(X), rtol=0, atol=0)
    assert not torch.equal(call(X), before)


def test_hooks_that_a_callback_adds_run_in_the_same_epoch():
    seen = []

    class Hooks(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                hook = lambda *_: seen.append(batch)
                self.model.layers[0].register_forward_hook(hook)

    model = stack()
    model.compile("sgd", "mse")
    model.fit(np.ones((10, 8)), np.ones((10, 3)), batch_size=2, verbose=0, callbacks=[Hooks()])
    assert len(seen) == 3


def test_loops_call_it_from_the_second_batch_of_a_training_on(monkeypatch):
    called, forward = [], keras.Sequential.forward
    monkeypatch.setattr(keras.Sequential, "forward", lambda *args: called.append(1) or forward(*args))
    model = stack()
    model.compile("sgd", "mse")
    x, y = np.ones((10, 8)), np.ones((10, 3))
    model.fit(x, y, batch_size=2, verbose=0)
    model.evaluate(x, y, batch_size=2, verbose=0)
    model.predict(x, batch_size=2, verbose=0)
    model.train_on_batch(x[:2], y[:2])
    assert called == [1]  # the first look at a training has a hook on the model


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=["as declared", "another dtype"])
def test_integer_inputs_go_the_quick_way(monkeypatch, dtype):
    layers_of_words = [layers.Embedding(9, 3), layers.LSTM(2)]
    model = keras.Sequential([keras.Input((4,), dtype="int64"), *layers_of_words]).eval()
    rows = torch.arange(8, dtype=dtype).reshape(2, 4)
    expected, call = model(rows), forward_of(model)
    called, forward = [], keras.Sequential.forward
    monkeypatch.setattr(keras.Sequential, "forward", lambda *args: called.append(1) or forward(*args))
    torch.testing.assert_close(call(rows), expected, rtol=0, atol=0)
    assert bool(called) == (dtype is torch.int32)


def test_autocast_and_masks_are_left_to_the_model():
    model = stack()
    with torch.autocast("cpu", torch.bfloat16):
        assert forward_of(model) is model
    assert isinstance(forward_of(model), DirectGraph)
    masked = keras.Sequential([keras.Input((4,)), layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2)])
    assert forward_of(masked) is masked


@pytest.mark.parametrize("again", [False, True], ids=["in an epoch", "in the next"])
def test_losses_that_layers_add_are_cleared(again):
    class Adds(layers.Layer):
        def call(self, inputs):
            if adds:
                self.add_loss(inputs.sum())
            return inputs

    adds = False
    model = stack(Adds())
    call = forward_of(model)
    call(X)
    adds = True
    call(X)
    call = forward_of(model) if again else call
    for _ in range(2):
        call(X)
        assert len(model.losses) == 1


def test_models_that_compute_themselves_are_called():
    class Doubled(keras.Model):
        def call(self, inputs):
            return 2 * super().call(inputs)

    class Shaped(keras.Model):
        def compute_output_shape(self, input_shape):
            return (None, 7)

    inputs = keras.Input((8,))
    outputs = layers.Dense(3)(inputs)
    doubled, shaped = Doubled(inputs, outputs), Shaped(inputs, outputs)
    assert forward_of(doubled) is doubled
    torch.testing.assert_close(doubled(X), 2 * keras.Model(inputs, outputs)(X))
    assert shaped(keras.Input((8,))).shape == (None, 7)
    assert isinstance(forward_of(keras.Model(inputs, outputs)), DirectGraph)


def subclassed(call):
    return type("Other", (layers.Dense,), {"call": call})


def replaced(call):
    other = type(
        "Other", (layers.Dense,), {"call": layers.Dense.call, "direct_call": layers.Dense.direct_call}
    )
    other.call = call
    return other


@pytest.mark.parametrize("make", [subclassed, replaced], ids=lambda make: make.__name__)
def test_a_call_of_its_own_takes_the_place_of_the_short_cut(make):
    other = make(lambda self, inputs: 2 * self.linear(inputs))
    model = stack(other(4))
    assert isinstance(forward_of(model), DirectGraph)
    torch.testing.assert_close(forward_of(model)(X), model(X), rtol=0, atol=0)


def test_shapes_are_checked_where_they_may_vary():
    model = keras.Sequential([keras.Input((None, 3)), layers.Dense(2), OfFive()])
    call = forward_of(model)
    assert isinstance(call, DirectGraph)
    assert call(torch.ones(2, 5, 3)).shape == (2, 5, 2)
    with pytest.raises(ValueError, match="axis 1"):
        call(torch.ones(2, 7, 3))


def test_errors_are_those_of_the_model():
    model = keras.Sequential([keras.Input((None, 3)), layers.Dense(2), layers.Reshape((4,)), layers.Dense(2)])
    call = forward_of(model)
    assert isinstance(call, DirectGraph)
    with pytest.raises(RuntimeError) as expected:
        model(torch.ones(2, 5, 3))
    with pytest.raises(RuntimeError) as found:
        call(torch.ones(2, 5, 3))
    assert str(found.value) == str(expected.value)


def test_models_are_freed_and_pickled():
    model = stack()
    forward_of(model)(X)
    torch.testing.assert_close(pickle.loads(pickle.dumps(model))(X), model(X))
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None
