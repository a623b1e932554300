"""Merging layers against Keras: values, gradients, broadcasting, masks, errors."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_layer_matches
from torchkeras_lite import layers

ELEMENTWISE = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


def pair(name, **args):
    return getattr(layers, name)(**args), getattr(keras.layers, name)(**args)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    "shapes",
    [
        ((4, 3), (4, 3)),
        ((4, 3), (4, 5, 3)),
        ((4, 5, 3), (4, 3)),
        ((4, 5, 1), (4, 1, 3)),
        ((4, 3), (4, 2, 5, 3)),
    ],
    ids=str,
)
def test_two_inputs(name, shapes, rng):
    assert_layer_matches(*pair(name), [rng.normal(size=shape) for shape in shapes])


@pytest.mark.parametrize("name", ["Add", "Multiply", "Average", "Maximum", "Minimum"])
@pytest.mark.parametrize("count", [1, 3])
def test_other_counts(name, count, rng):
    assert_layer_matches(*pair(name), [rng.normal(size=(4, 3)) for _ in range(count)])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_dtypes(name):
    integers, floats = torch.ones(2, 3, dtype=torch.int32), torch.ones(2, 3)
    for inputs in ([integers, integers], [integers, floats]):
        ours, theirs = (layer(inputs) for layer in pair(name))
        assert ours.dtype == theirs.dtype


def masked(value, mask):
    x = torch.full((1, 8, 1), float(value))
    if mask is not None:
        x._keras_mask = torch.tensor([mask], dtype=torch.bool)
    return x


A, B, C = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("name", ["Add", "Multiply", "Average", "Maximum", "Minimum"])
@pytest.mark.parametrize("values", [(2, 5, 3), (5, 2, 3), (3, 2, 5)])
@pytest.mark.parametrize("masks", [(A, B, C), (None, B, C), (A, None, C), (A, B, None), (None, None, None)])
def test_masks(name, values, masks):
    ours, theirs = (layer([masked(v, m) for v, m in zip(values, masks, strict=True)]) for layer in pair(name))
    torch.testing.assert_close(ours, theirs)
    his = getattr(theirs, "_keras_mask", None)
    mine = getattr(ours, "_keras_mask", None)
    assert (mine is None) == (his is None)
    if his is not None:
        torch.testing.assert_close(mine, his)


def test_masks_in_a_graph():
    x, y = layers.Input((2, 1)), layers.Input((2, 1))
    z = layers.Multiply()([layers.Masking()(x), layers.Masking()(y)])
    call = z.call
    assert set(call.kwargs) == {"mask"}
    assert z._keras_mask.shape == (None, 2)


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("masks", [(A, B), (None, B), (A, None), (None, None)])
def test_concatenate_masks(axis, masks):
    ours, theirs = (layer([masked(1, m) for m in masks]) for layer in pair("Concatenate", axis=axis))
    torch.testing.assert_close(ours, theirs)
    his, mine = (getattr(y, "_keras_mask", None) for y in (theirs, ours))
    assert (mine is None) == (his is None)
    if his is not None:
        torch.testing.assert_close(mine, his)


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, ((4, 3), (4, 2))),
        (1, ((4, 3, 2), (4, 5, 2), (4, 1, 2))),
        (0, ((4, 3), (2, 3))),
        (-2, ((4, 3, 2), (4, 5, 2))),
        (1, ((4, 3),)),
    ],
)
def test_concatenate(axis, shapes, rng):
    assert_layer_matches(*pair("Concatenate", axis=axis), [rng.normal(size=shape) for shape in shapes])


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (1, ((4, 3), (4, 3))),
        (-1, ((4, 3), (4, 3))),
        ((2, 1), ((4, 5, 3), (4, 3, 2))),
        (-1, ((4, 5, 3), (4, 2, 3))),
        ((1, 2), ((4, 3, 5), (4, 2, 3))),
        ((2, 1), ((4, 5, 3), (4, 3))),
        ((1, 2), ((4, 3), (4, 2, 3))),
        ((3, 1), ((2, 3, 4, 6), (2, 6, 5, 7))),
        ((1, 3), ((2, 6, 4, 3), (2, 5, 7, 6))),
        ((3, 1), ((2, 3, 4, 6), (2, 6))),
    ],
)
def test_dot(axes, normalize, shapes, rng):
    assert_layer_matches(*pair("Dot", axes=axes, normalize=normalize), [rng.normal(size=s) for s in shapes])


def test_dot_of_nothing_is_nothing():
    for scale in (0.0, 1e-9, 1e-5):
        inputs = [torch.tensor([[scale, 0.0]]), torch.tensor([[1.0, 0.0]])]
        ours, theirs = (layer(inputs) for layer in pair("Dot", axes=1, normalize=True))
        torch.testing.assert_close(ours, theirs)


def test_functions(rng):
    x = [torch.as_tensor(rng.normal(size=(4, 3)).astype("float32")) for _ in range(2)]
    for name in ("add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"):
        torch.testing.assert_close(getattr(layers, name)(x), getattr(keras.layers, name)(x))
    assert layers.concatenate(x, axis=0).shape == (8, 3)
    assert layers.dot(x, axes=1, normalize=True).abs().max() <= 1.0001
    assert layers.add([layers.Input((3,)), layers.Input((3,))], name="sum").call.name == "sum"


@pytest.mark.parametrize(
    ("name", "args", "shapes"),
    [
        ("Add", {}, ((None, 3), (5, 3))),
        ("Add", {}, ((3,), (None, 3))),
        ("Concatenate", {"axis": 1}, ((None, 3), (2, 3))),
        ("Concatenate", {}, ((None, 3), (5, 3))),
        ("Dot", {"axes": (2, 2)}, ((None, 3), (5, 3))),
    ],
)
def test_symbolic_shapes(name, args, shapes):
    ours, theirs = pair(name, **args)
    mine = ours([layers.Input(shape) for shape in shapes]).shape
    his = theirs([keras.Input(shape) for shape in shapes]).shape
    assert len(mine) == len(his)
    assert all(b in (a, None) for a, b in zip(mine, his, strict=True))


@pytest.mark.parametrize(
    ("name", "args", "shapes", "message"),
    [
        ("Add", {}, ((2, 3), (2, 4)), r"Inputs have incompatible shapes\. Received shapes \(3,\) and \(4,\)"),
        ("Add", {}, ((2, 3), (3, 3)), "Cannot merge tensors with different batch sizes"),
        ("Add", {}, (), "should be called on a list of at least 1 input"),
        ("Subtract", {}, ((2, 3),) * 3, "`Subtract` layer should be called on exactly 2 inputs"),
        ("Subtract", {}, ((2, 3),), "`Subtract` layer should be called on exactly 2 inputs"),
        ("Concatenate", {}, ((2, 3, 4), (2, 4, 4)), "requires inputs with matching shapes except for"),
        ("Concatenate", {}, ((2, 3, 4), (2, 4)), "requires inputs with matching shapes except for"),
        ("Concatenate", {"axis": 3}, ((2, 3), (2, 3)), "expected `axis` from -2 to 1"),
        ("Dot", {"axes": 1}, ((2, 3), (2, 4)), "Incompatible input shapes: axis values 3"),
        ("Dot", {"axes": 1}, ((2, 3),) * 3, "`Dot` layer should be called on a list of 2 inputs"),
        ("Dot", {"axes": 0}, ((2, 3), (2, 3)), "other than the batch axis"),
        ("Dot", {"axes": 2}, ((2, 3), (2, 3)), "within the rank of the inputs"),
    ],
)
def test_refuses_inputs(name, args, shapes, message):
    for make in (torch.ones, lambda shape: layers.Input(batch_shape=shape)):
        layer = getattr(layers, name)(**args)
        inputs = [make(shape) for shape in shapes]
        if inputs or make is torch.ones:
            with pytest.raises(ValueError, match=message):
                layer(inputs)


@pytest.mark.parametrize("name", ["Add", "Concatenate"])
def test_refuses_a_tensor_without_a_list(name):
    with pytest.raises(ValueError, match=r"layer should be called on a list of .*Pass the tensors in a list"):
        getattr(layers, name)()(torch.ones(2, 3))


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ("a", TypeError, "Invalid type for argument `axes`"),
        ((1, 2, 3), ValueError, "it should contain two elements"),
        ((1, "b"), ValueError, "list elements should be integers"),
    ],
)
def test_dot_refuses_axes(axes, error, message):
    with pytest.raises(error, match=message):
        layers.Dot(axes)


def test_compute_mask_refuses_what_is_no_list():
    x = torch.ones(2, 3)
    for layer in (layers.Add(), layers.Concatenate()):
        with pytest.raises(ValueError, match="`mask` should be a list"):
            layer.compute_mask([x, x], x)
        with pytest.raises(ValueError, match="`inputs` should be a list"):
            layer.compute_mask(x, [None, None])
        with pytest.raises(ValueError, match="should have the same length"):
            layer.compute_mask([x, x], [None])
    assert layers.Dot(1).compute_mask([x, x], [x, x]) is None


def test_one_layer_serves_other_sizes():
    layer = layers.Add()
    assert layer([torch.ones(2, 3), torch.ones(2, 3)]).shape == (2, 3)
    assert layer([torch.ones(4, 5), torch.ones(4, 6, 5)]).shape == (4, 6, 5)
    assert np.all(layer([torch.ones(1, 3)] * 3).numpy() == 3)
