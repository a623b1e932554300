"""`enable_lora` and `lora_rank` against Keras."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close, copy_weights, plain_config
from torchkeras_lite import layers

LAYERS = {
    "dense": ("Dense", {"units": 3}, (4, 5)),
    "dense-activation": ("Dense", {"units": 3, "activation": "relu", "use_bias": False}, (4, 2, 5)),
    "conv1d": ("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "same"}, (2, 5, 4)),
    "conv1d-causal": ("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "causal"}, (2, 5, 4)),
    "conv2d": ("Conv2D", {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"}, (2, 5, 5, 4)),
    "conv2d-first": (
        "Conv2D",
        {"filters": 3, "kernel_size": (2, 3), "data_format": "channels_first"},
        (2, 4, 5, 5),
    ),
    "conv2d-groups": ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 2}, (2, 5, 5, 4)),
    "conv1d-groups-regularized": (
        "Conv1D",
        {"filters": 4, "kernel_size": 2, "groups": 2, "strides": 2, "kernel_regularizer": "l2"},
        (2, 5, 4),
    ),
    "conv3d": ("Conv3D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2}, (2, 5, 5, 5, 2)),
    "einsum": (
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (None, 3, 4), "bias_axes": "de"},
        (2, 5, 4),
    ),
    "dense-regularized": ("Dense", {"units": 3, "kernel_regularizer": "l1"}, (4, 5)),
    "embedding": ("Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, None),
}
table = pytest.mark.parametrize("case", list(LAYERS))


def adapted(case, rng, by_argument=False, **options):
    """A layer and Keras's with low-rank weights, equal values in both, and inputs."""
    name, arguments, shape = LAYERS[case]
    x = torch.as_tensor(
        rng.integers(0, 5, (2, 3)) if shape is None else rng.normal(size=shape).astype("float32")
    )
    if by_argument:
        arguments = {**arguments, "lora_rank": 2, **options}
    ours, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    ours(x), theirs(x)
    if not by_argument:
        ours.enable_lora(2, **options)
        theirs.enable_lora(2, **options)
    theirs.set_weights([rng.normal(size=w.shape).astype("float32") for w in theirs.weights])
    copy_weights(ours, theirs)
    return ours, theirs, x


@table
@pytest.mark.parametrize("by_argument", [False, True])
def test_values_weights_and_configs_are_those_of_keras(case, by_argument, rng):
    options = {} if by_argument else {"lora_alpha": 3}  # Keras loses the one given to `Dense`
    ours, theirs, x = adapted(case, rng, by_argument, **options)
    mine = [(w.name, tuple(w.shape), w.trainable) for w in ours.weights]
    assert mine == [(w.name, tuple(w.shape), w.trainable) for w in theirs.weights]
    assert_close(ours(x), theirs(x))
    assert plain_config(ours.get_config()) == plain_config(theirs.get_config())
    name = ours.adapted_weight
    np.testing.assert_allclose(getattr(ours, name).numpy(), getattr(theirs, name).detach().numpy(), rtol=1e-4)


@table
def test_gradients_are_those_of_keras(case, rng):
    ours, theirs, x = adapted(case, rng)
    mine = torch.autograd.grad(ours(x).square().sum(), ours.trainable_weights)
    his = torch.autograd.grad(theirs(x).square().sum(), [v.value for v in theirs.trainable_weights])
    for a, b in zip(mine, his, strict=True):
        torch.testing.assert_close(a / b.abs().max(), b / b.abs().max(), rtol=1e-5, atol=1e-5)


@table
def test_at_first_nothing_changes(case, rng):
    name, arguments, shape = LAYERS[case]
    x = torch.as_tensor(rng.integers(0, 5, (2, 3)) if shape is None else rng.normal(size=shape)).to(
        torch.int64 if shape is None else torch.float32
    )
    layer = getattr(layers, name)(**arguments)
    before = layer(x)
    layer.enable_lora(2)
    assert_close(layer(x), before)


@table
def test_a_layer_read_from_what_was_saved_computes_the_same(case, rng):
    ours, theirs, x = adapted(case, rng)
    mine, his = {}, {}
    ours.save_own_variables(mine)
    theirs.save_own_variables(his)
    assert mine.keys() == his.keys()
    for key, value in his.items():
        expected = value.detach() if isinstance(value, torch.Tensor) else value
        np.testing.assert_allclose(mine[key], np.asarray(expected), rtol=1e-5, atol=1e-6)
    again = type(ours).from_config(ours.get_config())
    again(x)
    again.load_own_variables(mine)
    assert_close(again(x), ours(x), 1e-4, 1e-4)
    assert not again.weights[0].trainable


@table
def test_copies_keep_the_low_rank_weights(case, rng):
    ours, _, x = adapted(case, rng)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert_close(other(x), ours(x))
        assert [w.trainable for w in other.weights] == [w.trainable for w in ours.weights]
    other.load_state_dict(ours.state_dict())
    torch._dynamo.reset()
    assert_close(torch.compile(ours, backend="eager", fullgraph=True)(x), ours(x))


def test_fit_trains_the_low_rank_weights_alone(rng):
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((4,)), layers.Dense(3), layers.Dense(1)])
    model.layers[0].enable_lora(2)
    before = model.get_weights()
    model.compile("sgd", "mse")
    x = rng.normal(size=(32, 4)).astype("float32")
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("make", "build", "message"),
    [
        (lambda: layers.Dense(3), False, "isn't yet built. Call it on data"),
        (lambda: layers.Dense(3, lora_rank=1), True, "lora is already enabled"),
        (lambda: layers.Dense(3, kernel_constraint="NonNeg"), True, "incompatible with kernel constraints"),
    ],
    ids=["unbuilt", "twice", "constraint"],
)
def test_what_cannot_be_adapted_is_refused(make, build, message):
    layer = make()
    if build:
        layer.build((None, 6, 4))
    with pytest.raises(ValueError, match=message):
        layer.enable_lora(2)


@pytest.mark.parametrize("rank", [-1, 2.5, "4"])
def test_a_rank_is_a_positive_integer(rank):
    with pytest.raises(ValueError, match="`lora_rank` must be a positive integer"):
        layers.Dense(3, lora_rank=rank)
    layer = layers.Dense(3)
    layer.build((None, 4))
    with pytest.raises(ValueError, match="`rank` must be a positive integer"):
        layer.enable_lora(rank)


def test_the_sum_cannot_be_assigned():
    layer = layers.Dense(3, lora_rank=1)
    layer.build((None, 4))
    with pytest.raises(RuntimeError, match=r"Assign `layer.weights\[0\]`"):
        layer.kernel.assign(np.zeros((4, 3)))


@pytest.mark.parametrize("case", ["dense-regularized", "conv1d-groups-regularized", "einsum"])
def test_regularizers_reach_the_low_rank_weights_as_in_keras(case, rng):
    ours, theirs, _ = adapted(case, rng)
    mine, his = [[loss.item() for loss in one.losses] for one in (ours, theirs)]
    np.testing.assert_allclose(mine, his, rtol=1e-6)
