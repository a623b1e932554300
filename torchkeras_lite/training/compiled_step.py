"""Steps of `fit`, `evaluate` and `predict` as one compiled graph each, kept where that is faster.

The graph of a training step holds forward, loss, backward, the optimizer's update and the metrics. It changes
the very tensors of the model and the optimizer, so compiled and eager steps can follow each other as they
like: the first batch runs eagerly, then both ways take turns over batches of the user's, and the compiled one
stays where it was clearly faster.
"""

import statistics
from functools import partial
from time import perf_counter

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.engine.direct import forward_of
from torchkeras_lite.metrics.state import MetricVariable
from torchkeras_lite.training import steps, tracing
from torchkeras_lite.training.cuda_graph import WARM_UP
from torchkeras_lite.training.step_graphs import PredictGraph, TestGraph, TrainGraph
from torchkeras_lite.training.tracing import NotTraceableError, State

MOST_GRAPHS = 8  # shapes of batches that are compiled for one kind of step, as in torch.compile
TIMED = 8  # steps of each way that are compared
MARGIN = 0.95  # of the eager time: a compiled step that is less ahead may be behind in the next epoch
PACKAGE = __name__.split(".")[0]


class CompiledStep:
    """A step, a function of a batch, that is compiled where a shape of batches comes again.

    A shape is compiled that is the first one ever, or that comes twice running. So a smaller batch at the end
    of every epoch stays eager.

    Args:
        model: A compiled, built model in the mode of the step.
    """

    name = ""  # in messages
    keeps_metrics = True

    def __init__(self, model):
        self.model = model
        self.options = model.step_options
        self.form = self.state = None
        self.forget()

    def forget(self):
        """Begin again with no graph."""
        self.graphs, self.ways, self.first, self.last, self.reason = [], {}, None, None, None

    def refresh(self):
        """Look at the model again, whose layers and tensors may have changed meanwhile; return the step."""
        self.eager = self.make_eager()
        if self.graphs or self.reason:
            form = self.form
            self._look()
            if form != self.form:
                self.forget()
            for graph in self.graphs:
                graph.follow(self)
        return self

    def _look(self):
        """Read the tensors of the model, and what graphs rely on."""
        self.state = State(self.model, self.slots(), self.model.metrics if self.keeps_metrics else ())
        self.form = [*self.state.form(), *self.settings()]
        if self.model.step_captures:
            self.form += self.state.addresses()

    def make_eager(self):
        """Return the step as torch runs it."""
        raise NotImplementedError

    def slots(self):
        """Return the tensors of the optimizer that graphs change."""
        return []

    def settings(self):
        """Return numbers outside the model's tensors that graphs hold."""
        return []

    def kinds(self):
        """Return the graphs to try, the best first: functions of a batch."""
        raise NotImplementedError

    def __call__(self, *batch):
        """Make the step."""
        key = tuple(
            (t.shape, t.stride(), t.dtype, t.device)
            for t in (batch if type(batch[0]) is torch.Tensor is type(batch[1]) else nested.flatten(batch))
            if isinstance(t, torch.Tensor)
        )
        way = self.ways.get(key)
        if way is None:
            way = self._new_way(key, batch)
        self.last = key
        return way(*batch)

    def _new_way(self, key, batch):
        """Return the way for a shape without one: the eager one, or a race where it is worth compiling."""
        again = key in (self.first, self.last)
        self.first = self.first or key
        if self.reason or not again or len(self.graphs) >= MOST_GRAPHS:
            return self.eager
        self._look()
        try:
            graph = self._compiled(batch)
        except NotTraceableError as error:
            self._refuse(error)
            return self.eager
        self.graphs.append(graph)
        untimed = 1 + (WARM_UP + 1 if self.model.step_captures else 0)
        race = Race(
            lambda *batch: self.eager(*batch), graph, untimed, lambda way: self.ways.update({key: way})
        )
        self.ways[key] = race
        return race

    def _refuse(self, error):
        """Stay eager, and say why, once a reason."""
        what = f"compile: the {self.name} of '{self.model.name}'"
        if self.options.get("fullgraph"):
            raise RuntimeError(f"{what} cannot be one graph: {error}.") from error
        if str(error) not in [step.reason for step in self.model._compiled_steps.values()]:
            warn_user(f"{what} runs eagerly: {error}.")
        self.reason = str(error)

    def _compiled(self, batch):
        tracing.require_traceable(self.model)
        found = None
        for make in self.kinds():
            try:
                return make(batch)
            except NotTraceableError as error:
                found = error  # the last one is about the least that was tried
        raise found


class Race:
    """Two ways to make a step, which take turns until it is known which one is faster.

    Args:
        eager: A function of a batch.
        compiled: Another one that does the same.
        untimed: Calls of `compiled` at the begin that don't count.
        settle: Is called with the faster one.
    """

    def __init__(self, eager, compiled, untimed, settle):
        self.ways = (eager, compiled)
        self.times = ([], [])
        self.untimed = (1, untimed)
        self.turn = 1
        self.settle = settle

    def __call__(self, *batch):
        """Make a step."""
        turn = self.turn
        wait_for(batch)
        start = perf_counter()
        result = self.ways[turn](*batch)
        wait_for(batch)
        self.times[turn].append(perf_counter() - start)
        self.turn = 1 - turn
        counted = [times[skip:] for times, skip in zip(self.times, self.untimed, strict=True)]
        if min(map(len, counted)) >= TIMED:
            eager, compiled = map(statistics.median, counted)
            self.settle(self.ways[compiled < MARGIN * eager])
        return result


def wait_for(batch):
    """Wait for the accelerator, where the batch is on one."""
    tensor = next((t for t in nested.flatten(batch) if isinstance(t, torch.Tensor)), None)
    if tensor is not None and tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


class CompiledTrainStep(CompiledStep):
    """A training step; see `CompiledStep`.

    What of it torch cannot trace runs behind the graph: an optimizer's update, and the metrics.
    """

    name = "training step"

    def make_eager(self):
        """Return the step as torch runs it."""
        return steps.TrainStep(self.model)

    def slots(self):
        """Return the tensors of the optimizer."""
        return self.model.optimizer.state_tensors() if self._updates() else []

    def settings(self):
        """Return the numbers of the optimizer, and which weights have penalties."""
        numbers = {
            key: value
            for key, value in vars(self.model.optimizer).items()
            if isinstance(value, (bool, int, float, str)) and not key.startswith("_")
        }
        return [numbers, penalties(self.eager)]

    def _updates(self):
        """Whether the optimizer's update can be in a graph."""
        optimizer = self.model.optimizer
        ours = type(optimizer).__module__.startswith(f"{PACKAGE}.")
        return ours and optimizer.traceable and not optimizer._overridden and optimizer.reducer is None

    def kinds(self):
        """Return the graphs to try, the best first."""
        if self.eager.needs_closure:
            raise NotTraceableError("the optimizer computes the loss several times a step")
        return [
            partial(TrainGraph, self, updates=updates, metrics=metrics)
            for updates in ((True, False) if self._updates() else (False,))
            for metrics in metrics_inside(self.eager)
        ]


class CompiledTestStep(CompiledStep):
    """A step of `evaluate`; see `CompiledStep`. Metrics that torch cannot trace run behind the graph."""

    name = "test step"

    def make_eager(self):
        """Return the step as torch runs it."""
        return steps.TestStep(self.model)

    def settings(self):
        """Return which weights have penalties."""
        return [penalties(self.eager)]

    def kinds(self):
        """Return the graphs to try, the best first."""
        return [partial(TestGraph, self, metrics=metrics) for metrics in metrics_inside(self.eager)]


class CompiledPredictStep(CompiledStep):
    """A step of `predict`, of whose batch only the inputs count; see `CompiledStep`."""

    name = "prediction"
    keeps_metrics = False

    def make_eager(self):
        """Return the step as torch runs it."""
        forward = forward_of(self.model)
        return lambda x, *rest: forward(x)

    def kinds(self):
        """Return the one graph there is."""
        return [partial(PredictGraph, self)]


KINDS = {"train": CompiledTrainStep, "test": CompiledTestStep, "predict": CompiledPredictStep}


def compiled_step(model, kind):
    """Return the compiled step of a kind, `None` where `compile` did not ask for it.

    It is kept with the model, and looks at the model again.
    """
    if model.step_options is None:
        return None
    kept = model.__dict__.setdefault("_compiled_steps", {})
    if kind not in kept:
        kept[kind] = KINDS[kind](model)
    return kept[kind].refresh()


def penalties(step):
    """Return which weights have which regularizers in a `Step`."""
    return [(weight.path, id(weight.regularizer)) for weight in step.regularized]


def metrics_inside(step):
    """Return whether the metrics of a `Step` can be inside of a graph: what to try, one after the other.

    They can where all their state is in variables, and where the class has no `compute_metrics` of its own.
    """
    metrics = step.model.metrics
    inner = [one for metric in metrics for one in getattr(metric, "metrics", [metric])]
    known = all(
        metric.variables and all(isinstance(variable, MetricVariable) for variable in metric.variables)
        for metric in inner
    )
    return (True, False) if known and not step.custom_metrics else (False,)
