"""Steps, losses and metrics of a model's own, functions of a model's own, and loops of one's own."""

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as tkl
from torchkeras_lite import layers, losses, metrics, optimizers
from training.compiled_models import A, X, classifier, filled

Y = np.random.default_rng(2).integers(0, 3, 12)
SPARSE = "sparse_categorical_crossentropy"


def model_of(k, base=None):
    class Chain(base(k) if base else k.Model):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    model = Chain()
    model(X)
    return filled(model)


def with_train_step(k):
    class Own(k.Model):
        def train_step(self, data):
            x, y, weights = k.utils.unpack_x_y_sample_weight(data)
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, weights)
            self.zero_grad()
            loss.backward()
            variables = list(self.trainable_weights)
            gradients = [v.value.grad for v in variables]
            with torch.no_grad():
                self.optimizer.apply(gradients, variables)
            for metric in self.metrics:
                metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics if m.name == "loss"} | {"own": loss * 2}

    return Own


def with_test_step(k):
    class Own(k.Model):
        def test_step(self, data):
            x, y = data
            return {"far": (self(x, training=False) - y).abs().max()}

    return Own


def with_compute_loss(k):
    class Own(k.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return super().compute_loss(x, y, y_pred, sample_weight) + 0.1 * (y_pred**2).mean()

    return Own


def with_old_compute_loss(k):
    class Own(k.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ((y_pred - y) ** 2).mean()

    return Own


def with_compute_metrics(k):
    class Own(k.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            found = super().compute_metrics(x, y, y_pred, sample_weight)
            self.seen = sorted(found)
            return found

    return Own


@pytest.mark.parametrize(
    "base",
    [with_train_step, with_test_step, with_compute_loss, with_old_compute_loss, with_compute_metrics],
    ids=lambda f: f.__name__,
)
def test_what_a_class_overrides_counts_as_in_keras(base):
    found = {}
    for k in (tkl, keras):
        model = model_of(k, base)
        model.compile(k.optimizers.SGD(0.05), "mse", metrics=["mae"])
        history = model.fit(X, A, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        found[k] = {**history, "evaluate": model.evaluate(X, A, verbose=0, return_dict=True)}
    assert list(found[tkl]) == list(found[keras])
    assert list(found[tkl].pop("evaluate")) == list(found[keras].pop("evaluate"))
    for key, values in found[keras].items():
        np.testing.assert_allclose(found[tkl][key], values, rtol=1e-4, err_msg=key)


def with_predict_step(k):
    class Own(k.Model):
        def predict_step(self, data):
            return 2 * super().predict_step(data)

    return Own


def test_predict_step():
    for k in (tkl, keras):
        model = model_of(k, with_predict_step)
        plain = np.asarray(model(X).detach())
        np.testing.assert_allclose(model.predict(X, batch_size=5, verbose=0), 2 * plain, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(model.predict_on_batch(X)), 2 * plain, rtol=1e-5)


@pytest.mark.parametrize("style", ["next", "first", "for"])
def test_functions_of_ones_own(style):
    calls = []

    def first(batches):
        for batch in batches:
            return batch

    class Own(tkl.Sequential):
        def one(self, kind, iterator):
            calls.append(kind)
            data = {"next": next, "first": lambda batches: batches[0], "for": first}[style](iterator)
            return getattr(self, f"{kind}_step")(data)

        def make_train_function(self, force=False):
            self.train_function = lambda iterator: self.one("train", iterator) | {"own": 3.0}

        def make_test_function(self, force=False):
            return lambda iterator: self.one("test", iterator)

        def make_predict_function(self, force=False):
            inner = super().make_predict_function(force)
            self.predict_function = lambda iterator: (calls.append("predict"), 2 * inner(iterator))[1]

    model = Own([tkl.Input((4,)), layers.Dense(3)])
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(X, A, batch_size=6, epochs=2, validation_data=(X, A), verbose=0).history
    assert history["own"] == [3.0, 3.0]
    assert set(history) == {"own", "loss", "mae", "val_loss", "val_mae"}
    with torch.no_grad():
        np.testing.assert_allclose(model.predict(X, verbose=0), 2 * model(torch.tensor(X)).numpy(), rtol=1e-5)
    assert calls == ["train", "train", "test", "test"] * 2 + ["predict"]


def test_the_functions_can_be_called_by_hand():
    model, other = classifier(), classifier()
    for one in (model, other):
        one.compile("sgd", SPARSE)
    x, y = torch.tensor(X), torch.tensor(Y)
    model.optimizer.build(model.trainable_weights)
    function = model.make_train_function()
    assert model.make_train_function() is function is model.train_function
    assert model.make_train_function(force=True) is not function
    logs = function(iter([(x, y)]))
    assert float(logs["loss"]) == pytest.approx(other.train_on_batch(X, Y), rel=1e-6)
    assert float(model.make_test_function()([(x, y)])["loss"]) > 0
    assert model.make_predict_function()([(x,)]).shape == (12, 3)
    model.compile("sgd", SPARSE)
    assert model.train_function is None


def test_metrics_of_a_class_are_logged_and_reset():
    class Own(tkl.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)
            self.norm = metrics.Mean(name="norm")

        def call(self, x):
            y = self.dense(x)
            self.norm.update_state(y.detach().square().mean())
            return y

    model = Own()
    model.compile("sgd", "mse")
    history = model.fit(X, A, batch_size=6, epochs=2, verbose=0).history
    assert list(history) == ["loss", "norm"]
    model.reset_metrics()
    assert float(model.norm.result()) == 0
    assert [m.name for m in model.metrics][:2] == ["loss", "norm"]


def test_stop_training_from_a_step():
    class Own(tkl.Sequential):
        def train_step(self, data):
            self.stop_training = True
            return super().train_step(data)

    model = Own([tkl.Input((4,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    history = model.fit(X, A, batch_size=2, epochs=5, verbose=0)
    assert len(history.epoch) == 1
    assert int(model.optimizer.iterations) == 1


class GAN(tkl.Model):
    """Two models with an optimizer each, as in Keras's guide."""

    def __init__(self):
        super().__init__()
        self.discriminator = tkl.Sequential([tkl.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
        self.generator = tkl.Sequential([tkl.Input((2,)), layers.Dense(8, "relu"), layers.Dense(4)])
        self.d_loss_tracker = metrics.Mean(name="d_loss")
        self.g_loss_tracker = metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer = optimizers.get(d_optimizer)
        self.g_optimizer = optimizers.get(g_optimizer)
        self.loss_fn = loss_fn

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def train_step(self, real):
        size = len(real)
        fake = self.generator(torch.randn(size, 2))
        labels = torch.cat([torch.ones(size, 1), torch.zeros(size, 1)])
        self.zero_grad()
        d_loss = self.loss_fn(labels, self.discriminator(torch.cat([real, fake.detach()])))
        d_loss.backward()
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply([v.value.grad for v in weights], weights)
        self.zero_grad()
        g_loss = self.loss_fn(torch.ones(size, 1), self.discriminator(self.generator(torch.randn(size, 2))))
        g_loss.backward()
        weights = self.generator.trainable_weights
        self.g_optimizer.apply([v.value.grad for v in weights], weights)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}


@pytest.mark.parametrize("own", [optimizers.Adam(0.01), torch.optim.Adam], ids=["keras", "torch"])
def test_a_gan_with_two_optimizers(own):
    model = GAN()
    model.compile(own, optimizers.RMSprop(0.01), losses.BinaryCrossentropy(from_logits=True))
    before = [weight.numpy() for weight in model.trainable_weights]
    history = model.fit(X, batch_size=4, epochs=2, verbose=0).history
    assert list(history) == ["d_loss", "g_loss"]
    assert int(model.d_optimizer.iterations) == int(model.g_optimizer.iterations) == 6
    after = [weight.numpy() for weight in model.trainable_weights]
    assert not any(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_three_kinds_of_loops_train_the_same():
    fitted, keras_style, plain = (classifier(activation=None) for _ in range(3))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    fitted.compile(optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    history = fitted.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history

    optimizer, accuracy = optimizers.SGD(0.1, momentum=0.9), metrics.SparseCategoricalAccuracy()
    for _ in range(2):
        accuracy.reset_state()
        for rows in np.arange(12).reshape(3, 4):
            logits = keras_style(X[rows], training=True)
            value = loss(Y[rows], logits)
            keras_style.zero_grad()
            value.backward()
            weights = keras_style.trainable_weights
            optimizer.apply([v.value.grad for v in weights], weights)
            accuracy.update_state(Y[rows], logits)
    assert float(accuracy.result()) == pytest.approx(history["accuracy"][-1])

    torch_optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    plain.train()
    for _ in range(2):
        for rows in torch.arange(12).split(4):
            torch_optimizer.zero_grad()
            nn.functional.cross_entropy(plain(torch.tensor(X)[rows]), torch.tensor(Y)[rows]).backward()
            torch_optimizer.step()
    for one, two, three in zip(*(m.parameters() for m in (fitted, keras_style, plain)), strict=True):
        torch.testing.assert_close(one, two)
        torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-6)


def test_fit_goes_on_after_a_plain_loop_and_the_other_way_round():
    model = classifier(activation=None)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.compile(optimizer, losses.SparseCategoricalCrossentropy(from_logits=True))
    first = model.fit(X, Y, verbose=0).history["loss"][0]
    model.train()
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
        optimizer.step()
    assert model.fit(X, Y, verbose=0).history["loss"][0] < first


@pytest.mark.parametrize("value", [1, 2, 5, 100, "auto"])
def test_steps_per_execution(value):
    model, other = classifier(), classifier()
    model.compile("sgd", SPARSE, steps_per_execution=value)
    other.compile("sgd", SPARSE)
    calls = []
    callback = tkl.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(batch))
    arguments = dict(batch_size=2, shuffle=False, verbose=0)
    history = model.fit(X, Y, callbacks=[callback], **arguments).history
    assert history == other.fit(X, Y, **arguments).history
    size = 1 if value == "auto" else value
    assert calls == [min(i + size, 6) - 1 for i in range(0, 6, size)]


@pytest.mark.parametrize(
    "value", [True, "default", {"backend": "eager"}, {"backend": "aot_eager", "dynamic": False}], ids=str
)
def test_jit_compile_passes_options_on_for_a_step_of_the_users(value, monkeypatch):
    given = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: given.append(options))

    class Own(tkl.Model):
        def train_step(self, data):
            return super().train_step(data)

    inputs = tkl.Input((4,))
    model = Own(inputs, tkl.layers.Dense(3, activation="softmax")(inputs))
    model.compile("sgd", SPARSE, jit_compile=value)
    assert given == [{} if value is True else {"mode": value} if isinstance(value, str) else value]
    assert model.jit_compile is True
    model.compile("sgd", SPARSE, jit_compile="auto")
    assert model.jit_compile is False
    assert len(given) == 1


def test_our_arguments_are_in_configs_only_where_they_were_given():
    model = classifier()
    model.compile("sgd", SPARSE, metrics=["accuracy"])
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    theirs.compile("sgd", SPARSE, metrics=["accuracy"])
    assert set(model.get_compile_config()) == set(theirs.get_compile_config())
    model.compile("sgd", SPARSE, precision="bf16", auto_micro_batch=True)
    config = model.get_compile_config()
    assert (config["precision"], config["auto_micro_batch"]) == ("bf16", True)
    again = classifier()
    again.compile_from_config(config)
    assert (again.precision, again.auto_micro_batch) == ("bfloat16", True)


def test_what_cannot_be_written_is_left_out_of_configs():
    class Own(nn.CrossEntropyLoss):
        """No class of torch's."""

    model = classifier(activation=None)
    model.compile("sgd", Own(), metrics=["accuracy"])
    with pytest.warns(UserWarning, match="argument `loss` of compile.. is not saved"):
        config = model.get_compile_config()
    assert config["loss"] is None
    assert config["metrics"] == ["accuracy"]


def test_a_metric_of_a_failed_compile_leaves_nothing_behind():
    model = classifier()
    shared = metrics.SparseCategoricalAccuracy(name="right")
    with pytest.raises(ValueError, match="acuracy"):
        model.compile("sgd", SPARSE, metrics=[shared, "acuracy"])
    assert not model.compiled
    model.compile("sgd", SPARSE, metrics=[shared])
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "right"]


def test_a_model_without_trainable_weights_is_only_looked_at():
    model = classifier()
    model.trainable = False
    model.compile("sgd", SPARSE, metrics=["accuracy"])
    before = model.get_weights()
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        history = model.fit(X, Y, epochs=2, verbose=0).history
    assert history["loss"][0] == pytest.approx(history["loss"][1])
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
