"""`model.find_lr`: a useful suggestion, and a model that is as it was before."""

import numpy as np
import pytest
import torch

import torchkeras_lite as tkl

X = np.random.default_rng(0).standard_normal((256, 4)).astype("float32")
Y = X @ np.arange(4, dtype="float32")[:, None]


def model_of(optimizer="adam", built=True):
    stack = [tkl.layers.Dense(8, activation="tanh"), tkl.layers.BatchNormalization(), tkl.layers.Dense(1)]
    model = tkl.Sequential([*([tkl.Input((4,))] if built else []), *stack])
    model.compile(optimizer, "mse")
    return model


OPTIMIZERS = {
    "name": lambda: "adam",
    "schedule": lambda: tkl.optimizers.SGD(
        tkl.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9), momentum=0.9
    ),
    "averages": lambda: tkl.optimizers.Adam(use_ema=True),
    "loss scaling": lambda: tkl.optimizers.LossScaleOptimizer(tkl.optimizers.Adam()),
    "torch": lambda: torch.optim.AdamW,
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_as_if_nothing_had_been(optimizer):
    histories = []
    for searches in (False, True):
        tkl.utils.set_random_seed(0)
        model = model_of(OPTIMIZERS[optimizer]())
        model.fit(X, Y, verbose=0)
        if searches:
            curve = model.find_lr(X, Y, steps=20)
            assert len(curve.losses) <= 20
        histories.append(model.fit(X, Y, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]


def test_the_suggestion_trains_better_than_rates_far_from_it():
    tkl.utils.set_random_seed(0)
    model = model_of("sgd")
    curve = model.find_lr(X, Y, min_lr=1e-6, max_lr=100.0)
    assert 1e-3 < curve.suggestion < 1
    losses = {}
    for factor in (1e-3, 1, 1e3):
        tkl.utils.set_random_seed(0)
        trained = model_of(tkl.optimizers.SGD(curve.suggestion * factor))
        losses[factor] = trained.fit(X, Y, epochs=3, verbose=0).history["loss"][-1]
    assert losses[1] < losses[1e-3]
    assert not losses[1e3] < losses[1]


def test_rates_grow_by_a_constant_factor_until_the_loss_diverges():
    curve = model_of("sgd").find_lr(X, Y, min_lr=1e-5, max_lr=1e4, steps=50)
    ratios = np.diff(np.log(curve.learning_rates))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-5)
    assert curve.learning_rates[0] == 1e-5
    assert len(curve.losses) < 50


def test_models_without_weights_and_generators():
    def batches():
        while True:
            yield X[:32], Y[:32]

    curve = model_of(built=False).find_lr(batches(), steps=30)
    assert len(curve.learning_rates) == len(curve.smoothed) == len(curve.losses)
    assert "LearningRateCurve steps=" in repr(curve)


def test_a_flat_loss_has_no_suggestion():
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(1)])
    model.compile("sgd", lambda y_true, y_pred: 0 * y_pred.sum(-1) + 1)
    assert model.find_lr(X, Y, steps=20).suggestion is None


def test_plot(tmp_path):
    figure = model_of().find_lr(X, Y, steps=30).plot(tmp_path / "curve.png")
    (axis,) = figure.axes
    assert axis.get_xscale() == "log"
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


WRONG = {
    "order": ({"min_lr": 1.0, "max_lr": 0.1}, "expected 0 < min_lr < max_lr"),
    "zero": ({"min_lr": 0.0}, "expected 0 < min_lr < max_lr"),
    "few steps": ({"steps": 3}, "`steps` must be 10 or more, got 3"),
    "no steps": ({"steps": 0}, "`steps` must be a positive integer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_told(case):
    arguments, text = WRONG[case]
    with pytest.raises(ValueError, match=text):
        model_of().find_lr(X, Y, **arguments)


def test_it_needs_compile():
    with pytest.raises(ValueError, match=r"find_lr\(\) needs a loss and an optimizer"):
        tkl.Sequential([tkl.layers.Dense(1)]).find_lr(X, Y)
