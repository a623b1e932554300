"""`SpectralNormalization` against Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import assert_close, copy_weights, plain_config
from torchkeras_lite import layers

INNER = {
    "dense": ("Dense", {"units": 3}, (4, 5)),
    "conv2d": ("Conv2D", {"filters": 3, "kernel_size": 2}, (2, 5, 5, 4)),
    "conv1d-first": ("Conv1D", {"filters": 3, "kernel_size": 2, "data_format": "channels_first"}, (2, 4, 5)),
    "embedding": ("Embedding", {"input_dim": 5, "output_dim": 3}, None),
}


def pair(case, rng, power_iterations):
    name, arguments, shape = INNER[case]
    ours = layers.SpectralNormalization(getattr(layers, name)(**arguments), power_iterations)
    inner = getattr(keras.layers, name)(**arguments)
    theirs = keras.layers.SpectralNormalization(inner, power_iterations)
    x = torch.as_tensor(
        rng.integers(0, 5, (2, 3)) if shape is None else rng.normal(size=shape).astype("float32")
    )
    ours(x), theirs(x)
    copy_weights(ours, theirs)
    return ours, theirs, x


@pytest.mark.parametrize("case", list(INNER))
@pytest.mark.parametrize("power_iterations", [1, 3])
def test_calls_leave_the_kernel_that_keras_leaves(case, power_iterations, rng):
    ours, theirs, x = pair(case, rng, power_iterations)
    mine = [(w.name, tuple(w.shape), w.trainable) for w in ours.weights]
    assert mine == [(w.name, tuple(w.shape), w.trainable) for w in theirs.weights]
    for training in (False, True, True):
        mine, his = ours(x, training=training), theirs(x, training=training)
        if case != "embedding":  # Keras casts the rows to the dtype of the ids; ours stay
            assert_close(mine, his)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_largest_singular_value_comes_to_one(rng):
    ours, _, x = pair("dense", rng, 20)
    for _ in range(5):
        ours(x, training=True)
    assert torch.linalg.matrix_norm(ours.layer.linear.weight, 2).item() == pytest.approx(1, abs=1e-4)


def test_a_kernel_of_zeros_stays(rng):
    layer = layers.SpectralNormalization(layers.Dense(3, kernel_initializer="zeros"))
    y = layer(torch.ones(2, 4), training=True)
    assert torch.equal(y, torch.zeros(2, 3))


def test_config_is_that_of_keras(rng):
    ours, theirs, _ = pair("conv2d", rng, 2)
    mine, his = ours.get_config(), theirs.get_config()
    assert {k: v for k, v in plain_config(mine).items() if k != "layer"} == {
        k: v for k, v in plain_config(his).items() if k != "layer"
    }
    assert type(ours).from_config(mine).layer.filters == 3


def test_errors_name_the_remedy():
    with pytest.raises(ValueError, match=r"power_iterations=0.*1 or more"):
        layers.SpectralNormalization(layers.Dense(3), power_iterations=0)
    with pytest.raises(ValueError, match=r"no attribute 'kernel' nor 'embeddings'.*Wrap a layer"):
        layers.SpectralNormalization(layers.ReLU())(torch.zeros(2, 3))


@pytest.mark.parametrize("case", ["dense", "conv2d"])
@pytest.mark.parametrize("to_keras", [True, False], ids=["to-keras", "from-keras"])
def test_files_go_both_ways(case, to_keras, rng, tmp_path):
    name, arguments, shape = INNER[case]
    models = []
    for package in (torchkeras_lite, keras):
        layer = package.layers.SpectralNormalization(getattr(package.layers, name)(**arguments))
        models.append(package.Sequential([package.Input(shape[1:]), layer]))
    ours, theirs = models
    x = torch.as_tensor(rng.normal(size=shape).astype("float32"))
    written, read = (ours, keras) if to_keras else (theirs, torchkeras_lite)
    written(x, training=True)
    written.save(tmp_path / "spectral.keras")
    loaded = read.saving.load_model(tmp_path / "spectral.keras")
    for one, other in zip(written.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert_close(loaded(x), written(x))
