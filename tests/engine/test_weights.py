"""Weight views: Keras's layout and methods over torch's storage, through everything torch does to modules."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import Input, Layer, Sequential
from torchkeras_lite.engine.variable import Variable
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter, Weight
from torchkeras_lite.layers import Dense

X = torch.linspace(-1, 1, 20).reshape(5, 4)


class Own(Layer):
    """Weights by `add_weight`, one of them a buffer, and a layer inside."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 3), name="kernel", regularizer="l2", constraint="non_neg")
        self.count = self.add_weight((3,), "zeros", trainable=False, name="count")
        self.inner = Dense(3)

    def call(self, inputs):
        return self.inner(inputs @ self.w + self.count)


def make():
    return Sequential([Input((4,)), Dense(3, name="a"), Own(name="o")], name="m")


def on_meta():
    with torch.device("meta"):
        model = make()
    assert all(t.is_meta for t in [*model.parameters(), *model.buffers()])
    return model


def assigned(model):
    values = {key: value.detach().clone() for key, value in make().state_dict().items()}
    model.load_state_dict(values, assign=True)
    return model


def functionally_called():
    model = make()
    doubled = {key: 2 * value for key, value in model.state_dict().items()}
    expected = make()
    expected.load_state_dict(doubled)
    torch.testing.assert_close(torch.func.functional_call(model, doubled, (X,)), expected(X))
    return model


def compiled():
    model = make()
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(X), model(X))
    return model


def exported():
    model = make()
    program = torch.export.export(model, (X,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.testing.assert_close(program.module()(X[:3]), model(X[:3]))
    assert list(program.state_dict) == [
        "a.linear.weight",
        "a.linear.bias",
        "o.w",
        "o.inner.linear.weight",
        "o.inner.linear.bias",
        "o.count",
    ]
    return model


def saved():
    model, file = make(), io.BytesIO()
    torch.save(make().state_dict(), file)
    file.seek(0)
    model.load_state_dict(torch.load(file, weights_only=True))
    return model


WAYS = {
    "new": make,
    "deepcopy": lambda: copy.deepcopy(make()),
    "pickle": lambda: pickle.loads(pickle.dumps(make())),
    "to": lambda: make().to("cpu"),
    "double": lambda: make().double(),
    "to float16": lambda: make().to(torch.float16),
    "to_empty": lambda: make().to_empty(device="cpu"),
    "meta, to_empty": lambda: on_meta().to_empty(device="cpu"),
    "meta, load(assign)": lambda: assigned(on_meta()),
    "load(assign)": lambda: assigned(make()),
    "save, load": saved,
    "functional_call": functionally_called,
    "compile": compiled,
    "export": exported,
    "share_memory": lambda: make().share_memory(),
    "requires_grad_": lambda: make().requires_grad_(True),
}
DTYPES = {"double": "float64", "to float16": "float16"}


@pytest.mark.parametrize("way", WAYS)
def test_views_stay_true(way):
    model = WAYS[way]()
    dtype = DTYPES.get(way, "float32")
    assert [(w.name, w.path, w.shape, w.trainable) for w in model.weights] == [
        ("kernel", "m/a/kernel", (4, 3), True),
        ("bias", "m/a/bias", (3,), True),
        ("kernel", "m/o/kernel", (3, 3), True),
        ("count", "m/o/count", (3,), False),
        ("kernel", "m/o/dense/kernel", (3, 3), True),
        ("bias", "m/o/dense/bias", (3,), True),
    ]
    own = model.get_layer("o")
    assert (type(own.w), type(own.count)) == (LayerParameter, LayerBuffer)
    assert own.w is own._parameters["w"]
    assert [(own.w.name, own.w.path), (own.count.name, own.count.path)] == [
        ("kernel", "m/o/kernel"),
        ("count", "m/o/count"),
    ]
    assert type(own.w.regularizer).__name__ == "L2"
    assert type(own.w.constraint).__name__ == "NonNeg"
    for number, weight in enumerate(model.weights):
        assert weight.dtype == dtype
        value = np.random.default_rng(number).normal(size=weight.shape).astype(dtype)
        weight.assign(value)
        np.testing.assert_array_equal(weight.numpy(), value)
        np.testing.assert_array_equal(weight.value.detach().numpy(), value)
        assert tuple(weight.value.shape) == weight.shape
    linear = model.get_layer("a").linear
    np.testing.assert_array_equal(linear.weight.detach().numpy().T, model.get_layer("a").kernel.numpy())
    loss = model.train()(X).double().square().sum()
    gradients = torch.autograd.grad(loss, model.trainable_weights, retain_graph=True)
    loss.backward()
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert tuple(gradient.shape) == weight.shape
        torch.testing.assert_close(weight.value.grad, gradient)
        np.testing.assert_array_equal(np.asarray(weight), weight.numpy())


def test_copies_share_nothing():
    model = make()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        before = model.get_weights()
        for weight in other.weights:
            weight.assign(np.zeros(weight.shape))
        for value, weight in zip(before, model.weights, strict=True):
            np.testing.assert_array_equal(weight.numpy(), value)
        assert not {id(w) for w in model.weights} & {id(w) for w in other.weights}
        other.get_layer("o").w.trainable = False
        assert model.get_layer("o").w.trainable


@pytest.fixture(params=["view", "own"])
def weight(request):
    layer = Dense(3) if request.param == "view" else Own()
    layer(X)
    return layer.kernel if request.param == "view" else layer.w


OPERATIONS = {
    "k + 1": lambda k: k + 1,
    "1 - k": lambda k: 1 - k,
    "k * k": lambda k: k * k,
    "2 / (k + 9)": lambda k: 2 / (k + 9),
    "k ** 2, 2 ** k": lambda k: [k**2, 2**k],
    "k // 1, k % 2": lambda k: [k // 1, k % 2, 7 // (k + 9), 7 % (k + 9)],
    "k @ m, m @ k": lambda k: [k @ torch.ones(3), torch.ones(2, 4) @ k],
    "-k, abs(k)": lambda k: [-k, abs(k)],
    "slices": lambda k: [k[0], k[:, 1], k[..., None], k[-1, -1], k[[0, 1]]],
    "comparisons": lambda k: [k < 0, k >= 0, k > 0, k <= 0],
    "tensor methods": lambda k: [
        k.T,
        k.mean(),
        k.reshape(-1),
        k.sum(0),
        k.detach(),
        k.clone(),
        k.square().sum(),
    ],
    "functions": lambda k: [torch.relu(k), torch.stack([k, k]), torch.cat([k, k], 1), torch.linalg.norm(k)],
    "nested": lambda k: torch.nn.functional.linear(torch.ones(1, 3), weight=k),
    "iteration": lambda k: list(k),
    "with tensors": lambda k: [torch.ones(4, 3) * k, k - torch.ones(4, 3), torch.where(k > 0, k, 0.0)],
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_views_compute_like_tensors(weight, operation):
    function = OPERATIONS[operation]
    plain = torch.tensor(weight.numpy())
    torch.testing.assert_close(function(weight), function(plain), check_stride=False)


def test_views_answer_like_tensors(weight):
    assert (len(weight), weight.ndim, weight.numel(), tuple(weight.size())) == (4, 2, 12, (4, 3))
    assert str(weight.device) == "cpu"
    assert weight.requires_grad
    assert hash(weight) == hash(weight)
    assert "kernel" in repr(weight) or isinstance(weight, torch.Tensor)
    assert isinstance(weight, Variable)
    with pytest.raises(AttributeError):
        weight.no_such_thing  # noqa: B018


def test_assign_changes_the_storage_in_place(weight):
    storage = weight.tensor if isinstance(weight, Weight) else weight
    address = storage.data_ptr()
    assert weight.assign(np.ones((4, 3))) is weight
    weight.assign_add(torch.ones(4, 3))
    weight.assign_sub(weight.value / 2)
    weight.assign_add(0.5)
    np.testing.assert_allclose(weight.numpy(), np.full((4, 3), 1.5))
    weight.assign([[1.0, 2.0, 3.0]] * 4)
    np.testing.assert_allclose(weight.numpy()[0], [1, 2, 3])
    assert storage.data_ptr() == address
    assert storage.is_leaf
    assert storage.requires_grad
    copied = weight.numpy()
    copied[:] = 7
    assert weight.numpy()[0, 0] == 1


@pytest.mark.parametrize("value", [np.ones((3, 4)), np.ones(3), torch.ones(4, 3, 1), [1.0, 2.0]], ids=str)
def test_assign_refuses_another_shape(weight, value):
    with pytest.raises(
        ValueError, match=r"The shape of weight '\w+/kernel' is \(4, 3\).*Pass a value of shape"
    ):
        weight.assign(value)


def gradient_of(layer, inputs, **kwargs):
    loss = layer(X).square().sum() + layer.kernel.square().sum()
    return torch.autograd.grad(loss, inputs(layer), **kwargs)


INPUTS = {
    "view": lambda layer: layer.kernel,
    "list": lambda layer: [layer.kernel, layer.bias],
    "values": lambda layer: [layer.kernel.value, layer.bias.value],
    "with tensors": lambda layer: [layer.kernel, layer.linear.bias],
}


@pytest.mark.parametrize("inputs", INPUTS)
def test_autograd_grad_answers_in_keras_layout(inputs):
    layer = Dense(3)
    layer(X)
    gradients = gradient_of(layer, INPUTS[inputs])
    expected = torch.autograd.grad(
        layer(X).square().sum() + layer.linear.weight.square().sum(), [layer.linear.weight, layer.linear.bias]
    )
    torch.testing.assert_close(gradients[0], expected[0].T)
    if len(gradients) > 1:
        torch.testing.assert_close(gradients[1], expected[1])


def test_autograd_grad_takes_its_keywords():
    layer, other = Dense(3), Dense(3)
    layer(X), other(X)
    loss = layer(X).sum()
    found = torch.autograd.grad(
        outputs=loss, inputs=[other.kernel, layer.kernel], allow_unused=True, create_graph=True
    )
    assert found[0] is None
    assert tuple(found[1].shape) == (4, 3)


def test_custom_training_step_of_the_keras_guide():
    model = Sequential([Input((4,)), Dense(3), Dense(1)])
    optimizer = tk.optimizers.SGD(0.1)
    before = model.get_weights()
    model.zero_grad()
    loss = model(X, training=True).square().mean()
    loss.backward()
    trainable = [v for v in model.trainable_weights]
    gradients = [v.value.grad for v in trainable]
    with torch.no_grad():
        optimizer.apply(gradients, trainable)
    for old, gradient, new in zip(before, gradients, model.get_weights(), strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient.numpy(), rtol=1e-5, atol=1e-7)


class Tied(Layer):
    """Uses the Keras view of another layer's weight, as weight tying does."""

    def build(self, input_shape):
        self.project = Dense(2, use_bias=False)
        self.project.build(input_shape)

    def call(self, inputs):
        return self.project(inputs) @ self.project.kernel.T


@pytest.mark.parametrize(
    "through",
    [
        lambda m: torch.compile(m, backend="eager", fullgraph=True),
        lambda m: torch.export.export(m, (X,)).module(),
        torch.fx.symbolic_trace,
    ],
    ids=["compile", "export", "symbolic_trace"],
)
def test_views_inside_a_call_are_traced(through):
    layer = Tied()
    expected = layer(X)
    torch.testing.assert_close(through(layer)(X), expected)


def test_a_stateful_layer_counts_real_calls_only():
    class Counter(Layer):
        def __init__(self):
            super().__init__()
            self.total = self.add_weight(shape=(), initializer="zeros", trainable=False, name="total")

        def call(self, inputs):
            self.total.assign_add(inputs.sum())
            return inputs

    layer = Counter()
    model = Sequential([Input((2,)), layer])
    assert float(layer.total) == 0
    for expected in (4, 8, 12):
        model(torch.ones(2, 2))
        assert float(layer.total) == expected
    assert {key: float(v) for key, v in model.state_dict().items()} == {"counter.total": 12}
