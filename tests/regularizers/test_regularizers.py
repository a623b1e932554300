"""Penalties, gradients, names and configs of regularizers against real Keras."""

import inspect

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import regularizers
from torchkeras_lite.base import config as settings
from torchkeras_lite.base.registry import CustomObjectScope

PUBLIC = sorted({n for n in dir(keras.regularizers) if not n.startswith("_")} | set(regularizers.__all__))
CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L1", {"l1": None}),
    ("L1", {"l1": 0}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L2", {"l2": None}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.3}),
    ("L1L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {"l1": None, "l2": None}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_and_signatures(name):
    ours, theirs = getattr(regularizers, name), getattr(keras.regularizers, name)
    assert name in regularizers.__all__
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__name__ == theirs.__name__
    assert ours.__doc__


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_penalty_and_gradient(name, arguments, dtype, rng):
    a = torch.tensor(rng.normal(size=(5, 4)), dtype=dtype)
    if name != "OrthogonalRegularizer":  # there Keras's gradient at zero is NaN
        a[2] = 0
    b = a.clone().requires_grad_()
    a.requires_grad_()
    ours = getattr(regularizers, name)(**arguments)(a)
    theirs = getattr(keras.regularizers, name)(**arguments)(b)
    assert ours.shape == ()
    assert ours.dtype == dtype
    tolerance = {"rtol": 2e-2, "atol": 1e-2} if dtype == torch.bfloat16 else {"rtol": 1e-6, "atol": 1e-7}
    torch.testing.assert_close(ours, theirs.to(dtype), **tolerance)
    if theirs.requires_grad and dtype != torch.bfloat16:
        ours.backward()
        theirs.backward()
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-7)
    assert ours.requires_grad


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_arrays(name, arguments, rng):
    x = rng.normal(size=(3, 4)).astype("float32")
    ours = getattr(regularizers, name)(**arguments)
    torch.testing.assert_close(ours(x), ours(torch.tensor(x)))
    torch.testing.assert_close(ours(x.tolist()), ours(torch.tensor(x)))


def test_orthogonal_gradient_at_zero_is_finite():
    x = torch.tensor([[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]], requires_grad=True)
    regularizers.OrthogonalRegularizer()(x).backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_configs_equal_those_of_keras(name, arguments):
    ours, theirs = (getattr(m, name)(**arguments) for m in (regularizers, keras.regularizers))
    assert ours.get_config() == theirs.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    config = regularizers.serialize(ours)
    assert config == keras.regularizers.serialize(theirs)
    for read in (regularizers.deserialize(config), regularizers.get(config)):
        assert type(read) is type(ours)
        assert read.get_config() == ours.get_config()
    short = {"class_name": name, "config": ours.get_config()}
    assert regularizers.get(short).get_config() == ours.get_config()
    keras.regularizers.deserialize(config)


def test_factors_are_rounded_only_to_floatx():
    settings.set_floatx("float64")
    try:
        assert regularizers.L1(0.1).get_config() == {"l1": 0.1}
    finally:
        settings.set_floatx("float32")
    assert regularizers.L1(0.1).get_config() == {"l1": float(np.float32(0.1))}


@pytest.mark.parametrize("name", sorted(keras.src.regularizers.ALL_OBJECTS_DICT))
def test_get_by_name(name):
    theirs = keras.regularizers.get(name)
    ours = regularizers.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    if type(ours) is not regularizers.Regularizer:
        assert ours.get_config() == theirs.get_config()
        assert regularizers.deserialize(name).get_config() == theirs.get_config()


def test_get_accepts_the_tf_keras_name():
    assert regularizers.get("l1_l2").get_config() == {"l1": 0.01, "l2": 0.01}


def test_get_passes_objects():
    regularizer = regularizers.L2(0.1)
    assert regularizers.get(None) is None
    assert regularizers.get(regularizer) is regularizer
    assert regularizers.get(torch.sum) is torch.sum
    assert isinstance(regularizers.get(regularizers.L2), regularizers.L2)


def test_own_regularizer():
    class Mean(regularizers.Regularizer):
        def __call__(self, x):
            return x.mean()

        def get_config(self):
            return {}

    config = regularizers.serialize(Mean())
    assert isinstance(regularizers.deserialize(config, {"Mean": Mean}), Mean)
    with CustomObjectScope({"Mean": Mean}):
        assert isinstance(regularizers.get("Mean"), Mean)
        assert isinstance(regularizers.get(config), Mean)


def test_base():
    base = regularizers.Regularizer()
    assert base(torch.ones(2)) == keras.regularizers.Regularizer()(torch.ones(2)) == 0.0
    with pytest.raises(NotImplementedError, match=r"Regularizer does not implement get_config\(\). Add one"):
        base.get_config()


def test_one_vector_has_no_pair():
    assert regularizers.OrthogonalRegularizer()(torch.ones(1, 3)).item() == 0
    assert regularizers.OrthogonalRegularizer(mode="columns")(torch.ones(3, 1)).item() == 0


@pytest.mark.parametrize("value", [-1, -0.1, "a", float("nan"), float("inf"), [0.1]], ids=str)
@pytest.mark.parametrize(
    ("name", "argument"),
    [("L1", "l1"), ("L2", "l2"), ("L1L2", "l1"), ("L1L2", "l2"), ("OrthogonalRegularizer", "factor")],
)
def test_refuses_factors(name, argument, value):
    with pytest.raises(ValueError, match=f"{name}: Invalid value for argument {argument}: .*got.*Pass the"):
        getattr(regularizers, name)(**{argument: value})


def test_other_messages():
    with pytest.raises(
        ValueError, match=r'Invalid value for argument `mode`. Expected one of {"rows", "columns"}'
    ):
        regularizers.OrthogonalRegularizer(mode="row")
    with pytest.raises(ValueError, match=r"must have rank 2. Received: inputs.shape=\(3,\)"):
        regularizers.OrthogonalRegularizer()(torch.ones(3))
    with pytest.raises(ValueError, match="regularizer identifier: 'l1_l3'; did you mean 'l"):
        regularizers.get("l1_l3")
    with pytest.raises(ValueError, match=r"regularizer identifier: 0.1 of type float.*L2\(1e-4\)"):
        regularizers.get(0.1)
