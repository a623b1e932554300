"""Losses of torch in `compile`, against plain PyTorch."""

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import torchkeras_lite as tkl
from torchkeras_lite.training.torch_loss import TorchLoss
from training.compiled_models import X, classifier

RNG = np.random.default_rng(5)
LOGITS = torch.tensor(RNG.standard_normal((6, 3)), dtype=torch.float32)
ONE = torch.tensor(RNG.standard_normal((6, 1)), dtype=torch.float32)
STEPS = torch.tensor(RNG.standard_normal((6, 5, 3)), dtype=torch.float32)
CLASSES = torch.tensor([0, 2, 1, 1, 0, 2])
BINARY = torch.tensor([0, 1, 1, 0, 1, 0])
STEP_CLASSES = torch.tensor(RNG.integers(0, 3, (6, 5)))
CASES = {
    "classes": (nn.CrossEntropyLoss(), LOGITS, CLASSES, lambda: F.cross_entropy(LOGITS, CLASSES)),
    "classes of size 1": (
        nn.CrossEntropyLoss(),
        LOGITS,
        CLASSES[:, None],
        lambda: F.cross_entropy(LOGITS, CLASSES),
    ),
    "float classes": (
        nn.CrossEntropyLoss(),
        LOGITS,
        CLASSES.float(),
        lambda: F.cross_entropy(LOGITS, CLASSES),
    ),
    "int32 classes": (nn.CrossEntropyLoss(), LOGITS, CLASSES.int(), lambda: F.cross_entropy(LOGITS, CLASSES)),
    "one-hot": (
        nn.CrossEntropyLoss(label_smoothing=0.1),
        LOGITS,
        F.one_hot(CLASSES),
        lambda: F.cross_entropy(LOGITS, CLASSES, label_smoothing=0.1),
    ),
    "steps": (
        nn.CrossEntropyLoss(),
        STEPS,
        STEP_CLASSES,
        lambda: F.cross_entropy(STEPS.reshape(-1, 3), STEP_CLASSES.reshape(-1)),
    ),
    "classes on axis 1": (
        nn.CrossEntropyLoss(),
        STEPS.movedim(-1, 1),
        STEP_CLASSES,
        lambda: F.cross_entropy(STEPS.movedim(-1, 1), STEP_CLASSES),
    ),
    "half": (
        nn.CrossEntropyLoss(),
        LOGITS.bfloat16(),
        CLASSES,
        lambda: F.cross_entropy(LOGITS.bfloat16().float(), CLASSES),
    ),
    "log probabilities": (nn.NLLLoss(), LOGITS, CLASSES, lambda: F.nll_loss(LOGITS, CLASSES)),
    "margins": (nn.MultiMarginLoss(), LOGITS, CLASSES, lambda: F.multi_margin_loss(LOGITS, CLASSES)),
    "binary": (
        nn.BCEWithLogitsLoss(),
        ONE,
        BINARY,
        lambda: F.binary_cross_entropy_with_logits(ONE[:, 0], BINARY.float()),
    ),
    "values": (nn.SmoothL1Loss(), ONE, BINARY.float(), lambda: F.smooth_l1_loss(ONE[:, 0], BINARY.float())),
    "function": (F.cross_entropy, LOGITS, CLASSES, lambda: F.cross_entropy(LOGITS, CLASSES)),
    "partial": (
        functools.partial(F.cross_entropy, label_smoothing=0.2),
        LOGITS,
        CLASSES,
        lambda: F.cross_entropy(LOGITS, CLASSES, label_smoothing=0.2),
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_values(name):
    loss, y_pred, y_true, expected = CASES[name]
    torch.testing.assert_close(TorchLoss(loss)(y_true, y_pred), expected())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_sample_weights_count_as_in_keras(reduction):
    weights = torch.tensor(RNG.random(6), dtype=torch.float32)
    values = F.cross_entropy(LOGITS, CLASSES, reduction="none") * weights
    found = TorchLoss(nn.CrossEntropyLoss(reduction=reduction))(CLASSES, LOGITS, weights)
    torch.testing.assert_close(found, getattr(values, reduction)())


def test_masked_steps_do_not_count():
    mask = torch.arange(5) < torch.tensor([5, 3, 1, 2, 4, 5])[:, None]
    logits = STEPS.clone()
    logits._keras_mask = mask
    expected = F.cross_entropy(STEPS[mask], STEP_CLASSES[mask])
    torch.testing.assert_close(TorchLoss(nn.CrossEntropyLoss())(STEP_CLASSES, logits), expected)


def test_what_cannot_be_weighed_is_told():
    weights = torch.ones(6)
    for loss in (
        nn.CrossEntropyLoss(weight=torch.ones(3)),
        nn.CrossEntropyLoss(ignore_index=0),
        F.cross_entropy,
    ):
        with pytest.raises(ValueError, match=r"sample weights, class weights and masks work with losses of"):
            TorchLoss(loss)(CLASSES, LOGITS, weights)
    with pytest.raises(ValueError, match="do not tell which axis holds the classes"):
        TorchLoss(nn.CrossEntropyLoss())(torch.ones_like(STEPS), STEPS)


@pytest.mark.parametrize(
    "loss", [nn.CTCLoss(), nn.TripletMarginLoss(), F.cosine_embedding_loss], ids=["ctc", "triplet", "cosine"]
)
def test_losses_of_other_arguments_are_told_at_once(loss):
    with pytest.raises(ValueError, match=r"is called with .*a loss gets an output and its targets. Put it"):
        TorchLoss(loss)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.BCEWithLogitsLoss(), F.l1_loss], ids=["mse", "bce", "l1"])
def test_targets_are_not_stretched(loss):
    with pytest.raises(
        ValueError, match=r"the output has shape \(6, 3\) and its targets have shape \(6, 1\)"
    ):
        TorchLoss(loss)(ONE, LOGITS)


def test_a_class_stands_for_a_loss_with_its_defaults():
    model = classifier(activation=None)
    model.compile("sgd", nn.CrossEntropyLoss)
    with torch.no_grad():
        expected = F.cross_entropy(model(torch.tensor(X)), torch.arange(12) % 3).item()
    assert model.evaluate(X, np.arange(12) % 3, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_label_out_of_range_of_an_image():
    images, labels = np.zeros((4, 6, 6, 2), "float32"), np.zeros((4, 6, 6), "int64")
    labels[1, 2, 3] = 3
    model = tkl.Sequential([tkl.Input((6, 6, 2)), tkl.layers.Conv2D(3, 1)])
    for loss in (nn.CrossEntropyLoss(), F.cross_entropy):
        model.compile("sgd", loss)
        with pytest.raises(ValueError, match=r"expected labels from 0 to 2.*got 3 at \[1, 2, 3\]"):
            model.evaluate(images, labels, verbose=0)


def test_fit_trains_what_a_plain_loop_trains():
    y = RNG.integers(0, 3, 12)
    model, other = classifier(activation=None), classifier(activation=None)
    model.compile(torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), metrics=["accuracy"])
    model.fit(X, y, batch_size=4, epochs=2, shuffle=False, verbose=0, class_weight={0: 2.0})
    optimizer, weights = torch.optim.SGD(other.parameters(), lr=0.1), torch.tensor([2.0, 1.0, 1.0])
    other.train()
    for _ in range(2):
        for rows in torch.arange(12).split(4):
            optimizer.zero_grad()
            labels = torch.tensor(y)[rows]
            values = F.cross_entropy(other(torch.tensor(X)[rows]), labels, reduction="none")
            (values * weights[labels]).mean().backward()
            optimizer.step()
    for mine, his in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, his)


def test_a_loss_of_ones_own_class_is_called_in_torch_s_order():
    class Far(nn.Module):
        def forward(self, input, target):
            return (2 * input - target).square().mean()

    model = classifier(1, None)
    model.compile("sgd", Far())
    found = model.evaluate(X, np.ones((12, 1), "float32"), verbose=0)
    with torch.no_grad():
        assert found == pytest.approx(float((2 * model(torch.tensor(X)) - 1).square().mean()), rel=1e-6)
