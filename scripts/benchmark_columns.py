"""The columns of the benchmark: functions of a workload that return an epoch to time, a function of nothing.

Every epoch shuffles, trains, and keeps the mean loss and one metric.
"""

import contextlib
import importlib.util
import io
import logging
import warnings

import torch

from benchmark_workloads import torch_loss, torch_metric


def tuned(workload, device, compiled=False):
    """A tuned loop: arrays indexed by a permutation, a fused optimizer, nothing waits inside the epoch."""
    net = workload.torch_net(device)
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    call = torch.compile(net) if compiled else net
    inputs, targets = workload.torch_arrays(device)
    size, kind = workload.batch_size, workload.kind

    def epoch():
        net.train()
        order = torch.randperm(len(inputs)).to(device)
        total, metric = torch.zeros((), device=device), torch.zeros((), device=device)
        for start in range(0, len(inputs), size):
            chosen = order[start : start + size]
            x, y = inputs[chosen], targets[chosen]
            optimizer.zero_grad(set_to_none=True)
            outputs = call(x)
            loss = torch_loss(kind, outputs, y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                total += loss * len(x)
                metric += torch_metric(kind, outputs, y) * len(x)
        return (total / len(inputs)).item(), (metric / len(inputs)).item()

    return epoch


def torch_compile(workload, device):
    """The tuned loop with `torch.compile` around its model."""
    return tuned(workload, device, compiled=True)


def everyday(workload, device):
    """The loop of tutorials: a `DataLoader`, the default optimizer, numbers read in every step."""
    net = workload.torch_net(device)
    optimizer = torch.optim.Adam(net.parameters())
    data = torch.utils.data.TensorDataset(*workload.torch_arrays("cpu"))
    loader = torch.utils.data.DataLoader(data, batch_size=workload.batch_size, shuffle=True)

    def epoch():
        net.train()
        total, metric = 0.0, 0.0
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            optimizer.zero_grad()
            outputs = net(x)
            loss = torch_loss(workload.kind, outputs, y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
            metric += torch_metric(workload.kind, outputs, y).item() * len(x)
        return total / len(data), metric / len(data)

    return epoch


def ours(workload, device, **options):
    """`fit` of this package."""
    import torchkeras_lite

    with torchkeras_lite.device(device):
        model = workload.compiled(torchkeras_lite, **options)
    return lambda: model.fit(workload.x, workload.y, batch_size=workload.batch_size, verbose=0)


def ours_jit(workload, device):
    """`fit` of this package after `compile(jit_compile=True)`."""
    return ours(workload, device, jit_compile=True)


def skorch(workload, device):
    """`partial_fit` of skorch, with its metric on the device's outputs."""
    from skorch import NeuralNet
    from skorch.callbacks import PassthroughScoring

    kind = workload.kind

    class Net(NeuralNet):
        """A net that keeps the metric of each batch."""

        def train_step_single(self, batch, **fit_params):
            step = super().train_step_single(batch, **fit_params)
            metric = torch_metric(kind, step["y_pred"].detach(), batch[1].to(device))
            self.history.record_batch("metric", metric.item())
            return step

    class Criterion(torch.nn.Module):
        """The loss as a module."""

        def forward(self, outputs, targets):
            return torch_loss(kind, outputs, targets)

    x, y = workload.torch_arrays("cpu")
    net = Net(
        lambda **_: workload.torch_net(device), criterion=Criterion, optimizer=torch.optim.Adam,
        lr=1e-3, max_epochs=1, batch_size=workload.batch_size, iterator_train__shuffle=True,
        train_split=None, verbose=0, device=device,
        callbacks=[("metric", PassthroughScoring("metric", on_train=True))],
    ).initialize()  # fmt: skip
    return lambda: net.partial_fit(x, y)


def lightning(workload, device):
    """`Trainer.fit` of Lightning, with bars, loggers and checkpoints off.

    A trainer is used once an epoch, so what it sets up is part of the epoch.
    """
    import lightning

    kind = workload.kind

    class Module(lightning.LightningModule):
        """The model with its step."""

        def __init__(self):
            super().__init__()
            self.net = workload.torch_net("cpu")

        def training_step(self, batch):
            x, y = batch
            outputs = self.net(x)
            loss = torch_loss(kind, outputs, y)
            metric = torch_metric(kind, outputs.detach(), y)
            self.log_dict({"loss": loss, "metric": metric}, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters())

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    module = Module()
    data = torch.utils.data.TensorDataset(*workload.torch_arrays("cpu"))
    loader = torch.utils.data.DataLoader(data, batch_size=workload.batch_size, shuffle=True)

    def epoch():
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            trainer = lightning.Trainer(
                max_epochs=1, accelerator="gpu" if device == "cuda" else "cpu", devices=1, logger=False,
                enable_progress_bar=False, enable_checkpointing=False, enable_model_summary=False,
            )  # fmt: skip
            trainer.fit(module, loader)

    return epoch


def poutyne(workload, device):
    """`Model.fit_generator` of Poutyne."""
    from poutyne import Model

    kind = workload.kind

    def metric(outputs, targets):
        return torch_metric(kind, outputs, targets)

    net = workload.torch_net(device)
    model = Model(
        net, torch.optim.Adam(net.parameters()), lambda outputs, y: torch_loss(kind, outputs, y),
        batch_metrics=[metric], device=device,
    )  # fmt: skip
    data = torch.utils.data.TensorDataset(*workload.torch_arrays("cpu"))
    loader = torch.utils.data.DataLoader(data, batch_size=workload.batch_size, shuffle=True)
    return lambda: model.fit_generator(loader, epochs=1, verbose=False)


def keras(workload, device):
    """`fit` of Keras, on the backend that `KERAS_BACKEND` names."""
    import keras as keras_itself

    model = workload.compiled(keras_itself)
    return lambda: model.fit(workload.x, workload.y, batch_size=workload.batch_size, verbose=0)


COLUMNS = {
    "tuned loop": tuned,
    "ours": ours,
    "ours jit": ours_jit,
    "torch.compile": torch_compile,
    "everyday loop": everyday,
    "lightning": lightning,
    "skorch": skorch,
    "poutyne": poutyne,
    "keras torch": keras,
    "keras jax": keras,
}
NEEDS = {"lightning": "lightning", "skorch": "skorch", "poutyne": "poutyne"}


def is_installed(column):
    """Whether what a column needs is there."""
    return column not in NEEDS or importlib.util.find_spec(NEEDS[column]) is not None
