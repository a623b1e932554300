"""Every form in which losses, weights and metrics of several outputs can be given, against real Keras."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from torchkeras_lite.training.compiled import CompiledLoss, CompiledMetrics
from training.compiled_models import ONE_HOT, W1, W2, A, B, C, X, filled, functional, subclassed

# Outputs without a loss leave weights without gradients, of which both tell.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Gradients do not exist"),
    pytest.mark.filterwarnings("ignore:The output .* gets no loss"),
]
SPARSE = "sparse_categorical_crossentropy"
NESTED = {"x": {"u": A, "v": B}, "w": C}
# The form of the outputs, arguments of compile, targets, sample weights.
FUNCTIONAL = [
    ("one", dict(loss=["mse"], metrics=["mse"]), A, None),
    ("one", dict(loss={"a": "mse"}, metrics={"a": "mae"}), A, None),
    ("one", dict(loss="mse", loss_weights=0.5, metrics=[["mae"]]), A, W1),
    ("one", dict(loss="mse", loss_weights=[0.5], weighted_metrics=["mse"]), A, W1),
    ("one", dict(loss="mse", loss_weights={"a": 0.5}), A, W1),
    ("one", dict(loss={"a": "mse"}, metrics=["mae"]), [A], [W1]),
    ("one", dict(loss="mse", metrics=["mean_squared_error", "mse"], weighted_metrics=["mae"]), A, W1),
    ("list of one", dict(loss=["mse"], metrics=["mse"]), [A], None),
    ("dict of one", dict(loss={"u": "mse"}, metrics={"u": ["mse"]}), {"u": A}, None),
    ("list", dict(loss="mse"), [A, B], None),
    ("list", dict(loss="mse", loss_weights=0.5), [A, B], None),
    (
        "list",
        dict(loss=["mse", "mae"], metrics=[["mae"], ["mse", "mae"]], loss_weights=[1, 2]),
        [A, B],
        [W1, W2],
    ),
    ("list", dict(loss=["mse", "mae"], metrics=["mae", "mse"], loss_weights=[1, 2]), (A, B), (W1, W2)),
    ("list", dict(loss=["mse", "mae"], metrics=["mae", "mse"]), [A, B], W1),
    ("list", dict(loss=["mse", None], metrics=[None, "mse"]), [A, B], None),
    ("list", dict(loss=["mse", None]), [A], None),
    ("list", dict(loss={"b": "mse", "a": "mae"}, loss_weights=[0.7, 0.2]), {"b": B, "a": A}, None),
    ("list", dict(loss=["mse", "mae"], loss_weights={"b": 0.7, "a": 0.2}), [A, B], None),
    (
        "list",
        dict(loss=["mse", "mae"], weighted_metrics=[["mae"], ["mse"]], metrics=[["mae"], ["mse"]]),
        [A, B],
        [W1, W2],
    ),
    ("list", dict(loss=["mse", "mae"], metrics=[[], ["mse"]]), [A, B], None),
    ("list of three", dict(loss=["mse", None, SPARSE]), [A, None, C], None),
    ("list of three", dict(loss=["mse", None, SPARSE], loss_weights=[0.1, 2, 3]), [A, B, C], None),
    (
        "list of three",
        dict(loss=["mse", "mae", SPARSE], metrics=[[], [], ["acc"]], weighted_metrics=[[], ["mae"], ["acc"]]),
        [A, B, C],
        W1,
    ),
    (
        "dict",
        dict(
            loss={"u": "mse", "v": "mae"},
            metrics={"u": "mae", "v": ["mse", "mae"]},
            loss_weights={"u": 0.2, "v": 3},
        ),
        {"u": A, "v": B},
        {"u": W1, "v": W2},
    ),
    ("dict", dict(loss={"u": "mse"}, metrics={"v": "mse"}), {"u": A, "v": B}, None),
    ("dict", dict(loss={"u": "mse"}), {"u": A}, None),
    ("dict", dict(loss={"u": "mse", "v": None}), {"u": A, "v": B}, None),
    ("dict", dict(loss=["mse", "mae"], metrics=["mae", "mse"]), [A, B], None),
    ("dict", dict(loss=["mse", "mae"]), {"u": A, "v": B}, W1),
    (
        "dict by layers",
        dict(loss={"b": "mse", "a": "mae"}, metrics={"b": "mae", "a": "mse"}),
        {"b": B, "a": A},
        None,
    ),
    (
        "dict, not in order",
        dict(loss={"v": "mse", "u": "mae"}, metrics={"v": "mae", "u": "mse"}),
        {"v": B, "u": A},
        None,
    ),
    ("nested dict", dict(loss="mse"), {"x": {"u": A, "v": B}, "w": ONE_HOT}, None),
    ("nested dict", dict(loss="mse"), {"x": {"u": A, "v": B}, "w": ONE_HOT}, W1),
    (
        "nested dict",
        dict(loss="mse"),
        {"x": {"u": A, "v": B}, "w": ONE_HOT},
        {"x": {"u": W1, "v": W2}, "w": W1},
    ),
    (
        "nested dict",
        dict(
            loss={"x": {"u": "mse", "v": "mae"}, "w": SPARSE},
            metrics={"x": {"u": "mae", "v": ["mse"]}, "w": "accuracy"},
        ),
        NESTED,
        None,
    ),
    ("nested dict", dict(loss={"x": {"u": "mse", "v": "mae"}}), NESTED, None),
    ("nested dict", dict(loss={"x": {"u": "mse"}}), NESTED, None),
    (
        "nested dict",
        dict(loss={"x": {"u": "mse", "v": "mae"}}, loss_weights={"x": {"u": 0.1, "v": 2}}),
        NESTED,
        None,
    ),
    ("nested dict", dict(loss={"x": {"u": "mse", "v": "mae"}}, loss_weights=[0.1, 2]), NESTED, None),
    (
        "nested dict",
        dict(loss="mse", metrics={"x": {"u": ["mae", "mse"], "v": None}, "w": None}),
        {"x": {"u": A, "v": B}, "w": ONE_HOT},
        None,
    ),
    (
        "list in dict",
        dict(loss={"x": ["mse", "mae"], "w": SPARSE}, metrics={"x": ["mae", "mse"], "w": ["acc"]}),
        {"x": [A, B], "w": C},
        None,
    ),
    ("list in list", dict(loss=[["mse", "mae"], SPARSE]), [[A, B], C], None),
    ("list in list", dict(loss={"a": "mse", "b": "mae", "c": SPARSE}), [A, B, C], None),
]
SUBCLASSED = [
    ("one", dict(loss="mse", metrics=["mae"]), A, None),
    ("list", dict(loss=["mse", "mae"], metrics=[["mae"], ["mse"]]), [A, B], None),
    (
        "list",
        dict(loss=["mean_squared_error", keras.losses.mean_absolute_error.__name__], loss_weights=[1, 0.1]),
        (A, B),
        None,
    ),
    (
        "dict",
        dict(
            loss={"u": "mse", "v": "mae"},
            metrics={"u": ["mae"], "v": ["mse"]},
            loss_weights={"u": 0.3, "v": 1},
        ),
        {"u": A, "v": B},
        None,
    ),
    ("dict", dict(loss={"v": "mae"}), {"v": B}, None),
    (
        "nested dict",
        dict(
            loss={"x": {"u": "mse", "v": "mae"}, "w": SPARSE},
            metrics={"x": {"u": "mae", "v": ["mse"]}, "w": "accuracy"},
        ),
        NESTED,
        None,
    ),
    (
        "list in list",
        dict(loss=[["mse", "mae"], SPARSE], metrics=[[["mae"], ["mse"]], ["acc"]]),
        [[A, B], C],
        None,
    ),
]


def trained(k, make, form, arguments, y, weights):
    model = make(k, form)
    model.compile(k.optimizers.SGD(0.05), **arguments)
    history = model.fit(X, y, sample_weight=weights, epochs=2, batch_size=5, shuffle=False, verbose=0).history
    found = model.evaluate(X, y, sample_weight=weights, verbose=0)
    return {**history, "evaluate": np.atleast_1d(found).tolist()}


def assert_same(make, form, arguments, y, weights):
    ours, theirs = (trained(k, make, form, arguments, y, weights) for k in (tkl, keras))
    assert list(ours) == list(theirs)
    for key, values in theirs.items():
        np.testing.assert_allclose(ours[key], values, rtol=1e-4, atol=1e-6, err_msg=key)


@pytest.mark.parametrize(("form", "arguments", "y", "weights"), FUNCTIONAL, ids=lambda v: "")
def test_functional(form, arguments, y, weights):
    assert_same(functional, form, arguments, y, weights)


@pytest.mark.parametrize(("form", "arguments", "y", "weights"), SUBCLASSED, ids=lambda v: "")
def test_subclassed(form, arguments, y, weights):
    assert_same(subclassed, form, arguments, y, weights)


# What Keras refuses or gets wrong: ours alone, with the plainer form as the reference.
PLAINER = [
    (dict(loss=["mse", None]), A, dict(loss=["mse", None]), [A, B]),
    (dict(loss={"a": "mse"}), {"a": A}, dict(loss=["mse", None]), [A, B]),
    (dict(loss="mse", loss_weights=[1, 2]), [A, B], dict(loss=["mse", "mse"], loss_weights=[1, 2]), [A, B]),
    (dict(loss="mse", loss_weights={"a": 2}), [A, B], dict(loss="mse", loss_weights=[2, 1]), [A, B]),
    (
        dict(loss={"b": "mse", "a": "mae"}, loss_weights={"b": 0.7}),
        {"b": B, "a": A},
        dict(loss=["mae", "mse"], loss_weights=[1, 0.7]),
        [A, B],
    ),
    (dict(loss="mse", metrics="mae"), [A, B], dict(loss="mse", metrics=["mae", "mae"]), [A, B]),
]


@pytest.mark.parametrize(("arguments", "y", "plain", "plain_y"), PLAINER, ids=lambda v: "")
def test_further_forms(arguments, y, plain, plain_y):
    given = trained(tkl, functional, "list", arguments, y, None)
    assert given == trained(tkl, functional, "list", plain, plain_y, None)


def test_losses_of_one_name_keep_both_entries():
    found = trained(tkl, subclassed, "list", dict(loss="mse"), [A, B], None)
    assert list(found) == ["loss", "mse_loss", "mse_loss_1", "evaluate"]


WRONG = [
    ("list", dict(loss="mse", metrics=["mae"]), [A, B], "`metrics` should have as many entries"),
    ("list", dict(loss=["mse"]), [A, B], "`loss` should have as many entries"),
    (
        "list",
        dict(loss={"bb": "mse"}),
        [A, B],
        "names the output 'bb', and .*no such output; did you mean 'b'",
    ),
    ("list", dict(loss="mse", metrics={"zz": "mae"}), [A, B], "`metrics` names the output 'zz'"),
    ("list", dict(loss="mse", metrics={"a": {"q": "mae"}}), [A, B], "`metrics` does not have the form"),
    (
        "list",
        dict(loss="mse", loss_weights=[1]),
        [A, B],
        "must match the number of losses, got 2 losses and 1",
    ),
    ("list", dict(loss="mse"), A, "outputs .'a', 'b'., but `y` is one array"),
    ("list", dict(loss="mse"), [A], "`y` should have as many entries"),
    ("list", dict(loss="mse"), {"a": A}, "'b' has a loss but was given no targets"),
    (
        "list",
        dict(loss=["mse", None], metrics=[None, "mae"]),
        [A],
        "'b' has metrics but was given no targets",
    ),
    ("list", dict(loss=[None, None]), [A, B], "No loss to compute"),
    ("one", dict(loss=["mse", "mae"]), A, "`loss` should have as many entries"),
    ("one", dict(loss="mse", loss_weights=[0.5, 0.5]), A, "must match the number of losses, got 1"),
    ("one", dict(loss="mse", loss_weights={"zz": 1}), A, "`loss_weights` names the output 'zz'"),
    ("one", dict(loss="mse", metrics={"zz": "mae"}), A, "`metrics` names the output 'zz'"),
    ("one", dict(loss="mse"), A[:, :2], "mean_squared_error|mse: the output 'a' has shape .* targets"),
    ("nested dict", dict(loss={"x": {"uu": "mse"}}), NESTED, "names 'x/uu', which can't be found.*'u'"),
]


@pytest.mark.parametrize(("form", "arguments", "y", "message"), WRONG, ids=lambda v: "")
def test_wrong_forms_are_told(form, arguments, y, message):
    model = functional(tkl, form)
    model.compile("sgd", **arguments)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(loss="msee"), ValueError, "'msee'; did you mean 'mse'"),
        (dict(loss=["mse", "maee"]), ValueError, "'maee'; did you mean 'mae'"),
        (dict(loss={"a": {"b": "maee"}}), ValueError, "'maee'; did you mean 'mae'"),
        (dict(loss=3), ValueError, "Could not interpret loss identifier: 3"),
        (dict(loss="mse", metrics=["acuracy"]), ValueError, "'acuracy'; did you mean 'accuracy'"),
        (dict(loss="mse", metrics=[["acuracy"]]), ValueError, "'acuracy'"),
        (dict(loss="mse", loss_weights="x"), TypeError, "expected `loss_weights` to be a number"),
        (dict(loss=["mse", None, "mae"], loss_weights=[1, 2]), ValueError, "got 3 losses and 2 weights"),
        (dict(optimizer="adamm"), ValueError, "'adamm'; did you mean 'adam'"),
        (dict(precision="bf61"), ValueError, "'bf61'; did you mean 'bf16'"),
        (dict(auto_micro_batch=2), TypeError, "must be True or False, got 2"),
        (dict(steps_per_execution=True), ValueError, "must be a positive integer, got True"),
        (dict(jit_compile="max-autotun"), ValueError, "max-autotune"),
        (dict(jit_compile={"fulgraph": True}), ValueError, "no option 'fulgraph'; did you mean 'fullgraph'"),
        (dict(jit_compile="reduce-overhead", run_eagerly=True), ValueError, "exclude each other"),
        (dict(lr_scheduler=3), TypeError, "expected a class of `torch.optim.lr_scheduler`"),
    ],
    ids=lambda v: "",
)
def test_a_call_that_fails_leaves_the_earlier_one_in_force(arguments, error, message):
    model = functional(tkl, "one")
    model.compile("sgd", "mse", metrics=["mae"])
    before = {key: value for key, value in model.__dict__.items() if key != "_fast"}
    with pytest.raises(error, match=message):
        model.compile(**arguments)
    assert all(model.__dict__[key] is value for key, value in before.items())
    assert list(model.fit(X, A, verbose=0).history) == ["loss", "mae"]


def test_configs_as_entries():
    total = keras.losses.MeanSquaredError(reduction="sum")
    config = keras.losses.serialize(total)
    metric = keras.metrics.serialize(keras.metrics.MeanAbsoluteError(name="far"))
    found = trained(tkl, functional, "list", dict(loss=[config, "mse"], metrics=[[metric], []]), [A, B], None)
    assert list(found) == ["a_far", "a_loss", "b_loss", "loss", "evaluate"]
    expected = trained(keras, functional, "list", dict(loss=[total, "mse"]), [A, B], None)
    np.testing.assert_allclose(found["a_loss"], expected["a_loss"], rtol=1e-4)


@pytest.mark.parametrize("weights", [None, W1], ids=["plain", "weighted"])
def test_masks_of_outputs_reach_their_losses_and_metrics(weights):
    ids = np.array([[1, 2, 0, 0], [3, 0, 1, 0], [1, 1, 1, 1]])
    y = np.arange(12, dtype="float32").reshape(3, 4, 1) / 10
    weights = None if weights is None else weights[:3]
    found = {}
    for k in (tkl, keras):
        inputs = k.Input((4,))
        hidden = k.layers.Embedding(5, 3, mask_zero=True)(inputs)
        model = k.Model(
            inputs,
            [k.layers.Dense(1, name="p")(hidden), k.layers.Dense(1, name="q")(hidden)],
        )
        filled(model)
        model.compile("sgd", ["mse", "mae"], metrics=[["mae"], []], weighted_metrics=[["mse"], ["mse"]])
        sample_weight = None if weights is None else [np.repeat(weights[:, None], 4, 1)] * 2
        found[k] = model.evaluate(ids, [y, y], sample_weight=sample_weight, verbose=0, return_dict=True)
    assert list(found[tkl]) == list(found[keras])
    for key, value in found[keras].items():
        np.testing.assert_allclose(found[tkl][key], value, rtol=1e-5, err_msg=key)


def test_both_masks_count():
    found = []
    for k in (tkl, keras):
        loss = k.losses.SparseCategoricalCrossentropy(ignore_class=1, from_logits=True)
        logits = torch.tensor(np.random.default_rng(3).standard_normal((2, 3, 4)).astype("float32"))
        logits._keras_mask = torch.tensor([[True, True, False], [True, False, True]])
        found.append(float(loss(torch.tensor([[0, 1, 2], [1, 2, 3]]), logits)))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_add_loss_comes_on_top_and_has_no_name():
    found = {}
    for k in (tkl, keras):

        class Penalty(k.layers.Layer):
            def call(self, x):
                self.add_loss(0.1 * (x**2).mean())
                return x

        inputs = k.Input((4,))
        outputs = k.layers.Dense(3, name="a")(Penalty()(inputs))
        model = k.Model(inputs, [outputs, k.layers.Dense(1, name="b")(outputs)])
        filled(model)
        model.compile(k.optimizers.SGD(0.05), ["mse", "mae"], loss_weights=[1, 0.5])
        found[k] = model.fit(X, [A, B], batch_size=5, shuffle=False, epochs=2, verbose=0).history
    assert list(found[tkl]) == list(found[keras])
    for key, values in found[keras].items():
        np.testing.assert_allclose(found[tkl][key], values, rtol=1e-4, err_msg=key)


def test_compiled_parts_work_by_themselves():
    y = {"u": torch.tensor(A), "v": torch.tensor(B)}
    shifted = {"u": y["u"] + 1, "v": y["v"] + 2}
    loss = CompiledLoss({"u": "mse", "v": "mse"}, {"u": 1.0, "v": np.array(0.5)})
    assert float(loss(None, y, shifted)) == pytest.approx(3.0, rel=1e-5)
    found = CompiledMetrics({"u": ["mse", "mae"], "v": "mae"}, None)
    found.update_state(y, shifted)
    result = {key: round(float(value), 4) for key, value in found.result().items()}
    assert result == {"u_mse": 1.0, "u_mae": 1.0, "v_mae": 2.0}
    assert len(found.metrics) == 3
    found.reset_state()
    assert not any(float(value) for value in found.result().values())
