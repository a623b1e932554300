"""Losses of structures of outputs, and several losses of one output, against real Keras."""

import collections
import copy
import pickle

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as tkl
from training.compiled_models import filled

pytestmark = [
    pytest.mark.filterwarnings("ignore:Gradients do not exist"),
    pytest.mark.filterwarnings("ignore:The output .* gets no loss"),
]
RNG = np.random.default_rng(5)
X = RNG.standard_normal((12, 4)).astype("float32")
P, Q, R = RNG.standard_normal((3, 12, 2)).astype("float32")
W1, W2, W3 = RNG.random((3, 12)).astype("float32")
Pair = collections.namedtuple("Pair", "u v")

# The form of outputs, targets and sample weights, by name: three values of it.
FORMS = {
    "one": lambda p, q, r: p,
    "list": lambda p, q, r: [p, q],
    "tuple": lambda p, q, r: (p, q),
    "named tuple": lambda p, q, r: Pair(p, q),
    "dict": lambda p, q, r: {"u": p, "v": q},
    "dict, not in order": lambda p, q, r: {"v": p, "u": q},
    "list of one": lambda p, q, r: [p],
    "dict of one": lambda p, q, r: {"u": p},
    "tuple in dict": lambda p, q, r: {"x": (p, q), "w": r},
    "list in dict": lambda p, q, r: {"x": [p, q], "w": r},
    "dict in dict": lambda p, q, r: {"x": {"u": p, "v": q}, "w": r},
    "tuple in tuple": lambda p, q, r: ((p, q), r),
    "list in list": lambda p, q, r: [[p, q], r],
    "deep": lambda p, q, r: {"x": {"u": (p, q), "v": q}, "w": [r, {"z": p}]},
}


def flat(structure):
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flat(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in flat(part)]
    return [structure]


def far(y_true, y_pred):
    """One value a sample, over all of a structure."""
    return sum(abs(a - b).sum(-1) for a, b in zip(flat(y_true), flat(y_pred), strict=True))


def apart(y_true, y_pred):
    """The outputs of a structure together, which no sum of losses of single outputs can give."""
    (a, b), (c, d) = flat(y_true)[:2], flat(y_pred)[:2]
    return ((c * d - a * b) ** 2).mean(-1)


def functional(k, form):
    inputs = k.Input((4,))
    outputs = [k.layers.Dense(2, name=name)(inputs) for name in "pqr"]
    return filled(k.Model(inputs, FORMS[form](*outputs)))


def subclassed(k, form):
    class Several(k.Model):
        def __init__(self):
            super().__init__()
            self.layers_of = [k.layers.Dense(2) for _ in range(3)]

        def call(self, x):
            return FORMS[form](*(layer(x) for layer in self.layers_of))

    model = Several()
    model(X[:1])
    return filled(model)


def trained(k, make, form, loss, loss_weights=None, weights=None, **arguments):
    """History of two epochs with validation, and what `evaluate` gives, by name."""
    model = make(k, form)
    model.compile(k.optimizers.SGD(0.02), loss(k), loss_weights=loss_weights, **arguments)
    y = FORMS[form](P, Q, R)
    weights = FORMS[form](W1, W2, W3) if isinstance(weights, str) else weights
    data = (X, y) if weights is None else (X, y, weights)
    history = model.fit(
        *data[:2],
        sample_weight=weights,
        epochs=2,
        batch_size=5,
        shuffle=False,
        verbose=0,
        validation_data=data,
    ).history
    found = model.evaluate(*data[:2], sample_weight=weights, verbose=0, return_dict=True)
    return {**history, **{f"evaluate {key}": [value] for key, value in found.items()}}


def assert_same(*case, **arguments):
    ours, theirs = (trained(k, *case, **arguments) for k in (tkl, keras))
    assert list(ours) == list(theirs)
    for key, values in theirs.items():
        np.testing.assert_allclose(ours[key], values, rtol=1e-4, atol=1e-6, err_msg=key)


def fixed(loss):
    return lambda k: loss


def summing(k):
    """A loss object that takes structures and sums."""

    class Far(k.losses.Loss):
        def call(self, y_true, y_pred):
            return far(y_true, y_pred)

    return [Far(reduction="sum", name="far"), ("mse", "mae")]


# The form, the losses, their weights, sample weights.
CASES = [
    # One loss of a structure below the root.
    ("tuple in dict", fixed({"x": far, "w": "mse"}), None, None),
    ("tuple in dict", fixed({"x": far, "w": "mse"}), {"x": 2.0, "w": 3.0}, "each"),
    ("tuple in dict", fixed({"x": apart}), None, None),
    ("tuple in dict", fixed({"x": "mse", "w": "mae"}), [0.5, 2.0], "each"),
    ("tuple in dict", lambda k: {"x": k.losses.Huber(), "w": None}, None, None),
    ("list in dict", fixed({"x": "mean_absolute_error", "w": "mse"}), None, W1),
    ("dict in dict", fixed({"x": far, "w": "mse"}), None, None),
    ("dict in dict", fixed({"x": [far, {"u": "mse"}, apart], "w": None}), None, None),
    ("tuple in tuple", fixed((far, "mse")), None, None),
    ("tuple in tuple", fixed(("mse", "mae")), [2.0, 0.5], "each"),
    ("list in list", fixed([far, "mse"]), None, None),
    ("list in list", fixed([(far, ["mse", "mae"]), "mse"]), None, "each"),
    # Losses of the whole next to those of its outputs.
    ("dict", fixed([far]), None, None),
    ("dict", fixed([far, {"u": "mse", "v": "mae"}]), None, None),
    ("dict", fixed([far, {"u": "mse", "v": "mae"}]), [2.0, {"u": 3.0, "v": 0.4}], None),
    ("dict", fixed([apart, {"v": "mae"}]), [0.3, 2.0], None),
    ("dict", fixed([far, apart, {"u": "mse"}]), None, None),
    ("dict", fixed([far, apart, far]), [1.0, 0.2, 0.1], None),
    ("dict, not in order", fixed([far, {"v": "mse", "u": "mae"}]), [2.0, {"v": 3.0, "u": 0.4}], None),
    ("tuple", fixed([far]), None, "each"),
    ("tuple", fixed([far, ("mse", "mae")]), None, W1),
    ("tuple", fixed([apart, (None, "mae")]), [0.5, (1.0, 2.0)], "each"),
    ("tuple", fixed(["mse", ("mse", "mae")]), [0.5, (1.0, 2.0)], "each"),
    ("tuple", summing, None, None),
    ("tuple", summing, None, W1),
    ("tuple", summing, [0.1, (1.0, 1.0)], "each"),
    ("list", fixed((far, ["mse", "mae"])), None, "each"),
    ("list", fixed((apart, far)[:1]), None, None),
    ("named tuple", fixed([far, Pair("mse", "mae")]), [1.0, Pair(2.0, 3.0)], "each"),
    ("named tuple", fixed(["mse", "mae"]), None, None),
    ("tuple", fixed(Pair("mse", "mae")), None, None),
    ("list in list", fixed((apart, [far, "mse"])), None, None),
    ("tuple in tuple", fixed([far, apart]), None, None),
    ("tuple in dict", fixed([far, {"x": ("mse", "mae"), "w": "mse"}]), None, None),
    ("dict of one", fixed([far, {"u": "mse"}]), None, None),
    # Several losses of one output.
    ("dict", fixed({"u": ["mse", "mae"], "v": "mse"}), None, "each"),
    ("dict", fixed({"u": ("mse", far), "v": "mse"}), {"u": (2.0, 3.0), "v": 0.5}, "each"),
    ("list", fixed(["mse", ["mse", "mae"]]), [1.0, [2.0, 0.1]], None),
    ("list", fixed([far, ["mse", "mae"]]), [1.0, 2.0, 0.1], W1),
    ("list", fixed({"p": ["mse", "mae"], "q": "mae"}), None, None),
    ("list of one", fixed([["mse", "mae"]]), [[1.0, 2.0]], None),
    ("dict of one", fixed({"u": ["mse", "mae"]}), None, None),
    # A flat list has one for each.
    ("dict", fixed((far, "mae")), None, None),
    ("tuple in dict", fixed(["mse", "mae", "mse"]), [1.0, 2.0, 3.0], "each"),
    ("tuple in dict", fixed({"x": ["mse", far], "w": "mse"}), None, None),
    ("tuple in dict", fixed("mse"), None, None),
    # All at once.
    (
        "deep",
        fixed(
            {
                "x": [far, {"u": [apart, (None, "mae")]}],
                "w": ([far, {"z": "mse"}], far)[:1],
            }
        ),
        None,
        None,
    ),
    (
        "deep",
        fixed({"x": [far, {"u": apart, "v": "mse"}], "w": ["mse", far]}),
        {"x": [0.1, {"u": 0.2, "v": 0.3}], "w": [2.0, 3.0]},
        None,
    ),
]


@pytest.mark.parametrize(("form", "loss", "loss_weights", "weights"), CASES, ids=lambda v: "")
def test_functional(form, loss, loss_weights, weights):
    assert_same(functional, form, loss, loss_weights, weights)


# Keras can't name all of the outputs of a model whose layers have no names, unless they are a dict.
@pytest.mark.parametrize(
    ("form", "loss", "loss_weights", "weights"),
    [case for case in CASES if "dict" in case[0] or case[0] in ("list of one", "deep")][1::3],
    ids=lambda v: "",
)
def test_subclassed(form, loss, loss_weights, weights):
    assert_same(subclassed, form, loss, loss_weights, weights)


def test_metrics_beside_losses_of_structures():
    loss = fixed({"x": far, "w": "mse"})
    metrics = {"x": (["mae"], None), "w": ["mse"]}
    assert_same(functional, "tuple in dict", loss, metrics=metrics, weighted_metrics=metrics, weights="each")


def test_targets_may_come_flat():
    found = {}
    for k in (tkl, keras):
        model = functional(k, "tuple in dict")
        model.compile("sgd", {"x": apart, "w": "mse"})
        found[k] = model.evaluate(X, [R, P, Q], verbose=0)
    np.testing.assert_allclose(found[tkl], found[keras], rtol=1e-5)


def test_structures_come_in_the_form_of_the_outputs():
    seen = []

    def loss(y_true, y_pred):
        seen.extend([y_true, y_pred])
        return far(y_true, y_pred)

    model = functional(tkl, "named tuple")
    model.compile("sgd", [loss, Pair("mse", None)])
    model.train_on_batch(X, [P, Q])
    assert all(type(structure) is Pair for structure in seen)
    assert seen[0].v.shape == (12, 2)


# What Keras refuses or gets wrong: ours alone, with another case as the reference. Form, loss, loss weights
# and sample weights of both.
EACH = [W1, W2]
ALIKE = [
    # Sample weights of a dict, which Keras can't stack.
    (("dict", [far, {"u": "mse", "v": "mae"}], None, EACH), ("tuple", [far, ("mse", "mae")], None, EACH)),
    (("dict", [far, {"u": "mse", "v": "mae"}], None, W1), ("tuple", [far, ("mse", "mae")], None, W1)),
    # Sample weights of shape (batch, 1), which Keras spreads over the values of all samples.
    (
        ("tuple", [far, ("mse", "mae")], None, (W1[:, None], W2[:, None])),
        ("tuple", [far, ("mse", "mae")], None, EACH),
    ),
    # Outputs without weights of their own.
    (("tuple", [apart], None, (W1, None)), ("tuple", [apart], None, (W1, np.ones_like(W1)))),
    # Loss weights by halves, and one number for all.
    (
        ("dict", [far, {"u": "mse", "v": "mae"}], [2, {"v": 3}], None),
        ("dict", [far, {"u": "mse", "v": "mae"}], [2, {"u": 1, "v": 3}], None),
    ),
    (("tuple", [far, ("mse", "mae")], [2, 3], None), ("tuple", [far, ("mse", "mae")], [2, 3, 3], None)),
    (("tuple", [far, ("mse", "mae")], 2, None), ("tuple", [far, ("mse", "mae")], [2, (2, 2)], None)),
    # A structure without a loss, and named tuples beside tuples.
    (("tuple", [None, ("mse", "mae")], None, None), ("tuple", ("mse", "mae"), None, None)),
    (
        ("named tuple", (far, Pair("mse", "mae")), None, None),
        ("named tuple", [far, Pair("mse", "mae")], None, None),
    ),
    # Lists that only have to be tuples.
    (
        ("tuple in tuple", [["mse", "mae"], "mae"], None, None),
        ("tuple in tuple", (("mse", "mae"), "mae"), None, None),
    ),
    (("tuple in tuple", ["mse", "mae"], None, None), ("tuple in tuple", ("mse", "mae"), None, None)),
    # Two losses of the only output of a model.
    (("one", [["mse", "mae"]], None, None), ("dict of one", {"u": ["mse", "mae"]}, None, None)),
    (("one", {"p": ["mse", "mae"]}, None, W1), ("list of one", [["mse", "mae"]], None, W1)),
]


@pytest.mark.parametrize(("case", "reference"), ALIKE, ids=lambda v: "")
def test_further_forms(case, reference):
    total = []
    for form, loss, loss_weights, weights in (case, reference):
        if isinstance(weights, (list, tuple)):
            weights = FORMS[form](*weights, W3)
        found = trained(tkl, functional, form, fixed(loss), loss_weights, weights)
        total.append([*found["loss"], *found["val_loss"], *found["evaluate loss"]])
    np.testing.assert_allclose(*total, rtol=1e-5)


def test_losses_of_several_outputs_of_one_name_keep_their_entries():
    found = trained(tkl, subclassed, "tuple", fixed(["mse", ("mse", "mse")]))
    assert [key for key in found if not key.startswith(("val", "eval"))] == [
        "loss",
        "mse_loss",
        "mse_loss_1",
        "mse_loss_2",
    ]


@pytest.mark.parametrize(
    ("form", "loss"),
    [
        ("tuple", [far, ("mse", "mae")]),
        ("dict", {"u": ["mse", "mae"], "v": "mse"}),
        ("tuple in dict", {"x": "mse", "w": "mse"}),
    ],
    ids=["whole", "several", "stacked"],
)
def test_compiled_steps_train_the_same(form, loss):
    found = []
    for jit in (False, {"backend": "aot_eager"}):
        model = functional(tkl, form)
        model.compile(tkl.optimizers.SGD(0.02), loss, jit_compile=jit)
        y, weights = (FORMS[form](*three) for three in ((P, Q, R), (W1, W2, W3)))
        history = model.fit(X, y, sample_weight=weights, batch_size=6, epochs=2, shuffle=False, verbose=0)
        found.append(history.history)
    assert list(found[0]) == list(found[1])
    for key, values in found[0].items():
        np.testing.assert_allclose(found[1][key], values, rtol=1e-5, err_msg=key)


def test_masks_reach_the_losses_of_single_outputs():
    ids = np.array([[1, 2, 0, 0], [3, 0, 1, 0], [1, 1, 1, 1]])
    y = np.arange(12, dtype="float32").reshape(3, 4, 1) / 10
    found = {}
    for k in (tkl, keras):
        inputs = k.Input((4,))
        hidden = k.layers.Embedding(5, 3, mask_zero=True)(inputs)
        model = filled(k.Model(inputs, {name: k.layers.Dense(1, name=name)(hidden) for name in "pq"}))
        model.compile("sgd", [far, {"p": ["mse", "mae"], "q": "mae"}])
        found[k] = model.evaluate(ids, {"p": y, "q": y}, verbose=0, return_dict=True)
    assert list(found[tkl]) == list(found[keras])
    for key, value in found[keras].items():
        np.testing.assert_allclose(found[tkl][key], value, rtol=1e-5, err_msg=key)


def far_from_label(y_true, y_pred):
    return (y_pred - y_true.reshape(-1, 1)).abs().mean(-1)


def test_class_weights_reach_several_losses_of_the_output():
    labels = np.arange(12) % 2
    model = functional(tkl, "dict of one")
    model.compile("sgd", {"u": [far_from_label, far_from_label]})
    given = {"batch_size": 12, "verbose": 0}
    found = model.fit(X, labels, class_weight={0: 1.0, 1: 3.0}, **given).history["loss"]
    plain = functional(tkl, "dict of one")
    plain.compile("sgd", far_from_label)
    expected = plain.fit(X, labels, class_weight={0: 1.0, 1: 3.0}, **given).history["loss"]
    np.testing.assert_allclose(found, np.multiply(expected, 2), rtol=1e-5)


SAVED = [
    ("dict", [far, {"u": "mse", "v": ["mae", "mse"]}]),
    ("tuple in dict", {"x": far, "w": "mse"}),
    ("tuple in dict", {"x": ("mse", far), "w": ["mse", "mae"]}),
    ("list in list", [far, "mse"]),
]


@pytest.mark.parametrize(("form", "loss"), SAVED, ids=lambda v: "")
def test_saved_models_keep_their_losses(form, loss, tmp_path):
    model = functional(tkl, form)
    model.compile("sgd", loss)
    y = FORMS[form](P, Q, R)
    expected = model.evaluate(X, y, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    for k in (tkl, keras):
        loaded = k.models.load_model(tmp_path / "model.keras", custom_objects={"far": far})
        found = loaded.evaluate(X, y, verbose=0, return_dict=True)
        assert list(found) == list(expected)
        np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-5)


NEED_TUPLES = [
    ("tuple", [far, ("mse", "mae")]),
    ("list", (far, ["mse", "mae"])),
    ("named tuple", [far, Pair("mse", "mae")]),
    ("tuple", [far]),
    ("tuple in dict", [far, {"x": ("mse", tkl.losses.Huber(0.5)), "w": "mse"}]),
]


def through_json(model, folder):
    return tkl.models.model_from_json(model.to_json(), custom_objects={"far": far})


def through_a_file(model, folder):
    model.save(folder / "model.keras")
    return tkl.models.load_model(folder / "model.keras", custom_objects={"far": far})


COPIES = {
    "file": through_a_file,
    "json": through_json,
    "clone": lambda model, folder: tkl.models.clone_model(model),
    "copy": lambda model, folder: copy.deepcopy(model),
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("ran", [False, True], ids=["new", "ran"])
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(("form", "loss"), NEED_TUPLES, ids=lambda v: "")
def test_losses_that_need_tuples_stay(form, loss, how, ran, tmp_path):
    model = functional(tkl, form)
    model.compile("sgd", loss)
    y = FORMS[form](P, Q, R)
    if ran:
        model.evaluate(X, y, verbose=0)
    made = COPIES[how](model, tmp_path)
    made.set_weights(model.get_weights())
    expected, found = (one.evaluate(X, y, verbose=0, return_dict=True) for one in (model, made))
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-6)


def test_keras_finds_no_loss_that_needs_tuples(tmp_path):
    model = functional(tkl, "tuple")
    model.compile("sgd", [far, ("mse", "mae")])
    model.save(tmp_path / "model.keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    assert theirs.loss is None
    for mine, his in zip(model.predict(X, verbose=0), theirs.predict(X, verbose=0), strict=True):
        np.testing.assert_allclose(mine, his, rtol=1e-5, atol=1e-6)


def test_losses_that_need_named_tuples_are_not_saved(tmp_path):
    class Named(tkl.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.one, self.two = tkl.layers.Dense(2), tkl.layers.Dense(2)

        def call(self, x):
            return Pair(self.one(x), self.two(x))

    model = Named()
    model.compile("sgd", Pair("mse", ("mse", "mae")))
    model.evaluate(X, Pair(P, Q), verbose=0)
    copied = copy.deepcopy(model)
    assert copied.evaluate(X, Pair(P, Q), verbose=0) == model.evaluate(X, Pair(P, Q), verbose=0)
    with pytest.warns(UserWarning, match="`loss` of compile.. is not saved: a file has no named tuples"):
        model.save(tmp_path / "model.keras")


def test_losses_that_need_tuples_are_left_out_of_h5(tmp_path):
    model = functional(tkl, "tuple")
    model.compile("sgd", [far, ("mse", "mae")])
    with pytest.warns(UserWarning, match="The losses are not saved: an `.h5` file has no tuples"):
        model.save(tmp_path / "model.h5")


def test_a_loss_of_a_structure_is_a_loss_of_its_outputs(recwarn):
    model = functional(tkl, "tuple in dict")
    model.compile("sgd", {"x": far, "w": "mse"})
    model.fit(X, FORMS["tuple in dict"](P, Q, R), verbose=0)
    assert not [str(warning.message) for warning in recwarn if "gets no loss" in str(warning.message)]


WRONG = [
    ("list", [far], "`loss` should have as many entries as the model has outputs .2: .'p', 'q'.., got 1"),
    ("dict", ["mse"], "`loss` should have as many entries"),
    ("tuple", ["mse", "mae", "mse"], "`loss` should have as many entries"),
    ("one", [far, far], "as the model has outputs .1.*For the sum of several losses write a function"),
    ("tuple in dict", {"x": ["mse"], "w": "mse"}, "form of the outputs at 'x': got .'mse'. for 2 of them"),
    ("tuple in dict", {"x": (far, far, far), "w": "mse"}, "does not have the form of the outputs at 'x'"),
    (
        "tuple in dict",
        {"x": {"u": "mse"}},
        "names 'x/u', which can't be found in .*; it has no",
    ),
    ("dict in dict", {"x": [far, {"uu": "mse"}]}, "names 'x/uu', which can't be found.*did you mean 'u'"),
    ("dict in dict", {"x": "mse", "w": "mse"}, "mse compares one output .*structure of outputs 'x'"),
    ("dict", [tkl.losses.Huber()], "huber_loss compares one output .*structure of outputs 'u_v'"),
    ("deep", {"x": {"u": "mse"}, "w": tkl.losses.MeanSquaredError()}, "structure of outputs 'w'"),
    ("tuple", ["crossentropy", ("mse", "mae")], "crossentropy compares one output"),
    ("tuple", [nn.MSELoss(), ("mse", "mae")], "MSELoss compares one output"),
]


@pytest.mark.parametrize(("form", "loss", "message"), WRONG, ids=lambda v: "")
def test_wrong_forms_are_told(form, loss, message):
    model = functional(tkl, form)
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match=message):
        model.fit(X, FORMS[form](P, Q, R), verbose=0)


@pytest.mark.parametrize(
    "loss_weights", [[1, 2, 3, 4], [1, (2, 3, 4)], [1, {"u": 2}]], ids=["flat", "nested", "dict"]
)
def test_weights_of_another_form_are_told(loss_weights):
    with pytest.raises(ValueError, match="must match the number of losses, got"):
        trained(tkl, functional, "tuple", fixed([far, ("mse", "mae")]), loss_weights)


def test_missing_targets_are_told():
    model = functional(tkl, "tuple in dict")
    model.compile("sgd", {"x": far, "w": "mse"})
    with pytest.raises(ValueError, match=r"The output '.*' has a loss but was given no targets"):
        model.fit(X, {"w": R}, verbose=0)


def test_compute_loss_may_split_the_output_of_a_model():
    found = {}
    for k in (tkl, keras):

        class Split(k.Model):
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return super().compute_loss(x, y, [y_pred[:, :1], y_pred[:, 1:]], sample_weight)

        inputs = k.Input((4,))
        model = filled(Split(inputs, k.layers.Dense(2, activation="sigmoid")(inputs)))
        model.compile("sgd", ["mse", "binary_crossentropy"])
        y = P[:, :1], Q[:, :1] > 0
        found[k] = model.fit(X, y, batch_size=5, epochs=2, shuffle=False, verbose=0).history
    assert list(found[tkl]) == list(found[keras])
    for key, values in found[keras].items():
        np.testing.assert_allclose(found[tkl][key], values, rtol=1e-4, err_msg=key)


def test_losses_of_this_package_stack_lists_as_in_keras():
    y_true, y_pred, both = ([torch.tensor(part) for part in pair] for pair in ((P, Q), (Q, R), (W1, W2)))
    for name in ("MeanSquaredError", "MeanAbsoluteError", "Huber", "CosineSimilarity"):
        for weights in (None, both):
            ours, theirs = (getattr(k.losses, name)()(y_true, y_pred, weights) for k in (tkl, keras))
            np.testing.assert_allclose(float(ours), float(theirs), rtol=1e-5, err_msg=name)
