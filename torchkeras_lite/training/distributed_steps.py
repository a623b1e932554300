"""Training steps of several processes: the gradients are those of the whole batch."""

import inspect

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from torchkeras_lite.base import processes
from torchkeras_lite.engine.sharding import is_sharded, whole
from torchkeras_lite.optimizers import LossScaleOptimizer
from torchkeras_lite.training.steps import TrainStep

_known = inspect.signature(DistributedDataParallel).parameters
BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _known else "broadcast_buffers"  # torch < 2.13


class DividedStep(TrainStep):
    """A training step on a part of a batch.

    The first step adds the gradients up behind the backward pass and finds out which weights take part; from
    the second on, `DistributedDataParallel` adds them up while the pass goes on. With
    `gradient_accumulation_steps` the processes meet once an update. Weights that are sharded meet by FSDP.

    Args:
        model: A compiled, built model in training mode.
    """

    def __init__(self, model):
        super().__init__(model)
        optimizer = self.optimizer
        self.penalty = None
        self.penalized_shards = [weight for weight in self.regularized if is_sharded(weight.tensor)]
        self.regularized = [weight for weight in self.regularized if not is_sharded(weight.tensor)]
        self.replicated = [parameter for parameter in self.parameters if not is_sharded(parameter)]
        self.parallel = None
        self.is_sharded = model.distribute == "fsdp"
        accumulates = optimizer.gradient_accumulation_steps and not isinstance(optimizer, LossScaleOptimizer)
        self.accumulates = bool(accumulates) and not self.is_sharded
        if self.accumulates:
            optimizer.reducer = add_up
            optimizer.prepare()

    def differentiate(self, x, y, sample_weight):
        """Compute the outputs and the loss of a part, and leave the gradients in the parameters."""
        y_pred, loss = super().differentiate(x, y, sample_weight)
        if self.needs_closure:  # the optimizer decides by the loss, and must decide alike everywhere
            loss = loss.detach() * processes.part().share
            dist.all_reduce(loss)
        return y_pred, loss

    def backward(self, loss):
        """Add the gradients of a loss, weighed by the part's share of the batch, to the parameters'."""
        share = processes.part().share
        if self.is_sharded:
            self._backward_sharded(loss, share)
            return
        super().backward(loss * share)
        if self.parallel is None and not self.accumulates:
            self._start(self._join())

    def with_added_losses(self, loss):
        """Return the loss plus the losses that layers and regularizers added."""
        loss = super().with_added_losses(loss)
        if not self.penalized_shards:
            return loss
        penalties = [whole(weight.regularizer(weight.value)) for weight in self.penalized_shards]
        self.penalty = torch.stack(penalties).sum()
        return self.penalty.detach() if loss is None else loss + self.penalty.detach()

    def _backward_sharded(self, loss, share):
        """Leave gradients to FSDP, which takes their mean over the processes; others are added up.

        The gradient of a penalty is the same in all processes, so it is not weighed.
        """
        if loss.requires_grad:
            super().backward(loss * (share * processes.count()))
        replicated = [parameter for parameter in self.replicated if parameter.grad is not None]
        sums = add_up([parameter.grad for parameter in replicated])
        for parameter, gradient in zip(replicated, sums, strict=True):
            parameter.grad = gradient / processes.count()
        if self.penalty is not None:
            super().backward(self.penalty)

    def _join(self):
        """Add up the gradients of the first step; return whether there are weights that take no part."""
        taken = processes.agree([parameter.grad is not None for parameter in self.parameters])
        used = [parameter for parameter, is_used in zip(self.parameters, taken, strict=True) if is_used]
        for parameter in used:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in used]
        for parameter, gradient in zip(used, add_up(gradients), strict=True):
            parameter.grad.copy_(gradient)
        return not all(taken)

    def _start(self, some_are_unused):
        if self.needs_closure:  # a closure runs forward and backward several times, and joins each time
            return
        model = self.model
        parallel = DistributedDataParallel(
            model, init_sync=False, find_unused_parameters=some_are_unused, **{BUFFERS: False}
        )
        parallel.register_comm_hook(None, add_up_bucket)
        self.parallel = model.__dict__["_compiled_call_impl"] = ParallelCall(model, parallel)

    def close(self):
        """Let go of the model."""
        if self.parallel is not None:
            self.model.__dict__["_compiled_call_impl"] = self.parallel.call
            self.parallel = None
        if self.accumulates:
            self.optimizer.reducer = None
            self.optimizer.prepare()


class UsersStep:
    """The step of a user's `train_step`, which may call any part of the model and any optimizer.

    Each gradient is added up as soon as it is known.

    Args:
        model: The model.
        step: A function of a batch.
    """

    def __init__(self, model, step):
        self.step = step
        parameters = [p for p in model.parameters() if p.requires_grad and model.distribute != "fsdp"]
        self.hooks = [parameter.register_hook(add_up_one) for parameter in parameters]

    def __call__(self, *batch):
        """Make the step."""
        return self.step(*batch)

    def close(self):
        """Let go of the model."""
        for hook in self.hooks:
            hook.remove()


class ParallelCall:
    """The call of a model through `DistributedDataParallel`, in the place where torch keeps a compiled call.

    Calls outside of a divided step, without gradients, and those inside of the parallel call are plain.

    Args:
        model: The model.
        parallel: The `DistributedDataParallel` around it.
    """

    def __init__(self, model, parallel):
        self.call = model._compiled_call_impl
        self.plain = model._call_impl if self.call is None else self.call
        self.parallel = parallel
        self.is_inside = False

    def __call__(self, *args, **kwargs):
        """Call the model."""
        if self.is_inside or processes.part() is processes.WHOLE or not torch.is_grad_enabled():
            return self.plain(*args, **kwargs)
        self.is_inside = True
        try:
            return self.parallel(*args, **kwargs)
        finally:
            self.is_inside = False


def add_up_bucket(state, bucket):
    """Add up the gradients in a bucket of `DistributedDataParallel`, which would take their mean."""
    return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda done: done.value()[0])


def add_up_one(gradient):
    """Return the sum of a gradient of every process, weighed by the parts' shares."""
    whole = gradient * processes.part().share
    dist.all_reduce(whole)
    return whole


def add_up(gradients, positions=None):
    """Return the sums of gradients of every process, `None` for `None`."""
    if gradients is None:
        return None
    groups = {}
    for index, gradient in enumerate(gradients):
        groups.setdefault((gradient.dtype, gradient.device), []).append(index)
    whole = list(gradients)
    for indices in groups.values():
        flat = torch.cat([gradients[index].reshape(-1) for index in indices])
        dist.all_reduce(flat)
        parts = flat.split([gradients[index].numel() for index in indices])
        for index, part in zip(indices, parts, strict=True):
            whole[index] = torch.empty_like(gradients[index]).copy_(part.view(gradients[index].shape))
    return whole
