"""What the loops promise besides numbers.

Order of calls, modes, no waiting for the device, errors, kinds of data.
"""

import keras
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import torchkeras_lite as tkl
from torchkeras_lite.engine.weights import Weight

X = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(k=tkl, **compile_args):
    model = k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="tanh"), k.layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "metrics": ["mae"], **compile_args})
    return model


HOOKS = [f"on_{kind}_{place}" for kind in ("train", "test", "predict") for place in ("begin", "end")]
BATCH_HOOKS = [
    f"on_{kind}_batch_{place}" for kind in ("train", "test", "predict") for place in ("begin", "end")
]


def recorder(k, calls):
    """A callback of `k` that writes down every hook, its index and the names in its logs."""

    def plain(name):
        return lambda self, logs=None: calls.append((name, sorted(logs or {})))

    def indexed(name):
        return lambda self, index, logs=None: calls.append((name, index, sorted(logs or {})))

    methods = {name: plain(name) for name in HOOKS}
    methods |= {name: indexed(name) for name in [*BATCH_HOOKS, "on_epoch_begin", "on_epoch_end"]}
    return type("Recorder", (k.callbacks.Callback,), methods)()


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_order_of_callback_calls_is_keras_s(method):
    found = []
    for k in (tkl, keras):
        model, calls = model_of(k), []
        arguments = {"callbacks": [recorder(k, calls)], "verbose": 0}
        if method == "fit":
            model.fit(X, Y, batch_size=20, epochs=2, validation_split=0.2, **arguments)
        elif method == "evaluate":
            model.evaluate(X, Y, batch_size=20, **arguments)
        else:
            model.predict(X, batch_size=20, **arguments)
        found.append(calls)
    assert found[0] == found[1]


def test_several_steps_between_two_calls_of_batch_hooks():
    calls = []
    model = model_of(steps_per_execution=2)
    model.fit(X, Y, batch_size=10, verbose=0, callbacks=[recorder(tkl, calls)])
    batches = [(name, index) for name, *rest in calls if "batch" in name for index in rest[:1]]
    names = ("on_train_batch_begin", "on_train_batch_end")
    assert batches == [(names[i % 2], index) for i, index in enumerate([0, 1, 2, 3, 4, 4])]


class CountReads(TorchDispatchMode):
    """Counts the operations that make the host wait for the device."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            self.reads += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("metrics", [["mae"], ["accuracy", "mse"]])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_step_never_waits_for_the_device(optimizer, metrics):
    model = model_of(optimizer=optimizer, metrics=metrics)
    model.fit(X, Y, batch_size=10, verbose=0)
    reads = []
    for size in (50, 5):  # one step, ten steps
        with CountReads() as count:
            model.fit(X, Y, batch_size=size, verbose=0)
        reads.append(count.reads)
    assert reads[0] == reads[1]


def test_logs_of_batches_are_the_running_means():
    seen = {}
    for k in (tkl, keras):
        losses = seen[k] = []
        callback = k.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, losses=losses: losses.append(logs["loss"])
        )
        model = model_of(k)
        model.set_weights([np.full(w.shape, 0.1, "float32") for w in model.get_weights()])
        model.fit(X, Y, batch_size=20, shuffle=False, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(seen[tkl], seen[keras], rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_fit_sets_the_mode_and_restores_each_module_s_own(training):
    modes = []

    class Watch(tkl.Layer):
        def call(self, inputs, training=None):
            modes.append((training, self.training))
            return inputs

    model = tkl.Sequential([tkl.Input((4,)), Watch(), torch.nn.Dropout(0.1), tkl.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.train(training)
    model.layers[0].train(not training)
    modes.clear()
    model.fit(X, Y, validation_split=0.5, verbose=0, batch_size=50)
    assert modes == [(True, True), (False, False)]
    assert model.training is training
    assert model.layers[0].training is not training
    modes.clear()
    model.predict(X, verbose=0, batch_size=50)
    assert modes == [(False, False)]


def test_the_mode_is_restored_when_a_step_fails():
    model = model_of()
    with pytest.raises(ValueError, match="incompatible"):
        model.fit(X[:, :3], Y, verbose=0)
    assert not model.training
    assert not any(module.training for module in model.modules())


def test_shuffling_takes_every_row_once_an_epoch():
    seen = []

    class Note(tkl.Layer):
        def call(self, inputs):
            seen.append(inputs[:, 0].detach().clone())
            return inputs

    model = tkl.Sequential([tkl.Input((1,)), Note(), tkl.layers.Dense(1)])
    model.compile("sgd", "mse")
    rows = np.arange(50, dtype="float32")[:, None]
    seen.clear()
    model.fit(rows, rows * 0, batch_size=20, epochs=2, verbose=0)
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == rows[:, 0].tolist()
    assert first.tolist() != second.tolist() != rows[:, 0].tolist()
    seen.clear()
    model.fit(rows, rows * 0, batch_size=20, shuffle="batch", verbose=0)
    batches = sorted((batch.tolist() for batch in seen), key=min)
    assert batches == [rows[:20, 0].tolist(), rows[20:40, 0].tolist(), rows[40:, 0].tolist()]


def test_custom_train_step_of_the_guide():
    class Custom(tkl.Model):
        def train_step(self, data):
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            loss.backward()
            trainable_weights = list(self.trainable_weights)
            gradients = [v.value.grad for v in trainable_weights]
            with torch.no_grad():
                self.optimizer.apply(gradients, trainable_weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics if m.name == "loss"} | {
                "mae": self.metrics[-1].result()["mae"]
            }

    def build(cls):
        inputs = tkl.Input((4,))
        model = cls(inputs, tkl.layers.Dense(1)(tkl.layers.Dense(3, activation="relu")(inputs)))
        model.compile("adam", "mse", metrics=["mae"])
        return model

    ours, plain = build(Custom), build(tkl.Model)
    plain.set_weights(ours.get_weights())
    arguments = {"epochs": 3, "batch_size": 10, "shuffle": False, "verbose": 0}
    histories = [model.fit(X, Y, **arguments).history for model in (ours, plain)]
    for key in ("loss", "mae"):
        np.testing.assert_allclose(histories[0][key], histories[1][key], rtol=1e-5)
    for mine, his in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, his, rtol=1e-5, atol=1e-7)


def test_own_trackers_as_in_the_guide():
    class Custom(tkl.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_mean = tkl.metrics.Mean(name="loss")
            self.mae = tkl.metrics.MeanAbsoluteError(name="mae")

        def train_step(self, data):
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = (y_pred - y).square().mean()
            gradients = torch.autograd.grad(loss, self.trainable_weights)
            assert all(
                isinstance(v, Weight) and g.shape == v.shape
                for v, g in zip(self.trainable_weights, gradients, strict=True)
            )
            self.optimizer.apply(gradients, self.trainable_weights)
            self.loss_mean.update_state(loss)
            self.mae.update_state(y, y_pred)
            return {"loss": self.loss_mean.result(), "mae": self.mae.result()}

        @property
        def metrics(self):
            return [self.loss_mean, self.mae]

    inputs = tkl.Input((4,))
    model = Custom(inputs, tkl.layers.Dense(1)(inputs))
    model.compile(optimizer="adam")
    history = model.fit(X, Y, epochs=3, verbose=0).history
    assert list(history) == ["loss", "mae"]
    assert history["loss"][2] < history["loss"][0]


def test_compute_loss_and_compute_metrics_can_be_overridden():
    class Custom(tkl.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return (y_pred - y).abs().sum()

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "answer": 42.0}

    inputs = tkl.Input((4,))
    model = Custom(inputs, tkl.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    logs = model.evaluate(X, Y, verbose=0, return_dict=True, batch_size=50)
    assert logs["loss"] == pytest.approx(50 * logs["mae"], rel=1e-5)


def test_losses_of_layers_count():
    class Penalty(tkl.Layer):
        def call(self, inputs):
            self.add_loss(inputs.square().mean())
            return inputs

    inputs = tkl.Input((4,))
    model = tkl.Model(inputs, Penalty()(tkl.layers.Dense(2, name="kept")(inputs)))
    model.compile(tkl.optimizers.SGD(0.1))
    history = model.fit(X, epochs=5, verbose=0, batch_size=10).history
    assert history["loss"][-1] < history["loss"][0] * 0.8
    assert len(model.losses) == 1


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 50

    def __getitem__(self, index):
        return X[index], Y[index]


def batches_of(size=10, epochs=1):
    for _ in range(epochs):
        for start in range(0, 50, size):
            yield X[start : start + size], Y[start : start + size]


KINDS = {
    "loader": lambda: (torch.utils.data.DataLoader(Rows(), batch_size=10), {}),
    "dataset": lambda: (Rows(), {"batch_size": 10, "shuffle": False}),
    "list of batches": lambda: (iter_list(), {}),
    "generator": lambda: (batches_of(epochs=2), {"steps_per_epoch": 5}),
}


class iter_list:
    def __iter__(self):
        return batches_of()

    def __len__(self):
        return 5


@pytest.mark.parametrize("kind", KINDS)
def test_batches_from_iterables_equal_arrays(kind):
    data, arguments = KINDS[kind]()
    ours, plain = model_of(), model_of()
    plain.set_weights(ours.get_weights())
    mine = ours.fit(data, epochs=2, verbose=0, **arguments).history
    his = plain.fit(X, Y, batch_size=10, shuffle=False, epochs=2, verbose=0).history
    assert mine.keys() == his.keys()
    for key in his:
        np.testing.assert_allclose(mine[key], his[key], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_generator_builds_the_model_without_losing_a_batch():
    model = tkl.Sequential([tkl.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = []
    callback = tkl.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model.fit(batches_of(), verbose=0, callbacks=[callback])
    assert seen == [0, 1, 2, 3, 4]


def test_a_model_built_by_fit_shows_the_size_of_its_batches():
    texts = []
    for k in (tkl, keras):
        model = k.Sequential([k.layers.Dense(3, name="a"), k.layers.Dense(1, name="b")], name="m")
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=16, verbose=0)
        lines = []
        model.summary(print_fn=lambda text, *args, lines=lines, **kwargs: lines.append(text))
        texts.append("\n".join(lines).strip())
    assert texts[0] == texts[1]
    assert "(16, 3)" in texts[0]


def test_running_out_of_data_warns():
    model = model_of()
    with pytest.warns(UserWarning, match="Your input ran out of data.*at least 9 batches"):
        model.fit(batches_of(), steps_per_epoch=9, verbose=0)


class TestWrongCalls:
    """Messages say what came, what was expected and what to do."""

    def refused(self, call, text, kind=ValueError):
        with pytest.raises(kind, match=text):
            call()

    def test_before_compile(self):
        model = tkl.Sequential([tkl.layers.Dense(1)])
        for method in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
            self.refused(
                lambda method=method: method(X, Y),
                r"You must call `compile\(\)` before using the model.*model.compile",
            )

    def test_lengths(self):
        text = r"Data cardinality is ambiguous.*'x' sizes: 50 'y' sizes: 10"
        self.refused(lambda: model_of().fit(X, Y[:10], verbose=0), text)
        self.refused(lambda: model_of().evaluate(X, Y[:10], verbose=0), text)

    def test_shapes(self):
        text = "Input 0 of layer 'sequential.*' is incompatible.*expected shape=.*found shape=.*Pass inputs"
        self.refused(lambda: model_of().fit(X[:, :2], Y, verbose=0), text)
        self.refused(lambda: model_of().predict(X[:, :2], verbose=0), text)

    def test_targets(self):
        text = r"'dense_.*' has shape \(32, 1\) and its targets have shape \(32, 3\)"
        self.refused(lambda: model_of().fit(X, np.ones((50, 3)), verbose=0), text)

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (
                {"optimizer": "adamm"},
                "Could not interpret optimizer identifier: 'adamm'; did you mean 'adam'",
            ),
            ({"loss": "msee"}, "Could not interpret loss identifier: 'msee'; did you mean 'mse'"),
            (
                {"metrics": ["acuracy"]},
                "Could not interpret metric identifier: 'acuracy'; did you mean 'accuracy'",
            ),
            ({"steps_per_execution": 0}, "`steps_per_execution` must be a positive integer, got 0"),
            ({"jit_compile": "yes"}, "`jit_compile` must be True, False or 'auto', got 'yes'"),
            ({"jit_compile": True, "run_eagerly": True}, "exclude each other"),
        ],
    )
    def test_compile(self, arguments, text):
        self.refused(lambda: model_of(**arguments), text)

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (
                {"loss": {"valu": "mse"}},
                r"`loss` names the output 'valu', .*did you mean 'value'.*\['value', 'label'\]",
            ),
            (
                {"loss": ["mse"]},
                r"`loss` should have as many entries as the model has outputs \(2: .*label'\]\), got 1",
            ),
            (
                {"loss": "mse", "metrics": {"labels": "mae"}},
                "`metrics` names the output 'labels'.*did you mean 'label'",
            ),
            ({"loss": "mse", "loss_weights": [1.0]}, "`loss_weights` must match the number of losses"),
        ],
    )
    def test_outputs(self, arguments, text):
        inputs = tkl.Input((4,))
        outputs = [tkl.layers.Dense(1, name="value")(inputs), tkl.layers.Dense(1, name="label")(inputs)]
        model = tkl.Model(inputs, outputs)
        model.compile("sgd", **arguments)
        self.refused(lambda: model.fit(X, [Y, Y], verbose=0), text)

    def test_targets_of_one_output_for_two(self):
        inputs = tkl.Input((4,))
        model = tkl.Model(inputs, [tkl.layers.Dense(1, name=name)(inputs) for name in ("value", "label")])
        model.compile("sgd", "mse")
        text = r"outputs \['value', 'label'\], but `y` is one array of shape \(32, 1\). Pass a list"
        self.refused(lambda: model.fit(X, Y, verbose=0), text)

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"validation_split": 1.5}, "`validation_split` must be between 0 and 1, got 1.5"),
            ({"validation_split": 0.99}, "not sufficient to split"),
            ({"class_weight": {0: 1.0}, "sample_weight": np.ones((50, 2))}, "Multiply them into"),
            ({"batch_size": 0}, "`batch_size` must be a positive integer, got batch_size=0"),
            (
                {"validation_freq": 0, "validation_split": 0.5},
                "`validation_freq` must be a positive integer or a list",
            ),
            ({"callbacks": [print]}, "expected instances of Callback.*LambdaCallback"),
        ],
    )
    def test_fit(self, arguments, text):
        kind = TypeError if "callbacks" in arguments else ValueError
        self.refused(lambda: model_of().fit(X, Y, verbose=0, **arguments), text, kind)

    def test_data(self):
        self.refused(lambda: model_of().fit(None, verbose=0), "Expected data as arrays")
        self.refused(
            lambda: model_of().fit(np.array([["a"]] * 50), Y, verbose=0),
            "declared with dtype='float32', got strings",
            TypeError,
        )
        self.refused(
            lambda: model_of().fit(X, np.array([["a"]] * 50), verbose=0),
            "Failed to convert an array of dtype <U1",
        )
        self.refused(
            lambda: model_of().fit(batches_of(), Y, verbose=0), "must be left out when `x` is a generator"
        )
        self.refused(lambda: model_of().fit(iter([]), verbose=0), "gave no batch|used up")

    def test_nothing_to_minimise(self):
        model = model_of(loss=None)
        self.refused(lambda: model.fit(X, Y, verbose=0), "No loss to compute.*Provide a `loss` argument")

    def test_weights_that_became_trainable(self):
        model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(2, trainable=False), tkl.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
        model.trainable = True
        self.refused(
            lambda: model.fit(X, Y, verbose=0), r"does not know the weights.*Call `compile\(\)` again"
        )


def test_frozen_layers_stay_and_a_recompiled_model_trains_them():
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(2, name="first"), tkl.layers.Dense(1)])
    model.get_layer("first").trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.allclose(before[2], after[2])
    model.trainable = True
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert not np.allclose(model.get_weights()[0], before[0])


@pytest.mark.parametrize(
    ("loss", "y", "units"),
    [
        (torch.nn.MSELoss(), Y, 1),
        (torch.nn.CrossEntropyLoss(), np.arange(50) % 3, 3),
        (torch.nn.CrossEntropyLoss(), (np.arange(50) % 3)[:, None].astype("int32"), 3),
        (torch.nn.BCEWithLogitsLoss(), (Y > 0).astype("float32")[:, 0], 1),
    ],
)
def test_torch_losses_are_called_in_torch_s_order(loss, y, units):
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(units)])
    model.compile("sgd", loss)
    outputs = torch.from_numpy(model.predict(X, verbose=0))
    targets = torch.as_tensor(y)
    if units == 3:
        targets = targets.reshape(-1).long()
    expected = loss(outputs, targets.reshape(outputs.shape) if units == 1 else targets).item()
    assert model.evaluate(X, y, verbose=0, batch_size=50) == pytest.approx(expected, rel=1e-5)
    history = model.fit(X, y, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_steps_and_epochs_can_be_limited_by_the_environment(monkeypatch):
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "2")
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "1")
    seen = []
    callback = tkl.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    history = model_of().fit(X, Y, batch_size=10, epochs=9, verbose=0, callbacks=[callback])
    assert history.epoch == [0, 1]
    assert seen == [0, 0]


def test_stop_training_ends_after_the_batch():
    seen = []

    class Stop(tkl.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)
            self.model.stop_training = batch == 1

    history = model_of().fit(X, Y, batch_size=10, epochs=5, verbose=0, callbacks=[Stop()])
    assert seen == [0, 1]
    assert history.epoch == [0]


def test_a_model_without_an_optimizer_evaluates_and_says_what_training_needs(tmp_path):
    model = tkl.Sequential([tkl.Input((2,)), tkl.layers.Dense(1)])
    model.compile(optimizer=None, loss="mse")
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    expected = float(np.mean((model.predict(x, verbose=0) - y) ** 2))
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="compiled with optimizer=None"):
        model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="`lr_scheduler` was given with optimizer=None"):
        model.compile(optimizer=None, loss="mse", lr_scheduler=torch.optim.lr_scheduler.ConstantLR)
    model.save(tmp_path / "model.keras")
    assert tkl.saving.load_model(tmp_path / "model.keras").optimizer is None


@pytest.mark.parametrize("kind", ["evaluate", "predict"])
def test_a_callback_can_end_an_evaluation_and_the_next_one_starts_anew(kind):
    def batches_of(package):
        name, attribute = (
            ("test", "stop_evaluating") if kind == "evaluate" else ("predict", "stop_predicting")
        )
        seen = []

        def count(self, batch, logs=None):
            seen.append(batch)
            if len(seen) == 2:
                setattr(self.model, attribute, True)

        callback = type("Stopper", (package.callbacks.Callback,), {f"on_{name}_batch_end": count})()
        model = package.Sequential([package.Input((3,)), package.layers.Dense(1)])
        model.compile(loss="mse")
        x = np.ones((8, 3), "float32")
        run = model.evaluate if kind == "evaluate" else model.predict
        args = (x, x[:, :1]) if kind == "evaluate" else (x,)
        for _ in range(2):
            run(*args, batch_size=2, verbose=0, callbacks=[callback])
        return seen

    assert batches_of(tkl) == batches_of(keras) == [0, 1, 0, 1, 2, 3]
