"""Recording and lowering: order, keys, structures, what is dropped, constants, layers' symbolic calls."""

import copy

import pytest
import torch
from torch import nn

from torchkeras_lite import Input, Layer, Model, Sequential
from torchkeras_lite.engine import graph
from torchkeras_lite.engine.keras_tensor import KerasTensor, record_function
from torchkeras_lite.layers import Dense


class Splits(Layer):
    """Several outputs, nested."""

    def call(self, x):
        return {"halves": list(x.chunk(2, -1)), "sum": (x.sum(-1), None)}


class Takes(Layer):
    """Arguments of every kind."""

    def call(self, first, second=None, *, scale=1.0, extra=None, training=None):
        y = first * scale + (0 if second is None else second)
        y = y if extra is None else y + extra["e"][0]
        return y * 2 if training else y


def test_unused_calls_are_not_part_of_the_graph():
    x = Input((4,))
    Dense(3, name="unused")(x)
    torch.relu(x)
    model = Model(x, Dense(2, name="used")(x))
    assert [layer.name for layer in model.layers] == ["input_layer", "used"]
    assert len(model.graph_module.graph.nodes) == 3


def test_an_unused_input_stays_an_input():
    x, y = Input((4,), name="x"), Input((3,), name="y")
    model = Model([x, y], Dense(2)(x))
    assert sorted(layer.name for layer in model.layers) == ["dense", "x", "y"]
    assert model([torch.ones(2, 4), torch.ones(2, 3)]).shape == (2, 2)


def test_nested_outputs_of_layers():
    x = Input((4,))
    out = Splits()(x)
    assert [t.shape for t in out["halves"]] == [(None, 2), (None, 2)]
    assert out["sum"][0].shape == (None,)
    assert out["sum"][1] is None
    model = Model(x, [out["halves"][1], out["sum"][0], out["halves"][0] * 2])
    value = torch.randn(3, 4)
    torch.testing.assert_close(model(value), [value[:, 2:], value.sum(-1), 2 * value[:, :2]])
    assert model.get_layer("splits").output is out


def test_layers_take_every_kind_of_argument_symbolically():
    a, b, c = Input((4,)), Input((4,)), Input((4,))
    layer = Takes()
    calls = [
        lambda f, x, y, z: f(x),
        lambda f, x, y, z: f(x, y),
        lambda f, x, y, z: f(x, second=y, scale=3.0),
        lambda f, x, y, z: f(first=x, extra={"e": [z, y]}),
        lambda f, x, y, z: f(x, training=True),
        lambda f, x, y, z: f(x, scale=torch.tensor(2.0)),
    ]
    model = Model([a, b, c], [call(layer, a, b, c) for call in calls])
    x, y, z = torch.randn(3, 3, 4)
    torch.testing.assert_close(model([x, y, z]), [call(layer, x, y, z) for call in calls])
    assert len([n for n in model.graph_module.graph.nodes if n.op == "call_module"]) == len(calls)


def test_any_function_can_be_recorded():
    def normalized(x, axis):
        return x / x.abs().sum(axis, keepdim=True)

    x = Input((4,))
    model = Model(x, record_function(normalized, (x,), {"axis": -1}))
    value = torch.rand(3, 4)
    torch.testing.assert_close(model(value).sum(-1), torch.ones(3))
    assert "normalized" in model.graph_module.code


def test_trace_ranks_modules_by_depth():
    x = Input((4,))
    a = Dense(4, name="a")
    b = Dense(4, name="b")
    recording = graph.trace(x, [a(b(x)), a(x)])
    assert [m.name for m in recording.modules] == ["input_layer", "b", "a"]
    assert len(recording.calls) == 3
    with pytest.raises(ValueError, match=r"Owner: graph disconnected.*'y'"):
        graph.trace(x, a(Input((4,), name="y")), "Owner")


def test_module_keys_hide_nothing():
    modules = [nn.Identity() for _ in range(6)]
    names = ["forward", "a.b", "class", "mine", "mine/x", "train"]
    keys = graph.module_keys(modules, names, Model, reserved=("mine",))
    assert list(keys.values()) == ["forward_", "a_b", "class_", "mine_", "mine_x", "train_"]
    twice = graph.module_keys(modules[:2], ["a.b", "a_b"], Model)
    assert len(set(twice.values())) == 2


def test_names_of_inputs_become_arguments():
    names = ["class", "self", "x-1", "x_1", "1st", "input"]
    inputs = [Input((2,), name=name) for name in names]
    model = Model(inputs, sum(inputs[1:], inputs[0]))
    ones = torch.ones(1, 2)
    torch.testing.assert_close(model([ones] * 6), 6 * ones)
    torch.testing.assert_close(model({name: ones for name in names}), 6 * ones)


def test_building_a_large_graph_takes_no_recursion():
    x = Input((2,))
    y = x
    for _ in range(1500):
        y = y + 1
    model = Model(x, y)
    torch.testing.assert_close(model(torch.zeros(1, 2)), torch.full((1, 2), 1500.0))
    torch.testing.assert_close(copy.deepcopy(model)(torch.zeros(1, 2)), torch.full((1, 2), 1500.0))


def test_models_share_a_graph_without_changing_it():
    x = Input((4,))
    h = Dense(3, name="h")(x)
    one = Model(x, Dense(2)(h))
    code = one.graph_module.code
    two = Model(x, Dense(5)(h))
    Model(one.input, [h, two.output, one.output])
    assert one.graph_module.code == code
    assert [layer.name for layer in one.layers] == ["input_layer", "h", "dense"]
    assert one.get_layer("h") is two.get_layer("h")


def test_compute_output_shape_and_spec():
    dense = Dense(3)
    assert dense.compute_output_shape((None, 4)) == (None, 3)
    assert dense.compute_output_shape((2, 5, 4)) == (2, 5, 3)
    assert not dense.built
    spec = dense.compute_output_spec(KerasTensor((None, 4)))
    assert (spec.shape, spec.dtype, spec.call) == ((None, 3), "float32", None)
    nested = Splits().compute_output_shape((None, 6))
    assert nested["halves"] == [(None, 3), (None, 3)]
    x = Input((4,))
    dense(x)
    assert (dense.input_shape, dense.output_shape) == ((None, 4), (None, 3))
    eager = Dense(3)
    eager(torch.ones(2, 4))
    assert (eager.input_shape, eager.output_shape) == ((None, 4), (None, 3))


def test_shape_formulas_of_layers_are_used():
    class Formula(Layer):
        def call(self, x):
            return x.repeat_interleave(int(x.abs().sum() > -1) + 1, dim=1)  # cannot run without values

        def compute_output_shape(self, input_shape):
            return (input_shape[0], 2 * input_shape[1])

    class Spec(Formula):
        def compute_output_spec(self, x):
            return KerasTensor((x.shape[0], 2 * x.shape[1]), "float32")

    for layer in (Formula(), Spec()):
        x = Input((3,))
        model = Model(x, layer(x))
        assert model.output_shape == (None, 6)
        assert model(torch.ones(2, 3)).shape == (2, 6)


def test_value_dependent_layers_are_probed_with_real_zeros():
    class Branches(Layer):
        def call(self, x):
            return x + 1 if bool((x >= 0).all()) else x - 1

    x = Input((3,))
    model = Model(x, Branches()(x))
    torch.testing.assert_close(model(-torch.ones(1, 3)), -2 * torch.ones(1, 3))


def test_errors_of_a_call_name_the_layer_and_the_shapes():
    class Fails(Layer):
        def call(self, x):
            return x @ torch.ones(9, 9)

    with pytest.raises(
        ValueError, match=r"Fails 'f' cannot be called on inputs of shape \(None, 4\) float32: .*mat"
    ):
        Fails(name="f")(Input((4,)))


def test_building_changes_no_state_of_layers_that_cannot_run_on_the_meta_device():
    class Counter(Layer):
        def __init__(self):
            super().__init__()
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            self.count.assign_add(1)
            return inputs

    counter = Counter()
    model = Sequential([Input((3,)), counter])
    assert float(counter.count.numpy()) == 0
    model(torch.zeros(2, 3))
    assert float(counter.count.numpy()) == 1
