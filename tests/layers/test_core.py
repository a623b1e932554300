"""Dense, Embedding, EinsumDense, Lambda, Identity, Masking, wrappers, Rescaling: against Keras."""

import keras
import numpy as np
import pytest
import torch
from torch import nn

from oracle import as_tensors, assert_layer_matches
from torchkeras_lite import layers
from torchkeras_lite.base import config
from torchkeras_lite.engine.keras_tensor import KerasTensor


@pytest.mark.parametrize("shape", [(4, 3), (4, 5, 3)])
@pytest.mark.parametrize(
    "args",
    [{}, {"use_bias": False}, {"activation": "relu"}, {"kernel_regularizer": "l2", "bias_regularizer": "l1"}],
    ids=str,
)
def test_dense(shape, args, rng):
    assert_layer_matches(layers.Dense(7, **args), keras.layers.Dense(7, **args), rng.normal(size=shape))


@pytest.mark.parametrize("units", [0, -3, 2.5, None, "64"])
def test_dense_refuses_units(units):
    with pytest.raises(ValueError, match=r"`units` must be a positive integer, got .*Pass"):
        layers.Dense(units)


@pytest.mark.parametrize("shape", [(4,), (4, 5), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32"])
def test_embedding(shape, dtype, rng):
    ids = rng.integers(0, 10, shape).astype(dtype)
    assert_layer_matches(layers.Embedding(10, 3), keras.layers.Embedding(10, 3), ids)


def test_embedding_starts_within_a_twentieth():
    layer = layers.Embedding(100, 30)
    layer(torch.zeros(1, dtype=torch.int64))
    table = layer.embeddings.numpy()
    assert -0.05 <= table.min() < -0.045
    assert 0.045 < table.max() <= 0.05
    assert isinstance(layer.embedding, nn.Embedding)


@pytest.mark.parametrize("as_list", [True, False])
def test_embedding_takes_a_matrix(as_list, rng):
    matrix = rng.normal(size=(5, 2)).astype("float32")
    layer = layers.Embedding(5, 2, weights=[matrix] if as_list else matrix, trainable=False)
    assert layer.built
    assert not layer.embedding.weight.requires_grad
    np.testing.assert_array_equal(layer(np.array([3])).numpy(), matrix[3:4])
    assert "weights" not in layer.get_config()
    with pytest.raises(ValueError, match="shape"):
        layers.Embedding(4, 2, weights=[matrix])


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16"])
def test_embedding_reads_float_ids_exactly(policy):
    layer = layers.Embedding(5000, 1, dtype=policy)
    ids = torch.arange(4990, 5000)
    torch.testing.assert_close(layer(ids.float()), layer(ids))
    assert layer(ids).dtype == getattr(torch, policy.removeprefix("mixed_"))


def test_embedding_mask():
    ids = torch.tensor([[1, 0, 2]])
    ours, theirs = layers.Embedding(5, 2, mask_zero=True), keras.layers.Embedding(5, 2, mask_zero=True)
    torch.testing.assert_close(ours(ids)._keras_mask, theirs(ids)._keras_mask)
    assert not hasattr(layers.Embedding(5, 2)(ids), "_keras_mask")
    assert layers.Embedding(5, 2).compute_mask(ids) is None


@pytest.mark.parametrize("ids", [[5], [0, 7], [-1]])
def test_embedding_names_ids_out_of_range(ids):
    message = rf"Embedding 'e': expected ids from 0 to 4 .* got ids from {min(ids)} to {max(ids)}"
    with pytest.raises(IndexError, match=message):
        layers.Embedding(5, 2, name="e")(torch.tensor(ids))


@pytest.mark.parametrize("sizes", [(0, 3), (5, 0), ("5", 3), (5, 2.5)])
def test_embedding_refuses_sizes(sizes):
    with pytest.raises(ValueError, match=r"`(in|out)put_dim` must be a positive integer"):
        layers.Embedding(*sizes)


def test_embedding_knows_the_old_length():
    with pytest.warns(UserWarning, match="`input_length` is deprecated"):
        layer = layers.Embedding(5, 2, input_length=4)
    assert layer(layers.Input((4,))).shape == (None, 4, 2)


EINSUM = [
    ("ab,b->a", (), None, (4, 3)),
    ("ab,bc->ac", 6, "c", (4, 3)),
    ("abc,cde->abde", (5, 3, 4), "e", (2, 5, 6)),
    ("abc,cde->abde", (5, 3, 4), "d", (2, 5, 6)),
    ("abc,cde->abde", (5, 3, 4), "be", (2, 5, 6)),
    ("abc,bcd->abd", (5, 3), "bd", (2, 5, 6)),
    ("abcd,cde->abe", (None, 7), "e", (2, 3, 4, 5)),
    ("...c,cde->...de", (3, 4), "e", (2, 5, 6)),
    ("...bc,bc->...b", (5,), "b", (2, 5, 6)),
    ("ab...,bc->ac...", (6,), "c", (2, 3, 4)),
    ("abd...,bc->acd...", (6, 5), "d", (2, 3, 5, 4)),
]


@pytest.mark.parametrize(("equation", "output_shape", "bias_axes", "shape"), EINSUM)
def test_einsum_dense(equation, output_shape, bias_axes, shape, rng):
    args = {"bias_axes": bias_axes, "activation": "tanh", "bias_initializer": "ones"}
    ours = layers.EinsumDense(equation, output_shape, **args)
    theirs = keras.layers.EinsumDense(equation, output_shape, **args)
    assert_layer_matches(ours, theirs, rng.normal(size=shape))
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]


@pytest.mark.parametrize(
    ("equation", "output_shape", "shape", "fans"),
    [
        ("abc,cde->abde", (None, 20, 30), (2, 3, 40), (40, 600)),
        ("abcd,cde->abe", (3, 50), (2, 3, 20, 30), (600, 50)),
        ("abc,bcd->abd", (30, 50), (2, 30, 40), (40, 1500)),
    ],
)
def test_einsum_dense_takes_fans_from_the_equation(equation, output_shape, shape, fans):
    layer = layers.EinsumDense(equation, output_shape)
    layer(torch.ones(shape))
    assert np.abs(layer.kernel.numpy()).max() == pytest.approx((6 / sum(fans)) ** 0.5, rel=1e-3)
    assert layer.get_config()["kernel_initializer"]["config"]["input_axes"] is None


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "message"),
    [
        ("abc,cd", 5, None, "Invalid einsum equation 'abc,cd'"),
        ("abc,cd->abd", (7, 5), None, "do not match at shared dimension 'b'"),
        ("abc,cd->abd", (None, 5), "z", "Bias dimension 'z' was requested"),
        ("abc,dz->abd", (None, 5), None, "Weight dimension 'z' did not have a match"),
        ("abc,cd->abdz", (None, 5, 6), None, "Dimension 'z' was specified in the output"),
        ("abc,cd->abd", 5, None, "`output_shape` must give the sizes"),
        ("ab,bd->ad", 5, None, "expected ndim=2, found ndim=3"),
        ("abcd,de->abce", (None, None, 5), None, "names 4 axes of the input"),
    ],
)
def test_einsum_dense_errors(equation, output_shape, bias_axes, message):
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(equation, output_shape, bias_axes=bias_axes)(torch.ones(2, 3, 4))


def scaled(x, factor=2.0):
    return x * factor


def test_lambda(rng):
    ours = layers.Lambda(scaled, arguments={"factor": 3.0})
    theirs = keras.layers.Lambda(scaled, arguments={"factor": 3.0})
    assert_layer_matches(ours, theirs, rng.normal(size=(4, 3)))
    assert layers.Lambda(torch.argmax, arguments={"dim": -1})(layers.Input((3,))).dtype == "int64"
    assert layers.Lambda(lambda x: x.mean(1, keepdim=True))(layers.Input((5, 3))).shape == (None, 1, 3)
    several = layers.Lambda(lambda pair: (pair[0] + pair[1], pair[0]))(
        [layers.Input((3,)), layers.Input((3,))]
    )
    assert [t.shape for t in several] == [(None, 3), (None, 3)]


def test_lambda_passes_mode_and_mask():
    def function(x, mask=None, training=None):
        return x * (2.0 if training else 1.0) * (1.0 if mask is None else mask.unsqueeze(-1))

    layer = layers.Lambda(function)
    x, mask = torch.ones(1, 2, 3), torch.tensor([[True, False]])
    assert layer(x).sum() == 6
    assert layer(x, training=True).sum() == 12
    assert layer(x, mask=mask).sum() == 3


def test_lambda_masks_its_output():
    x, mask = torch.ones(1, 2, 3), torch.tensor([[True, False]])
    torch.testing.assert_close(layers.Lambda(scaled, mask=mask)(x)._keras_mask, mask)
    assert layers.Lambda(scaled, mask=lambda inputs, mask: mask)(layers.Masking()(x))._keras_mask.all()
    assert not hasattr(layers.Lambda(scaled)(x), "_keras_mask")


def test_lambda_shape_of_what_cannot_run_without_values():
    def function(x):
        return torch.from_numpy(x.detach().numpy() * 2)[:, : 3 if x.sum() > -1 else 1].reshape(-1, 3)

    def refuses(x):
        if x.is_meta or not x.any():
            raise RuntimeError("no values")
        return x

    assert layers.Lambda(function)(layers.Input((3,))).shape == (None, 3)
    assert layers.Lambda(refuses, output_shape=(3,))(layers.Input((3,))).shape == (None, 3)
    assert layers.Lambda(refuses, output_shape=lambda shape: shape)(layers.Input((3,))).shape == (None, 3)
    with pytest.raises(ValueError, match=r"could not infer the shape .*Pass `output_shape`"):
        layers.Lambda(refuses)(layers.Input((3,)))


def test_lambda_holds_a_module_and_refuses_other_things():
    layer = layers.Lambda(nn.Linear(3, 2))
    assert layer(torch.ones(1, 3)).shape == (1, 2)
    assert len(layer.trainable_weights) == 2
    with pytest.raises(TypeError, match="`function` must be callable, got 3"):
        layers.Lambda(3)
    with pytest.warns(UserWarning, match="includes a `lambda`.*safe_mode=False"):
        config = layers.Lambda(lambda x: x).get_config()
    with pytest.raises(ValueError, match="arbitrary code execution"):
        layers.Lambda.from_config(config)
    assert layers.Lambda.from_config(config, safe_mode=False)(torch.ones(2)).tolist() == [1, 1]


def test_identity_returns_what_it_gets(rng):
    x = {"a": torch.ones(2), "b": [torch.ones(3)]}
    assert layers.Identity()(x)["b"][0].shape == (3,)
    assert_layer_matches(layers.Identity(), keras.layers.Identity(), rng.normal(size=(2, 3)))


@pytest.mark.parametrize("value", [0.0, 1, -1.5])
def test_masking(value, rng):
    x = as_tensors(rng.normal(size=(3, 4, 2)))
    x[0, 1] = value
    x[1, 2:] = value
    ours, theirs = layers.Masking(value)(x), keras.layers.Masking(value)(x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(ours._keras_mask, theirs._keras_mask)
    assert isinstance(layers.Masking(value)(layers.Input((4, 2)))._keras_mask, KerasTensor)


def test_torch_module_wrapper(rng):
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    layer = layers.TorchModuleWrapper(net, name="net")
    x = torch.as_tensor(rng.normal(size=(5, 3)).astype("float32"))
    assert not net.training
    torch.testing.assert_close(layer(x), net(x))
    assert (layer(x, training=True) != layer(x)).any()
    assert not net.training
    assert len(layer.trainable_weights) == 4
    assert layer(layers.Input((3,))).shape == (None, 4)
    assert "module.0.weight" in layer.state_dict()
    with pytest.raises(TypeError, match="`module` must be a torch"):
        layers.TorchModuleWrapper(torch.relu)
    again = layers.TorchModuleWrapper.from_config(layer.get_config())
    assert str(again.module) == str(net)

    class Own(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(TypeError, match="`module` cannot be written"):
        layers.TorchModuleWrapper(Own()).get_config()


def test_wrapper():
    class Doubled(layers.Wrapper):
        def call(self, inputs):
            return self.layer(inputs) * 2

    inner = layers.Dense(2, name="inner")
    layer = Doubled(inner, name="doubled")
    x = torch.ones(1, 3)
    torch.testing.assert_close(layer(x), inner(x) * 2)
    assert [w.path for w in layer.weights] == ["doubled/inner/kernel", "doubled/inner/bias"]
    with pytest.raises(ValueError, match=r"Layer 3 supplied to Wrapper isn't a supported layer type"):
        layers.Wrapper(3)


@pytest.mark.parametrize(
    ("args", "shape"),
    [
        ({"scale": 1 / 255}, (2, 4, 4, 3)),
        ({"scale": 2, "offset": -1}, (2, 3)),
        ({"scale": [1.0, 2.0, 3.0], "offset": [0.0, 1.0, 2.0]}, (2, 4, 4, 3)),
        ({"scale": np.array([1.0, 2.0, 3.0])}, (2, 3)),
    ],
    ids=str,
)
def test_rescaling(args, shape, rng):
    ours, theirs = layers.Rescaling(**args), keras.layers.Rescaling(**args)
    assert_layer_matches(ours, theirs, rng.normal(size=shape))
    pixels = rng.integers(0, 255, shape).astype("uint8")
    torch.testing.assert_close(ours(torch.as_tensor(pixels)), theirs(torch.as_tensor(pixels)))
    assert not ours.state_dict()


def test_rescaling_takes_the_data_format():
    config.set_image_data_format("channels_first")
    try:
        layer = layers.Rescaling([1.0, 2.0, 3.0], offset=[0.0, 1.0, 0.0])
        y = layer(torch.ones(2, 3, 3, 3))
    finally:
        config.set_image_data_format("channels_last")
    assert y[:, :, 0, 0].tolist() == [[1.0, 3.0, 3.0]] * 2
    assert y[0, 1].unique().tolist() == [3.0]
