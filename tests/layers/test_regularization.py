"""Dropout, noise and penalties: what Keras computes, the share that is dropped, modes and seeds."""

import copy
import pickle

import keras
import pytest
import torch

from oracle import assert_layer_matches
from torchkeras_lite import layers

RANDOM = [
    ("Dropout", {"rate": 0.25}, (4, 3)),
    ("SpatialDropout1D", {"rate": 0.25}, (4, 5, 3)),
    ("SpatialDropout2D", {"rate": 0.25}, (4, 5, 5, 3)),
    ("SpatialDropout3D", {"rate": 0.25}, (4, 2, 5, 5, 3)),
    ("GaussianNoise", {"stddev": 0.25}, (4, 3)),
    ("GaussianDropout", {"rate": 0.25}, (4, 3)),
    ("AlphaDropout", {"rate": 0.25}, (4, 3)),
]
DROPOUTS = RANDOM[:4]
each = pytest.mark.parametrize(("name", "args", "shape"), RANDOM, ids=str)


def make(name, args, **more):
    return getattr(layers, name)(**args, **more)


@each
def test_inference_is_the_identity(name, args, shape, rng):
    layer = make(name, args)
    assert_layer_matches(layer, getattr(keras.layers, name)(**args), rng.normal(size=shape), training=False)
    x = torch.ones(shape)
    assert layer(x).data_ptr() == x.data_ptr()
    assert not layer.weights
    assert not layer.state_dict()


@each
def test_mode(name, args, shape):
    layer, x = make(name, args), torch.ones(shape)
    assert (layer(x) == x).all()
    assert (layer(x, training=True) != x).any()
    assert (layer(x) == x).all()
    layer.train()
    assert (layer(x) != x).any()
    assert (layer(x, training=False) == x).all()
    layer.eval()
    assert (layer(x) == x).all()


@each
def test_a_seed_repeats_whatever_else_is_drawn(name, args, shape):
    x, first, second = torch.ones(shape), make(name, args, seed=7), make(name, args, seed=7)
    one = [first(x, training=True) for _ in range(3)]
    torch.rand(5)
    two = [second(x, training=True) for _ in range(3)]
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b)
    assert any((one[0] != other).any() for other in one[1:])
    state = torch.get_rng_state()
    first(x, training=True)
    assert torch.equal(state, torch.get_rng_state())
    again = (copy.deepcopy(first), pickle.loads(pickle.dumps(first)))
    expected = first(x, training=True)
    for layer in again:
        torch.testing.assert_close(layer(x, training=True), expected)
    assert make(name, args, seed=7).get_config()["seed"] == 7


@each
def test_without_a_seed_the_global_generator_draws(name, args, shape):
    x, layer = torch.ones(shape), make(name, args)
    torch.manual_seed(3)
    first = layer(x, training=True)
    torch.manual_seed(3)
    torch.testing.assert_close(layer(x, training=True), first)


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("noise_shape", [None, (None, None)])
def test_dropout_drops_its_share_and_scales_the_rest(seed, noise_shape):
    y = layers.Dropout(0.25, noise_shape=noise_shape, seed=seed)(torch.ones(400, 400), training=True)
    assert (y == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(y[y != 0].unique(), torch.tensor([1 / 0.75]))


@pytest.mark.parametrize("seed", [None, 7])
def test_dropout_of_all_and_of_none(seed):
    x = torch.ones(3, 3)
    assert (layers.Dropout(1, seed=seed)(x, training=True) == 0).all()
    assert (layers.Dropout(0, seed=seed)(x, training=True) == x).all()


@pytest.mark.parametrize(
    ("noise_shape", "shared"),
    [((None, 1, None), [1]), ((40, 1, 1), [1, 2]), ((1, None, None), [0]), ((None, None, 30), [])],
)
def test_noise_shape(noise_shape, shared):
    y = layers.Dropout(0.5, noise_shape=noise_shape)(torch.ones(40, 50, 30), training=True)
    for axis in range(3):
        same = (y == y.narrow(axis, 0, 1)).all()
        assert bool(same) == (axis in shared)


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (layers.SpatialDropout1D(0.5), (20, 5, 20), [1]),
        (layers.SpatialDropout2D(0.5), (20, 5, 4, 20), [1, 2]),
        (layers.SpatialDropout2D(0.5, data_format="channels_first"), (20, 20, 5, 4), [2, 3]),
        (layers.SpatialDropout3D(0.5, "channels_first"), (20, 20, 2, 5, 4), [2, 3, 4]),
    ],
)
def test_spatial_dropout_drops_whole_channels(layer, shape, axes):
    y = layer(torch.ones(shape), training=True)
    low, high = y.amin(axes), y.amax(axes)
    assert torch.equal(low, high)
    assert 0.3 < (low == 0).float().mean() < 0.7


@pytest.mark.parametrize("seed", [None, 7])
def test_moments_of_noise(seed):
    x = torch.ones(400, 400)
    noise = layers.GaussianNoise(0.5, seed=seed)(x, training=True)
    assert noise.mean() == pytest.approx(1, abs=0.01)
    assert noise.std() == pytest.approx(0.5, abs=0.01)
    product = layers.GaussianDropout(0.2, seed=seed)(x * 3, training=True)
    assert product.mean() == pytest.approx(3, abs=0.02)
    assert product.std() == pytest.approx(3 * 0.5, abs=0.02)
    alpha = layers.AlphaDropout(0.3, seed=seed)(torch.randn(400, 400), training=True)
    assert alpha.mean() == pytest.approx(0, abs=0.02)
    assert alpha.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("noise_shape", [None, (None, 1)])
def test_alpha_dropout_has_the_values_of_keras(noise_shape):
    x = torch.arange(40.0).reshape(20, 2)
    theirs = keras.layers.AlphaDropout(0.4, noise_shape=noise_shape, seed=3)(x, training=True)
    for seed in (None, 5):
        ours = layers.AlphaDropout(0.4, noise_shape=noise_shape, seed=seed)(x, training=True)
        low = theirs.min()
        assert ours.min() == pytest.approx(low.item(), abs=1e-5)
        both = (ours > low + 1e-3) & (theirs > low + 1e-3)
        assert both.any()
        torch.testing.assert_close(ours[both], theirs[both])


def test_gradients_follow_what_was_kept():
    x = torch.ones(50, 4, requires_grad=True)
    y = layers.Dropout(0.5, seed=3)(x, training=True)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


@pytest.mark.parametrize("l1", [0.0, 0.1])
@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_activity_regularization(l1, l2, rng):
    x = torch.as_tensor(rng.normal(size=(4, 3)).astype("float32"))
    ours, theirs = layers.ActivityRegularization(l1, l2), keras.layers.ActivityRegularization(l1, l2)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(sum(ours.losses), sum(theirs.losses))
    assert "activity_regularizer" not in ours.get_config()


@pytest.mark.parametrize("value", [-0.1, 1.5, None, "a"])
@pytest.mark.parametrize(
    "name", ["Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"]
)
def test_refuses_rates(name, value):
    with pytest.raises(
        ValueError, match=r"Invalid value received for argument `\w+`\. Expected a float value"
    ):
        getattr(layers, name)(value)


@pytest.mark.parametrize("name", ["GaussianDropout", "AlphaDropout"])
def test_refuses_a_rate_of_one(name):
    with pytest.raises(ValueError, match="below 1"):
        getattr(layers, name)(1.0)


@pytest.mark.parametrize(
    ("noise_shape", "message"),
    [
        (3, "Expected a tuple or list of integers"),
        ("a", "Expected a tuple or list of integers"),
        ((2.5, 1), "Expected all elements to be integers or None"),
        ((2, -1), "Expected all dimensions to be positive integers or None"),
    ],
)
def test_refuses_noise_shapes(noise_shape, message):
    with pytest.raises(ValueError, match=message):
        layers.Dropout(0.5, noise_shape=noise_shape)


def test_refuses_other_things():
    with pytest.raises(ValueError, match="Argument `seed` must be an integer"):
        layers.Dropout(0.5, seed="a")
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layers.SpatialDropout1D(0.5)(torch.ones(2, 3))


def test_masks_pass_through():
    for name, args, shape in (*RANDOM[:2], RANDOM[4]):
        x = layers.Masking()(torch.ones(shape))
        assert make(name, args)(x, training=True)._keras_mask.all()
