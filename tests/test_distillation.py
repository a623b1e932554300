"""`Distiller`: Keras's losses and histories, a frozen teacher, a file."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import saving

RNG = np.random.RandomState(0)
X = RNG.rand(20, 4).astype("float32")
Y = RNG.randint(0, 3, 20)
T, S = RNG.normal(size=(2, 6, 3)).astype("float32")

LOSSES = {
    "logits": lambda d, k: d.LogitsDistillation(temperature=2.0),
    "divergence object": lambda d, k: d.LogitsDistillation(temperature=4.0, loss=k.losses.KLDivergence()),
    "crossentropy": lambda d, k: d.LogitsDistillation(
        loss=k.losses.CategoricalCrossentropy(from_logits=True)
    ),
    "features": lambda d, k: d.FeatureDistillation(),
    "cosine": lambda d, k: d.FeatureDistillation("cosine_similarity"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_kerass(name):
    mine = LOSSES[name](torchkeras_lite.distillation, torchkeras_lite).compute_loss(
        torch.tensor(T), torch.tensor(S)
    )
    his = LOSSES[name](keras.distillation, keras).compute_loss(torch.tensor(T), torch.tensor(S))
    torch.testing.assert_close(mine, his)


def test_losses_of_several_outputs_are_kerass():
    def loss(d):
        outputs = [[torch.tensor(one), torch.tensor(one + 1)] for one in (T, S)]
        return d.FeatureDistillation(["mse", None]).compute_loss(*outputs)

    torch.testing.assert_close(loss(torchkeras_lite.distillation), loss(keras.distillation))


def distiller_of(k, losses):
    models = []
    for size, kind in ((8, "teacher"), (5, "student")):
        rng = np.random.RandomState(size)
        model = k.Sequential(
            [k.Input((4,)), k.layers.Dense(3, name=f"{kind}_inner"), k.layers.Dense(3, name=f"{kind}_outer")]
        )
        model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.weights])
        models.append(model)
    distiller = k.distillation.Distiller(*models, losses(k.distillation), student_loss_weight=0.3)
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(k.optimizers.SGD(0.1), loss=loss, metrics=["accuracy"])
    return distiller


@pytest.mark.parametrize(
    "losses",
    [
        lambda d: d.LogitsDistillation(temperature=2.0),
        lambda d: [d.LogitsDistillation(), d.FeatureDistillation("mse", "teacher_inner", "student_inner")],
    ],
    ids=["logits", "features too"],
)
def test_training_is_kerass(losses):
    mine, his = distiller_of(torchkeras_lite, losses), distiller_of(keras, losses)
    before = mine.teacher.get_weights()
    histories = [d.fit(X, Y, epochs=3, batch_size=10, shuffle=False, verbose=0).history for d in (mine, his)]
    assert set(histories[0]) == set(histories[1])
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=1e-4, err_msg=name)
    for kept, weight in zip(before, mine.teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weight)
    np.testing.assert_allclose(mine.predict(X, verbose=0), mine.student.predict(X, verbose=0))


def test_a_distiller_is_saved_and_read(tmp_path):
    distiller = distiller_of(torchkeras_lite, lambda d: d.LogitsDistillation(temperature=2.0))
    distiller.fit(X, Y, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    read = saving.load_model(tmp_path / "distiller.keras")
    np.testing.assert_allclose(read.predict(X, verbose=0), distiller.predict(X, verbose=0), rtol=1e-5)
    assert read.distillation_losses[0].temperature == 2.0
    np.testing.assert_allclose(
        list(read.evaluate(X, Y, verbose=0)), list(distiller.evaluate(X, Y, verbose=0)), rtol=1e-4
    )


def _model(units=3, features=4):
    return torchkeras_lite.Sequential(
        [torchkeras_lite.Input((features,)), torchkeras_lite.layers.Dense(units)]
    )


REFUSED = {
    "teacher": (lambda d: d.Distiller(3, _model(), d.LogitsDistillation()), "Teacher must be a keras.Model"),
    "inputs": (
        lambda d: d.Distiller(_model(), _model(features=5), d.LogitsDistillation()),
        "input shapes are incompatible",
    ),
    "outputs": (
        lambda d: d.Distiller(_model(), _model(2), d.LogitsDistillation()),
        "output shapes are incompatible",
    ),
    "weight": (
        lambda d: d.Distiller(_model(), _model(), d.LogitsDistillation(), student_loss_weight=2.0),
        "must be between 0.0 and 1.0",
    ),
    "weights": (
        lambda d: d.Distiller(_model(), _model(), [d.LogitsDistillation()], [1.0, 2.0]),
        "must match number of distillation_losses",
    ),
    "no losses": (lambda d: d.Distiller(_model(), _model(), None), "'distillation_losses' cannot be `None`"),
    "layer": (
        lambda d: d.Distiller(_model(), _model(), d.FeatureDistillation("mse", "nowhere", "nowhere")),
        "In teacher model: No such layer",
    ),
    "temperature": (lambda d: d.LogitsDistillation(temperature=0.0), "temperature must be positive"),
    "loss": (lambda d: d.FeatureDistillation([None]), "at least one non-`None` value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call(torchkeras_lite.distillation)
