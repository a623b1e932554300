"""Projections, names and configs of constraints against real Keras."""

import inspect

import keras
import pytest
import torch

from torchkeras_lite import constraints
from torchkeras_lite.base.registry import CustomObjectScope

PUBLIC = sorted({n for n in dir(keras.constraints) if not n.startswith("_")} | set(constraints.__all__))
CASES = [
    ("Constraint", {}),
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5}),
    ("MaxNorm", {"max_value": 1.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1.5, "axis": [0, 1]}),
    ("MaxNorm", {"max_value": 1.5, "axis": None}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.3, "axis": -1}),
    ("MinMaxNorm", {"min_value": 2, "max_value": 3, "axis": (0, 2)}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": (0, 1)}),
    ("UnitNorm", {"axis": None}),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_and_signatures(name):
    ours, theirs = getattr(constraints, name), getattr(keras.constraints, name)
    assert name in constraints.__all__
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__name__ == theirs.__name__
    assert ours.__doc__


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_projection(name, arguments, dtype, rng):
    w = torch.tensor(rng.normal(size=(4, 3, 5)), dtype=dtype)
    w[:, 1] = 0
    w[2] = 0
    before = w.clone()
    ours = getattr(constraints, name)(**arguments)(w)
    theirs = getattr(keras.constraints, name)(**arguments)(w)
    assert ours.dtype == dtype
    tolerance = {"rtol": 2e-2, "atol": 1e-2} if dtype == torch.bfloat16 else {"rtol": 2e-6, "atol": 1e-6}
    torch.testing.assert_close(ours, theirs.to(dtype), **tolerance)
    assert torch.equal(w, before)
    if dtype == torch.float32 and name != "Constraint":
        torch.testing.assert_close(getattr(constraints, name)(**arguments)(w.numpy()), ours)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_gradients_are_finite(name, arguments):
    w = torch.zeros(4, 3, 5, requires_grad=True)
    getattr(constraints, name)(**arguments)(w).sum().backward()
    assert torch.isfinite(w.grad).all()


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_configs_equal_those_of_keras(name, arguments):
    ours, theirs = (getattr(m, name)(**arguments) for m in (constraints, keras.constraints))
    assert ours.get_config() == theirs.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    config = constraints.serialize(ours)
    assert config == keras.constraints.serialize(theirs)
    for read in (constraints.deserialize(config), constraints.get(config)):
        assert type(read) is type(ours)
        assert read.get_config() == ours.get_config()
    short = {"class_name": name, "config": ours.get_config()}
    assert constraints.get(short).get_config() == ours.get_config()
    keras.constraints.deserialize(config)


@pytest.mark.parametrize("name", sorted(keras.src.constraints.ALL_OBJECTS_DICT))
def test_get_by_name(name):
    theirs = keras.constraints.get(name)
    for ours in (constraints.get(name), constraints.deserialize(name)):
        assert type(ours).__name__ == type(theirs).__name__
        assert ours.get_config() == theirs.get_config()


def test_get_passes_objects():
    constraint = constraints.MaxNorm(3)
    assert constraints.get(None) is None
    assert constraints.get(constraint) is constraint
    assert constraints.get(torch.relu) is torch.relu
    assert isinstance(constraints.get(constraints.MaxNorm), constraints.MaxNorm)


def test_own_constraint():
    class Centered(constraints.Constraint):
        def __call__(self, w):
            return w - w.mean()

    config = constraints.serialize(Centered())
    assert isinstance(constraints.deserialize(config, {"Centered": Centered}), Centered)
    with CustomObjectScope({"Centered": Centered}):
        assert isinstance(constraints.get("Centered"), Centered)


def test_messages():
    with pytest.raises(ValueError, match="Could not interpret constraint identifier: 'maxnrm'; did you mean"):
        constraints.get("maxnrm")
    with pytest.raises(
        ValueError, match=r"Could not interpret constraint identifier: 3 of type int.*takes and ret"
    ):
        constraints.get(3)
