"""Lazy build, what `build` and `call` are given, and the errors of wrong calls."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import Input, Layer, Model, layers
from torchkeras_lite.layers import Dense

X = np.arange(8, dtype="float32").reshape(2, 4) / 8


class MyDense(Layer):
    """A custom layer as tutorials write it, the older order of `add_weight` included."""

    def __init__(self, units, kernel_regularizer=None, kernel_constraint=None):
        super().__init__()
        self.units = units
        self.kernel_regularizer = tk.regularizers.get(kernel_regularizer)
        self.kernel_constraint = tk.constraints.get(kernel_constraint)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            "kernel",
            shape=(input_shape[-1], self.units),
            initializer="glorot_uniform",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = self.add_weight("bias", shape=(self.units,), initializer="zeros")

    def call(self, inputs):
        return torch.matmul(inputs, self.kernel) + self.bias


class Recorder(Layer):
    """Keeps the shapes that `build` was given."""

    def __init__(self):
        super().__init__()
        self.seen = ()

    def build(self, input_shape):
        self.seen += (input_shape,)


class One(Recorder):
    def call(self, inputs):
        return inputs * 1


class Nested(Recorder):
    def call(self, inputs):
        return inputs["a"] + inputs["b"][0] if isinstance(inputs, dict) else inputs[0] + inputs[1]


class Two(Recorder):
    def build(self, a_shape, b_shape):
        self.seen += ((a_shape, b_shape),)

    def call(self, a, b):
        return a + b.sum()


@pytest.mark.parametrize(
    "given",
    [X, X.astype("float64"), torch.tensor(X), torch.tensor(X).double(), Input((4,))],
    ids=lambda x: type(x).__name__,
)
def test_layer_is_built_by_its_first_input(given):
    layer = MyDense(3, kernel_regularizer="l2", kernel_constraint="non_neg")
    assert not layer.built
    assert layer.weights == []
    output = layer(given)
    assert layer.built
    assert tuple(output.shape)[1:] == (3,)
    assert [(w.name, w.path, w.shape) for w in layer.weights] == [
        ("kernel", "my_dense/kernel", (4, 3)),
        ("bias", "my_dense/bias", (3,)),
    ]
    assert [w.dtype for w in layer.weights] == ["float32", "float32"]
    assert type(layer.kernel.constraint).__name__ == "NonNeg"
    assert len(layer.losses) == 1


def test_layer_computes_what_its_call_says():
    layer = MyDense(3)
    expected = X @ layer(X).new_tensor(layer.kernel.numpy()).numpy() + layer.bias.numpy()
    np.testing.assert_allclose(layer(X).detach(), expected, rtol=1e-6)
    assert type(layer(X)) is torch.Tensor


def test_build_runs_once():
    layer = One()
    for given in (X, X, Input((4,)), torch.zeros(7, 4)):
        layer(given)
    layer.build((None, 9))
    assert layer.seen == ((2, 4),)


@pytest.mark.parametrize(
    ("layer", "args", "kwargs", "shapes"),
    [
        (One, (X,), {}, (2, 4)),
        (One, (), {"inputs": X}, (2, 4)),
        (One, (Input((None, 4)),), {}, (None, None, 4)),
        (Nested, ([X, X],), {}, [(2, 4), (2, 4)]),
        (Nested, ((X, X),), {}, ((2, 4), (2, 4))),
        (Nested, ({"a": X, "b": [X]},), {}, {"a": (2, 4), "b": [(2, 4)]}),
        (Two, (X, np.ones((2, 3))), {}, ((2, 4), (2, 3))),
        (Two, (X,), {"b": np.ones((2, 3))}, ((2, 4), (2, 3))),
        (Two, (), {"b": np.ones((2, 3)), "a": X}, ((2, 4), (2, 3))),
        (Two, (Input((4,)), Input((3,))), {}, ((None, 4), (None, 3))),
    ],
    ids=str,
)
def test_build_is_given_the_shapes_of_the_arguments(layer, args, kwargs, shapes):
    layer = layer()
    layer(*args, **kwargs)
    assert layer.seen == (shapes,)


def test_arrays_and_tensors_give_equal_results():
    layer = Dense(3)
    expected = layer(X)
    for given in (torch.tensor(X), X.astype("float64"), torch.tensor(X).half().float(), X.astype(np.float16)):
        torch.testing.assert_close(layer(given), expected, rtol=1e-3, atol=1e-3)
    assert layer(X.astype("int64")).dtype is torch.float32


def test_build_config_builds_an_equal_layer():
    layer = Dense(3)
    layer(X)
    assert layer.get_build_config() == {"input_shape": (2, 4)}
    again = Dense(3)
    again.build_from_config({"input_shape": [None, 4]})
    assert again.built
    assert [w.shape for w in again.weights] == [(4, 3), (3,)]
    two = Two()
    two(X, X)
    config = two.get_build_config()
    assert config == {"shapes_dict": {"a_shape": (2, 4), "b_shape": (2, 4)}}
    rebuilt = Two()
    rebuilt.build_from_config({"shapes_dict": {"a_shape": [2, 4], "b_shape": [2, 4]}})
    assert rebuilt.seen == two.seen
    assert Dense(3).get_build_config() is None


def test_layers_inside_are_built_by_a_symbolic_call_even_where_shapes_come_from_a_formula():
    class Formula(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(3)

        def call(self, inputs):
            return self.inner(inputs)

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 3)

    inputs = Input((4,))
    model = Model(inputs, Formula()(inputs))
    assert [w.path for w in model.weights] == ["formula/dense/kernel", "formula/dense/bias"]


def test_symbolic_calls_leave_no_meta_weights_behind():
    class Holds(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(3)
            self.plain = torch.nn.Linear(3, 2)

        def call(self, inputs):
            return self.plain(self.inner(inputs))

    layer = Holds()
    layer(Input((4,)))
    assert {str(t.device) for t in [*layer.parameters(), *layer.buffers()]} == {"cpu"}
    assert layer(X).shape == (2, 2)


def _no_call():
    class NoCall(Layer):
        pass

    NoCall()(X)


def _no_init():
    class NoInit(Layer):
        def __init__(self):
            self.units = 3

    NoInit()


def _built(wrong):
    layer = Dense(2, name="d")
    layer(X)
    return layer(wrong)


WRONG = [
    (_no_call, NotImplementedError, "NoCall does not have a `call` method implemented. Define `call"),
    (_no_init, RuntimeError, r"did not call `super\(\).__init__\(\)`"),
    (lambda: Dense(2)(None), ValueError, "should be tensors, got None"),
    (lambda: Dense(2)("text"), ValueError, "should be tensors, got 'text'"),
    (lambda: Dense(2)(3.0), ValueError, "should be tensors, got 3.0 of type float. Make it an array"),
    (lambda: Dense(2)([[1.0, 2.0]]), ValueError, "should be tensors, got .* of type list. Make it an array"),
    (lambda: Dense(2)(Dense(3)), ValueError, "should be tensors, got Dense"),
    (lambda: Dense(2, name="d")(), TypeError, "'d': missing a required argument: 'inputs'"),
    (lambda: Dense(2)(X, foo=1), TypeError, "unexpected keyword argument 'foo'"),
    (
        lambda: _built(X[:, :3]),
        ValueError,
        "layer 'd' is incompatible.*axis -1.*value 4.*Pass inputs of shape",
    ),
    (lambda: _built(X[0]), ValueError, "layer 'd' is incompatible.*expected min_ndim=2, found ndim=1"),
    (lambda: _built(Input((5,))), ValueError, r"Input 0 of layer 'd'.*received: \(None, 5\)"),
    (lambda: Dense(2, unitz=3), ValueError, "Unrecognized keyword arguments.*did you mean 'units'"),
    (lambda: Dense(2, name="a/b"), ValueError, "`name` must be a string without `/`, got name='a/b'"),
    (lambda: Dense(2, name=3), ValueError, "`name` must be a string.*got name=3"),
    (lambda: Dense(2).count_params(), ValueError, "isn't built. Build it first"),
    (lambda: Dense(2).input, AttributeError, "never been called on a symbolic tensor.*no defined input"),
    (lambda: Dense(2).output, AttributeError, "no defined output"),
    (lambda: Dense(2).input_shape, AttributeError, "is not built, so its input shape is unknown"),
    (lambda: Dense(2)(Input((None,))), ValueError, "size of axis -1 .* must be known"),
]


@pytest.mark.parametrize(("wrong", "kind", "text"), WRONG, ids=[text[:30] for _, _, text in WRONG])
def test_wrong_calls_are_told(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()


STATELESS = ["Identity", "Masking", "ReLU", "Dropout", "GaussianNoise", "UnitNormalization", "Softmax", "ELU"]
STATELESS += [
    "MaxPooling2D",
    "AveragePooling1D",
    "GlobalMaxPooling1D",
    "SpatialDropout2D",
    "LeakyReLU",
    "Dense",
]


@pytest.mark.parametrize("name", STATELESS)
def test_layers_without_state_are_built_as_soon_as_in_keras(name):
    rate, size = "Drop" in name or "Noise" in name, name == "Dense" or name.startswith(("Max", "Average"))
    arguments = (0.5,) if rate else (2,) if size else ()
    cls = getattr(layers, name)
    assert cls(*arguments).built is getattr(keras.layers, name)(*arguments).built

    class Builds(cls):
        def build(self, input_shape):
            self.seen = input_shape

    assert not Builds(*arguments).built


def test_what_is_known_of_shapes_ends_where_a_class_has_its_own_call():
    class Halved(layers.Dropout):
        def call(self, inputs, training=None):
            return inputs[:, ::2]

    class Turned(layers.Dense):
        def call(self, inputs):
            return super().call(inputs).T

    assert Halved(0.5)(Input((8,))).shape == (None, 4)
    assert Turned(3)(Input((8,))).shape == (3, None)
    assert layers.Dense(13, activation=lambda x: x.T)(Input((8,))).shape == (13, None)


def test_a_layer_and_those_inside_tell_their_metrics():
    class Measured(Layer):
        def __init__(self, inner=None):
            super().__init__()
            self.inner = inner
            self.metric = tk.metrics.MeanSquaredError()

        def call(self, inputs):
            return inputs

    layer = Measured(Measured())
    assert layer.metrics == [layer.metric, layer.inner.metric]
    assert len(layer.metrics_variables) == 4
    assert layer.weights == []


@pytest.mark.parametrize("trainable", ["yes", 1, None])
def test_trainable_is_a_boolean(trainable):
    with pytest.raises(ValueError, match="expected `trainable` to be a boolean"):
        Dense(2, trainable=trainable)


def test_builds_of_several_arguments_name_those_of_call():
    class NoSuffix(Layer):
        def build(self, a_shape, b):
            pass

        def call(self, a, b):
            return a + b

    class NoCounterpart(NoSuffix):
        def build(self, a_shape, c_shape):
            pass

    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="argument `b`, which does not end in `_shape`"):
        NoSuffix()(x, x)
    with pytest.raises(ValueError, match=r"`c_shape`, but `call\(\)` does not have argument `c`"):
        NoCounterpart()(x, x)


@pytest.mark.parametrize("symbolic", [False, True], ids=["values", "symbols"])
@pytest.mark.parametrize("own_weight", [False, True], ids=["no weight", "a weight"])
@pytest.mark.parametrize("in_build", [False, True], ids=["in call", "in build"])
def test_paths_of_layers_inside_are_keras_s(in_build, own_weight, symbolic):
    def paths(package):
        class Bottom(package.layers.Layer):
            def build(self, input_shape):
                self.w = self.add_weight(shape=(1,), name="w")

            def call(self, x):
                return self.w + x

        class Middle(package.layers.Layer):
            def __init__(self):
                super().__init__(name="middle")
                self.bottom = Bottom(name="bottom")

            def build(self, input_shape):
                if own_weight:
                    self.v = self.add_weight(shape=(1,), name="v")
                if in_build:
                    self.bottom.build(input_shape)

            def call(self, x):
                return self.bottom(x)

        class Top(package.layers.Layer):
            def __init__(self):
                super().__init__(name="top")
                self.middle = Middle()

            def call(self, x):
                return self.middle(x)

        layer = Top()
        layer(package.Input((1,)) if symbolic else np.ones((4, 1), "float32"))
        return [variable.path for variable in layer.variables]

    assert paths(tk) == paths(keras)
