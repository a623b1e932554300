"""BatchNormalization against Keras: values, gradients, running statistics, modes, masks, processes."""

import copy

import keras
import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from oracle import as_tensors, assert_layer_matches
from torchkeras_lite import layers

RANDOM_WEIGHTS = {"gamma_initializer": "glorot_uniform", "beta_initializer": "glorot_uniform"}

BATCH = [
    ({}, (6, 3)),
    ({}, (6, 5, 3)),
    ({}, (6, 4, 5, 3)),
    ({}, (6, 2, 4, 5, 3)),
    ({}, (3, 2, 2, 4, 5, 3)),
    ({"axis": 1}, (6, 3)),
    ({"axis": 1}, (6, 3, 5)),
    ({"axis": 1}, (6, 3, 4, 5)),
    ({"axis": 2}, (6, 4, 3, 5)),
    ({"axis": 0}, (6, 3)),
    ({"axis": -2}, (6, 4, 3)),
    ({"momentum": 0.5, "epsilon": 0.1}, (6, 3)),
    ({"center": False}, (6, 5, 3)),
    ({"scale": False}, (6, 5, 3)),
    ({"center": False, "scale": False}, (6, 3)),
    ({"gamma_regularizer": "l2", "beta_initializer": "ones"}, (6, 3)),
    ({}, (1, 3)),
    ({"renorm": True, "momentum": 0.8, "renorm_momentum": 0.5}, (6, 3)),
    ({"renorm": True, "renorm_clipping": {"rmax": 1.1, "rmin": 0.9, "dmax": 0.05}}, (6, 4, 3)),
    ({"renorm": True, "center": False}, (6, 4, 3)),
    ({"renorm": True, "scale": False, "renorm_clipping": {"rmax": 1.5}}, (6, 3)),
]


def pair(name, **args):
    return getattr(layers, name)(**args), getattr(keras.layers, name)(**args)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("args", "shape"), BATCH, ids=str)
def test_batch_normalization(args, shape, training, rng):
    ours, theirs = pair("BatchNormalization", **{"beta_initializer": "ones", **args})
    assert_layer_matches(ours, theirs, 2 * rng.normal(size=shape) + 1, training=training)
    for step in range(4):
        x = as_tensors((step + 1) * rng.normal(size=shape) + step)
        torch.testing.assert_close(ours(x, training=True), theirs(x, training=True), rtol=1e-4, atol=1e-5)
        for mine, his in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_allclose(mine.numpy(), his.numpy(), rtol=1e-5, atol=1e-6, err_msg=mine.path)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_the_running_variance_is_biased():
    x = torch.tensor([[1.0], [3.0]])
    layer = layers.BatchNormalization(momentum=0.0)
    layer(x, training=True)
    assert layer.moving_mean.numpy() == pytest.approx(2)
    assert layer.moving_variance.numpy() == pytest.approx(1)
    assert list(layer.state_dict()) == [
        f"batch_norm.{key}"
        for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]


def test_two_steps_before_backward_and_one_after(rng):
    layer = layers.BatchNormalization()
    x = as_tensors(rng.normal(size=(6, 3))).requires_grad_()
    first, second = layer(x, training=True), layer(2 * x, training=True)
    (first.square() + second).sum().backward()
    assert x.grad.isfinite().all()


def test_images_go_in_and_come_out_without_a_copy(rng):
    layer = layers.BatchNormalization()
    seen = []
    x = as_tensors(rng.normal(size=(6, 4, 5, 3)))
    layer(x)
    layer.batch_norm.register_forward_hook(lambda module, args, output: seen.append((args[0], output)))
    for training in (False, True):
        y = layer(x, training=training)
        assert y.is_contiguous()
        assert seen[-1][0].data_ptr() == x.data_ptr()
        assert seen[-1][1].is_contiguous(memory_format=torch.channels_last)


def test_frozen_means_inference(rng):
    ours, theirs = pair("BatchNormalization")
    x = as_tensors(3 * rng.normal(size=(6, 3)) + 1)
    ours(x, training=True), theirs(x, training=True)
    before = ours.get_weights()
    ours.trainable = theirs.trainable = False
    torch.testing.assert_close(ours(x, training=True), theirs(x, training=True))
    ours.train()
    torch.testing.assert_close(ours(x), theirs(x, training=False))
    assert ours.batch_norm.training
    for mine, was in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, was)
    assert [w.name for w in ours.non_trainable_weights] == [w.name for w in theirs.non_trainable_weights]
    ours.trainable = True
    ours(x)
    assert (ours.get_weights()[2] != before[2]).any()
    inside = layers.BatchNormalization(trainable=False)
    inside.build((None, 3))
    torch.testing.assert_close(inside(x, training=True), x / (1 + 1e-3) ** 0.5)


def test_mode_is_torch_s(rng):
    layer, x = layers.BatchNormalization(), as_tensors(rng.normal(size=(6, 3)))
    torch.testing.assert_close(layer(x), x / (1 + 1e-3) ** 0.5)
    layer.train()
    assert layer(x).mean(0).abs().max() < 1e-5
    layer.eval()
    assert layer(x).mean(0).abs().max() > 1e-3
    assert isinstance(layer.batch_norm, nn.modules.batchnorm._BatchNorm)
    torch.testing.assert_close(layer.call(x, training=True).mean(0), torch.zeros(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("renorm", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((6, 5, 3), -1), ((6, 4, 5, 3), -1), ((6, 3), -1)])
def test_masked_statistics(shape, axis, renorm, rng):
    ours, theirs = pair("BatchNormalization", axis=axis, momentum=0.8, renorm=renorm, **RANDOM_WEIGHTS)
    mask = torch.as_tensor(rng.integers(0, 2, shape[:-1]).astype(bool))
    assert_layer_matches(ours, theirs, rng.normal(size=shape) + 1, training=True, mask=mask)
    assert_layer_matches(ours, theirs, rng.normal(size=shape) + 1, training=False, mask=mask)


def test_masks_that_travel_count(rng):
    x = as_tensors(rng.normal(size=(6, 5, 3)))
    x[:, 3:] = 0
    ours, theirs = pair("BatchNormalization")
    mine, his = ours(layers.Masking()(x), training=True), theirs(keras.layers.Masking()(x), training=True)
    torch.testing.assert_close(mine, his)
    torch.testing.assert_close(mine._keras_mask, his._keras_mask)
    np.testing.assert_allclose(ours.get_weights()[3], theirs.get_weights()[3], rtol=1e-6)
    with pytest.raises(ValueError, match="mask provided should be one dimension less than the inputs"):
        ours(x, training=True, mask=torch.ones(6, dtype=torch.bool))


def test_half_precision_keeps_float32_statistics():
    layer = layers.BatchNormalization(dtype="mixed_float16", momentum=0.0)
    layer(torch.full((4, 3), 30000.0) + torch.tensor([[0.0], [96.0], [192.0], [288.0]]), training=True)
    assert layer.moving_mean.numpy() == pytest.approx(30144, rel=1e-4)
    assert layer.moving_variance.numpy() == pytest.approx(11520, rel=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_compiles_whole(training, rng):
    layer = layers.BatchNormalization()
    x = as_tensors(rng.normal(size=(6, 4, 5, 3)))
    layer(x)
    layer.train(training)
    other = copy.deepcopy(layer)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for step in range(3):
        torch.testing.assert_close(compiled(x + step), other(x + step))
    np.testing.assert_allclose(layer.get_weights()[3], other.get_weights()[3], rtol=1e-6)


def test_shared_statistics_of_one_process_are_its_own(rng, tmp_path):
    x = as_tensors(rng.normal(size=(6, 5, 3))).requires_grad_()
    plain, shared = layers.BatchNormalization(), layers.BatchNormalization(synchronized=True)
    expected = plain(x, training=True)
    torch.testing.assert_close(shared(x, training=True), expected)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        again = layers.BatchNormalization(synchronized=True)
        torch.testing.assert_close(again(x, training=True), expected)
        torch.testing.assert_close(again.moving_variance.value, plain.moving_variance.value)
        gradient = torch.autograd.grad(again(x, training=True).square().sum(), x)[0]
        torch.testing.assert_close(
            gradient, torch.autograd.grad(expected.square().sum(), x)[0], atol=1e-5, rtol=1e-4
        )
    finally:
        dist.destroy_process_group()


def _one_of_two(rank, store, parts, results):
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    layer = layers.BatchNormalization(synchronized=True, momentum=0.0)
    x = parts[rank].clone().requires_grad_()
    y = layer(x, training=True)
    gradient = torch.autograd.grad(y.pow(3).sum(), x)[0]
    results.put((rank, y.detach().numpy(), gradient.numpy(), layer.get_weights()[2:]))
    dist.destroy_process_group()


def test_two_processes_share_their_statistics(rng, tmp_path):
    x = as_tensors(rng.normal(size=(7, 3)) + 1).requires_grad_()
    layer = layers.BatchNormalization(momentum=0.0)
    expected = layer(x, training=True)
    gradient = torch.autograd.grad(expected.pow(3).sum(), x)[0].numpy()
    context = torch.multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    parts = [x[:3].detach(), x[3:].detach()]
    workers = [
        context.Process(target=_one_of_two, args=(rank, tmp_path / "store", parts, results))
        for rank in (0, 1)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    found = sorted((results.get() for _ in workers), key=lambda result: result[0])
    np.testing.assert_allclose(
        np.concatenate([y for _, y, _, _ in found]), expected.detach().numpy(), atol=1e-5
    )
    np.testing.assert_allclose(np.concatenate([g for _, _, g, _ in found]), gradient, atol=1e-4)
    for _, _, _, statistics in found:
        np.testing.assert_allclose(np.stack(statistics), np.stack(layer.get_weights()[2:]), rtol=1e-5)


@pytest.mark.parametrize(
    ("clipping", "message"),
    [
        ({"x": 1.0}, "Received invalid keys for `renorm_clipping`"),
        ({"rmax": 0.0, "rmin": 1.0}, "rmax should be greater than rmin"),
        ({"dmax": -1.0}, "dmax should be non-negative"),
    ],
)
def test_refuses_clipping(clipping, message):
    with pytest.raises(ValueError, match=message):
        layers.BatchNormalization(renorm=True, renorm_clipping=clipping)


def test_batch_normalization_refuses_inputs():
    with pytest.raises(ValueError, match="Axis 3 is out of bounds for input shape"):
        layers.BatchNormalization(axis=3)(torch.ones(2, 3))
    with pytest.raises(ValueError, match="axis -1 of the input must be known"):
        layers.BatchNormalization()(layers.Input((None,)))
    with pytest.raises(TypeError, match="`axis` must be one integer"):
        layers.BatchNormalization(axis=[1])
    layer = layers.BatchNormalization()
    layer(torch.ones(2, 3))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(torch.ones(2, 4))
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        layer(torch.ones(2, 4, 3))
