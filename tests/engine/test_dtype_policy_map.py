"""`DTypePolicyMap` against Keras: policies by the paths of layers."""

import keras
import pytest

import torchkeras_lite as tk
from torchkeras_lite.dtype_policies import DTypePolicy, DTypePolicyMap


def test_paths_expressions_and_the_default_are_read_as_in_keras():
    ours = DTypePolicyMap("float32", {"enc/.*": DTypePolicy("mixed_float16"), "d": DTypePolicy("bfloat16")})
    policy = keras.dtype_policies.DTypePolicy
    theirs = keras.dtype_policies.DTypePolicyMap(
        "float32", {"enc/.*": policy("mixed_float16"), "d": policy("bfloat16")}
    )
    for path in ("enc/dense", "a/enc/dense", "d", "dd", "enc"):
        assert ours[path].name == theirs[path].name
    assert (ours.name, ours.compute_dtype, len(ours), list(ours)) == (
        theirs.name,
        theirs.compute_dtype,
        len(theirs),
        list(theirs),
    )
    assert ours.get_config()["policy_map"] == theirs.get_config()["policy_map"]
    assert DTypePolicyMap.from_config(ours.get_config()) == ours


def test_layers_take_the_policy_of_their_path_and_write_the_map():
    policies = DTypePolicyMap(policy_map={".*half": "mixed_bfloat16", "drop": "float64"})
    model = tk.Sequential(
        [tk.Input((3,)), tk.layers.Dense(2, dtype=policies, name="half"), tk.layers.Dense(2, dtype=policies)]
    )
    assert [layer.dtype_policy.name for layer in model.layers] == ["mixed_bfloat16", "float32"]
    assert tk.layers.Dropout(0.5, dtype=policies, name="drop").compute_dtype == "float64"
    half = model.layers[0]
    assert half.get_config()["dtype"]["class_name"] == "DTypePolicyMap"
    again = tk.layers.Dense.from_config(half.get_config())
    again.build((None, 3))
    assert again.dtype_policy == half.dtype_policy
    half.dtype_policy = "float64"
    assert policies[half.path].name == "float64"
    assert DTypePolicy("float32").quantization_mode is None


@pytest.mark.parametrize(
    ("wrong", "kind", "text"),
    [
        (lambda: DTypePolicyMap(policy_map=[1]), TypeError, "`policy_map` must be a dict"),
        (
            lambda: DTypePolicyMap(policy_map={"a": "float32"}).update(a="float16"),
            ValueError,
            "a already exist in the DTypePolicyMap.*Delete it",
        ),
        (
            lambda: DTypePolicyMap(policy_map={"a.*": "float16", ".*b": "float64"})["ab"],
            ValueError,
            "matches multiple dtype policy keys",
        ),
    ],
    ids=["no-dict", "twice", "ambiguous"],
)
def test_wrong_maps_are_told(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()
