"""Optimizers of torch in `compile`, against plain PyTorch loops."""

import copy
import functools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import torchkeras_lite as tkl
from torchkeras_lite import callbacks, optimizers
from torchkeras_lite.optimizers import TorchOptimizer
from training.compiled_models import X, classifier

Y = np.random.default_rng(2).integers(0, 3, 12)
GIVEN = {
    "class": lambda model: torch.optim.AdamW,
    "partial": lambda model: functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "instance": lambda model: torch.optim.RMSprop(model.parameters(), lr=0.01),
    "fused": lambda model: functools.partial(torch.optim.Adam, lr=0.01, fused=True),
    "groups": lambda model: torch.optim.SGD(
        [
            {"params": model.layers[0].parameters(), "lr": 0.01},
            {"params": model.layers[1].parameters(), "weight_decay": 0.1},
        ],
        lr=0.1,
        momentum=0.5,
    ),
    "some parameters": lambda model: torch.optim.SGD(model.layers[1].parameters(), lr=0.1),
}


def compiled(given, **arguments):
    model = classifier()
    model.compile(
        GIVEN[given](model) if isinstance(given, str) else given,
        "sparse_categorical_crossentropy",
        **arguments,
    )
    return model


def plain_optimizer(given, model):
    made = GIVEN[given](model)
    return made if isinstance(made, torch.optim.Optimizer) else made(list(model.parameters()))


def batches():
    for rows in torch.arange(12).split(5):
        yield torch.tensor(X)[rows], torch.tensor(Y)[rows]


def plain_training(given, epochs=3):
    model = classifier()
    optimizer = plain_optimizer(given, model)
    model.train()
    for _ in range(epochs):
        for x, y in batches():
            optimizer.zero_grad()
            F.nll_loss(model(x).log(), y).backward()
            optimizer.step()
    return model


def assert_same_weights(ours, theirs):
    for mine, his in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, his, rtol=2e-5, atol=1e-6)


WAYS = [(given, way) for given in GIVEN for way in ("fit", "train_on_batch", "apply")]


@pytest.mark.parametrize(("given", "way"), [*WAYS, ("class", "jit")])
def test_training_equals_a_plain_loop(given, way):
    model = compiled(given, jit_compile={"backend": "eager"} if way == "jit" else "auto")
    if way in ("fit", "jit"):
        model.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0)
    else:
        for _ in range(3):
            for x, y in batches():
                if way == "train_on_batch":
                    model.train_on_batch(x, y)
                    continue
                model.train()
                loss = F.nll_loss(model(x).log(), y)
                weights = model.trainable_weights
                model.optimizer.apply(torch.autograd.grad(loss, [w.value for w in weights]), weights)
    assert_same_weights(model, plain_training(given))
    assert int(model.optimizer.iterations) == 9


def test_the_learning_rate_is_read_and_assigned():
    model = compiled("groups")
    torch_optimizer = model.optimizer.torch_optimizer
    assert float(model.optimizer.learning_rate) == 0.01
    model.optimizer.learning_rate = 0.02
    assert [group["lr"] for group in torch_optimizer.param_groups] == [0.02, 0.2]
    model.optimizer.learning_rate.assign(0.5)
    assert torch_optimizer.param_groups[1]["lr"] == 5.0
    early = TorchOptimizer(torch.optim.Adam)
    assert float(early.learning_rate) == 0.001
    early.learning_rate = 0.25
    early.build(list(classifier().parameters()))
    assert early.torch_optimizer.param_groups[0]["lr"] == 0.25
    tensor = torch.optim.SGD(classifier().parameters(), lr=torch.tensor(0.1))
    kept = tensor.param_groups[0]["lr"]
    TorchOptimizer(tensor).learning_rate = 0.5
    assert tensor.param_groups[0]["lr"] is kept
    assert float(kept) == 0.5


@pytest.mark.parametrize("given", ["class", "instance"])
def test_callbacks_drive_the_learning_rate(given):
    model = compiled(given)
    rates = callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[rates]).history
    assert history["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3])
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100)
    history = model.fit(X, Y, epochs=4, verbose=0, callbacks=[plateau]).history
    assert history["learning_rate"][-1] < history["learning_rate"][0]


def test_lbfgs_computes_the_loss_several_times():
    model, other = (classifier(1, None) for _ in range(2))
    y = X.sum(1, keepdims=True)
    model.compile(functools.partial(torch.optim.LBFGS, lr=0.5, max_iter=4), "mse", metrics=["mae"])
    history = model.fit(X, y, batch_size=12, epochs=3, shuffle=False, verbose=0).history
    optimizer = torch.optim.LBFGS(other.parameters(), lr=0.5, max_iter=4)
    other.train()
    losses = []
    for _ in range(3):

        def closure():
            optimizer.zero_grad()
            loss = F.mse_loss(other(torch.tensor(X)), torch.tensor(y))
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
    assert_same_weights(model, other)
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    with pytest.raises(RuntimeError, match="evaluates the loss several times a step"):
        model.optimizer.apply(
            [torch.zeros(w.shape) for w in model.trainable_weights], model.trainable_weights
        )


def test_wrong_optimizers_are_told():
    model = classifier()
    other = classifier()
    model.compile(torch.optim.SGD(other.parameters(), lr=0.1), "mse")
    with pytest.raises(ValueError, match="SGD holds none of the model's trainable parameters"):
        model.fit(X, np.ones((12, 3)), verbose=0)
    with pytest.raises(TypeError, match=r"expected a torch\.optim optimizer"):
        TorchOptimizer("adam")
    with pytest.raises(TypeError, match="no Keras schedule as its learning rate"):
        TorchOptimizer(torch.optim.SGD).learning_rate = optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    frozen = compiled("class")
    frozen.optimizer.build(frozen.trainable_weights)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        frozen.optimizer.update()


@pytest.mark.parametrize("way", ["state_dict", "store"])
@pytest.mark.parametrize("given", ["class", "partial", "groups"])
def test_saved_state_goes_on_exactly(given, way):
    model = compiled(given)
    model.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    again = compiled(given)
    again.load_state_dict(model.state_dict())
    again.optimizer.build(again.trainable_weights)
    if way == "state_dict":
        again.optimizer.load_state_dict(copy.deepcopy(model.optimizer.state_dict()))
    else:
        store = {}
        model.optimizer.save_own_variables(store)
        again.optimizer.load_own_variables(store)
    assert int(again.optimizer.iterations) == 6
    for one in (model, again):
        one.fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    assert_same_weights(again, model)
    assert_same_weights(again, plain_training(given))


def test_state_of_another_kind_is_refused():
    optimizer = TorchOptimizer(torch.optim.SGD)
    with pytest.raises(RuntimeError, match=r"state_dict\(\) needs the optimizer to be built"):
        optimizer.state_dict()
    optimizer.build(list(classifier().parameters()))
    with pytest.raises(ValueError, match="state of an optimizer that is not torch's"):
        optimizer.load_own_variables({"0": np.zeros(())})


@pytest.mark.parametrize("given", ["class", "partial", "groups", "instance"])
def test_config_round_trip(given):
    model = compiled(given)
    model.optimizer.build(model.trainable_weights)
    again = optimizers.deserialize(optimizers.serialize(model.optimizer))
    assert isinstance(again, TorchOptimizer)
    other = classifier()
    other.compile(again, "sparse_categorical_crossentropy")
    other.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0)
    assert_same_weights(other, plain_training(given))
    with pytest.raises(
        ValueError, match=r"unknown optimizer class 'torch.optim.Adm'; did you mean 'torch.optim.Adam'"
    ):
        TorchOptimizer.from_config({"class": "torch.optim.Adm", "options": {}})


def test_constraints_hold_after_torch_s_update():
    model = tkl.Sequential([tkl.Input((4,)), tkl.layers.Dense(3, kernel_constraint="non_neg")])
    model.compile(functools.partial(torch.optim.SGD, lr=0.5), "mse")
    model.fit(X, np.ones((12, 3)), verbose=0)
    assert model.layers[0].kernel.numpy().min() >= 0


def test_a_copy_trains_its_own_weights():
    model = compiled("partial")
    model.fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    copied = copy.deepcopy(model)
    for one in (model, copied):
        one.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    assert_same_weights(copied, model)
    assert next(copied.parameters()) is not next(model.parameters())


def test_loss_scaling_goes_around_it():
    assert isinstance(compiled("partial", precision="fp16").optimizer, optimizers.LossScaleOptimizer)
    inner = TorchOptimizer(GIVEN["partial"](None))
    model = compiled(optimizers.LossScaleOptimizer(inner, initial_scale=16), precision="fp16")
    model.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0)
    for mine, his in zip(model.parameters(), plain_training("partial").parameters(), strict=True):
        torch.testing.assert_close(mine, his, rtol=0.02, atol=0.01)
