"""`config`, `backend`, `saving`, `dtype_policies`, `mixed_precision`, `tree`: Keras's names and answers."""

import itertools
import os
import warnings
from functools import partial

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import (
    backend,
    config,
    dtype_policies,
    layers,
    mixed_precision,
    optimizers,
    random,
    saving,
    tree,
    utils,
)


@pytest.mark.parametrize("door", [backend, config, dtype_policies, mixed_precision, random, saving, tree])
def test_names_are_kerass(door):
    room = door.__name__.rpartition(".")[2]
    theirs = {name for name in dir(getattr(keras, room)) if not name.startswith("_")}
    assert theirs - set(door.__all__) == set()
    assert set(door.__all__) - theirs == set()


def answer(call):
    """What a call returns, or the kind of error it ends in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            return ValueError if isinstance(error, ValueError) else TypeError


@pytest.fixture
def settings_restored():
    yield
    config.set_floatx("float32")
    config.set_epsilon(1e-7)
    config.set_image_data_format("channels_last")
    config.set_dtype_policy("float32")


@pytest.mark.parametrize("door", [config, backend])
@pytest.mark.usefixtures("settings_restored")
def test_settings(door):
    assert (door.backend(), door.floatx(), door.image_data_format()) == ("torch", "float32", "channels_last")
    assert door.epsilon() == keras.config.epsilon()
    door.set_floatx("float16")
    door.set_epsilon(1e-3)
    door.set_image_data_format("channels_first")
    assert (config.floatx(), config.epsilon(), config.image_data_format()) == (
        "float16",
        1e-3,
        "channels_first",
    )
    assert backend.standardize_dtype(None) == "float16"
    for setter, value in ((door.set_floatx, "int32"), (door.set_image_data_format, "x")):
        with pytest.raises(ValueError, match="must be one of"):
            setter(value)


@pytest.mark.usefixtures("settings_restored")
def test_dtype_policy():
    config.set_dtype_policy("mixed_bfloat16")
    assert config.dtype_policy().name == mixed_precision.global_policy().name == "mixed_bfloat16"
    assert layers.Dense(2).compute_dtype == "bfloat16"
    mixed_precision.set_global_policy("float32")
    assert layers.Dense(2).compute_dtype == "float32"
    with pytest.raises(ValueError, match="Cannot convert 'abc' to a DTypePolicy"):
        config.set_dtype_policy("abc")


def test_limits_of_training(monkeypatch):
    monkeypatch.delenv("KERAS_MAX_EPOCHS", raising=False)
    monkeypatch.delenv("KERAS_MAX_STEPS_PER_EPOCH", raising=False)
    assert config.max_epochs() is config.max_steps_per_epoch() is None
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(1)
    try:
        assert (config.max_epochs(), config.max_steps_per_epoch()) == (2, 1)
        model = torchkeras_lite.Sequential([torchkeras_lite.Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
        history = model.fit(x, y, batch_size=2, epochs=5, verbose=0)
        assert len(history.history["loss"]) == 2
        assert int(model.optimizer.iterations) == 2
    finally:
        config.set_max_epochs(None)
        config.set_max_steps_per_epoch(None)
    assert "KERAS_MAX_EPOCHS" not in os.environ
    with pytest.raises(ValueError, match="must be an integer or `None`, got 'a'"):
        config.set_max_epochs("a")


@pytest.mark.parametrize("name", ["interactive_logging", "traceback_filtering", "flash_attention"])
def test_switches(name):
    is_on = getattr(config, f"is_{name}_enabled")
    assert is_on() is True
    getattr(config, f"disable_{name}")()
    assert is_on() is False
    getattr(config, f"enable_{name}")()
    assert is_on() is True


def test_what_has_no_effect_says_so():
    config.set_backend("torch")
    with pytest.raises(ValueError, match="the only backend is 'torch', got 'jax'"):
        config.set_backend("jax")
    assert config.is_nnx_enabled() is False


def test_get_uid_counts_with_layers():
    keras.utils.clear_session()

    def sequence(door, dense):
        return [
            door.get_uid("dense"),
            dense(1).name,
            door.get_uid("dense"),
            door.get_uid("other_2"),
            door.get_uid(),
            door.get_uid(),
        ]

    assert sequence(backend, layers.Dense) == sequence(keras.backend, keras.layers.Dense)
    backend.clear_session()
    assert backend.get_uid("dense") == 1


DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", int, float, bool, torch.float16, np.int16),
]


@pytest.mark.parametrize("count", [1, 2])
def test_result_types_are_kerass(count):
    for given in itertools.combinations_with_replacement(DTYPES, count):
        expected = answer(lambda given=given: keras.backend.result_type(*given))
        assert answer(lambda given=given: backend.result_type(*given)) == expected, given


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("abc",),
        ("string", "string"),
        ("float8_e4m3fn", "float32"),
        ("float8_e4m3fn", "float8_e4m3fn"),
        ("int8", int, float),
        ("uint64", "int8", "float16"),
        ("int32", "float16", "bfloat16"),
        ("bool", int, "uint8"),
    ],
    ids=str,
)
def test_other_result_types_are_kerass(given):
    assert answer(lambda: backend.result_type(*given)) == answer(lambda: keras.backend.result_type(*given))


@pytest.mark.parametrize("dtype", [*DTYPES, "string", "float8_e4m3fn", "abc"], ids=str)
def test_kinds_of_dtypes_are_kerass(dtype):
    for name in ("is_float_dtype", "is_int_dtype", "standardize_dtype"):
        mine, his = getattr(backend, name), getattr(keras.backend, name)
        assert answer(partial(mine, dtype)) == answer(partial(his, dtype))


def plain(config):
    """A config in which tuples, which files turn into lists, are lists."""
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    return [plain(value) for value in config] if isinstance(config, (list, tuple)) else config


OBJECTS = {
    "number": lambda k: 3,
    "text": lambda k: "text",
    "list": lambda k: [1, None, 2.5],
    "nested": lambda k: {"a": [1, {"b": True}]},
    "numpy number": lambda k: np.float32(2.5),
    "array": lambda k: np.arange(4).reshape(2, 2),
    "bytes": lambda k: b"abc",
    "ellipsis": lambda k: ...,
    "slice": lambda k: slice(1, None, 2),
    "layer": lambda k: k.layers.Dense(4, kernel_regularizer="l2", name="dense"),
    "list of layers": lambda k: [k.layers.Dense(4, name="a"), k.layers.Dropout(0.2, seed=1, name="b")],
    "initializer": lambda k: k.initializers.HeNormal(seed=1),
    "regularizer": lambda k: k.regularizers.L1L2(0.1, 0.2),
    "constraint": lambda k: k.constraints.MaxNorm(3),
    "loss": lambda k: k.losses.BinaryCrossentropy(from_logits=True),
    "metric": lambda k: k.metrics.BinaryAccuracy(threshold=0.3, name="accuracy"),
    "policy": lambda k: k.DTypePolicy("mixed_float16"),
    "seeds": lambda k: k.random.SeedGenerator(3, name="seeds"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_configs_are_kerass(name):
    module = type("Package", (), vars(torchkeras_lite) | {"random": random})
    mine = saving.serialize_keras_object(OBJECTS[name](module))
    his = keras.saving.serialize_keras_object(OBJECTS[name](keras))
    assert plain(mine) == plain(his)


@pytest.mark.parametrize("name", sorted(set(OBJECTS) - {"numpy number"}))
def test_configs_are_read(name):
    module = type("Package", (), vars(torchkeras_lite) | {"random": random})
    made = OBJECTS[name](module)
    written = saving.serialize_keras_object(made)
    read = saving.deserialize_keras_object(written)
    assert type(read) is type(made)
    assert plain(saving.serialize_keras_object(read)) == plain(written)


def test_registration():
    @saving.register_keras_serializable("tests_of_doors")
    class Mine(layers.Layer):
        pass

    assert saving.get_registered_name(Mine) == "tests_of_doors>Mine"
    assert saving.get_registered_object("tests_of_doors>Mine") is Mine
    assert saving.get_custom_objects()["tests_of_doors>Mine"] is Mine
    assert type(saving.deserialize_keras_object(saving.serialize_keras_object(Mine()))) is Mine


def test_scopes():
    class Lent(layers.Layer):
        pass

    written = saving.serialize_keras_object(Lent())
    with pytest.raises(TypeError, match="Could not locate class 'Lent'"):
        saving.deserialize_keras_object(written)
    with saving.custom_object_scope({"Lent": Lent}):
        assert type(saving.deserialize_keras_object(written)) is Lent
    assert type(saving.deserialize_keras_object(written, custom_objects={"Lent": Lent})) is Lent


def test_utils_pass_on_what_saving_has():
    files = {"KerasFileEditor", "load_model", "load_weights", "save_model", "save_weights"}
    for name in set(saving.__all__) - files:
        assert getattr(utils, name) is getattr(saving, name)


def test_dtype_policies():
    policy = dtype_policies.get("mixed_float16")
    written = dtype_policies.serialize(policy)
    assert written == keras.saving.serialize_keras_object(keras.DTypePolicy("mixed_float16"))
    assert dtype_policies.deserialize(written) == policy
    assert dtype_policies.get(written) == policy
    assert dtype_policies.FloatDTypePolicy("float16").compute_dtype == "float16"
    assert mixed_precision.Policy is dtype_policies.DTypePolicy
    assert mixed_precision.LossScaleOptimizer is optimizers.LossScaleOptimizer
