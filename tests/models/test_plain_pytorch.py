"""Models are torch modules: everything that works on one works on them."""

import copy
import io
import pickle
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim

from torchkeras_lite import Input, Layer, Model, Sequential
from torchkeras_lite.layers import Dense
from torchkeras_lite.layers.merging import Add, Concatenate

X = torch.linspace(-1, 1, 20).reshape(5, 4)
Y = torch.linspace(0, 1, 15).reshape(5, 3)


class Block(Layer):
    """Weights of its own, layers in a list, torch modules."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = [Dense(4), Dense(3, activation="relu")]
        self.drop = nn.Dropout(0.5)

    def build(self, input_shape):
        self.scale = self.add_weight((3,), "ones", name="scale")
        self.shift = self.add_weight((3,), "zeros", trainable=False, name="shift")

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return self.drop(x) * self.scale + self.shift


class Subclassed(Model):
    def __init__(self):
        super().__init__()
        self.block, self.outputs_of = Block(), {"head": Dense(2)}

    def call(self, x, training=False):
        return self.outputs_of["head"](self.block(x))


def sequential():
    return Sequential([Input((4,)), Dense(3, activation="relu"), Block(), nn.BatchNorm1d(3), Dense(2)])


def functional():
    x, y = Input((4,), name="x"), Input((3,), name="y")
    h = Dense(3)(x)
    h = Add()([h, Block()(torch.cat([h, y], -1)[:, :4]) * 2])
    return Model([x, y], {"sum": h + 1, "head": nn.Linear(6, 2)(Concatenate()([h, y]))})


def dict_inputs():
    x, y = Input((4,), name="x"), Input((3,), name="y")
    return Model({"x": x, "y": y}, Dense(2)(Concatenate()([Dense(3)(x), y])))


def nested():
    inner = Sequential([Input((4,)), Dense(3), Dense(4)], name="inner")
    x = Input((4,))
    return Model(x, Dense(2)(inner(inner(x))))


def subclassed():
    model = Subclassed()
    model(X)
    return model


MODELS = {
    "sequential": (sequential, X),
    "functional": (functional, [X, Y]),
    "dict inputs": (dict_inputs, {"x": X, "y": Y}),
    "nested": (nested, X),
    "subclassed": (subclassed, X),
}
every_model = pytest.mark.parametrize(("make", "x"), MODELS.values(), ids=MODELS)


def map_tensors(function, x):
    return torch.utils._pytree.tree_map(function, x)


def run(model, x):
    return model(x)


@every_model
def test_copies_compute_the_same_and_share_nothing(make, x):
    model = make()
    expected = run(model, x)
    for other in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        pickle.loads(pickle.dumps(copy.deepcopy(model))),
    ):
        torch.testing.assert_close(run(other, x), expected)
        assert list(other.state_dict()) == list(model.state_dict())
        assert [type(layer) for layer in other.layers] == [type(layer) for layer in model.layers]
        assert other.name == model.name
        assert [w.path for w in other.weights] == [w.path for w in model.weights]
        assert not {id(p) for p in model.parameters()} & {id(p) for p in other.parameters()}
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        torch.testing.assert_close(run(model, x), expected)


@every_model
def test_state_goes_through_a_file_into_a_fresh_model(make, x):
    model, fresh, file = make(), make(), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert all(type(value) is torch.Tensor for value in state.values())
    assert fresh.load_state_dict(state) == nn.modules.module._IncompatibleKeys([], [])
    torch.testing.assert_close(run(fresh, x), run(model, x))
    for value, own in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, own)
    wrong = {key: value[..., :1] for key, value in state.items() if value.ndim}
    with pytest.raises(RuntimeError, match="size mismatch"):
        fresh.load_state_dict(wrong, strict=False)


@every_model
def test_double_precision(make, x):
    model = make().to(torch.float64)
    double = map_tensors(torch.Tensor.double, x)
    outputs = torch.utils._pytree.tree_leaves(run(model, double))
    assert {out.dtype for out in outputs} == {torch.float64}
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    torch.testing.assert_close(outputs, torch.utils._pytree.tree_leaves(run(model, x)), rtol=1e-6, atol=1e-6)
    assert {layer.dtype for layer in model.layers if layer.__class__.__name__ == "Dense"} <= {"float64"}


@every_model
def test_functional_call_and_grad(make, x):
    model = make().eval()
    state = {key: value.detach() for key, value in model.state_dict().items()}
    doubled = {key: 2 * value if value.is_floating_point() else value for key, value in state.items()}
    other = make()
    other.load_state_dict(doubled)
    torch.testing.assert_close(torch.func.functional_call(model, doubled, (x,)), run(other, x))
    parameters = {key: value.detach() for key, value in model.named_parameters()}

    def loss(parameters):
        outputs = torch.func.functional_call(model, parameters, (x,))
        return sum(out.square().sum() for out in torch.utils._pytree.tree_leaves(outputs))

    gradients = torch.func.grad(loss)(parameters)
    loss(dict(model.named_parameters())).backward()
    for key, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[key], parameter.grad)


def test_vmap_over_samples_and_over_models():
    models = [nested() for _ in range(3)]
    model = models[0]
    parameters = {key: value.detach() for key, value in model.named_parameters()}

    def loss(parameters, sample):
        return torch.func.functional_call(model, parameters, (sample[None],)).sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, X)
    model.eval()(X).sum().backward()
    for key, parameter in model.named_parameters():
        torch.testing.assert_close(per_sample[key].sum(0), parameter.grad)
    stacked, buffers = torch.func.stack_module_state(models)
    outputs = torch.func.vmap(lambda p, b: torch.func.functional_call(model, (p, b), (X,)))(stacked, buffers)
    torch.testing.assert_close(outputs, torch.stack([each(X) for each in models]))


@every_model
def test_compile_without_graph_breaks(make, x):
    model = make()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), run(model, x))
    smaller = map_tensors(lambda t: t[:3], x)
    torch.testing.assert_close(compiled(smaller), run(model, smaller))
    torch.testing.assert_close(compiled(x, training=False), run(model, x))
    assert model.train().training
    compiled(x)


@every_model
def test_export_with_a_dynamic_batch(make, x):
    model = make()
    batch = Dim("batch")
    program = torch.export.export(model, (x,), dynamic_shapes=(map_tensors(lambda t: {0: batch}, x),))
    for rows in (2, 5):
        part = map_tensors(lambda t, rows=rows: t[:rows], x)
        torch.testing.assert_close(program.module()(part), run(model, part))
    assert set(program.state_dict) == set(model.state_dict())


@pytest.mark.parametrize("make", [sequential, nested, subclassed], ids=lambda f: f.__name__)
def test_symbolic_trace(make):
    model = make()
    traced = torch.fx.symbolic_trace(model)
    torch.testing.assert_close(traced(X), model(X))
    assert "_keras_mask" not in traced.code
    traced.graph.lint()


def test_the_graph_module_can_be_transformed():
    model = functional()
    graph_module = copy.deepcopy(model.graph_module)
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and node.target.__name__ in ("mul", "__mul__"):
            node.args = (node.args[0], 0)
    graph_module.recompile()
    torch.testing.assert_close(graph_module(X, Y)["sum"], model.get_layer("dense")(X) + 1)


@every_model
def test_hooks(make, x):
    model, seen = make(), []
    handles = [
        model.register_forward_pre_hook(lambda m, args: seen.append("before")),
        model.register_forward_hook(lambda m, args, out: seen.append("after")),
    ]
    inner = next(m for m in model.modules() if isinstance(m, nn.Linear))
    handles.append(inner.register_forward_hook(lambda m, args, out: seen.append("linear")))
    for _ in range(2):
        run(model, x)
    assert (seen.count("before"), seen.count("after")) == (2, 2)
    assert seen.count("linear") >= 2
    assert seen[0] == "before"
    assert seen[-1] == "after"
    for handle in handles:
        handle.remove()
    expected = run(model, x)
    layer = next(m for m in model.modules() if isinstance(m, Dense))
    with layer.register_forward_hook(lambda m, args, out: 0 * out):
        assert float(layer(torch.ones(2, layer.kernel.shape[0])).detach().abs().sum()) == 0
    torch.testing.assert_close(run(model, x), expected)
    model.train()
    run(model, x)
    gradients = []
    handle = inner.register_full_backward_hook(lambda m, gin, gout: gradients.append(gout[0].shape))
    outputs = run(model, map_tensors(lambda t: t.clone().requires_grad_(), x))
    sum(out.sum() for out in torch.utils._pytree.tree_leaves(outputs)).backward()
    assert gradients
    handle.remove()


@every_model
def test_modules_parameters_and_modes(make, x):
    model = make()
    modules = dict(model.named_modules())
    kinds = {type(m) for m in modules.values()}
    assert nn.Linear in kinds
    assert not any(isinstance(m, torch.fx.GraphModule) for m in modules.values())
    assert not model.training
    for mode in (True, False):
        assert model.train(mode) is model
        assert {m.training for m in modules.values()} == {mode}
    for name, parameter in model.named_parameters():
        assert model.get_parameter(name) is parameter
        assert parameter.is_leaf
    model.apply(lambda m: m.__dict__.setdefault("visited", True))
    assert all(m.__dict__["visited"] for m in modules.values())
    assert "Linear(in_features=" in repr(model)
    model.zero_grad()
    model.train()(x)
    frozen = model.requires_grad_(False)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert frozen.trainable_weights == []


def test_training_mode_of_a_call_is_restored_for_each_module():
    model = sequential()
    model.train()
    frozen = next(m for m in model.modules() if isinstance(m, nn.BatchNorm1d))
    frozen.eval()
    modes = [m.training for m in model.modules()]
    for training in (True, False, None):
        model(X, training=training)
        assert [m.training for m in model.modules()] == modes


def test_a_layer_in_a_torch_module_with_a_torch_loop():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense, self.block, self.linear = Dense(4), Block(), nn.Linear(3, 1)

        def forward(self, x):
            return self.linear(self.block(self.dense(x)))

    net = Net()
    net(X)
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    losses = []
    for _ in range(300):
        optimizer.zero_grad()
        loss = (net(X) - X.sum(1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert "dense.linear.weight" in net.state_dict()
    assert "block.parts_0.linear.weight" in net.state_dict()
    fresh = copy.deepcopy(net).eval()
    torch.testing.assert_close(fresh(X), net.eval()(X))


@pytest.mark.parametrize("make", [sequential, functional, nested], ids=lambda f: f.__name__)
def test_building_on_meta_and_loading(make):
    with torch.device("meta"):
        model = make()
    tensors = [*model.parameters(), *model.buffers()]
    assert all(t.is_meta for t in tensors)
    source = make()
    model.load_state_dict(source.state_dict(), assign=True)
    x = [X, Y] if make is functional else X
    torch.testing.assert_close(run(model, x), run(source, x))


def deep_model(layers):
    x = inputs = Input((4,))
    for _ in range(layers):
        x = Dense(4)(x)
    return Model(inputs, x)


def test_a_deep_graph_copies_pickles_and_is_built_in_reasonable_time():
    start = time.perf_counter()
    model = deep_model(300)
    assert time.perf_counter() - start < 30
    expected = model(X)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(X), expected)
    torch.testing.assert_close(Model(model.input, model.get_layer(index=150).output)(X).shape, (5, 4))


def test_a_call_costs_little_more_than_in_torch():
    ours = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(2)])
    theirs = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def seconds(model):
        with torch.no_grad():
            for _ in range(20):
                model(X)
            best = float("inf")
            for _ in range(7):
                start = time.perf_counter()
                for _ in range(50):
                    model(X)
                best = min(best, time.perf_counter() - start)
        return best

    assert seconds(ours) < 8 * seconds(theirs)
