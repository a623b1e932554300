"""The usual training step: it never waits for the device, takes few kernels, and traces into one graph."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from losses import loss_cases as cases
from losses.loss_cases import CASES, IDS
from torchkeras_lite import losses


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum", None])
@pytest.mark.parametrize(("name", "function", "args", "kind"), CASES, ids=IDS)
def test_nothing_reads_values(name, function, args, kind, reduction, weighted, rng):
    """On the meta device there are no values, so that whatever asks for one raises."""
    y_true, y_pred = (torch.tensor(array, device="meta") for array in cases.make(kind, (4, 5, 3), rng))
    y_pred._keras_mask = torch.ones((), dtype=torch.bool, device="meta") if weighted else None
    weights = [torch.ones((), device="meta")] if weighted else []
    loss = getattr(losses, name)(**args, reduction=reduction)
    assert loss(y_true, y_pred.requires_grad_(), *weights).is_meta


def test_circle_reads_no_values():
    labels = torch.zeros(4, dtype=torch.long, device="meta")
    assert losses.Circle()(labels, torch.zeros(4, 3, device="meta")).is_meta


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


VIEWS = {"view", "squeeze", "unsqueeze", "expand", "detach", "_unsafe_view", "alias"}


@pytest.mark.parametrize(
    ("loss", "kind", "operations"),
    [
        ("MeanSquaredError", "real", ["mse_loss"]),
        ("MeanAbsoluteError", "real", ["sub", "abs", "mean"]),
        ("Huber", "real", ["huber_loss"]),
        ("BinaryCrossentropy", "logits", ["binary_cross_entropy_with_logits"]),
        ("BinaryCrossentropy", "binary", ["logit", "binary_cross_entropy_with_logits"]),
        ("SparseCategoricalCrossentropy", "sparse_logits", ["_log_softmax", "nll_loss_forward"]),
        ("SparseCategoricalCrossentropy", "sparse", ["gather", "sum", "div", "clamp", "log", "mean", "neg"]),
        ("CategoricalCrossentropy", "class_logits", ["_log_softmax", "mul", "sum", "neg", "div"]),
        ("CategoricalCrossentropy", "classes", ["sum", "div", "clamp", "xlogy", "sum", "mul"]),
    ],
)
def test_the_usual_step_takes_few_kernels(loss, kind, operations, rng):
    y_true, y_pred = map(torch.tensor, cases.make(kind, (4, 3), rng))
    y_true = y_true.float() if "sparse" not in kind else y_true
    args = {"from_logits": "logits" in kind} if "Crossentropy" in loss else {}
    loss = getattr(losses, loss)(**args)
    with Recorder() as recorder:
        loss(y_true, y_pred)
    assert [name for name in recorder.names if name not in VIEWS] == operations


@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "SparseCategoricalCrossentropy"])
def test_traces_into_one_graph(name, rng):
    kind = "sparse" if name.startswith("Sparse") else "binary"
    y_true, y_pred = map(torch.tensor, cases.make(kind, (4, 3), rng))
    loss = getattr(losses, name)()
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    weight = torch.rand(4)
    torch.testing.assert_close(compiled(y_true, y_pred), loss(y_true, y_pred))
    torch.testing.assert_close(compiled(y_true, y_pred, weight), loss(y_true, y_pred, weight))


def test_inside_autocast(rng):
    labels = torch.tensor([0, 1, 0, 1])
    embeddings = torch.nn.functional.normalize(torch.randn(4, 16), dim=-1)
    expected = losses.Circle()(labels, embeddings)
    binary = losses.BinaryCrossentropy()(labels, embeddings[:, :1].sigmoid())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(losses.Circle()(labels, embeddings), expected)
        torch.testing.assert_close(losses.BinaryCrossentropy()(labels, embeddings[:, :1].sigmoid()), binary)
