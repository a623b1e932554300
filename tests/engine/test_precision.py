"""Dtype policies: which dtype weights, computations and outputs have, as in Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite import DTypePolicy, Input, Layer, Model
from torchkeras_lite.base import config
from torchkeras_lite.engine import precision
from torchkeras_lite.layers import Dense

X = np.ones((2, 4), "float32")
NAMES = ["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"]


@pytest.fixture
def restored():
    yield
    precision._global.update(policy=None)
    config.set_floatx("float32")


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_of_a_layer_are_keras_s(name):
    ours, theirs = Dense(2, dtype=name), keras.layers.Dense(2, dtype=name)
    facts = []
    for layer in (ours, theirs):
        y = layer(torch.tensor(X))
        facts.append(
            [
                str(y.dtype),
                layer.dtype,
                layer.compute_dtype,
                layer.variable_dtype,
                layer.input_dtype,
                layer.kernel.dtype,
            ]
        )
        facts[-1].append(layer.dtype_policy.name)
    assert facts[0] == facts[1]


@pytest.mark.parametrize("name", NAMES[:4])
def test_symbols_have_the_dtype_of_the_result(name):
    inputs = Input((4,))
    model = Model(inputs, Dense(2, dtype=name)(inputs))
    assert model.output.dtype == str(model(X).dtype).removeprefix("torch.")


@pytest.mark.parametrize("dtype", [torch.float64, np.float64, "float64", DTypePolicy("float64")], ids=str)
def test_policy_from_any_spelling(dtype):
    assert Dense(2, dtype=dtype).dtype_policy == DTypePolicy("float64")


@pytest.mark.parametrize("name", ["mixed_float17", "float33", "nonsense"])
def test_unknown_policies_are_told(name):
    with pytest.raises(ValueError, match=f"Cannot convert '{name}' to a"):
        Dense(2, dtype=name)
    with pytest.raises((ValueError, TypeError), match=r"Cannot interpret `dtype`|must be a string"):
        Dense(2, dtype=object())


def test_inputs_are_cast_only_with_autocast():
    class Sees(Layer):
        def call(self, x):
            self.__dict__["seen"] = x.dtype
            return x

    for autocast, expected in ((True, torch.float32), (False, torch.float64)):
        layer = Sees(autocast=autocast)
        layer(torch.ones(2, 2, dtype=torch.float64))
        assert layer.seen is expected
    for dtype in (torch.int64, torch.bool, torch.uint8):
        layer = Sees()
        layer(torch.ones(2, 2, dtype=dtype))
        assert layer.seen is dtype


def test_global_policy_and_floatx(restored):
    precision.set_dtype_policy("mixed_bfloat16")
    layer = Dense(2)
    assert layer(X).dtype is torch.bfloat16
    assert layer.kernel.dtype == "float32"
    precision.set_dtype_policy("float32")
    config.set_floatx("float64")
    precision._global.update(policy=None)
    assert Dense(2)(X).dtype is torch.float64
    assert Input((4,)).dtype == "float64"


def test_policy_follows_to():
    layer = Dense(2)
    layer(X)
    layer.to(torch.bfloat16)
    assert (layer.dtype, layer.compute_dtype) == ("bfloat16", "bfloat16")
    assert layer(X).dtype is torch.bfloat16
    late = Dense(2).double()
    assert late(X).dtype is torch.float64
    mixed = Dense(2, dtype="mixed_bfloat16")
    mixed(X)
    mixed.to("cpu")
    assert mixed.dtype_policy.name == "mixed_bfloat16"


def test_setting_the_policy():
    layer = Dense(2)
    layer(X)
    layer.dtype_policy = "mixed_bfloat16"
    assert layer(X).dtype is torch.bfloat16
    assert layer.kernel.dtype == "float32"


def test_mixed_training_has_float32_gradients():
    model = tk.Sequential([Input((4,)), Dense(3, dtype="mixed_bfloat16"), Dense(1, dtype="float32")]).train()
    model(X).sum().backward()
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}


def test_policy_config_and_equality():
    policy = DTypePolicy("mixed_float16")
    assert DTypePolicy.from_config(policy.get_config()) == policy
    assert hash(DTypePolicy("float32")) == hash(DTypePolicy("float32"))
    assert policy != DTypePolicy("float32")
    assert repr(policy) == '<DTypePolicy "mixed_float16">'
