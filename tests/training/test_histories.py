"""`fit`, `evaluate` and `predict` give Keras's numbers.

Equal weights in, `shuffle=False`, equal histories out.
"""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite as tkl

RTOL, ATOL = 2e-4, 2e-5


def features(n=90, k=6, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k)).astype("float32")


X = features()
REAL = (X @ np.arange(6, dtype="float32")[:, None] * 0.2).astype("float32")
BINARY = (REAL > 0).astype("float32")
LABELS = np.digitize(REAL[:, 0], [-0.8, 0.8]).astype("int64")
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
WEIGHTS = np.random.default_rng(1).uniform(0.2, 2.0, len(X)).astype("float32")


def sequential(k, units, last, **dense):
    return k.Sequential(
        [k.Input((6,)), k.layers.Dense(8, activation="tanh", **dense), k.layers.Dense(units, activation=last)]
    )


def twins(build):
    """The same model in Keras and here, with Keras's weights."""
    theirs, ours = build(keras), build(tkl)
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
    return ours, theirs


def assert_histories_equal(ours, theirs):
    assert list(ours.history) == list(theirs.history)
    for key, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[key], values, rtol=RTOL, atol=ATOL, err_msg=key)
    assert ours.epoch == theirs.epoch
    assert ours.params == theirs.params


def fit_both(build, compile_args, x, y, fit_args=None):
    ours, theirs = twins(build)
    fit_args = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0, **(fit_args or {})}
    for model, k in ((ours, tkl), (theirs, keras)):
        made = {key: value(k) if callable(value) else value for key, value in compile_args.items()}
        model.compile(**made)
    histories = [model.fit(x, y, **fit_args) for model in (ours, theirs)]
    assert_histories_equal(*histories)
    for mine, his in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, np.asarray(his), rtol=2e-3, atol=2e-4)
    return ours, theirs


TASKS = {
    "regression": (1, None, "mse", ["mae", "mse"], REAL),
    "absolute": (1, None, "mean_absolute_error", ["mae"], REAL),
    "binary": (1, "sigmoid", "binary_crossentropy", ["accuracy", "acc"], BINARY),
    "flat binary": (1, "sigmoid", "binary_crossentropy", ["accuracy"], BINARY[:, 0]),
    "sparse": (3, "softmax", "sparse_categorical_crossentropy", ["accuracy"], LABELS),
    "sparse column": (3, "softmax", "sparse_categorical_crossentropy", ["accuracy"], LABELS[:, None]),
    "one-hot": (3, "softmax", "categorical_crossentropy", ["accuracy"], ONE_HOT),
    "by shapes": (3, "softmax", "crossentropy", ["accuracy"], LABELS),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("task", TASKS, ids=str)
def test_history_equals_keras(task, optimizer):
    units, last, loss, metrics, y = TASKS[task]
    ours, theirs = fit_both(
        lambda k: sequential(k, units, last),
        {"optimizer": optimizer, "loss": loss, "metrics": list(metrics)},
        X,
        y,
    )
    np.testing.assert_allclose(ours.evaluate(X, y, verbose=0), theirs.evaluate(X, y, verbose=0), RTOL, ATOL)
    mine, his = (m.evaluate(X, y, verbose=0, return_dict=True) for m in (ours, theirs))
    assert list(mine) == list(his)
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), 1e-3, 1e-4)


OPTIMIZERS = {
    "momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda k: k.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda k: k.optimizers.Adam(0.02, beta_1=0.8, amsgrad=True),
    "clipped adam": lambda k: k.optimizers.Adam(0.02, clipnorm=0.1),
    "centered rmsprop": lambda k: k.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "schedule": lambda k: k.optimizers.Adam(k.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)),
    "accumulation": lambda k: k.optimizers.SGD(0.05, gradient_accumulation_steps=2),
    "averages": lambda k: k.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.5),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_optimizer_options_in_fit(optimizer):
    fit_both(
        lambda k: sequential(k, 1, None), {"optimizer": optimizer, "loss": "mse", "metrics": ["mae"]}, X, REAL
    )


FIT_ARGUMENTS = {
    "validation_split": {"validation_split": 0.3},
    "validation_data": {"validation_data": (X[:20], REAL[:20])},
    "validation weights": {"validation_data": (X[:20], REAL[:20], WEIGHTS[:20]), "validation_batch_size": 7},
    "validation_freq": {"validation_split": 0.3, "validation_freq": 2},
    "validation_freq list": {"validation_split": 0.3, "validation_freq": [1, 3]},
    "validation_steps": {"validation_data": (X, REAL), "validation_steps": 2},
    "sample_weight": {"sample_weight": WEIGHTS},
    "initial_epoch": {"initial_epoch": 1},
    "one batch": {"batch_size": 1000},
    "ragged": {"batch_size": 7},
    "steps_per_epoch": {"steps_per_epoch": 3},
}


@pytest.mark.parametrize("arguments", FIT_ARGUMENTS.values(), ids=FIT_ARGUMENTS.keys())
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_fit_arguments(arguments):
    compile_args = {
        "optimizer": "adam",
        "loss": "mse",
        "metrics": ["mae"],
        "weighted_metrics": ["mae", "mse"],
    }
    fit_both(lambda k: sequential(k, 1, None), compile_args, X, REAL, arguments)


@pytest.mark.parametrize("y", [LABELS, LABELS[:, None], ONE_HOT], ids=["labels", "column", "one-hot"])
def test_class_weight(y):
    loss = "categorical_crossentropy" if y is ONE_HOT else "sparse_categorical_crossentropy"
    compile_args = {
        "optimizer": "adam",
        "loss": loss,
        "metrics": ["accuracy"],
        "weighted_metrics": ["accuracy"],
    }
    fit_both(
        lambda k: sequential(k, 3, "softmax"),
        compile_args,
        X,
        y,
        {"class_weight": {0: 3.0, 2: 0.5}, "validation_split": 0.2},
    )


@pytest.mark.parametrize("form", ["arrays", "loader", "column"])
def test_class_weight_multiplies_sample_weight(form):
    given = np.random.default_rng(0).uniform(0.5, 2.0, len(X)).astype("float32")
    both = given * np.where(LABELS == 0, 3.0, np.where(LABELS == 2, 0.5, 1.0)).astype("float32")
    histories = []
    for class_weight, sample_weight in (({0: 3.0, 2: 0.5}, given), (None, both)):
        model = sequential(tkl, 3, "softmax")
        model.set_weights([np.full(w.shape, 0.1, "float32") for w in model.get_weights()])
        model.compile("sgd", "sparse_categorical_crossentropy")
        if form == "loader":
            triple = (torch.as_tensor(part) for part in (X, LABELS, sample_weight))
            data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*triple), batch_size=8)
            history = model.fit(data, class_weight=class_weight, epochs=2, verbose=0)
        else:
            weights = sample_weight[:, None] if form == "column" and class_weight else sample_weight
            arguments = {"sample_weight": weights, "class_weight": class_weight, "shuffle": False}
            history = model.fit(X, LABELS, batch_size=8, epochs=2, verbose=0, **arguments)
        histories.append(history.history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)


REGULARIZED = {
    "kernel": {"kernel_regularizer": "l2"},
    "bias": {"bias_regularizer": lambda k: k.regularizers.L1L2(0.01, 0.02)},
    "activity": {"activity_regularizer": "l1"},
    "orthogonal": {"kernel_regularizer": "orthogonal_regularizer"},
    "constraint": {"kernel_constraint": "max_norm", "bias_constraint": "non_neg"},
}


@pytest.mark.parametrize("arguments", REGULARIZED.values(), ids=REGULARIZED.keys())
def test_regularizers_and_constraints(arguments):
    def build(k):
        made = {key: value(k) if callable(value) else value for key, value in arguments.items()}
        return sequential(k, 1, None, **made)

    compile_args = {"optimizer": lambda k: k.optimizers.SGD(0.1), "loss": "mse", "metrics": ["mae"]}
    fit_both(build, compile_args, X, REAL, {"validation_split": 0.2})


def two_by_two(k):
    left, right = k.Input((6,), name="left"), k.Input((2,), name="right")
    hidden = k.layers.Dense(5, activation="relu", name="hidden")(left)
    other = k.layers.Dense(5, name="other")(right)
    joined = k.layers.Add(name="joined")([hidden, other])
    return k.Model(
        [left, right],
        [
            k.layers.Dense(1, name="value")(joined),
            k.layers.Dense(3, activation="softmax", name="label")(joined),
        ],
    )


RIGHT = features(90, 2, seed=3)
INPUTS = {"list": [X, RIGHT], "dict": {"left": X, "right": RIGHT}, "tuple": (X, RIGHT)}
TARGETS = {"list": [REAL, LABELS], "dict": {"value": REAL, "label": LABELS}}
COMPILE = {
    "lists": {"loss": ["mse", "sparse_categorical_crossentropy"], "metrics": [["mae"], ["accuracy"]]},
    "weights": {"loss": ["mse", "sparse_categorical_crossentropy"], "loss_weights": [0.3, 2.0]},
    "dicts": {
        "loss": {"value": "mse", "label": "sparse_categorical_crossentropy"},
        "loss_weights": {"value": 0.5, "label": 1.5},
        "metrics": {"label": ["accuracy"], "value": ["mae", "mse"]},
    },
}


@pytest.mark.parametrize("compile_args", COMPILE.values(), ids=COMPILE.keys())
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_several_inputs_and_outputs(inputs, targets, compile_args):
    x, y = INPUTS[inputs], TARGETS[targets]
    ours, theirs = fit_both(
        two_by_two, {"optimizer": "adam", **compile_args}, x, y, {"validation_split": 0.2}
    )
    np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0), RTOL, ATOL)
    for mine, his in zip(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(mine, his, rtol=1e-3, atol=1e-4)


def dict_outputs(k):
    inputs = k.Input((6,))
    return k.Model(inputs, {"b": k.layers.Dense(1)(inputs), "a": k.layers.Dense(2)(inputs)})


def test_outputs_in_a_dict():
    y = {"a": np.concatenate([REAL, -REAL], 1), "b": REAL}
    compile_args = {"optimizer": "sgd", "loss": {"a": "mse", "b": "mae"}, "metrics": {"b": ["mse"]}}
    ours, theirs = fit_both(dict_outputs, compile_args, X, y)
    mine, his = ours.predict(X, verbose=0), theirs.predict(X, verbose=0)
    assert mine.keys() == his.keys()
    for key in his:
        np.testing.assert_allclose(mine[key], his[key], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("given", [None, [], "mae"], ids=["none", "empty", "mae"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_names_of_metrics_are_keras_s(given, outputs):
    found = []
    for package in (tkl, keras):
        inputs = package.Input((4,))
        heads = [package.layers.Dense(1, name=name)(inputs) for name in ("a", "b")[:outputs]]
        model = package.Model(inputs, heads)
        listed = [[given]] * outputs if given else given
        model.compile("sgd", ["mse"] * outputs, metrics=listed, loss_weights=[0.5] * outputs)
        model.fit(X[:, :4], [X[:, :1]] * outputs, verbose=0)
        found.append(model.metrics_names)
    assert found[0] == found[1]


def test_batches_one_by_one():
    ours, theirs = twins(lambda k: sequential(k, 1, None))
    for model in (ours, theirs):
        model.compile("adam", "mse", metrics=["mae"])
    for start in range(0, 48, 16):
        part = slice(start, start + 16)
        mine, his = (m.train_on_batch(X[part], REAL[part]) for m in (ours, theirs))
        np.testing.assert_allclose(mine, his, rtol=RTOL, atol=ATOL)
    mine, his = (m.test_on_batch(X, REAL, sample_weight=WEIGHTS, return_dict=True) for m in (ours, theirs))
    assert mine.keys() == his.keys()
    np.testing.assert_allclose(list(mine.values()), [float(v) for v in his.values()], rtol=RTOL, atol=ATOL)
    np.testing.assert_allclose(ours.predict_on_batch(X), theirs.predict_on_batch(X), rtol=1e-3, atol=1e-4)


def test_second_fit_goes_on():
    ours, theirs = fit_both(
        lambda k: sequential(k, 1, None), {"optimizer": "adam", "loss": "mse", "metrics": ["mae"]}, X, REAL
    )
    histories = [m.fit(X, REAL, epochs=2, shuffle=False, verbose=0) for m in (ours, theirs)]
    assert_histories_equal(*histories)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations)


@pytest.mark.parametrize("kind", ["numpy", "float64", "tensor", "integers"])
def test_kinds_of_arrays(kind):
    x = {
        "numpy": X,
        "float64": X.astype("float64"),
        "tensor": torch.from_numpy(X),
        "integers": (X * 4).astype("int64"),
    }[kind]
    compile_args = {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]}
    fit_both(lambda k: sequential(k, 1, None), compile_args, x, REAL)
