"""`compile(auto_micro_batch=True)`, with a layer that runs out of memory above a number of rows."""

import contextlib

import numpy as np
import pytest
import torch

import torchkeras_lite as tkl
from torchkeras_lite import layers, optimizers
from training.compiled_models import A, B, X, filled


class Narrow(tkl.Layer):
    """Fails as an accelerator does where a batch has more than `most` rows."""

    def __init__(self, most, where="forward", **kwargs):
        super().__init__(**kwargs)
        self.most = most
        self.where = where
        self.seen = []

    def call(self, x):
        self.__dict__["seen"].append(len(x))
        if self.where == "forward":
            self.check(x)
        elif x.requires_grad:
            x.register_hook(self.check)
        return x

    def check(self, tensor):
        if self.training and len(tensor) > self.most:
            raise torch.OutOfMemoryError("out of memory")


def model_of(most, *inner, where="forward", loss="mse", auto=True, **arguments):
    model = tkl.Sequential([tkl.Input((4,)), layers.Dense(8), Narrow(most, where), *inner, layers.Dense(3)])
    filled(model)
    settings = dict(loss=loss, metrics=["mae"], auto_micro_batch=auto) | arguments
    model.compile(optimizers.Adam(0.05), **settings)
    return model


def sizes(model):
    return model.layers[1].seen


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("loss", ["mse", tkl.losses.MeanSquaredError(reduction="sum")], ids=["mean", "sum"])
def test_training_equals_that_of_the_whole_batch(loss, where):
    weights = np.random.default_rng(3).random(12).astype("float32")
    whole = model_of(100, loss=loss, where=where, auto=False)
    parts = model_of(3, loss=loss, where=where)
    arguments = dict(batch_size=10, epochs=3, shuffle=False, verbose=0, sample_weight=weights)
    expected = whole.fit(X, A, **arguments).history
    with pytest.warns(UserWarning, match="of 10 rows does not fit .* in parts of 5 rows or fewer"):
        found = parts.fit(X, A, **arguments).history
    for mine, his in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, his, rtol=1e-4, atol=1e-5)
    assert found["mae"] == pytest.approx(expected["mae"], rel=1e-4)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)


def test_the_size_that_fitted_is_kept():
    model = model_of(3)
    sizes(model).clear()
    with pytest.warns(UserWarning, match="does not fit"):
        model.fit(X, A, batch_size=12, verbose=0, epochs=1)
    assert sizes(model) == [12, 6, 3, 3, 3, 3]
    for _ in range(2):
        sizes(model).clear()
        model.train_on_batch(X, A)
    assert sizes(model) == [3, 3, 3, 3]


def test_several_inputs_outputs_and_regularizers():
    models = []
    for auto in (False, True):
        inputs = tkl.Input((4,), name="x")
        hidden = Narrow(5 if auto else 100)(layers.Dense(6, kernel_regularizer="l2")(inputs))
        model = tkl.Model(inputs, {"u": layers.Dense(3)(hidden), "v": layers.Dense(1)(hidden)})
        filled(model)
        model.compile(optimizers.SGD(0.05), "mse", loss_weights={"u": 1, "v": 0.5}, auto_micro_batch=auto)
        models.append(model)
    arguments = dict(batch_size=12, epochs=2, shuffle=False, verbose=0)
    expected = models[0].fit({"x": X}, {"u": A, "v": B}, **arguments).history
    with pytest.warns(UserWarning, match="does not fit"):
        found = models[1].fit({"x": X}, {"u": A, "v": B}, **arguments).history
    assert list(found) == list(expected)
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=1e-4)


def test_batch_normalization_is_told_to_be_inexact():
    with pytest.warns(UserWarning, match="BatchNormalization normalizes each part by itself"):
        model_of(6, layers.BatchNormalization()).fit(X, A, batch_size=12, verbose=0)


@pytest.mark.parametrize("auto", [False, True])
def test_one_row_that_does_not_fit_is_an_error(auto):
    model = model_of(0, auto=auto)
    with pytest.raises(torch.OutOfMemoryError), pytest.warns() if auto else contextlib.nullcontext():
        model.fit(X, A, batch_size=4, verbose=0)
    assert all(parameter.grad is None for parameter in model.parameters()) or not auto


def test_what_it_cannot_do_is_told():
    class Own(tkl.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    own = Own([tkl.Input((4,)), layers.Dense(3)])
    own.compile("sgd", "mse", auto_micro_batch=True)
    with pytest.raises(ValueError, match="does not reach into a `train_step` of your own"):
        own.fit(X, A, verbose=0)
    model = model_of(100)
    model.compile(torch.optim.LBFGS, "mse", auto_micro_batch=True)
    with pytest.raises(
        ValueError, match="does not work with an optimizer that computes the loss several times"
    ):
        model.fit(X, A, verbose=0)
    inputs = tkl.Input((4,))
    hidden = Narrow(5)(layers.Dense(3)(inputs))
    mixed = tkl.Model(inputs, [layers.Dense(3)(hidden), layers.Dense(1)(hidden)])
    losses = [tkl.losses.MeanSquaredError(reduction="sum"), "mse"]
    mixed.compile("sgd", losses, auto_micro_batch=True)
    with pytest.raises(ValueError, match="Give all the same `reduction`"), pytest.warns():
        mixed.fit(X, [A, B], verbose=0, batch_size=12)
