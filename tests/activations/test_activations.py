"""Values, gradients, dtypes, names and configs of activations against real Keras."""

import inspect
import pickle

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from torchkeras_lite import activations
from torchkeras_lite.base.registry import CustomObjectScope, register_keras_serializable

ROOM = ("get", "serialize", "deserialize")
PUBLIC = sorted({n for n in dir(keras.activations) if not n.startswith("_")} | set(activations.__all__))
FUNCTIONS = [name for name in activations.__all__ if name not in ROOM]
ARGUMENTS = [
    *[(name, {}) for name in FUNCTIONS if name != "threshold"],
    ("threshold", {"threshold": 0.5, "default_value": -3.0}),
    ("celu", {"alpha": 0.3}),
    ("elu", {"alpha": 0.3}),
    ("gelu", {"approximate": True}),
    ("glu", {"axis": 0}),
    ("hard_shrink", {"threshold": 1.5}),
    ("leaky_relu", {"negative_slope": 0.4}),
    ("log_softmax", {"axis": 0}),
    ("log_softmax", {"axis": (0, 2)}),
    ("log_softmax", {"axis": None}),
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 2.0}),
    ("relu", {"max_value": 6}),
    ("relu", {"threshold": 0.5}),
    ("relu", {"threshold": -0.5}),
    ("relu", {"negative_slope": 0.1, "max_value": 2.0}),
    ("relu", {"negative_slope": 0.1, "max_value": 6.0}),
    ("relu", {"negative_slope": 0.1, "threshold": 0.5}),
    ("relu", {"max_value": 2.0, "threshold": 0.5}),
    ("relu", {"negative_slope": 0.1, "max_value": 6, "threshold": -0.5}),
    ("soft_shrink", {"threshold": 1.5}),
    ("softmax", {"axis": 0}),
    ("softmax", {"axis": (0, 2)}),
    ("softmax", {"axis": (1,)}),
    ("softmax", {"axis": None}),
    ("sparsemax", {"axis": 0}),
    ("sparsemax", {"axis": 1}),
    ("squareplus", {"b": 0.5}),
]


@pytest.fixture
def points(rng):
    """Random values, some large, and the points where pieces of functions meet."""
    values = rng.normal(size=(6, 5, 8)) * 3
    values[0, 0] = [-1.0, 1.0, 0.0, 0.5, -0.5, 6.0, 3.0, -3.0]
    values[1, 1] = [-50.0, 50.0, 2.0, -2.0, 30.0, -30.0, 1.5, -1.5]
    return values


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_and_signatures(name):
    ours, theirs = getattr(activations, name), getattr(keras.activations, name)
    assert name in activations.__all__
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__name__ == theirs.__name__
    assert ours.__doc__


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_values_and_gradients(name, arguments, dtype, points):
    a = torch.tensor(points, dtype=dtype, requires_grad=True)
    b = a.detach().clone().requires_grad_()
    ours = getattr(activations, name)(a, **arguments)
    theirs = getattr(keras.activations, name)(b, **arguments)
    low = dtype.itemsize == 2
    tolerance = {"rtol": 2e-2, "atol": 4e-2} if low else {"rtol": 2e-6, "atol": 1e-6}
    torch.testing.assert_close(ours, theirs, equal_nan=True, **tolerance)
    if low:
        return
    weights = torch.linspace(-1, 2, ours.numel(), dtype=dtype).reshape(ours.shape)
    (ours * weights).nan_to_num(0, 0, 0).sum().backward()
    (theirs * weights).nan_to_num(0, 0, 0).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax"])
def test_one_axis_is_enough(name):
    x = torch.tensor([1.0, 3.0, 2.5])
    torch.testing.assert_close(getattr(activations, name)(x), getattr(keras.activations, name)(x))


def test_softmax_over_negative_axes(points):
    x = torch.tensor(points)
    for name in ("softmax", "log_softmax"):
        ours, theirs = getattr(activations, name), getattr(keras.activations, name)
        torch.testing.assert_close(ours(x, axis=(0, -1)), theirs(x, axis=(0, 2)))
        torch.testing.assert_close(ours(x, axis=[-1]), theirs(x, axis=-1))


def test_sparsemax_of_one_clear_winner():
    x = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    assert activations.sparsemax(x).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("name", ["sparse_plus", "sparse_sigmoid", "relu", "softplus", "log_sigmoid"])
def test_infinite_inputs_have_finite_gradients_where_defined(name):
    x = torch.tensor([1e30, -1e30, float("inf")], requires_grad=True)
    getattr(activations, name)(x)[:2].sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("threshold", "softmax")])
@pytest.mark.parametrize(
    "value",
    [
        [[-1.5, 0.3], [1.0, 2.0]],
        np.array([[-1.5, 0.3], [1.0, 2.0]]),
        np.array([[-1.5, 0.3], [1.0, 2.0]], "float32"),
        np.array([[-1.5, 0.3]], "float16"),
    ],
    ids=["list", "float64", "float32", "float16"],
)
def test_lists_and_arrays(name, value):
    ours, theirs = getattr(activations, name)(value), getattr(keras.activations, name)(value)
    if name == "linear":
        assert ours is value
    else:
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "hard_tanh", "sigmoid", "tanh", "exponential", "squareplus"]
)
@pytest.mark.parametrize("value", [[[-1, 0], [1, 2]], np.array([[-1, 7]]), np.array([3], "int8"), 2], ids=str)
def test_integers(name, value):
    torch.testing.assert_close(getattr(activations, name)(value), getattr(keras.activations, name)(value))


class Recorded:
    """Not a tensor, but torch's functions take it: what a symbolic tensor is."""

    ndim = 2

    def __init__(self, calls):
        self.calls = calls

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        first = args[0] if isinstance(args[0], cls) else next(a for a in args if isinstance(a, cls))
        first.calls.append(function)
        return cls(first.calls)

    def _operator(self, *_):
        self.calls.append("operator")
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __pow__ = _operator
    __lt__ = __gt__ = __getitem__ = _operator


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS, ids=str)
def test_symbolic_tensors_reach_torch(name, arguments):
    calls = []
    x = Recorded(calls)
    result = getattr(activations, name)(x, **arguments)
    assert isinstance(result, Recorded)
    assert name == "linear" or calls


@pytest.mark.parametrize("name", ["relu", "gelu", "softmax", "sparse_plus", "sparsemax", "hard_silu"])
def test_fullgraph_compiles(name):
    x = torch.randn(3, 4)
    function = getattr(activations, name)
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), function(x))


def accepted_names():
    """Every string that real Keras takes, and the name of what it gives."""
    known = keras.src.activations.ALL_OBJECTS_DICT
    return sorted((name, function.__name__) for name, function in known.items())


@pytest.mark.parametrize(("name", "function"), accepted_names())
def test_get_by_name(name, function):
    assert activations.get(name) is getattr(activations, function)
    assert activations.get(name) is activations.get(name.upper())
    assert activations.deserialize(name) is activations.get(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_configs_equal_those_of_keras(name):
    ours, theirs = getattr(activations, name), getattr(keras.activations, name)
    assert activations.serialize(ours) == keras.activations.serialize(theirs)
    assert activations.get(activations.serialize(ours)) is ours
    config = keras.saving.serialize_keras_object(theirs)
    assert activations.get(config) is activations.deserialize(config) is ours
    assert pickle.loads(pickle.dumps(ours)) is ours


def test_get_passes_callables():
    assert activations.get(None) is activations.linear
    assert activations.deserialize(None) is None
    for function in (torch.sin, F.gelu, np.tanh, lambda x: x, torch.nn.Tanh()):
        assert activations.get(function) is function
    assert isinstance(activations.get(torch.nn.Tanh), torch.nn.Tanh)


def test_unknown_names():
    with pytest.raises(
        ValueError, match=r"Could not interpret activation function identifier: 'rellu'; did you"
    ):
        activations.get("rellu")
    with pytest.raises(ValueError, match=r"did you mean 'gelu'.*Known: celu, elu, .*Or pass a callable"):
        activations.get("geluu")
    with pytest.raises(ValueError, match="Could not interpret activation function identifier: 3 of type int"):
        activations.get(3)


def test_torch_functions_are_written_by_the_name_of_their_equal(points):
    x = torch.tensor(points)
    for function, name in activations._TORCH_NAMES.items():
        assert activations.serialize(function) == name
        torch.testing.assert_close(function(x), activations.get(name)(x))


@pytest.mark.parametrize("function", [F.leaky_relu, F.softmax, torch.softmax, torch.threshold], ids=range(4))
def test_torch_functions_with_other_defaults_are_refused(function):
    with pytest.raises(ValueError, match=r"which has other defaults.*Wrap it"):
        activations.serialize(function)


def twice(x):
    return 2 * x


def mish(x):
    return x


def test_own_functions():
    config = activations.serialize(twice)
    assert config == keras.activations.serialize(twice)
    assert activations.deserialize(config, {"twice": twice}) is twice
    assert activations.deserialize("twice", {"twice": twice}) is twice
    with CustomObjectScope({"twice": twice}):
        assert activations.get("twice") is activations.get(config) is twice
    with pytest.raises(TypeError, match=r"Could not locate function 'twice'.*custom_objects"):
        activations.get(config)
    assert activations.deserialize(activations.serialize(mish), {"mish": mish}) is mish
    with pytest.warns(UserWarning, match="includes a `lambda`"):
        written = activations.serialize(lambda x: x)
    with pytest.raises(ValueError, match="safe_mode"):
        activations.deserialize(written)


def test_registered_functions():
    @register_keras_serializable("tests_of_activations")
    def thrice(x):
        return 3 * x

    config = activations.serialize(thrice)
    assert config["config"] == "tests_of_activations>thrice"
    assert activations.get(config) is thrice
    assert activations.get("tests_of_activations>thrice") is thrice


def test_objects_with_a_config():
    class Scale:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, x):
            return self.factor * x

        def get_config(self):
            return {"factor": self.factor}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    config = activations.serialize(Scale(3))
    assert config["class_name"] == "Scale"
    assert activations.deserialize(config, {"Scale": Scale})(2) == 6
