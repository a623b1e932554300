"""`K.mean` and the other functions of Keras 2's backend do what they did, and warn once."""

import warnings

import keras
import numpy as np
import pytest
import torch
from keras._tf_keras import keras as tf_keras

import torchkeras_lite
from torchkeras_lite import backend as K
from torchkeras_lite import legacy
from torchkeras_lite.base import old_names
from torchkeras_lite.legacy.backend import FUNCTIONS
from torchkeras_lite.legacy.backend_graph import FUNCTIONS as GRAPH

RNG = np.random.RandomState(0)
A = RNG.normal(size=(2, 3, 4)).astype("float32")
B = RNG.normal(size=(2, 4, 5)).astype("float32")
IMAGES = RNG.normal(size=(2, 6, 6, 3)).astype("float32")
KERNEL = RNG.normal(size=(3, 3, 3, 4)).astype("float32")


def test_the_names_are_tf_kerass():
    theirs = {name for name in dir(tf_keras.backend) if not name.startswith("_")}
    assert set(FUNCTIONS) - set(GRAPH) == theirs - set(dir(keras.backend))
    assert all(getattr(K, name) is FUNCTIONS[name] for name in FUNCTIONS)
    with pytest.raises(AttributeError, match="no attribute 'meen'"):
        K.meen  # noqa: B018


def test_the_first_call_warns():
    old_names._told.discard("`keras.backend.exp`")
    with pytest.warns(DeprecationWarning, match="write `keras.ops.exp`"):
        K.exp(A)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        K.exp(A)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


P = softmax(A)
CALLS = {
    "mean": (lambda: K.mean(A, axis=-1), A.mean(-1)),
    "mean of booleans": (lambda: K.mean(A > 0), (A > 0).mean()),
    "std": (lambda: K.std(A, axis=1, keepdims=True), A.std(1, keepdims=True)),
    "var": (lambda: K.var(A), A.var()),
    "sum": (lambda: K.sum(A, axis=(0, 1)), A.sum((0, 1))),
    "argmax": (lambda: K.argmax(A), A.argmax(-1)),
    "cumsum": (lambda: K.cumsum(A), A.cumsum(0)),
    "pow": (lambda: K.pow(np.abs(A), 2), A**2),
    "clip": (lambda: K.clip(A, -0.5, 0.5), A.clip(-0.5, 0.5)),
    "concatenate": (lambda: K.concatenate([A, A]), np.concatenate([A, A], -1)),
    "expand_dims": (lambda: K.expand_dims(A), A[..., None]),
    "reverse": (lambda: K.reverse(A, 1), A[:, ::-1]),
    "permute_dimensions": (lambda: K.permute_dimensions(A, (0, 2, 1)), A.transpose(0, 2, 1)),
    "batch_flatten": (lambda: K.batch_flatten(A), A.reshape(2, -1)),
    "repeat": (lambda: K.repeat(A[0], 2), A[0][:, None].repeat(2, 1)),
    "repeat_elements": (lambda: K.repeat_elements(A, 2, axis=1), A.repeat(2, 1)),
    "gather": (lambda: K.gather(A, np.array([1, 0])), A[[1, 0]]),
    "dot": (lambda: K.dot(A, B[0]), A @ B[0]),
    "batch_dot": (lambda: K.batch_dot(A, B), A @ B),
    "batch_dot of axes": (lambda: K.batch_dot(A, A, axes=(2, 2)), np.einsum("bij,bkj->bik", A, A)),
    "batch_dot of vectors": (lambda: K.batch_dot(A[0], A[0], axes=1), (A[0] * A[0]).sum(1, keepdims=True)),
    "eye": (lambda: K.eye(3), np.eye(3)),
    "l2_normalize": (lambda: K.l2_normalize(A, axis=-1), A / np.linalg.norm(A, axis=-1, keepdims=True)),
    "cast": (lambda: K.cast(A > 0, "float32"), (A > 0).astype("float32")),
    "constant": (lambda: K.constant(2.0, shape=(2, 2)), np.full((2, 2), 2.0)),
    "relu": (lambda: K.relu(A, alpha=0.1, max_value=1.0), np.where(A >= 0, A, 0.1 * A).clip(max=1)),
    "hard_sigmoid": (lambda: K.hard_sigmoid(A * 4), (0.8 * A + 0.5).clip(0, 1)),
    "softmax": (lambda: K.softmax(A), P),
    "sparse_categorical_crossentropy": (
        lambda: K.sparse_categorical_crossentropy(np.array([[0, 1, 2], [3, 0, 1]]), P),
        -np.log(np.take_along_axis(P, np.array([[0, 1, 2], [3, 0, 1]])[..., None], -1)[..., 0]),
    ),
    "switch": (lambda: K.switch(A > 0, A, -A), np.abs(A)),
    "switch on the whole": (lambda: K.switch(np.array(False), lambda: A, lambda: -A), -A),
    "map_fn": (lambda: K.map_fn(lambda x: x * 2, A), A * 2),
    "foldl": (lambda: K.foldl(lambda total, x: total - x, A), A[0] - A[1]),
    "foldr": (lambda: K.foldr(lambda total, x: total - x, A), A[1] - A[0]),
    "bias_add": (lambda: K.bias_add(IMAGES, np.arange(3.0)), IMAGES + np.arange(3)),
    "temporal_padding": (lambda: K.temporal_padding(A, (1, 2)), np.pad(A, ((0, 0), (1, 2), (0, 0)))),
    "spatial_2d_padding": (
        lambda: K.spatial_2d_padding(IMAGES),
        np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0))),
    ),
    "resize_images": (
        lambda: K.resize_images(IMAGES, 2, 3, "channels_last"),
        IMAGES.repeat(2, 1).repeat(3, 2),
    ),
    "conv2d": (lambda: K.conv2d(IMAGES, KERNEL, padding="same"), None),
    "pool2d": (lambda: K.pool2d(IMAGES, (2, 2), (2, 2)), IMAGES.reshape(2, 3, 2, 3, 2, 3).max((2, 4))),
    "pool2d of means": (
        lambda: K.pool2d(IMAGES, (2, 2), (2, 2), pool_mode="avg"),
        IMAGES.reshape(2, 3, 2, 3, 2, 3).mean((2, 4)),
    ),
}
CALLS["conv2d"] = (
    CALLS["conv2d"][0],
    keras.ops.convert_to_numpy(keras.ops.conv(IMAGES, KERNEL, padding="same")),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_functions_do_what_they_did(name):
    call, expected = CALLS[name]
    result = torchkeras_lite.ops.convert_to_numpy(call())
    assert result.shape == np.shape(expected)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_variables():
    one, two = K.variable([1.0, 2.0]), K.variable(np.zeros(2))
    K.update_add(one, [1.0, 1.0])
    K.batch_set_value([(two, [5.0, 6.0])])
    assert (K.get_value(one).tolist(), K.eval(two).tolist()) == ([2.0, 3.0], [5.0, 6.0])
    K.moving_average_update(one, [0.0, 0.0], 0.5)
    assert K.batch_get_value([one])[0].tolist() == [1.0, 1.5]
    assert (K.int_shape(one), K.ndim(one), K.count_params(one), K.dtype(one)) == ((2,), 1, 2, "float32")
    (gradient,) = K.gradients(K.sum(one * one), [one])
    assert gradient.tolist() == [2.0, 3.0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rnn_repeats_where_masked():
    mask = torch.tensor([[True, True, False], [True, False, True]])
    x = torch.ones(2, 3, 4)

    def step(part, states):
        return states[0] + part, [states[0] + part]

    last, outputs, (state,) = K.rnn(step, x, [torch.zeros(2, 4)], mask=mask)
    assert outputs[..., 0].tolist() == [[1.0, 2.0, 2.0], [1.0, 1.0, 2.0]]
    assert last[:, 0].tolist() == state[:, 0].tolist() == [2.0, 2.0]
    zeros = K.rnn(step, x, [torch.zeros(2, 4)], mask=mask, zero_output_for_mask=True)[1]
    assert zeros[..., 0].tolist() == [[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ctc():
    labels, lengths = np.array([[1, 2], [0, 0]]), np.array([[2], [1]])
    probabilities = softmax(RNG.normal(size=(2, 5, 4)).astype("float32"))
    loss = K.ctc_batch_cost(labels, probabilities, np.array([[5], [5]]), lengths)
    # Keras's own loss has the blank at 0.
    moved = np.log(np.roll(probabilities, 1, -1) + 1e-7)
    expected = keras.ops.ctc_loss(labels + 1, moved, lengths[:, 0], np.array([5, 5]), mask_index=0)
    np.testing.assert_allclose(loss[:, 0].numpy(), keras.ops.convert_to_numpy(expected), rtol=1e-4)
    decoded, _ = K.ctc_decode(np.eye(4, dtype="float32")[[[1, 1, 3, 1, 2]]], np.array([5]))
    assert decoded[0][0].tolist()[:3] == [1, 1, 2]
    sparse = K.ctc_label_dense_to_sparse(labels, lengths)
    assert K.is_sparse(sparse)
    assert K.to_dense(sparse).tolist() == [[1, 2], [0, 0]]


OBJECTS = {
    "nothing": lambda k: None,
    "initializer": lambda k: k.initializers.HeNormal(seed=1),
    "regularizer": lambda k: k.regularizers.L2(0.25),
    "function": lambda k: k.activations.relu,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_configs_of_keras_2_are_kerass(name):
    mine = legacy.saving.serialize_keras_object(OBJECTS[name](torchkeras_lite))
    assert mine == keras.legacy.saving.serialize_keras_object(OBJECTS[name](keras))
    if isinstance(mine, dict):
        read = legacy.saving.deserialize_keras_object(mine)
        assert legacy.saving.serialize_keras_object(read) == mine


def test_names_in_configs_of_keras_2():
    assert legacy.saving.deserialize_keras_object("double", custom_objects={"double": float}) == 0.0
    with pytest.raises(ValueError, match="Unknown thing: 'doubel'; did you mean 'double'"):
        legacy.saving.deserialize_keras_object("doubel", {"double": float}, printable_module_name="thing")
    with pytest.raises(ValueError, match="Improper config format"):
        legacy.saving.deserialize_keras_object({"config": {}})
