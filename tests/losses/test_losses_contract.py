"""What holds for every loss: names, configs, serialization, messages, and a hot path that never waits."""

import inspect
import json
import pickle

import keras
import numpy as np
import pytest
import torch

from losses import loss_cases as cases
from losses.loss_cases import CASES, IDS
from torchkeras_lite import Function, Input, losses
from torchkeras_lite.base import config, registry

PUBLIC = [name for name in dir(keras.losses) if not name.startswith("_")]
CLASSES = [name for name in PUBLIC if isinstance(getattr(keras.losses, name), type)]
FUNCTIONS = sorted({*PUBLIC} - {*CLASSES, "get", "serialize", "deserialize"})


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_and_signatures(name):
    assert name in losses.__all__
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    assert ours.__name__ == theirs.__name__
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert "Keras 3 `keras.losses." in ours.__doc__


def test_exports_exist():
    assert all(hasattr(losses, name) for name in losses.__all__)


@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_config_round_trip(name, function, args, kind):
    cls, theirs = getattr(losses, name), getattr(keras.losses, name)
    ours = cls(**args, reduction="sum", name="mine")
    again = cls.from_config(ours.get_config())
    assert again.get_config() == ours.get_config()
    assert (again.name, again.reduction) == ("mine", "sum")
    assert name == "CosineSimilarity" or again._fn_kwargs == ours._fn_kwargs
    expected = theirs(**args, reduction="sum", name="mine").get_config()
    assert ours.get_config() == (expected if name == "CosineSimilarity" else {**expected, **args})
    assert theirs.from_config(ours.get_config()).get_config() == expected
    for key, value in args.items():
        assert getattr(ours, key) == value


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "Loss"])
def test_class_serialization(name):
    ours, theirs = getattr(losses, name)(), getattr(keras.losses, name)()
    written = losses.serialize(ours)
    assert written == keras.losses.serialize(theirs)
    for config_of_either in (written, json.loads(json.dumps(keras.losses.serialize(theirs)))):
        again = losses.deserialize(config_of_either)
        assert type(again) is type(ours)
        assert again.get_config() == theirs.get_config()
    assert type(losses.get({"class_name": name, "config": theirs.get_config()})) is type(ours)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_serialization(name):
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    assert losses.serialize(ours) == keras.losses.serialize(theirs)
    assert losses.deserialize(losses.serialize(ours)) is ours
    assert losses.get(name) is ours
    assert losses.deserialize(name) is ours
    assert pickle.loads(pickle.dumps(ours)) is ours


def test_every_name_that_keras_takes():
    from keras.src.losses import ALL_OBJECTS_DICT

    for name, theirs in ALL_OBJECTS_DICT.items():
        if name == "LossFunctionWrapper":
            continue
        found = losses.get(name)
        if isinstance(theirs, type):
            assert type(found).__name__ == theirs.__name__
        else:
            assert found.__name__ == theirs.__name__


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("logcosh", losses.log_cosh),
        ("huber_loss", losses.huber),
        ("kullback_leibler_divergence", losses.kl_divergence),
    ],
)
def test_old_names(name, function):
    assert losses.get(name) is function


def test_get_passes_objects_through():
    loss, module = losses.Huber(), torch.nn.MSELoss()
    assert losses.get(None) is None
    assert losses.get(loss) is loss
    assert losses.get(module) is module
    assert isinstance(losses.get(losses.Dice), losses.Dice)


def test_unknown_names():
    with pytest.raises(
        ValueError, match=r"Could not interpret loss identifier: 'mean_squared_eror'; did you mean"
    ):
        losses.get("mean_squared_eror")
    with pytest.raises(ValueError, match=r"Could not interpret loss identifier: 3 .*a Loss or a function"):
        losses.get(3)


def my_loss(y_true, y_pred, scale=1.0):
    return scale * (y_true - y_pred).abs()


@pytest.mark.parametrize("fn", [my_loss, losses.huber])
def test_function_wrapper(fn):
    loss = losses.LossFunctionWrapper(fn, name="wrapped", reduction="sum")
    written = losses.serialize(loss)
    assert written["module"] == "keras.src.losses.losses"
    assert written["config"]["fn"]["config"] == fn.__name__
    again = losses.deserialize(written, custom_objects={"my_loss": my_loss})
    assert (again.fn, again.name, again.reduction) == (fn, "wrapped", "sum")
    assert again(np.zeros((2, 3)), np.ones((2, 3))) == loss(np.zeros((2, 3)), np.ones((2, 3)))
    assert losses.LossFunctionWrapper(my_loss, scale=3.0)([0.0], [1.0]) == 3.0


@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_pickle(name, function, args, kind, rng):
    pair = cases.make(kind, (4, 3), rng)
    loss = getattr(losses, name)(**args)
    again = pickle.loads(pickle.dumps(loss))
    assert again(*pair) == loss(*pair)


class Scaled(losses.Loss):
    def __init__(self, scale=2.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, y_true, y_pred):
        return self.scale * (y_true["a"] - y_pred["a"]).square() + (y_true["b"] - y_pred["b"]).square()

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def test_own_loss_with_nested_arrays():
    y_true = {"a": np.zeros(3), "b": torch.zeros(3)}
    loss = Scaled(3.0)
    assert loss.name == "scaled"
    assert Scaled().name == "scaled_1"
    assert loss(y_true, {"a": np.ones(3), "b": torch.ones(3)}, sample_weight=[1.0, 0.0, 2.0]) == 4.0
    again = losses.deserialize(losses.serialize(loss), custom_objects={"Scaled": Scaled})
    assert again.scale == 3.0
    with pytest.raises(NotImplementedError, match="Write `call"):
        losses.Loss()([0.0], [1.0])


def test_wrapper_reconciles_nested_arrays():
    def total(y_true, y_pred):
        assert y_true["a"].shape == y_pred["a"].shape == (3, 1)
        return (y_true["a"] - y_pred["a"]).square().mean(-1)

    loss = losses.LossFunctionWrapper(total)
    assert loss({"a": np.zeros(3)}, {"a": np.ones((3, 1))}) == 1.0
    with pytest.raises(ValueError, match=r"one structure.*Pass the same keys"):
        loss({"a": np.zeros(3)}, {"b": np.zeros(3)})


def test_own_call_is_not_passed_over():
    class Doubled(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

    assert Doubled()([[0.0]], [[1.0]]) == 2.0


def test_mask_of_own_call():
    class Kept(losses.Loss):
        def call(self, y_true, y_pred):
            values = (y_true - y_pred).abs()
            values._keras_mask = values > 1
            return values

    y_pred = torch.tensor([3.0, 1.0, 5.0])
    assert Kept()(torch.zeros(3), y_pred) == 4.0
    y_pred._keras_mask = torch.tensor([True, True, False])
    assert Kept()(torch.zeros(3), y_pred) == 3.0
    y_pred._keras_mask = torch.tensor([False, True, False])
    assert Kept()(torch.zeros(3), y_pred) == 0.0


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
def test_empty_batches(reduction):
    for shape in [(0, 3), (0, 4, 3)]:
        pair = np.zeros(shape, "float32"), np.zeros(shape, "float32")
        ours, theirs = (room.MeanSquaredError(reduction=reduction)(*pair) for room in (losses, keras.losses))
        torch.testing.assert_close(ours, theirs)


def test_weights_that_sum_to_zero():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    y_pred = torch.ones(2, 3, requires_grad=True)
    value = loss(torch.zeros(2, 3), y_pred, sample_weight=torch.zeros(2))
    value.backward()
    assert value == 0
    assert y_pred.grad.abs().sum() == 0


@pytest.mark.parametrize("from_logits", [False, True])
def test_batch_of_ignored_labels(from_logits):
    y_pred = torch.zeros(2, 3, requires_grad=True)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1, from_logits=from_logits)
    value = loss(torch.tensor([-1, -1]), y_pred)
    value.backward()
    assert value == 0
    assert y_pred.grad.abs().sum() == 0


def test_nan_comes_through():
    y_pred = torch.tensor([[float("nan")], [0.5]])
    for name in ("BinaryCrossentropy", "MeanSquaredError"):
        assert getattr(losses, name)()(torch.ones(2, 1), y_pred).isnan()


def test_large_labels_stay_exact():
    y_pred = torch.zeros(1, 300, dtype=torch.float32)
    y_pred[0, 299] = 50.0
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, dtype="bfloat16")
    assert loss(torch.tensor([299]), y_pred) == 0


class Policy:
    compute_dtype = "float16"


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (None, "float32"),
        ("float64", "float64"),
        (torch.float16, "float16"),
        (np.float64, "float64"),
        ("mixed_bfloat16", "bfloat16"),
        (Policy(), "float16"),
        ({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}, "float16"),
    ],
    ids=["none", "name", "torch", "numpy", "mixed", "policy", "config"],
)
def test_dtype(dtype, expected):
    loss = losses.MeanAbsoluteError(dtype=dtype)
    assert loss.dtype == expected
    assert loss(np.zeros((2, 3)), np.ones((2, 3))).dtype == getattr(torch, expected)
    with pytest.raises(AttributeError):
        loss.dtype = "float32"


def test_dtype_follows_floatx():
    config.set_floatx("float64")
    try:
        assert losses.MeanSquaredError().dtype == "float64"
    finally:
        config.set_floatx("float32")


def test_reduction_names():
    assert losses.Huber(reduction=losses.Reduction.AUTO).reduction == "sum_over_batch_size"
    assert losses.Reduction.NONE in losses.Reduction.all()
    with pytest.raises(
        ValueError, match=r"Invalid value for argument `reduction`: 'summ'; did you mean 'sum'"
    ):
        losses.Huber(reduction="summ")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.mse(np.zeros((4, 2)), np.zeros((4, 3))), r"mean_squared_error: .*\(4, 2\).*\(4, 3\)"),
        (lambda: losses.MeanSquaredError()(np.zeros((4, 2)), np.zeros((4, 3))), r"must have the same shape"),
        (
            lambda: losses.bce(np.zeros((4, 1)), np.zeros((4, 3))),
            r"binary_crossentropy: .*\(4, 1\).*\(4, 3\)",
        ),
        (lambda: losses.dice(np.zeros((4, 1)), np.zeros((4, 3))), r"dice: .*must have the same shape"),
        (
            lambda: losses.CategoricalCrossentropy()(np.zeros(4), np.zeros((4, 3))),
            "sparse_categorical_crossentropy",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.zeros((4, 3)), np.zeros((4, 3))),
            r"must have the same shape.*\(4, 3\).*use categorical_crossentropy",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()([0, 3], np.ones((2, 3))),
            "labels from 0 to 2.*Number the classes from 0",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy(from_logits=True)([0, -100], np.ones((2, 3))),
            "labels from 0 to 2.*ignore_class",
        ),
        (
            lambda: losses.MeanSquaredError()(np.zeros((4, 5, 3)), np.ones((4, 5, 3)), np.ones(4)),
            r"mean_squared_error: .*`sample_weight`.*\(4, 5\), got \(4,\).*shape \(4, 1\)",
        ),
        (lambda: losses.Huber(delta=0.0)([[0.0]], [[1.0]]), "`delta` above 0"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), r"interval \(0, 1\), got q=1.0"),
        (
            lambda: losses.categorical_crossentropy([[1.0, 0]], [[1.0, 0]], axis=True),
            "`axis` must be an integer",
        ),
        (lambda: losses.ctc(np.zeros(3), np.zeros((3, 4, 5))), r"ctc: .*\(3,\).*Pad the labels"),
        (lambda: losses.circle(np.zeros(3), np.zeros((4, 5))), r"circle: .*\(4, 5\) with 3 labels"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_arrays_of_objects():
    with pytest.raises(TypeError, match="got NoneType"):
        losses.mse(None, [[1.0]])


def test_one_class_warns():
    with pytest.warns(SyntaxWarning, match="use binary_crossentropy"):
        losses.categorical_crossentropy([[1.0]], [[0.5]])


def test_read_only_and_reversed_arrays():
    y_pred = np.arange(6.0).reshape(2, 3)
    y_pred.flags.writeable = False
    assert losses.MeanSquaredError()(y_pred[::-1], y_pred) == 9.0


def test_published():
    assert registry.public_name(losses.Huber) == ("keras.losses", "Huber")
    assert registry.public_object("keras.losses", "mse") is losses.mean_squared_error


@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_functions_of_symbolic_tensors_are_calls_in_the_graph(name, function, args, kind, rng):
    y_true, y_pred = cases.make(kind, (4, 5), rng)
    options = {key: value for key, value in args.items() if key != "reduction" and value != 0}
    if options.get("axis") == 0 or function == "dice":
        pytest.skip("the result has no batch")
    inputs = [Input(array.shape[1:], dtype=str(array.dtype)) for array in (y_true, y_pred)]
    graph = Function(inputs, getattr(losses, function)(*inputs, **options))
    expected = getattr(losses, function)(y_true, y_pred, **options)
    torch.testing.assert_close(graph([torch.tensor(y_true), torch.tensor(y_pred)]), expected)
