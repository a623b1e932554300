"""Updates stay on the device: they ask it for no value, take few kernels, and the state follows the data."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from torchkeras_lite import metrics
from torchkeras_lite.metrics import Metric


class ColumnSums(Metric):
    def __init__(self, name="column_sums", **kwargs):
        super().__init__(name=name, **kwargs)
        self.by_column = self.add_variable(shape=(3,), initializer="zeros", name="by_column")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.by_column.assign(self.by_column + (y_true - y_pred).sum(0))

    def result(self):
        return self.by_column.sum()


class NoSync(TorchDispatchMode):
    """Raises where an update asks the device for a value, and counts the kernels."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal"), name
        views = (
            "detach",
            "view",
            "expand",
            "squeeze",
            "unsqueeze",
            "t",
            "alias",
            "select",
            "slice",
            "transpose",
        )
        if name not in views:
            self.calls.append(name)
        return function(*args, **(kwargs or {}))


UPDATES = [
    ("BinaryAccuracy", {}, (6, 3)),
    ("SparseCategoricalAccuracy", {}, None),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, None),
    ("CategoricalAccuracy", {}, (6, 3)),
    ("MeanSquaredError", {}, (6, 3)),
    ("BinaryCrossentropy", {}, (6, 3)),
    ("Hinge", {}, (6, 3)),
    ("Precision", {}, (6, 3)),
    ("Precision", {"thresholds": [0.2, 0.4], "top_k": 2}, (6, 3)),
    ("AUC", {}, (6, 3)),
    ("AUC", {"multi_label": True}, (6, 3)),
    ("SensitivityAtSpecificity", {"specificity": 0.5}, (6, 3)),
    ("F1Score", {}, (6, 3)),
    ("R2Score", {"num_regressors": 1}, (6, 3)),
    ("PearsonCorrelation", {}, (6, 3)),
    ("RootMeanSquaredError", {}, (6, 3)),
    ("MeanIoU", {"num_classes": 3, "sparse_y_pred": False}, None),
]


@pytest.mark.parametrize(("name", "args", "shape"), UPDATES, ids=[f"{u[0]}-{u[1]}" for u in UPDATES])
@pytest.mark.parametrize("weighted", [False, True])
def test_nothing_waits_for_the_device(name, args, shape, weighted):
    y_pred = torch.rand(6, 3)
    y_true = torch.randint(0, 2, (6,) if shape is None else shape)
    y_true = y_true.float() if name in ("MeanSquaredError", "R2Score") else y_true
    integer = name == "MeanIoU"
    weight = (torch.ones(6, dtype=torch.int32) if integer else torch.rand(6)) if weighted else None
    metric = getattr(metrics, name)(**args)
    metric.update_state(y_true, y_pred, weight)
    with NoSync():
        metric.update_state(y_true, y_pred, weight)
        metric.result()
        metric.reset_state()


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("Mean", 2),
        ("MeanSquaredError", 2),
        ("BinaryAccuracy", 4),
        ("SparseCategoricalAccuracy", 4),
        ("CategoricalAccuracy", 5),
        ("RootMeanSquaredError", 2),
        ("Precision", 8),
    ],
)
def test_an_update_takes_few_kernels(name, most):
    metric = getattr(metrics, name)()
    batch = (torch.rand(6),) if name == "Mean" else (torch.rand(6, 3).round(), torch.rand(6, 3))
    if name == "SparseCategoricalAccuracy":
        batch = (torch.tensor([0, 1, 2, 0, 1, 2]), torch.rand(6, 3))
    metric.update_state(*batch)
    with NoSync() as counted:
        metric.update_state(*batch)
    assert len(counted.calls) <= most, counted.calls


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("name", "args", "shape"), UPDATES, ids=[f"{u[0]}-{u[1]}" for u in UPDATES])
def test_state_follows_the_data_to_the_gpu(name, args, shape):
    y_pred = torch.rand(6, 3)
    y_true = torch.randint(0, 2, (6,) if shape is None else shape)
    here, there = (getattr(metrics, name)(**args) for _ in range(2))
    user = ColumnSums()
    torch.cuda.set_sync_debug_mode("error")
    try:
        data = y_true.to("cuda", non_blocking=True), y_pred.to("cuda", non_blocking=True)
        there.update_state(*data), user.update_state(data[1] * 2, data[1])
        there.reset_state(), user.reset_state()
        there.update_state(*data), user.update_state(data[1] * 2, data[1])
        result = there.result()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert user.by_column.value.is_cuda
    assert user.result().is_cuda
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), here(y_true, y_pred), rtol=1e-4, atol=1e-5)
