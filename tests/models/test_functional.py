"""Models from symbolic tensors: how inputs are given, cast, checked and named; masks; sub-models; errors."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import Input, KerasTensor, Layer, Model
from torchkeras_lite.layers import Dense, InputLayer
from torchkeras_lite.layers.core import Embedding
from torchkeras_lite.layers.merging import Add, Concatenate

X = np.linspace(-1, 1, 20, dtype="float32").reshape(5, 4)


def two_inputs(structure=list):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    inputs = {"b": b, "a": a} if structure is dict else structure([b, a])
    return Model(inputs, 2 * a + b)


@pytest.mark.parametrize("structure", [list, tuple, dict])
@pytest.mark.parametrize(
    "give",
    [
        lambda a, b: {"a": a, "b": b},
        lambda a, b: {"b": b, "a": a, "unused": a},
        lambda a, b: [b, a],
        lambda a, b: (b, a),
    ],
    ids=["dict", "dict, one more", "list", "tuple"],
)
def test_inputs_are_read_by_name_or_order(structure, give):
    model = two_inputs(structure)
    x = give(X, 0 * X)
    if structure is dict and not isinstance(x, dict):
        with pytest.raises(ValueError, match=r"doesn't match the expected structure[\s\S]*Pass a dict"):
            model(x)
        return
    tells = structure is dict and len(x) > 2
    with pytest.warns(UserWarning, match="doesn't match the expected") if tells else nullcontext():
        outputs = model(x)
    torch.testing.assert_close(outputs, torch.tensor(2 * X))


def test_a_list_for_names_in_alphabetical_order_is_read_and_told_of():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model({"a": a, "b": b}, 2 * a + b)
    with pytest.warns(UserWarning, match="doesn't match the expected structure"):
        outputs = model([X, 0 * X])
    torch.testing.assert_close(outputs, torch.tensor(2 * X))


def test_an_input_of_another_precision_than_the_default_is_cast_to_it():
    inputs = Input((4,), dtype="float16")
    assert Model(inputs, inputs + 2)(X).dtype is torch.float16
    assert Model(inputs, Dense(2)(inputs))(X).dtype is torch.float32


@pytest.mark.parametrize("structure", [list, tuple])
def test_the_structure_of_outputs_comes_back_from_a_config(structure):
    inputs = Input((4,))
    model = Model(inputs, structure([Dense(1)(inputs), Dense(2)(inputs)]))
    assert type(Model.from_config(model.get_config())(X)) is structure


def test_operations_lists_inputs_layers_and_functions():
    inputs = Input((4,), name="i")
    model = Model(inputs, Dense(2, name="d")(inputs) * 2)
    assert [one.name for one in model.operations][:2] == ["i", "d"]
    assert len(model.operations) == 3


@pytest.mark.parametrize(
    ("model", "text"),
    [(Model, "`Model.layers` attribute is reserved"), (tk.Sequential, r"Use `add\(\)` and `pop\(\)`")],
)
def test_layers_cannot_be_set(model, text):
    with pytest.raises(AttributeError, match=text):
        model().layers = [Dense(2)]


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        ("float32", "int64", "float32"),
        ("float32", "bool", "float32"),
        ("float32", "float64", "float32"),
        ("int32", "float32", "int32"),
        ("int32", "int64", "int32"),
        ("int64", "int32", "int64"),
    ],
)
def test_inputs_are_cast_to_the_dtype_of_the_input(dtype, given, expected):
    results = []
    for k in (tk, keras):
        inputs = k.Input((4,), dtype=dtype)
        results.append(k.Model(inputs, 2 * inputs)(np.ones((2, 4), given)))
    assert [str(r.dtype) for r in results] == [f"torch.{expected}"] * 2


@pytest.mark.parametrize(
    ("shape", "given"),
    [((1,), (5,)), ((), (5, 1)), ((4,), (5, 4, 1)), ((4, 1), (5, 4)), ((4,), (5, 4)), ((None, 4), (5, 7, 4))],
    ids=str,
)
def test_a_last_axis_of_size_1_is_reconciled(shape, given):
    inputs = Input(shape)
    model = Model(inputs, inputs + 1)
    assert tuple(model(np.ones(given, "float32")).shape) == (
        5,
        *(7 if size is None else size for size in shape),
    )


def test_nested_inputs_and_outputs():
    a, b, c = (Input((4,), name=name) for name in "abc")
    model = Model([a, {"b": b, "c": (c,)}], {"sum": a + b, "rest": [c, (a,)]})
    result = model([X, {"b": X, "c": (2 * X,)}])
    assert list(result) == ["sum", "rest"]
    torch.testing.assert_close(result["sum"], torch.tensor(2 * X))
    torch.testing.assert_close(result["rest"][0], torch.tensor(2 * X))
    assert isinstance(result["rest"][1], tuple)
    assert (model.input_names, len(model.inputs), len(model.outputs)) == (["a", "b", "c"], 3, 3)
    assert model.input[0] is a
    assert model.input[1]["c"] == (c,) or model.input[1]["c"][0] is c


def test_optional_inputs():
    class AddIfGiven(Layer):
        def call(self, x, y=None):
            return x if y is None else x + y

    a, b = Input((4,), name="a"), Input((4,), name="b", optional=True)
    model = Model([a, b], AddIfGiven()(a, b))
    torch.testing.assert_close(model([X, None]), torch.tensor(X))
    torch.testing.assert_close(model([X, X]), torch.tensor(2 * X))
    with pytest.raises(ValueError, match=r"input 0 is missing \(None\)"):
        model([None, X])


INPUTS = [
    (dict(shape=(4,)), (None, 4), "float32"),
    (dict(shape=[None, 3], batch_size=2), (2, None, 3), "float32"),
    (dict(batch_shape=(3, 4), dtype="float16"), (3, 4), "float16"),
    (dict(batch_shape=(None, None)), (None, None), "float32"),
    (dict(shape=(), dtype="int32"), (None,), "int32"),
    (dict(shape=torch.ones(2, 3).shape, dtype=torch.int64), (None, 2, 3), "int64"),
    (dict(shape=(np.int64(4),), dtype=np.float64), (None, 4), "float64"),
    (dict(shape=(0,)), (None, 0), "float32"),
]


@pytest.mark.parametrize(("arguments", "shape", "dtype"), INPUTS, ids=str)
def test_input_makes_a_symbol(arguments, shape, dtype):
    tensor = Input(**arguments, name="i")
    assert (tensor.shape, tensor.dtype, tensor.name) == (shape, dtype, "i")
    layer = InputLayer.from_config(tensor._keras_history[0].get_config())
    assert (layer.batch_shape, layer.dtype, layer.name, layer.output.shape) == (shape, dtype, "i", shape)


def test_input_of_a_tensor():
    tensor = KerasTensor((None, 4), name="t")
    assert Input(tensor=tensor, name="n") is tensor
    model = Model(tensor, Dense(2)(tensor))
    assert [layer.name for layer in model.layers] == ["n", "dense"]
    assert model(X).shape == (5, 2)


def test_get_layer():
    inputs = Input((4,), name="i")
    model = Model(inputs, Dense(2)(Dense(3, name="q")(inputs)))
    assert model.get_layer("q") is model.layers[1] is model.get_layer(index=1)
    assert model.get_layer(index=-1) is model.get_layer(name="dense")
    assert model.get_layer("i") is model.layers[0]


def test_shared_layers_are_called_with_one_set_of_weights():
    shared, x, y = Dense(3), Input((4,)), Input((4,))
    model = Model([x, y], [shared(x), shared(y)])
    first, second = model([X, X])
    torch.testing.assert_close(first, second)
    assert shared.output.shape == (None, 3)
    assert shared.input is x
    first.sum().backward()
    assert shared.kernel.value.grad is not None
    assert [n.target for n in model.graph_module.graph.nodes if n.op == "call_module"] == ["dense", "dense"]


def test_inner_models_run_train_and_are_found():
    i = Input((4,))
    inner = Model(i, [Dense(3)(i), Dense(2)(i)], name="inner")
    x, y = Input((4,)), Input((4,))
    a, b = inner(x)
    c, d = inner(y)
    outer = Model([x, y], [Add()([a, c]), Concatenate()([b, d])])
    result = outer([X, X])
    torch.testing.assert_close(result[0], 2 * inner(X)[0])
    assert outer.get_layer("inner") is inner
    assert outer.count_params() == inner.count_params() == 15 + 10
    inner.trainable = False
    assert outer.trainable_weights == []


def test_sub_models_share_layers_and_do_not_disturb():
    inputs = Input((4,))
    model = Model(inputs, Dense(1, name="z")(Dense(2, name="x", activation="relu")(inputs)))
    before = model(X)
    sub = Model(model.input, [model.get_layer("x").output, model.output])
    hidden, out = sub(X)
    torch.testing.assert_close(out, before)
    torch.testing.assert_close(model.get_layer("z")(hidden), before)
    assert model.graph_module.code.count("self.") == 2
    model.get_layer("x").kernel.assign(np.zeros((4, 2)))
    assert float(sub(X)[0].detach().abs().sum()) == 0


def test_masks_are_nodes_of_the_graph_and_reach_the_output():
    class Sums(Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x, mask=None):
            return x if mask is None else x * mask[..., None]

    ids = Input((None,), dtype="int32")
    embedding = Embedding(5, 2, mask_zero=True)
    model = Model(ids, Sums()(Dense(3)(embedding(ids))))
    x = torch.tensor([[1, 0, 2], [0, 0, 3]])
    y = model(x)
    torch.testing.assert_close(y, model.get_layer("dense")(embedding(x)) * (x != 0)[..., None])
    torch.testing.assert_close(y._keras_mask, x != 0)
    with pytest.warns(UserWarning, match="Layer 'ends' .* was passed an input with a mask"):
        Ends(name="ends")(embedding(ids))


class Ends(Layer):
    def call(self, x):
        return x


def wrong_inputs(model, x):
    return lambda: model()(x)


def simple():
    inputs = Input((4,), name="i")
    return Model(inputs, Dense(2, name="d")(inputs))


def disconnected():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    return Model(a, Dense(2)(a + b))


def same_names():
    inputs = Input((4,))
    return Model(inputs, Dense(2, name="q")(Dense(2, name="q")(inputs)))


WRONG = [
    (
        wrong_inputs(simple, X[:, :3]),
        ValueError,
        r"expected shape=\(None, 4\), found shape=\(5, 3\).*Pass inputs of",
    ),
    (wrong_inputs(simple, np.ones((5, 4, 2))), ValueError, "expected ndim=2, found ndim=3"),
    (
        wrong_inputs(simple, [X, X]),
        ValueError,
        r"expects 1 named input\(s\) with keys \['\w+'\], but.* received 2",
    ),
    (wrong_inputs(simple, {"j": X}), ValueError, r"the inputs lack \['i'\].*Pass the keys"),
    (
        wrong_inputs(two_inputs, [X]),
        ValueError,
        r"expects 2 named input\(s\) with keys \[.b., .a.\], but.* received 1",
    ),
    (
        wrong_inputs(two_inputs, {"a": X}),
        ValueError,
        r"the inputs lack \['b'\]; got a dict with keys \['a'\]",
    ),
    (wrong_inputs(two_inputs, [X, None]), ValueError, r"input 1 is missing \(None\)"),
    (wrong_inputs(two_inputs, [X, X[:, :2]]), ValueError, r"Input 1 .*found shape=\(5, 2\)"),
    (
        disconnected,
        ValueError,
        r"graph disconnected.*depends on the input 'b' .*not among .* \['a'\].*Add it",
    ),
    (same_names, ValueError, 'name "q" is used 2 times.*give one of them another `name`'),
    (lambda: Model(Input((4,)), X), ValueError, "All `outputs` values must be KerasTensors, got array"),
    (lambda: Model("i", Input((4,))), ValueError, "All `inputs` values must be KerasTensors, got 'i'"),
    (lambda: Model(KerasTensor((None, 4)), Input((4,))), ValueError, "was made by no call. Make inputs with"),
    (lambda: Model(Input((4,))), TypeError, "expected `inputs` and `outputs`, or neither"),
    (
        lambda: simple().get_layer("dd"),
        ValueError,
        "No such layer: dd; did you mean 'd'.*Existing layers are",
    ),
    (
        lambda: simple().get_layer(index=9),
        ValueError,
        "retrieve layer at index 9 but model only has 2 layers",
    ),
    (lambda: simple().get_layer(), ValueError, "provide either a layer name or a layer index"),
    (lambda: simple().get_layer("d", 1), ValueError, "and not both"),
    (lambda: Input(), ValueError, "you must pass a `shape`"),
    (lambda: Input(4), ValueError, r"cannot convert 4 to a shape.*written `\(4,\)`"),
    (lambda: Input((-1,)), ValueError, r"cannot convert \(-1,\) to a shape"),
    (lambda: Input((4,), batch_shape=(2, 4)), ValueError, "you cannot pass both `shape` and `batch_shape`"),
    (lambda: Input((4,), sparse=True), ValueError, "`sparse=True` is not supported"),
    (lambda: Input(batch_size=2, batch_shape=(2, 4)), ValueError, "both `batch_size` and `batch_shape`"),
    (lambda: InputLayer((4,), input_tensor=KerasTensor((2, 3))), ValueError, "an incompatible `shape`"),
    (lambda: InputLayer(dtype="int32", input_tensor=KerasTensor((2, 3))), ValueError, "incompatible `dtype`"),
    (lambda: InputLayer(input_tensor=X), ValueError, "Argument `input_tensor` must be a KerasTensor"),
    (lambda: simple()(X[None]), ValueError, r"found ndim=3 \(the input with name '\w+' and path ''\)"),
    (lambda: two_inputs()([X, None]), ValueError, "input 1 is missing .None., and it is not optional"),
    (lambda: Input((4,), dtype="float33"), ValueError, "float33"),
    (lambda: InputLayer((4,), shap=3), ValueError, "Unrecognized keyword arguments.*did you mean 'shape'"),
]


@pytest.mark.parametrize(("wrong", "kind", "text"), WRONG, ids=[text[:25] for _, _, text in WRONG])
def test_wrong_calls_are_told(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()


def test_a_model_from_a_computed_tensor_on_has_an_input_of_its_own(tmp_path):
    inputs = Input((4,), name="i")
    hidden = Dense(3, name="hidden")(inputs)
    outputs = Dense(2, name="d")(hidden) * 2
    model = Model(hidden, [outputs, hidden + 1])
    assert [type(layer) for layer in model.layers[:2]] == [InputLayer, Dense]
    assert model.input_shape == (None, 3)
    whole = Model(inputs, outputs)
    torch.testing.assert_close(model(whole.get_layer("hidden")(X))[0], whole(X))
    assert len(whole.get_layer("d")._calls) == 1
    model.save(tmp_path / "part.keras")
    loaded = keras.saving.load_model(tmp_path / "part.keras")
    torch.testing.assert_close(loaded(X[:, :3])[0], model(X[:, :3])[0])


def test_masks_stay_in_a_model_from_a_computed_tensor_on():
    inputs = Input((3,), dtype="int32")
    embedded = Embedding(5, 4, mask_zero=True)(inputs)
    model = Model([inputs, embedded], embedded * 2)
    ids = np.array([[1, 2, 0]])
    assert model([ids, np.ones((1, 3, 4), "float32")]).shape == (1, 3, 4)
