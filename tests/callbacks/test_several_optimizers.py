"""Callbacks over a `MultiOptimizer`, and what callbacks let go of however a loop ends."""

import keras
import numpy as np
import pytest

import torchkeras_lite as tkl
from torchkeras_lite import callbacks, optimizers

X = np.random.default_rng(0).standard_normal((40, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(**options):
    model = tkl.Sequential(
        [tkl.Input((4,)), tkl.layers.Dense(3, name="first"), tkl.layers.Dense(1, name="last")]
    )
    table = optimizers.OptimizerMap(optimizers.SGD(0.1, **options), {"last": optimizers.Adam(0.2, **options)})
    model.compile(optimizers.MultiOptimizer(table), "mse")
    return model


def fit(model, *found, **arguments):
    return model.fit(X, Y, batch_size=10, verbose=0, callbacks=list(found), **arguments).history


def two_rates(package):
    slow, fast = package.optimizers.SGD(0.01, name="slow"), package.optimizers.SGD(0.1, name="fast")
    table = package.optimizers.OptimizerMap(slow, {".*last/.*": fast})
    layers = [package.layers.Dense(3, name="first"), package.layers.Dense(1, name="last")]
    model = package.Sequential([package.Input((4,)), *layers])
    model.compile(package.optimizers.MultiOptimizer(table), "mse")
    return model


RATES = {
    "schedule": ("LearningRateScheduler", {"schedule": lambda epoch, rate: rate * 0.5}),
    "schedule of the epoch alone": ("LearningRateScheduler", {"schedule": lambda epoch: 0.5 / (epoch + 1)}),
    "plateau": ("ReduceLROnPlateau", {"monitor": "loss", "mode": "max", "factor": 0.5, "patience": 1}),
    "plateau with a least rate": (
        "ReduceLROnPlateau",
        {"monitor": "loss", "mode": "max", "factor": 0.5, "patience": 1, "min_lr": 0.02},
    ),
}


@pytest.mark.parametrize("case", list(RATES))
def test_every_optimizer_has_a_rate_of_its_own(case, capsys):
    name, arguments = RATES[case]
    seen = []
    for package in (tkl, keras):
        model = two_rates(package)
        callback = getattr(package.callbacks, name)(verbose=1, **arguments)
        history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[callback]).history
        rates = {key: values for key, values in history.items() if key != "loss"}
        seen.append((rates, capsys.readouterr().out))
    assert seen[0][0].keys() == {"learning_rate_slow", "learning_rate_fast"}
    assert seen[0] == seen[1]


def test_a_scaled_optimizer_of_several_has_their_rates():
    model = two_rates(tkl)
    model.compile(optimizers.LossScaleOptimizer(model.optimizer), "mse")
    history = fit(model, callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5), epochs=2)
    np.testing.assert_allclose(history["learning_rate_slow"], [0.005, 0.0025])


def test_averages_of_every_optimizer_take_part():
    model = model_of(use_ema=True, ema_momentum=0.5)
    for _ in range(3):  # `fit` would end with the averages in place
        model.train_on_batch(X, Y)
    before = model.get_weights()
    own = model.evaluate(X, Y, verbose=0)
    averaged = model.evaluate(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert averaged != own
    for mine, his in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, his)


def test_tensorboard_writes_the_rate(tmp_path):
    fit(model_of(), callbacks.TensorBoard(tmp_path, write_graph=False))
    assert list((tmp_path / "train").iterdir())


def test_a_logger_makes_its_folder_and_closes_its_file_when_fit_fails(tmp_path):
    log = callbacks.CSVLogger(tmp_path / "deep" / "log.csv")

    def fail(batch, logs):
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fit(model_of(), log, callbacks.LambdaCallback(on_train_batch_end=fail))
    assert log.csv_file is None
    assert (tmp_path / "deep" / "log.csv").exists()


def test_release_is_called_once_however_a_loop_ends():
    released = []

    class Holds(callbacks.Callback):
        def release(self):
            released.append("released")

        def on_predict_begin(self, logs=None):
            raise KeyboardInterrupt

    fit(model_of(), Holds())
    assert released == ["released"]
    with pytest.raises(KeyboardInterrupt):
        model_of().predict(X, verbose=0, callbacks=[Holds()])
    assert released == ["released"] * 2
