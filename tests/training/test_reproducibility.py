"""Runs that repeat bit for bit, runs that are interrupted, and memory that stays flat."""

import gc
import os

import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from torchkeras_lite import layers

X = np.random.default_rng(0).standard_normal((48, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(**compile_args):
    stack = [layers.Dense(8, activation="relu"), layers.Dropout(0.3), layers.BatchNormalization()]
    model = tkl.Sequential([tkl.Input((4,)), *stack, layers.GaussianNoise(0.1), layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compile_args})
    return model


def training(**seed):
    tkl.utils.set_random_seed(7, **seed)
    model = model_of()
    history = model.fit(X, Y, epochs=3, batch_size=8, validation_split=0.25, verbose=0).history
    return history, [w.tobytes() for w in model.get_weights()], model.predict(X, verbose=0).tobytes()


@pytest.fixture
def torch_settings():
    """Put torch's switches for algorithms back."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
    if workspace is None:
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.parametrize("seed", [{}, {"deterministic": True}], ids=["seed", "deterministic"])
def test_two_runs_are_equal_bit_for_bit(seed, torch_settings):
    assert training(**seed) == training(**seed)
    assert torch.are_deterministic_algorithms_enabled() == bool(seed)
    assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) >= bool(seed)


def test_other_seeds_give_other_runs():
    tkl.utils.set_random_seed(1)
    first = model_of().fit(X, Y, verbose=0).history
    tkl.utils.set_random_seed(2)
    assert model_of().fit(X, Y, verbose=0).history != first


class Interrupt(tkl.callbacks.Callback):
    """Presses Ctrl-C in the third batch."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_model_can_be_used(tmp_path):
    model = model_of()
    log = tkl.callbacks.CSVLogger(tmp_path / "log.csv")
    board = tkl.callbacks.TensorBoard(tmp_path / "board", write_graph=False, update_freq=1)
    arguments = {"epochs": 3, "batch_size": 8, "verbose": 0, "callbacks": [log, board, Interrupt()]}
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, **arguments)
    assert log.csv_file is None
    assert not board._writers
    assert not any(module.training for module in model.modules())
    assert not model._forward_hooks
    assert model.predict(X, verbose=0).shape == (48, 1)
    assert np.isfinite(model.evaluate(X, Y, verbose=0)).all()
    assert len(model.fit(X, Y, epochs=2, verbose=0).epoch) == 2


def test_gradients_that_an_interrupted_step_left_do_not_count_later():
    ours, plain = model_of(), model_of()
    plain.set_weights(ours.get_weights())
    for parameter in ours.parameters():
        parameter.grad = torch.full_like(parameter, 1e3)
    losses = []
    for model in (ours, plain):
        tkl.utils.set_random_seed(3)
        losses.append(model.fit(X, Y, batch_size=8, shuffle=False, verbose=0).history)
    assert losses[0] == losses[1]


def test_an_interrupted_evaluation_gives_the_weights_back():
    model = model_of(optimizer=tkl.optimizers.Adam(use_ema=True))
    model.fit(X, Y, epochs=2, verbose=0)
    before = model.get_weights()

    class Stop(tkl.callbacks.Callback):
        def on_test_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.evaluate(X, Y, verbose=0, callbacks=[tkl.callbacks.SwapEMAWeights(), Stop()])
    for mine, his in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, his)


def live_objects():
    gc.collect()
    tensors = sum(1 for found in gc.get_objects() if issubclass(type(found), torch.Tensor))
    return len(gc.get_objects()), tensors


@pytest.mark.parametrize("kind", ["arrays", "generator"])
def test_memory_stays_flat_over_300_calls(kind):
    model = model_of()

    def data():
        return iter([(X, Y)])

    def once():
        if kind == "arrays":
            model.fit(X, Y, batch_size=24, validation_split=0.5, verbose=0)
            model.predict(X, verbose=0)
        else:
            model.fit(data(), verbose=0)
            model.predict(data(), verbose=0)

    for _ in range(5):
        once()
    objects, tensors = live_objects()
    for _ in range(300):
        once()
    after_objects, after_tensors = live_objects()
    assert after_tensors <= tensors
    assert after_objects <= objects + 20
