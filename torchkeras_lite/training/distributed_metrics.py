"""Metrics over several processes: states are added up, and results computed from the sums."""

import contextlib

import torch
import torch.distributed as dist

from torchkeras_lite.base import processes
from torchkeras_lite.callbacks.monitor import flatten_metrics
from torchkeras_lite.metrics.epoch_metric import EpochMetric, EpochValue
from torchkeras_lite.metrics.torch_metric import TorchMetric
from torchkeras_lite.training.steps import to_floats


def keep_apart(model, apart=True):
    """Let metrics of torchmetrics show the state of this process alone when they are read, or no longer.

    They join their states by themselves otherwise, also where only the first process reads them.
    """
    for metric in _leaves(model):
        if isinstance(metric, TorchMetric):
            for member in metric.members:
                member.sync_on_compute = not apart
                member._computed = None


def _leaves(model):
    return list(flatten_metrics(model.metrics)) if model.compiled else []


def own_results(model, returned):
    """Return what a step returned, or the results of this process's metrics."""
    keep_apart(model)
    return returned if returned is not None else model.get_metrics_result()


def results(model, returned, running):
    """Return the results of the metrics over all processes; other numbers that a step returned, averaged.

    Every process must call it, the first `running` alike: metrics over a whole epoch are left out then.
    """
    keep_apart(model, False)
    with contextlib.ExitStack() as stack:
        for metric, values in _sums(model):
            stack.enter_context(metric.lent_state(values))
        for metric in _leaves(model):
            if isinstance(metric, EpochMetric) and not running:
                stack.enter_context(_all_batches(metric))
        found = model.get_metrics_result()
        if not running:
            found = {key: _read(value) for key, value in found.items()}
    keep_apart(model)
    others = processes.from_all(_others(returned, found))
    for key in {key: None for one in others for key in one}:
        values = [one[key] for one in others if key in one]
        found[key] = sum(values) / len(values)
    return found


def _read(value):
    return value.value if isinstance(value, EpochValue) else value


def _others(returned, found):
    """Return the numbers that a step of the user's returned besides the metrics' results."""
    numbers = to_floats(returned or {})
    return {
        key: value for key, value in numbers.items() if key not in found and isinstance(value, (int, float))
    }


def _sums(model):
    """Return every metric with the values of its variables, joined over the processes."""
    pairs = [(metric, list(metric.variables)) for metric in model.metrics]
    values, joined = {}, {}
    for _, variables in pairs:
        for variable in variables:
            value = torch.as_tensor(variable.value).detach()
            values[id(variable)] = value, getattr(variable, "aggregation", "sum")
    groups = {}
    for key, (value, aggregation) in values.items():
        if aggregation in ("sum", "mean"):
            groups.setdefault((value.dtype, aggregation), []).append(key)
        else:
            joined[key] = value
    for (dtype, aggregation), keys in groups.items():
        flat = torch.cat([values[key][0].reshape(-1).to(model.data_device) for key in keys])
        dist.all_reduce(flat)
        if aggregation == "mean":
            flat = (flat / processes.count()).to(dtype)
        parts = flat.split([values[key][0].numel() for key in keys])
        for key, part in zip(keys, parts, strict=True):
            joined[key] = part.view(values[key][0].shape)
    return [(metric, [joined[id(variable)] for variable in variables]) for metric, variables in pairs]


@contextlib.contextmanager
def _all_batches(metric):
    """Let a metric over a whole epoch see the batches of all processes."""
    own = metric.kept_batches()
    metric.keep_batches([batch for batches in processes.from_all(own) for batch in batches])
    try:
        yield
    finally:
        metric.keep_batches(own)


@contextlib.contextmanager
def unchanged(model):
    """Put the metrics back behind a step that is not to count."""
    before = {id(metric) for metric in _leaves(model)}
    with contextlib.ExitStack() as stack:
        for metric in model.metrics:
            stack.enter_context(metric.lent_state([variable.value for variable in metric.variables]))
        for metric in _leaves(model):
            if isinstance(metric, EpochMetric):
                stack.callback(metric.keep_batches, metric.kept_batches())
            elif isinstance(metric, TorchMetric):
                stack.callback(metric.take_state, metric.copied_state())
        yield
    for metric in _leaves(model):
        if id(metric) not in before:  # made in this step
            metric.reset_state()
