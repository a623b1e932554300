"""What is compiled of a step: the outputs, loss and metrics of a batch, and the update of the weights."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.engine.direct import forward_of
from torchkeras_lite.engine.masking import attach_mask, get_mask
from torchkeras_lite.training import steps, tracing
from torchkeras_lite.training.cuda_graph import CudaGraph
from torchkeras_lite.training.tracing import Flattened, NotTraceableError, tensors_in


class Graph:
    """One compiled graph: a function of a step's numbers, the model's state and a batch.

    Args:
        step: The `CompiledStep`.
        batch: A batch.
        numbers: Tensors without axes that hold the step's numbers.

    Raises:
        NotTraceableError: it cannot be compiled.
    """

    def __init__(self, step, batch, numbers=()):
        self.numbers = list(numbers)
        self.follow(step)
        self.forward = forward_of(self.model)
        state, layout, inputs = self.state, Flattened(batch), self._inputs(batch)
        ends = (len(state.fixed), len(state.fixed) + len(self.numbers))
        ends = (*ends, ends[1] + len(state.variables))
        before = [(t.shape, t.dtype, t.device) for t in inputs[ends[1] : ends[2]]]

        def flat(*tensors):
            fixed, held = tensors[: ends[0]], tensors[ends[0] : ends[1]]
            values, data = tensors[ends[1] : ends[2]], tensors[ends[2] :]
            results, after = state.call(self.compute, fixed, values, held, layout.pack(data))
            if [(t.shape, t.dtype, t.device) for t in after] != before:
                raise NotTraceableError("a metric changes the shape or dtype of its variables")
            self.results = Flattened(results)
            return [*after, *tensors_in(results)]

        graph = tracing.trace(flat, inputs, tracing.stateful_objects(step.model))
        tracing.keep_numbers_out_of_loops(graph, ends[0], len(self.numbers))
        self.function = tracing.compile_graph(graph, inputs, step.options)
        if step.model.step_captures and inputs[0].is_cuda:
            self.function = CudaGraph(self.function, ends[1])

    def follow(self, step):
        """Work with the tensors and the eager step that `step` found."""
        self.state, self.eager, self.model = step.state, step.eager, step.model

    def compute(self, places, slots, numbers, batch):
        """Compute what is traced; see `State.call`. Returns nested tensors."""
        raise NotImplementedError

    def _inputs(self, batch):
        values = [variable.value for variable in self.state.variables]
        return [*self.state.fixed, *self.numbers, *values, *tensors_in(batch)]

    def run(self, batch):
        """Compute, and leave the metrics' new state with them; return what `compute` does."""
        variables = self.state.variables
        with torch.no_grad():
            outputs = self.function(*self._inputs(batch))
        for variable, tensor in zip(variables, outputs, strict=False):
            variable.take(tensor)
        return self.results.pack(outputs[len(variables) :]) if self.results.places else None


class PredictGraph(Graph):
    """The outputs for a batch."""

    def compute(self, places, slots, numbers, batch):
        """Compute what is traced."""
        return self.forward(batch[0])

    def __call__(self, *batch):
        """Return the outputs."""
        return self.run(batch)


class TestGraph(Graph):
    """The loss and the metrics of a batch.

    Args:
        step: The `CompiledStep`.
        batch: `(x, y, sample_weight)`.
        metrics: Whether the update of the metrics is inside; else the outputs are given out for it.
        numbers: See `Graph`.
    """

    training = False

    def __init__(self, step, batch, metrics, numbers=()):
        self.metrics = metrics
        super().__init__(step, batch, numbers)

    def compute(self, places, slots, numbers, batch):
        """Compute what is traced; return the outputs with their masks, where they are needed."""
        y_pred, loss = self.loss(*batch)
        return self.recorded(batch, y_pred, loss)

    def loss(self, x, y, sample_weight):
        """Return the outputs and the loss."""
        eager, model = self.eager, self.model
        y_pred = self.forward(x)
        if eager.custom_loss:
            return y_pred, steps.call_compute_loss(model, x, y, y_pred, sample_weight, training=self.training)
        return y_pred, eager.total_loss(y, y_pred, sample_weight)

    def recorded(self, batch, y_pred, loss):
        """Add the batch to the running loss and the metrics; return what is needed for it later."""
        x, y, sample_weight = batch
        with torch.no_grad():
            if self.metrics:
                self.eager.record(x, y, y_pred, sample_weight, loss)
                return None, None
            self.eager.tracker.update_from_mean(loss, steps.batch_length(y_pred))
        outputs = nested.map_structure(torch.Tensor.detach, y_pred)
        return outputs, nested.map_structure(get_mask, y_pred)

    def update_metrics(self, batch, y_pred, masks):
        """Add a batch to the metrics behind the graph."""
        x, y, sample_weight = batch
        nested.map_structure(attach_mask, y_pred, masks)
        with torch.no_grad():
            self.eager.update_metrics(x, y, y_pred, sample_weight)

    def __call__(self, *batch):
        """Make the step."""
        results = self.run(batch)
        if not self.metrics:
            self.update_metrics(batch, *results)


class TrainGraph(TestGraph):
    """A training step, of which at least forward, loss and backward are a graph.

    Args:
        step: The `CompiledStep`.
        batch: `(x, y, sample_weight)`.
        updates: Whether the optimizer's update is inside; else the gradients are given out for it.
        metrics: See `TestGraph`.
    """

    training = True

    def __init__(self, step, batch, updates, metrics):
        self.updates, self.optimizer, self.scales = updates, step.model.optimizer, step.eager.scales_loss
        device = next((tensor.device for tensor in step.state.fixed), None)
        self.rate = torch.zeros((), dtype=torch.float64, device=device)
        self.number = torch.zeros((), dtype=torch.float64, device=device)
        self.scale = torch.ones((), device=device)
        numbers = [self.rate, self.number] if updates else []
        super().__init__(step, batch, metrics, [*numbers, *([self.scale] if self.scales else [])])

    def compute(self, places, slots, numbers, batch):
        """Compute what is traced; return gradients, and outputs with masks, where they are needed."""
        y_pred, loss = self.loss(*batch)
        leaves = [places[id(parameter)] for parameter in self.eager.parameters]
        gradients = []
        if leaves:
            gradients = tracing.gradients_of(loss * numbers[-1] if self.scales else loss, leaves)
        if self.updates:
            if not leaves or any(gradient is None for gradient in gradients):
                raise NotTraceableError("the loss does not depend on all weights")
            with torch.no_grad():
                self.optimizer.traced_update(leaves, gradients, list(slots), *numbers[:2])
            gradients = []
        return gradients, *self.recorded(batch, y_pred, loss)

    def __call__(self, *batch):
        """Make the step."""
        if self.scales:
            self.scale.fill_(float(self.optimizer.scale_loss(torch.ones(()))))
        if self.updates:
            rate, number = self.optimizer.advance()
            self.rate.fill_(rate)
            self.number.fill_(number)
        results = self.run(batch)
        if results is None:
            return
        gradients, *outputs = results
        if gradients:
            for parameter, gradient in zip(self.eager.parameters, gradients, strict=True):
                parameter.grad = gradient
            self.optimizer.update()
            self.eager.forget_gradients()
        if not self.metrics:
            self.update_metrics(batch, *outputs)
