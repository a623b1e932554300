"""Layer, group, root mean square and unit normalization against Keras; all of them in other precisions."""

import keras
import numpy as np
import pytest
import torch

from oracle import as_tensors, assert_layer_matches, copy_weights
from torchkeras_lite import Input, layers

RANDOM_WEIGHTS = {"gamma_initializer": "glorot_uniform", "beta_initializer": "glorot_uniform"}
NAMES = (
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
)


def pair(name, **args):
    return getattr(layers, name)(**args), getattr(keras.layers, name)(**args)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("BatchNormalization", {}),
        ("BatchNormalization", {"renorm": True}),
        ("LayerNormalization", {}),
        ("GroupNormalization", {"groups": 2}),
        ("RMSNormalization", {}),
        ("UnitNormalization", {}),
    ],
)
def test_other_precisions(name, args, dtype, rng):
    ours, theirs = pair(name, dtype=dtype, **args)
    x = torch.as_tensor(3 * rng.normal(size=(8, 5, 4)) + 1)
    for training in ({"training": True}, {}) if name == "BatchNormalization" else ({},):
        mine, his = ours(x, **training), theirs(x, **training)
        assert mine.dtype == his.dtype
        tolerance = {"float64": 1e-6}.get(dtype, 2e-2 if "bfloat16" in dtype else 2e-3)
        torch.testing.assert_close(mine, his, rtol=tolerance, atol=tolerance)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.numpy(), b.value.detach().float().numpy(), rtol=1e-2, atol=1e-2)


def test_integers_are_computed_in_the_layer_s_dtype():
    for name in ("BatchNormalization", "UnitNormalization"):
        mine, his = (layer(torch.arange(6).reshape(2, 3)) for layer in pair(name))
        torch.testing.assert_close(mine, his)


OTHERS = [
    ("LayerNormalization", {}, (6, 3)),
    ("LayerNormalization", {"axis": -1, "epsilon": 0.1}, (6, 5, 3)),
    ("LayerNormalization", {"axis": [1, 2]}, (6, 5, 3)),
    ("LayerNormalization", {"axis": (-1, -2)}, (6, 4, 5, 3)),
    ("LayerNormalization", {"center": False}, (6, 3)),
    ("LayerNormalization", {"scale": False}, (6, 3)),
    ("LayerNormalization", {"center": False, "scale": False}, (6, 3)),
    ("GroupNormalization", {"groups": 2}, (6, 4)),
    ("GroupNormalization", {"groups": 2}, (6, 5, 4)),
    ("GroupNormalization", {"groups": 4}, (6, 5, 3, 4)),
    ("GroupNormalization", {"groups": 1}, (6, 2, 5, 3, 4)),
    ("GroupNormalization", {"groups": -1}, (6, 5, 3, 4)),
    ("GroupNormalization", {"groups": 2, "axis": 1}, (6, 4, 5)),
    ("GroupNormalization", {"groups": 2, "axis": 2, "epsilon": 0.1}, (6, 3, 4, 5)),
    ("GroupNormalization", {"groups": 2, "center": False}, (6, 5, 4)),
    ("GroupNormalization", {"groups": 2, "scale": False}, (6, 5, 4)),
]


@pytest.mark.parametrize(("name", "args", "shape"), OTHERS, ids=str)
def test_layer_and_group_normalization(name, args, shape, rng):
    ours, theirs = pair(name, **args, **RANDOM_WEIGHTS)
    assert_layer_matches(ours, theirs, 2 * rng.normal(size=shape) + 1)
    assert ours.get_config()["axis"] == theirs.get_config()["axis"]
    assert ours.get_config().get("groups") == theirs.get_config().get("groups")


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("RMSNormalization", {}, (6, 3)),
        ("RMSNormalization", {"axis": (1, 2), "epsilon": 0.1}, (6, 5, 3)),
        ("RMSNormalization", {"axis": [-1, -2]}, (6, 4, 5, 3)),
        ("UnitNormalization", {}, (6, 3)),
        ("UnitNormalization", {"axis": 1}, (6, 5, 3)),
        ("UnitNormalization", {"axis": [1, 2]}, (6, 5, 3)),
    ],
    ids=str,
)
def test_root_mean_square_and_unit_normalization(name, args, shape, rng):
    ours, theirs = pair(name, **args)
    assert_layer_matches(ours, theirs, 2 * rng.normal(size=shape) + 1)
    assert ours.get_config()["axis"] == theirs.get_config()["axis"]


@pytest.mark.parametrize("axis", [0, 1, [1], [0, 2], [1, 2], [1, 3]])
def test_axes_that_are_not_the_last(axis, rng):
    x = as_tensors(rng.normal(size=(4, 5, 3, 2)), "float64")
    axes = [axis] if isinstance(axis, int) else axis
    sizes = [x.shape[a] if a in axes else 1 for a in range(4)]
    layer = layers.LayerNormalization(axis=axis, dtype="float64", **RANDOM_WEIGHTS)
    gamma, beta = (torch.as_tensor(w).reshape(sizes) for w in (layer(x), layer.get_weights())[1])
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    torch.testing.assert_close(layer(x), (x - mean) / (variance + 1e-3).sqrt() * gamma + beta)
    layer = layers.RMSNormalization(axis=axis, dtype="float64")
    torch.testing.assert_close(layer(x), x / (x.square().mean(axes, keepdim=True) + 1e-6).sqrt())


def test_scaling_by_the_deviation(rng):
    with pytest.warns(UserWarning, match="rms_scaling=True`, which is deprecated"):
        ours = layers.LayerNormalization(rms_scaling=True)
    with pytest.warns(UserWarning, match="rms_scaling"):
        theirs = keras.layers.LayerNormalization(rms_scaling=True)
    assert_layer_matches(ours, theirs, rng.normal(size=(6, 3)) + 2)
    assert [w.name for w in ours.weights] == ["gamma"]


def test_zeros_stay_zeros():
    x = torch.zeros(2, 3, requires_grad=True)
    y = layers.UnitNormalization()(x)
    assert (y == 0).all()
    assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: layers.LayerNormalization("a"),
            TypeError,
            "Expected an int or a list/tuple of ints for the argument 'axis'",
        ),
        (lambda: layers.LayerNormalization(1.5), TypeError, "but received: 1.5"),
        (
            lambda: layers.UnitNormalization("a"),
            TypeError,
            "Invalid value for `axis` argument: expected an int or a list",
        ),
        (lambda: layers.LayerNormalization(3)(torch.ones(2, 3)), ValueError, "expected `axis` from -2 to 1"),
        (
            lambda: layers.LayerNormalization()(layers.Input((None,))),
            ValueError,
            "axis 1 of the input must be known",
        ),
        (lambda: layers.GroupNormalization(0), ValueError, "expected a positive integer"),
        (lambda: layers.GroupNormalization(2.5), ValueError, "Received: groups=2.5"),
        (
            lambda: layers.GroupNormalization(3)(torch.ones(2, 4)),
            ValueError,
            "must be a multiple of the number of channels",
        ),
        (
            lambda: layers.GroupNormalization()(torch.ones(2, 4)),
            ValueError,
            "cannot be more than the number of channels",
        ),
        (
            lambda: layers.GroupNormalization(2)(layers.Input((None,))),
            ValueError,
            "should have a defined dimension but the layer",
        ),
        (lambda: layers.GroupNormalization(1, axis=0)(torch.ones(2, 4)), ValueError, "behind the batch"),
    ],
)
def test_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_weights_of_keras_fit(rng):
    for name in NAMES:
        ours, theirs = pair(name, **({"groups": 2} if name.startswith("Group") else {}))
        x = as_tensors(rng.normal(size=(4, 4)))
        ours(x), theirs(x)
        copy_weights(ours, theirs)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("GroupNormalization", {"groups": 2}), ("LayerNormalization", {})],
    ids=["group", "layer"],
)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float32"])
def test_values_above_the_half_range_are_normalized_in_single_precision(name, arguments, policy, rng):
    x = torch.as_tensor(rng.normal(size=(2, 4, 8)).astype("float32")) * 100 + (
        70000.0 if policy.startswith("mixed") else 3.0
    )
    ours = getattr(layers, name)(**arguments, dtype=policy)
    theirs = getattr(keras.layers, name)(**arguments, dtype=policy)
    mine, his = ours(x), theirs(x)
    assert mine.dtype is his.dtype
    assert ours(Input((4, 8))).dtype == ours.compute_dtype
    tolerance = 1e-5 if policy == "float32" else 2e-2
    torch.testing.assert_close(mine, his, rtol=tolerance, atol=tolerance)
