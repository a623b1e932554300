"""`RematScope` and `remat`: the same numbers, computed twice where the scope says so."""

import copy

import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import layers

X = torch.linspace(-1, 1, 24).reshape(8, 3)


def computations(layer, x=X):
    """Return how often a forward and a backward pass compute `layer`."""
    layer(x)
    module, counted = layer.linear, []
    handle = module.register_forward_hook(lambda *_: counted.append(None))
    layer(x).sum().backward()
    handle.remove()
    return len(counted)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"mode": "full"}, 2),
        ({"mode": None}, 1),
        ({"mode": "activations"}, 2),
        ({"mode": "larger_than", "output_size_threshold": 31}, 2),
        ({"mode": "larger_than", "output_size_threshold": 32}, 1),
        ({"mode": "list_of_layers", "layer_names": ["d"]}, 2),
        ({"mode": "list_of_layers", "layer_names": ["e"]}, 1),
    ],
    ids=["full", "none", "activations", "larger", "not-larger", "named", "not-named"],
)
def test_layers_made_in_a_scope_are_computed_again(scope, expected):
    with tk.RematScope(**scope):
        layer = layers.Dense(4, activation="relu", name="d")
    assert computations(layer) == expected
    assert computations(copy.deepcopy(layer)) == expected
    assert computations(layers.Dense(4)) == 1


def test_the_innermost_scope_counts():
    with tk.RematScope("full"), tk.RematScope(None):
        layer = layers.Dense(4)
    assert computations(layer) == 1


def test_numbers_statistics_and_draws_are_those_without_a_scope():
    def model():
        return tk.Sequential(
            [
                tk.Input((3,)),
                layers.Dense(4, activation="tanh"),
                layers.BatchNormalization(),
                layers.Dropout(0.5),
                layers.Dense(1),
            ]
        )

    plain = model()
    with tk.RematScope():
        again = model()
    again.set_weights(plain.get_weights())
    results = []
    for one in (plain, again):
        torch.manual_seed(0)
        x = X.clone().requires_grad_()
        y = one(x, training=True)
        y.square().sum().backward()
        weights = [weight.value.grad for weight in one.trainable_weights]
        results.append([y, x.grad, *weights, *map(torch.as_tensor, one.get_weights())])
    for mine, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(mine, expected)


def test_a_function_is_computed_again_and_keeps_its_arguments():
    calls = []

    def f(x, *, factor):
        calls.append(factor)
        return (x * factor).tanh().sum()

    x = X.clone().requires_grad_()
    value = tk.remat(f)(x, factor=2.0)
    value.backward()
    assert calls == [2.0, 2.0]
    torch.testing.assert_close(x.grad, 2 * (1 - (2 * X).tanh() ** 2))


def test_a_layer_without_a_scope_is_called_plainly():
    layer = layers.Dense(4)
    layer(X)
    torch.testing.assert_close(layer.rematerialized_call(layer.call, X), layer(X))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"Invalid mode 'most'.*larger_than"):
        tk.RematScope("most")
