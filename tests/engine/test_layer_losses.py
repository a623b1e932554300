"""`add_loss` and `losses`, against the same classes in Keras."""

import copy
import types

import keras
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import Input, Layer, Model
from torchkeras_lite.layers import Dense

X = torch.ones(2, 3)
OURS = types.SimpleNamespace(Layer=tk.Layer, Dense=Dense, Input=Input, Model=Model)
KERAS = types.SimpleNamespace(
    Layer=keras.Layer, Dense=keras.layers.Dense, Input=keras.Input, Model=keras.Model
)


def adding(k):
    class Adding(k.Layer):
        def call(self, x):
            self.add_loss(x.sum())
            return x

    return Adding()


def twice(k):
    layer = adding(k)
    layer(X)
    layer(2 * X)
    return layer


def nested(k):
    class Nested(k.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [adding(k), adding(k)]

        def call(self, x):
            self.add_loss(10 * x.sum())
            return self.parts[1](2 * self.parts[0](x))

    layer = Nested()
    layer(X)
    layer(X)
    return layer


def reused(k):
    class Reused(k.Layer):
        def __init__(self):
            super().__init__()
            self.part = adding(k)

        def call(self, x):
            return self.part(2 * self.part(x))

    layer = Reused()
    layer(X)
    layer(X)
    return layer


def functional(k):
    inputs = k.Input((3,))
    model = k.Model(inputs, adding(k)(adding(k)(inputs)))
    assert model.losses == []
    model(X)
    model(X)
    return model


def functional_shared(k):
    inputs, shared = k.Input((3,)), adding(k)
    model = k.Model(inputs, shared(2 * shared(inputs)))
    model(X)
    return model


def regularized(k):
    ones = dict(kernel_initializer="ones", bias_initializer="ones")
    layer = k.Dense(2, kernel_regularizer="l2", bias_regularizer="l1", **ones)
    layer(X)
    return layer


def frozen(k):
    layer = regularized(k)
    layer.trainable = False
    return layer


def active(k):
    layer = k.Dense(2, kernel_initializer="ones", activity_regularizer="l2")
    layer(X)
    layer(X)
    return layer


def active_custom(k):
    class Custom(k.Layer):
        def call(self, x):
            return x

    layer = Custom(activity_regularizer="l1")
    layer(X)
    return layer


def weight_regularized(k):
    class Weighted(k.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(3,), initializer="ones", regularizer="l2", name="w")

        def call(self, x):
            self.add_loss(7 * x.mean())
            return x * self.w

    inputs = k.Input((3,))
    dense = k.Dense(3, kernel_initializer="ones", kernel_regularizer="l1", activity_regularizer="l2")
    model = k.Model(inputs, Weighted()(dense(inputs)))
    model(X)
    return model


def several(k):
    class Several(k.Layer):
        def call(self, x):
            self.add_loss([x.sum(), 2 * x.sum()])
            self.add_loss(torch.tensor(5.0))
            return x

    layer = Several()
    layer(X)
    return layer


MADE = [
    twice,
    nested,
    reused,
    functional,
    functional_shared,
    regularized,
    frozen,
    active,
    active_custom,
    weight_regularized,
    several,
]


@pytest.mark.parametrize("make", MADE, ids=lambda f: f.__name__)
def test_losses_are_keras_s(make):
    ours, theirs = make(OURS).losses, make(KERAS).losses
    assert [float(loss.detach()) for loss in ours] == pytest.approx([float(loss.detach()) for loss in theirs])
    assert all(tuple(loss.shape) == () for loss in ours)


def test_losses_carry_gradients():
    class Penalized(Layer):
        def __init__(self):
            super().__init__()
            self.dense = Dense(1, kernel_regularizer="l2")

        def call(self, x):
            y = self.dense(x)
            self.add_loss(y.square().mean())
            return y

    layer = Penalized()
    layer(X)
    sum(layer.losses).backward()
    assert layer.dense.kernel.value.grad.abs().sum() > 0


def test_losses_do_not_grow_under_fast_calls_and_copies():
    layer = nested(OURS)
    for _ in range(5):
        layer(X)
    assert len(layer.losses) == 3
    outer = torch.nn.Sequential(layer, torch.nn.Identity())
    outer(X)
    assert len(layer.losses) == 3
    assert len(copy.deepcopy(Dense(2, kernel_regularizer="l2")).losses) == 0


def test_add_loss_refuses_what_is_no_scalar():
    class Wrong(Layer):
        def call(self, x):
            self.add_loss(x)
            return x

    with pytest.raises(
        ValueError, match=r"Wrong 'wrong': `add_loss` takes scalars, got a tensor of shape \(2, 3\)"
    ):
        Wrong()(X)
