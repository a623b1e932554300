"""Layers that draw with seeds of their own: the numbers of Keras, also behind symbolic calls."""

import keras
import numpy as np
import pytest

import torchkeras_lite


def sampling(package):
    class Sampling(package.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = package.random.SeedGenerator(1337)

        def call(self, inputs):
            mean, log_variance = inputs
            shape = package.ops.shape(mean)
            noise = package.random.normal((shape[0], shape[1]), seed=self.seeds)
            return mean + package.ops.exp(0.5 * log_variance) * noise

    return Sampling()


def functional(package):
    inputs = package.Input((4,))
    layer = sampling(package)
    return layer, package.Model(inputs, layer([inputs, inputs]))


def sequential(package):
    class Twice(package.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = sampling(package)

        def call(self, x):
            return self.inner([x, x])

    layer = Twice()
    return layer.inner, package.Sequential([package.Input((4,)), layer])


def subclass(package):
    class Own(package.Model):
        def __init__(self):
            super().__init__()
            self.draw = sampling(package)

        def call(self, x):
            return self.draw([x, x])

    model = Own()
    model.build((None, 4))
    return model.draw, model


@pytest.mark.parametrize("make", [functional, sequential, subclass], ids=lambda make: make.__name__)
def test_a_sampling_layer_draws_the_numbers_of_keras(make):
    x = np.linspace(0, 1, 8, dtype="float32").reshape(2, 4)
    found = []
    for package in (torchkeras_lite, keras):
        layer, model = make(package)
        count = int(layer.seeds.state.numpy()[1])
        found.append((count, [model(x).detach().numpy() for _ in range(2)]))
    (ours, mine), (theirs, his) = found
    assert ours == theirs == 0
    np.testing.assert_allclose(mine, his, atol=1e-6)
