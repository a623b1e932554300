"""Models by subclassing: their layers, weights, build, modes; custom layers with a training argument."""

import types

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as tk
from torchkeras_lite import Input, Layer, Model, Sequential
from torchkeras_lite.base import naming
from torchkeras_lite.layers import Dense

X = np.ones((5, 4), "float32")
OURS = types.SimpleNamespace(Model=Model, Dense=Dense, Layer=Layer, Input=Input, Sequential=Sequential)
KERAS = types.SimpleNamespace(
    Model=keras.Model,
    Dense=keras.layers.Dense,
    Layer=keras.Layer,
    Input=keras.Input,
    Sequential=keras.Sequential,
)


def plain(k):
    class Plain(k.Model):
        def __init__(self):
            super().__init__()
            self.head = k.Dense(3)
            self.rest = [k.Dense(2), k.Dense(4)]
            self.named = {"a": k.Dense(5)}

        def call(self, x):
            x = self.head(x)
            for layer in self.rest:
                x = layer(x)
            return self.named["a"](x)

    return Plain()


def with_kwargs(k):
    class WithKwargs(k.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.stack = k.Sequential([k.Dense(units) for _ in range(2)])
            self.out = k.Dense(1)

        def call(self, inputs, training=False):
            return self.out(self.stack(inputs["x"], training=training)) + inputs["y"]

    return WithKwargs(3, name="given")


def own_build(k):
    class OwnBuild(k.Model):
        def build(self, input_shape):
            self.dense = k.Dense(input_shape[-1])
            self.scale = self.add_weight(shape=(1,), initializer="ones", name="scale")

        def call(self, x):
            return self.dense(x) * self.scale

    return OwnBuild()


def nested_models(k):
    class Nested(k.Model):
        def __init__(self):
            super().__init__()
            i = k.Input((4,))
            self.graph = k.Model(i, k.Dense(3)(i))
            self.inner = plain(k)

        def call(self, x):
            return self.inner(self.graph(x))

    return Nested()


@pytest.mark.parametrize("make", [plain, with_kwargs, own_build, nested_models], ids=lambda f: f.__name__)
def test_weights_and_layers_are_keras_s(make):
    found = []
    for k in (OURS, KERAS):
        keras.utils.clear_session(free_memory=False)
        naming.reset_names()
        model = make(k)
        unbuilt = model.built
        model({"x": X, "y": X[:, :1]} if make is with_kwargs else X)
        names = [layer.name for layer in model.layers]
        weights = [(w.path, tuple(w.shape)) for w in model.weights]
        found.append((unbuilt, model.built, model.name, names, weights, model.count_params()))
    assert found[0] == found[1]


def test_build_makes_all_weights():
    model = plain(OURS)
    model.build((None, 4))
    assert model.built
    assert model.count_params() == 15 + 8 + 12 + 25
    assert not any(p.is_meta for p in model.parameters())
    assert model.compute_output_shape((None, 4)) == (None, 5)
    assert model(X).shape == (5, 5)


def test_subclassed_models_in_graphs_and_stacks():
    inputs = Input((4,))
    inner = plain(OURS)
    model = Model(inputs, Dense(1)(inner(inputs)))
    stack = Sequential([Input((4,)), inner, Dense(1)])
    assert model(X).shape == stack(X).shape == (5, 1)
    assert [n.target for n in model.graph_module.graph.nodes if n.op == "call_module"] == ["plain", "dense"]
    assert model.count_params() == inner.count_params() + 6


def test_super_call_computes_the_graph():
    class Doubled(Model):
        def call(self, inputs, training=None):
            return 2 * super().call(inputs)

    inputs = Input((4,))
    dense = Dense(3)
    model = Doubled(inputs, dense(inputs))
    torch.testing.assert_close(model(X), 2 * dense(X))


def layers_with_a_mode(k):
    class Doubles(k.Layer):
        def call(self, x, training=None):
            return x * (2.0 if training else 1.0)

    class PassesOn(k.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Doubles()

        def call(self, x, training=None):
            return self.inner(x, training=training)

    class Implies(k.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Doubles()

        def call(self, x):
            return self.inner(x)

    return [Doubles, PassesOn, Implies]


@pytest.mark.parametrize("index", range(3))
def test_training_reaches_layers_inside_as_in_keras(index):
    told = []
    for k in (OURS, KERAS):
        layer = layers_with_a_mode(k)[index]()
        inputs = k.Input((4,))
        models = [layer, k.Model(inputs, layer(inputs)), k.Sequential([k.Input((4,)), layer])]
        calls = [dict(), dict(training=True), dict(), dict(training=False), dict(training=None), dict()]
        told.append([float(model(X, **call).sum()) for model in models for call in calls])
    assert told[0] == told[1] == [20.0, 40.0, 20.0, 20.0, 20.0, 20.0] * 3


@pytest.mark.parametrize("index", range(3))
def test_train_and_eval_set_the_mode(index):
    layer = layers_with_a_mode(OURS)[index]()
    model = nn.Sequential(Sequential([Input((4,)), layer]))
    model.train()
    assert float(model(torch.tensor(X)).sum()) == 40
    assert float(layer(X, training=False).sum()) == 20
    assert layer.training
    assert float(layer(X).sum()) == 40
    model.eval()
    assert float(model(torch.tensor(X)).sum()) == 20
    assert float(layer(X, training=True).sum()) == 40
    assert not layer.training


def test_mode_is_restored_after_an_error():
    class Fails(Layer):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def call(self, x):
            raise ArithmeticError

    layer = Fails()
    for _ in range(2):
        with pytest.raises(ArithmeticError):
            layer(X, training=True)
    assert not any(module.training for module in layer.modules())


class HoldsTorchModules(Layer):
    """Torch modules start in training mode; in a layer they have the layer's."""

    def __init__(self, late=False):
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.many = nn.ModuleList()
        self.many.append(nn.Dropout(0.5))
        self.listed = [nn.Dropout(0.5)]

    def build(self, input_shape):
        self.late = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))

    def call(self, x):
        return self.late(self.listed[0](self.many[0](self.drop(x))))


class HoldsWithoutBuild(Model):
    def __init__(self):
        super().__init__()
        self.drop, self.linear = nn.Dropout(0.5), nn.Linear(4, 4)

    def call(self, x):
        return self.linear(self.drop(x))


@pytest.mark.parametrize("make", [HoldsTorchModules, HoldsWithoutBuild])
def test_torch_modules_inside_have_the_mode_of_the_layer(make):
    layer = make()
    torch.testing.assert_close(layer(X), layer(X))
    assert not any(module.training for module in layer.modules())
    assert not torch.equal(layer(X, training=True), layer(X, training=True))
    torch.testing.assert_close(layer(X), layer(X))
    layer.train()
    assert not torch.equal(layer(X), layer(X))
    layer.late_drop = nn.Dropout(0.5)
    layer.eval()
    torch.testing.assert_close(layer(X), layer(X))


def test_layers_made_late_in_a_layer_that_trains_train_too():
    class Late(Layer):
        def build(self, input_shape):
            self.inner = layers_with_a_mode(OURS)[0]()

        def call(self, x):
            return self.inner(x)

    layer = Late().train()
    assert float(layer(X).sum()) == 40
    assert layer.inner.training


def test_warns_once_when_gradients_flow_through_a_mode_that_was_never_set(recwarn):
    def backward(model):
        model(torch.tensor(X)).sum().backward()
        return [str(w.message) for w in recwarn if "Gradients flow" in str(w.message)]

    model = Sequential([Input((4,)), Dense(3), nn.Dropout(0.5)])
    recwarn.clear()
    with pytest.warns(
        UserWarning, match=r"Gradients flow through a layer in inference mode.*Call `model.train\(\)`"
    ):
        model(torch.tensor(X)).sum().backward()
    assert backward(model) == []
    for quiet in (
        Sequential([Input((4,)), Dense(3)]),
        Sequential([Input((4,)), Dense(3), nn.Dropout(0.5)]).train(),
        Sequential([Input((4,)), Dense(3), nn.Dropout(0.5)]).eval(),
    ):
        assert backward(quiet) == []
    told = Sequential([Input((4,)), Dense(3), nn.Dropout(0.5)])
    told(torch.tensor(X), training=False).sum().backward()
    assert backward(told) == []


def test_wrong_calls_are_told():
    class Nothing(Model):
        pass

    with pytest.raises(
        NotImplementedError, match="Nothing 'nothing' has neither a graph nor a `call` method"
    ):
        Nothing()(X)
    for attribute in ("input", "output", "input_shape", "output_shape", "graph_module"):
        with pytest.raises(AttributeError, match=r"it is no graph|was made by subclassing"):
            getattr(plain(OURS), attribute)
    with pytest.raises(ValueError, match="isn't built"):
        plain(OURS).count_params()
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        tk.Model(units=3)


def graph_classes(k):
    """Return subclasses that hand inputs and outputs to `Model`, by how their constructors take them."""

    class Any(k.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    class Option(k.Model):
        def __init__(self, *args, param=1, **kwargs):
            super().__init__(*args, **kwargs)
            self.param = param

    class Written(Option):
        def get_config(self):
            return {**super().get_config(), "param": self.param}

    class Named(k.Model):
        def __init__(self, inputs, outputs, name=None, param=1, **kwargs):
            super().__init__(inputs, outputs, name=name, **kwargs)
            self.param = param

        def get_config(self):
            return {**super().get_config(), "param": self.param}

    class Keywords(k.Model):
        def __init__(self, param=1, **kwargs):
            super().__init__(**kwargs)
            self.param = param

    return {"any": Any, "option": Option, "written": Written, "named": Named, "keywords": Keywords}


def made_again(k, cls, positional):
    """Return what a model of `cls` and those made of it by config, clone and file have."""
    inputs = k.Input((3,))
    outputs = k.Dense(2)(inputs)
    given = {} if cls.__name__ == "Any" else {"param": 5}
    model = cls(inputs, outputs, **given) if positional else cls(inputs=inputs, outputs=outputs, **given)
    module = keras if k is KERAS else tk
    again = [model, cls.from_config(model.get_config()), module.models.clone_model(model)]
    return [(type(m).__name__, getattr(m, "param", None), m.name == model.name, len(m.layers)) for m in again]


@pytest.mark.parametrize("positional", [False, True], ids=["keywords", "positional"])
@pytest.mark.parametrize("kind", ["any", "option", "written"])
def test_constructors_that_hand_tensors_on_are_written_as_graphs(kind, positional):
    ours = made_again(OURS, graph_classes(OURS)[kind], positional)
    theirs = made_again(KERAS, graph_classes(KERAS)[kind], positional)
    assert ours[:2] == theirs[:2]
    assert [one[0] for one in ours] == [one[0] for one in theirs]


@pytest.mark.parametrize("kind", ["written", "named"])
def test_a_config_of_ones_own_reaches_the_constructor_of_a_graph(kind):
    assert {param for _, param, _, _ in made_again(OURS, graph_classes(OURS)[kind], False)} == {5}


@pytest.mark.parametrize("kind", ["any", "option", "written", "named", "keywords"])
def test_files_of_such_models(kind, tmp_path):
    cls = graph_classes(OURS)[kind]
    inputs = Input((3,))
    model = cls(inputs=inputs, outputs=Dense(2)(inputs))
    model.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = tk.saving.load_model(tmp_path / "model.keras", custom_objects={cls.__name__: cls})
    assert type(loaded) is cls
    assert not loaded.trainable
    x = torch.ones(2, 3)
    torch.testing.assert_close(loaded(x), model(x))


def test_numbers_among_the_arguments_are_no_graph():
    class Sizes(Model):
        def __init__(self, *sizes, **kwargs):
            super().__init__(**kwargs)
            self.blocks = [Dense(size) for size in sizes]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model = Sizes(4, 2)
    assert model(X).shape == (5, 2)
    assert not model.takes_tensors
