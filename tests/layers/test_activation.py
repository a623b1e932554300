"""Activation layers against Keras."""

import keras
import pytest
import torch

from oracle import as_tensors, assert_layer_matches
from torchkeras_lite import layers

CASES = [
    ("Activation", {"activation": "relu"}, (4, 3)),
    ("Activation", {"activation": "softmax"}, (4, 3)),
    ("Activation", {"activation": None}, (4, 3)),
    ("ReLU", {}, (4, 3)),
    ("ReLU", {"max_value": 1.0}, (4, 5, 3)),
    ("ReLU", {"max_value": 6}, (4, 3)),
    ("ReLU", {"negative_slope": 0.2}, (4, 3)),
    ("ReLU", {"threshold": 0.5}, (4, 3)),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.2, "threshold": 0.5}, (4, 3)),
    ("LeakyReLU", {}, (4, 3)),
    ("LeakyReLU", {"negative_slope": 0.05}, (4, 3)),
    ("PReLU", {"alpha_initializer": "ones"}, (4, 3)),
    ("PReLU", {"alpha_initializer": "glorot_uniform", "shared_axes": [1]}, (4, 5, 3)),
    ("PReLU", {"alpha_initializer": "ones", "shared_axes": 1}, (4, 5, 3)),
    ("PReLU", {"alpha_initializer": "ones", "shared_axes": (1, 2)}, (4, 5, 5, 3)),
    ("ELU", {}, (4, 3)),
    ("ELU", {"alpha": 0.3}, (4, 3)),
    ("Softmax", {}, (4, 3)),
    ("Softmax", {"axis": 1}, (4, 5, 3)),
    ("Softmax", {"axis": [1, 2]}, (4, 5, 3)),
    ("Softmax", {"axis": (-1, -2)}, (4, 5, 3)),
    ("Softmax", {"axis": [-1]}, (4, 5, 3)),
]


@pytest.mark.parametrize(("name", "args", "shape"), CASES, ids=str)
def test_matches_keras(name, args, shape, rng):
    ours, theirs = getattr(layers, name)(**args), getattr(keras.layers, name)(**args)
    assert_layer_matches(ours, theirs, 2 * rng.normal(size=shape))


def test_gradients_at_zero_are_those_of_keras():
    for name, args in (
        ("ReLU", {}),
        ("LeakyReLU", {}),
        ("PReLU", {"alpha_initializer": "ones"}),
        ("ELU", {}),
    ):
        found = []
        for library in (layers, keras.layers):
            x = torch.tensor([[0.0, -1.0, 1.0]], requires_grad=True)
            getattr(library, name)(**args)(x).sum().backward()
            found.append(x.grad)
        torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("shape", "axis", "mask"),
    [
        ((2, 3), -1, [[True, True, False], [False, False, False]]),
        ((2, 2, 3), (1, 2), [[[True, True, False]], [[False, False, False]]]),
        ((2, 2, 3), 1, [[[True], [False]], [[False], [True]]]),
        ((2, 3), -1, [True, False, True]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_softmax_masks(shape, axis, mask, dtype, rng):
    x, mask = as_tensors(rng.normal(size=shape), dtype).requires_grad_(), torch.tensor(mask)
    ours, theirs = (library.Softmax(axis, dtype=dtype)(x, mask=mask) for library in (layers, keras.layers))
    torch.testing.assert_close(ours, theirs)
    (gradient,) = torch.autograd.grad(ours.square().sum(), x)
    assert gradient.isfinite().all()
    expected = torch.autograd.grad(theirs.square().sum(), x)[0]
    torch.testing.assert_close(gradient, expected, rtol=1e-2 if dtype == "float16" else 1e-5, atol=1e-3)


def test_softmax_refuses_masks():
    with pytest.raises(ValueError, match=r"must be broadcastable to `inputs`\. Each mask dimension"):
        layers.Softmax()(torch.ones(2, 3), mask=torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="must not have more dimensions"):
        layers.Softmax()(torch.ones(2, 3), mask=torch.ones(1, 2, 3, dtype=torch.bool))


def test_masks_pass_through():
    x = torch.ones(1, 2, 3)
    for layer in (layers.Activation("relu"), layers.ReLU(), layers.LeakyReLU(), layers.PReLU(), layers.ELU()):
        assert layer(layers.Masking()(x))._keras_mask.all()


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("ReLU", {"max_value": -1}, "max_value of a ReLU layer cannot be a negative value"),
        ("ReLU", {"negative_slope": -1}, "negative_slope of a ReLU layer cannot be None or a negative value"),
        (
            "ReLU",
            {"negative_slope": None},
            "negative_slope of a ReLU layer cannot be None or a negative value",
        ),
        ("ReLU", {"threshold": None}, "threshold of a ReLU layer cannot be None or a negative value"),
        (
            "LeakyReLU",
            {"negative_slope": None},
            "The negative_slope value of a Leaky ReLU layer cannot be None",
        ),
        ("LeakyReLU", {"negative_slope": -0.1}, r"Received: negative_slope=-0.1\. Pass a number"),
        ("Activation", {"activation": "rellu"}, "did you mean 'relu'"),
    ],
)
def test_refuses(name, args, message):
    with pytest.raises(ValueError, match=message):
        getattr(layers, name)(**args)


def test_leaky_relu_takes_the_old_name():
    with pytest.warns(UserWarning, match="Use `negative_slope` instead"):
        layer = layers.LeakyReLU(alpha=0.1)
    assert layer.get_config()["negative_slope"] == 0.1


def test_prelu_needs_known_sizes():
    with pytest.raises(ValueError, match="axis 1 of the input must be known"):
        layers.PReLU()(layers.Input((None, 3)))
    layer = layers.PReLU(shared_axes=[1])
    layer(layers.Input((None, 3)))
    assert layer.alpha.shape == (1, 3)
    with pytest.raises(ValueError, match="expected axis 2"):
        layer(torch.ones(1, 2, 4))
    with pytest.raises(ValueError, match="expected `shared_axes` from 1 to 2"):
        layers.PReLU(shared_axes=[3])(torch.ones(1, 2, 4))


def test_prelu_keeps_weights_in_full_precision():
    layer = layers.PReLU(dtype="mixed_bfloat16")
    assert layer(torch.ones(2, 3)).dtype == torch.bfloat16
    assert layer.alpha.dtype == torch.float32
