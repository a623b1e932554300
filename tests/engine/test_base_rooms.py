"""The ground floor: names, nested structures, lookups, devices, input specs."""

import collections

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import Input, InputSpec, Sequential
from torchkeras_lite.base import naming, nested, registry
from torchkeras_lite.base.device import default_device, parse_device
from torchkeras_lite.base.lookup import Lookup
from torchkeras_lite.layers import Dense

CLASS_NAMES = [
    "Dense",
    "Conv2D",
    "MaxPooling2D",
    "ReLU",
    "PReLU",
    "LSTM",
    "GRUCell",
    "HTTPBlock2D",
    "MyLayer",
    "ELU",
]
CLASS_NAMES += [
    "GlobalAveragePooling2D",
    "SeparableConv1D",
    "MultiHeadAttention",
    "X",
    "ABCNet",
    "my_layer",
    "Conv2DTranspose",
]


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_snake_case_is_keras_s(name):
    from keras.src.utils.naming import to_snake_case

    assert naming.to_snake_case(name) == to_snake_case(name)


def test_automatic_names_count_per_class():
    assert [Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert [Sequential().name, Sequential().name, Input((1,))._keras_history[0].name] == [
        "sequential",
        "sequential_1",
        "input_layer",
    ]
    assert Dense(1, name="dense_3").name == "dense_3"
    assert Dense(1).name == "dense_3"
    naming.reset_names()
    assert Dense(1).name == "dense"


def test_scopes_make_paths():
    with naming.name_scope("a"), naming.name_scope("b"):
        assert naming.current_path() == "a/b"
    assert naming.current_path() == ""
    with pytest.raises(KeyError), naming.name_scope("a"):
        raise KeyError
    assert naming.current_path() == ""


Point = collections.namedtuple("Point", "x y")
STRUCTURES = [
    1,
    None,
    [],
    {},
    [1, [2, (3,)]],
    {"b": 1, "a": [2, {"c": 3}]},
    (1, {"z": 2, "y": (3, [])}),
    Point(1, [2]),
    {2: "a", 1: "b"},
    [None, {"a": None}],
]


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_nested_structures_go_as_in_keras(structure):
    assert nested.flatten(structure) == keras.tree.flatten(structure)
    assert nested.pack_like(structure, nested.flatten(structure)) == structure
    assert type(nested.map_structure(lambda leaf: leaf, structure)) is type(structure)
    assert nested.same_structure(structure, nested.map_structure(str, structure))
    paths = nested.flatten_with_path(structure)
    assert [leaf for _, leaf in paths] == nested.flatten(structure)
    for path, leaf in paths:
        found = structure
        for step in path:
            found = found[step]
        assert found == leaf


def test_nested_details():
    values, indices = torch.max(torch.ones(2, 3), dim=1)
    mapped = nested.map_structure(lambda t: t + 1, torch.max(torch.ones(2, 3), dim=1))
    torch.testing.assert_close(mapped.values, values + 1)
    torch.testing.assert_close(mapped.indices, indices + 1)
    assert list(nested.map_structure(lambda a, b: a + b, {"b": 1, "a": 2}, {"a": 10, "b": 20})) == ["b", "a"]
    with pytest.raises(ValueError, match="Structures differ: lengths"):
        nested.map_structure(lambda a, b: a, [1, 2], [1])
    assert not nested.same_structure([1], [1, 2])
    assert not nested.same_structure({"a": 1}, {"b": 1})
    assert not nested.same_structure({"a": 1}, [1])
    assert nested.same_structure([1], (1,))
    assert nested.unpack_single([3]) == 3
    assert nested.unpack_single([3, 4]) == [3, 4]
    assert nested.unpack_single({"a": 3}) == {"a": 3}


class Thing:
    def __init__(self, size=1):
        self.size = size

    def get_config(self):
        return {"size": self.size}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def function():
    return 1


LOOKUP = Lookup("thing", {"Thing": Thing, "function": function}, instance_of=Thing, remedy="a Thing")


def test_lookup_finds():
    made = Thing(2)
    assert LOOKUP.get(made) is made
    assert LOOKUP.get(None) is None
    assert type(LOOKUP.get("Thing")) is type(LOOKUP.get("thing")) is Thing
    assert LOOKUP.get(Thing).size == 1
    assert LOOKUP.get("Thing", instantiate=False) is Thing
    assert LOOKUP.get("function") is LOOKUP.get(function) is function
    with registry.CustomObjectScope({"own": function}):
        assert LOOKUP.get("own") is function
    with registry.CustomObjectScope({"Thing": Thing}):
        assert LOOKUP.get({"class_name": "Thing", "config": {"size": 5}}).size == 5


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        (
            "thin",
            "Could not interpret thing identifier: 'thin'; did you mean 'Thing'.*Known: .*Or pass a Thing",
        ),
        ("own", "Could not interpret thing identifier: 'own'"),
        (3, "Could not interpret thing identifier: 3 of type int"),
    ],
)
def test_lookup_tells_what_it_does_not_know(identifier, text):
    with pytest.raises(ValueError, match=text):
        LOOKUP.get(identifier)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cpu", "cpu"),
        ("CPU:0", "cpu"),
        ("/cpu:0", "cpu"),
        ("/device:CPU:0", "cpu"),
        ("cuda:1", "cuda:1"),
        ("meta", "meta"),
    ],
)
def test_device_names(name, expected):
    assert parse_device(name) == torch.device(expected)
    assert parse_device(torch.device(expected)) == torch.device(expected)


@pytest.mark.parametrize("name", ["", "nonsense", "cuda:x", "cpu:0:1", "3"])
def test_unknown_devices_are_told(name):
    with pytest.raises(ValueError, match=f"device: expected a name such as 'cpu'.*got '{name}'"):
        parse_device(name)


def devices(model):
    return {str(t.device) for t in [*model.parameters(), *model.buffers()]}


def test_device_contexts():
    before = default_device()
    with tk.device("cpu") as chosen:
        assert chosen == torch.device("cpu")
        model = Sequential([Input((4,)), Dense(2)])
        assert default_device() == torch.device("cpu")
        with tk.device("meta"):
            assert default_device() == torch.device("meta")
            assert torch.ones(1).is_meta
        assert default_device() == torch.device("cpu")
    assert default_device() == before
    assert devices(model) == {"cpu"}
    with pytest.raises(KeyError), tk.device("meta"):
        raise KeyError
    assert default_device() == before


@pytest.mark.parametrize("context", [lambda: tk.device("meta"), lambda: torch.device("meta")])
def test_weights_are_made_on_the_device_in_force(context):
    with context():
        symbolic, late = Sequential([Input((4,)), Dense(2)]), Dense(2)
        late.build((None, 4))
    assert devices(symbolic) == devices(late) == {"meta"}
    assert symbolic(torch.ones(2, 4, device="meta")).is_meta


def test_a_layer_takes_the_device_of_its_first_tensor():
    layer = Dense(2)
    layer(torch.ones(2, 4, device="cpu"))
    assert devices(layer) == {"cpu"}
    with tk.device("meta"):
        other = Dense(2)
        other(torch.ones(2, 4, device="cpu"))
    assert devices(other) == {"cpu"}


def test_an_unbuilt_model_that_was_moved_is_built_there():
    model = Sequential([Dense(3), Dense(2)]).to("meta")
    model.build((None, 4))
    assert devices(model) == {"meta"}
    layer = Dense(2).to("meta").to(torch.float64)
    layer.build((None, 4))
    assert (devices(layer), layer.kernel.dtype) == ({"meta"}, "float64")


def test_arrays_follow_the_model():
    model = Sequential([Input((4,)), Dense(2)]).to("meta")
    assert model(np.ones((2, 4), "float32")).is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_models_go_to_the_accelerator():
    model = Sequential([Input((4,)), Dense(2)])
    assert {d.split(":")[0] for d in devices(model)} == {"cuda"}
    assert model(np.ones((2, 4))).is_cuda
    with tk.device("cpu"):
        assert devices(Sequential([Input((4,)), Dense(2)])) == {"cpu"}
    assert devices(model.to("cpu")) == {"cpu"}


SPECS = [
    (dict(ndim=2), [(2, 3), (None, 3)], [(2,), (1, 2, 3)], "expected ndim=2"),
    (dict(min_ndim=2), [(2, 3), (1, 2, 3)], [(2,)], "expected min_ndim=2"),
    (dict(max_ndim=2), [(2,), (2, 3)], [(1, 2, 3)], "expected max_ndim=2"),
    (dict(shape=(None, 3)), [(2, 3), (None, 3), (2, None)], [(2, 4)], "expected shape"),
    (dict(axes={-1: 3}), [(2, 3), (3,), (2, None)], [(2, 4)], "expected axis -1"),
    (dict(ndim=3, axes={1: 4, -1: None}), [(2, 4, 9)], [(2, 5, 9)], "expected axis 1"),
    (
        dict(shape=(None, 3), allow_last_axis_squeeze=True),
        [(2, 3), (2, 3, 1)],
        [(2, 4, 1), (2, 3, 2)],
        "expected",
    ),
    (dict(shape=(None, 1), allow_last_axis_squeeze=True), [(2, 1), (2,)], [(2, 3)], "expected shape"),
]


@pytest.mark.parametrize(("arguments", "good", "bad", "text"), SPECS, ids=str)
def test_input_specs(arguments, good, bad, text):
    spec = InputSpec(**arguments)
    again = InputSpec.from_config(spec.get_config())
    for shape in good:
        assert spec.complaint(shape) is None
        assert again.complaint(shape) is None
        assert spec.accepts(shape) or spec.allow_last_axis_squeeze
    for shape in bad:
        assert text in spec.complaint(shape)
        assert not spec.accepts(shape)
    assert repr(spec).startswith("InputSpec(")


def test_input_spec_of_dtype_and_of_wrong_axes():
    assert (
        InputSpec(dtype="int32").complaint((2,), torch.float32) == "expected dtype=int32, found dtype=float32"
    )
    assert InputSpec(dtype="int32").complaint((2,), torch.int32) is None
    with pytest.raises(ValueError, match="axis 3 is greater than the rank allows"):
        InputSpec(ndim=2, axes={3: 1})


def test_input_spec_of_a_custom_layer():
    class Needs(tk.Layer):
        def __init__(self):
            super().__init__(name="needs")
            self.input_spec = [InputSpec(ndim=2), InputSpec(shape=(None, 3))]

        def call(self, xs):
            return xs[0].sum() + xs[1].sum()

    layer = Needs()
    layer([torch.ones(2, 2), torch.ones(2, 3)])
    with pytest.raises(ValueError, match=r"Input 1 of layer 'needs' is incompatible.*expected shape"):
        layer([torch.ones(2, 2), torch.ones(2, 4)])
    with pytest.raises(
        ValueError, match=r"'needs' expects 2 input\(s\), but it received 1.*list of 2 tensors"
    ):
        layer([torch.ones(2, 2)])
