"""Callbacks over a `MultiOptimizer`, and what callbacks let go of however a loop ends."""

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


def test_a_schedule_needs_one_learning_rate():
    with pytest.raises(ValueError, match=r'must have a "learning_rate" attribute.*MultiOptimizer'):
        fit(model_of(), callbacks.LearningRateScheduler(lambda epoch, rate: 0.01))


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
