"""Schedulers of torch in `compile`, with optimizers of torch and of this package, against plain loops."""

import functools

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import torchkeras_lite as tkl
from torchkeras_lite import callbacks, optimizers
from torchkeras_lite.optimizers import TorchScheduler
from training.compiled_models import X, classifier

Y = np.random.default_rng(2).integers(0, 3, 12)
STEPS, EPOCHS = 3, 4
SCHEDULERS = {
    "StepLR": functools.partial(lr_scheduler.StepLR, step_size=2, gamma=0.5),
    "ExponentialLR": functools.partial(lr_scheduler.ExponentialLR, gamma=0.9),
    "CosineAnnealingLR": functools.partial(lr_scheduler.CosineAnnealingLR, T_max=4),
    "LinearLR": functools.partial(lr_scheduler.LinearLR, total_iters=3),
    "MultiStepLR": functools.partial(lr_scheduler.MultiStepLR, milestones=[1, 3]),
    "LambdaLR": functools.partial(lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 0.8**epoch),
    "function": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.ConstantLR(optimizer, 0.1, 2), lr_scheduler.ExponentialLR(optimizer, 0.9)],
        [2],
    ),
    "OneCycleLR": functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=STEPS * EPOCHS),
    "CyclicLR": functools.partial(lr_scheduler.CyclicLR, base_lr=0.01, max_lr=0.2, step_size_up=4),
    "CosineAnnealingWarmRestarts": functools.partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=5),
}
PER_STEP = ("OneCycleLR", "CyclicLR", "CosineAnnealingWarmRestarts")
OPTIMIZERS = {
    "torch": functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "keras": lambda: optimizers.SGD(0.1, momentum=0.9),
}


class Rates(callbacks.Callback):
    """Notes learning rate and momentum before every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        optimizer = self.model.optimizer
        group = getattr(optimizer, "torch_optimizer", None)
        momentum = optimizer.momentum if group is None else group.param_groups[0]["momentum"]
        self.seen.append((float(optimizer.learning_rate), momentum))


def plain_rates(make, per_step):
    """Rates and momenta of every step of a plain loop."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler, seen = make(optimizer), []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            group = optimizer.param_groups[0]
            seen.append((group["lr"], group["momentum"]))
            optimizer.step()
            if per_step:
                scheduler.step()
        if not per_step:
            scheduler.step()
    return seen


def model_with(scheduler, kind="torch", **arguments):
    model = classifier()
    optimizer = OPTIMIZERS[kind] if kind == "torch" else OPTIMIZERS[kind]()
    model.compile(optimizer, "sparse_categorical_crossentropy", lr_scheduler=scheduler, **arguments)
    return model


def fitted(model, epochs=EPOCHS, **arguments):
    rates = Rates()
    history = model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=[rates], **arguments)
    return rates.seen, history.history


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_rates_equal_a_plain_loop(name, kind):
    make, per_step = SCHEDULERS[name], name in PER_STEP
    model = model_with(make, kind)
    seen, history = fitted(model)
    np.testing.assert_allclose(seen, plain_rates(make, per_step), rtol=1e-6)
    if not per_step:
        np.testing.assert_allclose(history["learning_rate"], [rate for rate, _ in seen[::STEPS]], rtol=1e-6)
    assert model.lr_scheduler.interval == ("step" if per_step else "epoch")


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_the_interval_can_be_said(interval):
    make = SCHEDULERS["LambdaLR"]
    seen, _ = fitted(model_with({"scheduler": make, "interval": interval}))
    np.testing.assert_allclose(seen, plain_rates(make, interval == "step"), rtol=1e-6)


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("validated", [False, True])
def test_plateaus_watch_the_loss(kind, validated):
    make = functools.partial(lr_scheduler.ReduceLROnPlateau, patience=0, threshold=100, threshold_mode="abs")
    data = {"validation_data": (X, Y)} if validated else {}
    _, history = fitted(model_with(make, kind), **data)
    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.001], rel=1e-5)
    seen = []

    class Watching(lr_scheduler.ReduceLROnPlateau):
        def step(self, metrics):
            seen.append(metrics)
            super().step(metrics)

    _, history = fitted(model_with(Watching, kind), **data)
    assert seen == history["val_loss" if validated else "loss"]
    with pytest.raises(ValueError, match=r"monitors 'los', which is not in the logs.*did you mean 'loss'"):
        fitted(model_with({"scheduler": make, "monitor": "los"}, kind))


def test_an_instance_belongs_to_the_compiled_optimizer():
    model, other = classifier(), classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", lr_scheduler=SCHEDULERS["StepLR"](optimizer))
    seen, _ = fitted(model)
    np.testing.assert_allclose(seen, plain_rates(SCHEDULERS["StepLR"], False), rtol=1e-6)
    stranger = SCHEDULERS["StepLR"](torch.optim.SGD(other.parameters(), lr=0.1))
    for wrong in (optimizer, "sgd"):
        with pytest.raises(ValueError, match="StepLR was made for another optimizer"):
            model.compile(wrong, "mse", lr_scheduler=stranger)


def test_groups_keep_their_own_rates():
    model = classifier()
    groups = [
        {"params": layer.parameters(), "lr": rate}
        for layer, rate in zip(model.layers, (0.1, 0.4), strict=True)
    ]
    optimizer = torch.optim.SGD(groups)
    model.compile(optimizer, "sparse_categorical_crossentropy", lr_scheduler=SCHEDULERS["ExponentialLR"])
    model.fit(X, Y, epochs=2, verbose=0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.081, 0.324])


def test_steps_follow_updates_not_batches():
    seen, _ = fitted(model_with({"scheduler": SCHEDULERS["ExponentialLR"], "interval": "step"}, "keras"))
    model = classifier()
    sgd = optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2)
    scheduler = {"scheduler": SCHEDULERS["ExponentialLR"], "interval": "step"}
    model.compile(sgd, "sparse_categorical_crossentropy", lr_scheduler=scheduler)
    halved, _ = fitted(model)
    assert [rate for rate, _ in halved[::2]] == [rate for rate, _ in seen[:6]]


def test_custom_loops_step_too():
    model = model_with({"scheduler": SCHEDULERS["ExponentialLR"], "interval": "step"}, "keras")
    model.optimizer.build(model.trainable_weights)
    for _ in range(2):
        model.optimizer.apply([torch.zeros(w.shape) for w in model.trainable_weights])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.081)


def test_a_further_rate_from_outside_is_kept():
    model = model_with(SCHEDULERS["ExponentialLR"], "keras")
    fitted(model, 1)
    model.optimizer.learning_rate = 1.0
    fitted(model, 1)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.9)


def test_compiling_again_lets_the_scheduler_go():
    model = model_with(SCHEDULERS["ExponentialLR"])
    fitted(model, 1)
    rate = float(model.optimizer.learning_rate)
    model.compile(model.optimizer, "sparse_categorical_crossentropy")
    assert "learning_rate" not in fitted(model, 2)[1]
    assert float(model.optimizer.learning_rate) == rate


@pytest.mark.parametrize("started", [False, True], ids=["new", "started"])
@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "LambdaLR", "OneCycleLR", "function"])
def test_saved_state_goes_on_exactly(name, kind, started):
    make, per_step = SCHEDULERS[name], name in PER_STEP
    first, second = model_with(make, kind), model_with(make, kind)
    seen, _ = fitted(first, 2)
    second.optimizer.build(second.trainable_weights)
    if started:
        second.optimizer.prepare()
    store = {}
    first.lr_scheduler.save_own_variables(store)
    second.lr_scheduler.load_own_variables(store)
    if kind == "torch":
        second.optimizer.load_state_dict(first.optimizer.state_dict())
    else:
        second.optimizer.set_weights(first.optimizer.get_weights())
    more, _ = fitted(second, 2)
    np.testing.assert_allclose(seen + more, plain_rates(make, per_step), rtol=1e-6)


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR"])
def test_a_saved_model_goes_on_exactly(name, kind, tmp_path):
    model = model_with(SCHEDULERS[name], kind)
    seen, _ = fitted(model, 2, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = tkl.models.load_model(tmp_path / "model.keras")
    more, history = fitted(loaded, 2, shuffle=False)
    np.testing.assert_allclose(seen + more, plain_rates(SCHEDULERS[name], name in PER_STEP), rtol=1e-6)
    assert fitted(model, 2, shuffle=False)[1]["loss"] == pytest.approx(history["loss"])


def test_state_before_training():
    scheduler = model_with(SCHEDULERS["StepLR"]).lr_scheduler
    with pytest.raises(RuntimeError, match=r"state_dict\(\) needs the scheduler"):
        scheduler.state_dict()
    store = {}
    scheduler.save_own_variables(store)
    assert store == {}


@pytest.mark.parametrize(
    ("given", "optimizer", "error", "message"),
    [
        ("StepLR", optimizers.SGD(), TypeError, "expected a class of `torch.optim.lr_scheduler`"),
        (
            optimizers.schedules.ExponentialDecay(0.1, 2, 0.5),
            optimizers.SGD(),
            TypeError,
            "A schedule of Keras",
        ),
        (
            {"scheduler": SCHEDULERS["StepLR"], "intervall": 1},
            optimizers.SGD(),
            TypeError,
            "did you mean 'interval'",
        ),
        (
            {"scheduler": SCHEDULERS["StepLR"], "interval": "steps"},
            optimizers.SGD(),
            ValueError,
            "mean 'step'",
        ),
        (
            SCHEDULERS["StepLR"],
            optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
            ValueError,
            "already follows a schedule",
        ),
        (
            SCHEDULERS["StepLR"],
            optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD())),
            ValueError,
            "no learning rate of its own",
        ),
    ],
    ids=lambda v: "",
)
def test_what_is_no_scheduler_is_told(given, optimizer, error, message):
    with pytest.raises(error, match=message):
        TorchScheduler(given, optimizer)


def test_a_function_that_makes_no_scheduler_is_told():
    with pytest.raises(TypeError, match="which is no scheduler"):
        fitted(model_with(lambda optimizer: 3))


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR"])
def test_compile_config_round_trip(name, kind):
    config = model_with(SCHEDULERS[name], kind).get_compile_config()
    again = classifier()
    again.compile_from_config(config)
    np.testing.assert_allclose(fitted(again)[0], plain_rates(SCHEDULERS[name], name in PER_STEP), rtol=1e-6)
    with pytest.warns(UserWarning, match="argument `lr_scheduler` of compile.. is not saved"):
        assert model_with(SCHEDULERS["function"], kind).get_compile_config()["lr_scheduler"] is None
    with pytest.raises(ValueError, match="unknown class 'StpLR'; did you mean 'StepLR'"):
        TorchScheduler.from_config({"class": "StpLR"})
