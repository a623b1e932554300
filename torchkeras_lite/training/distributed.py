"""Training by several processes: what they agree on, how each gets its part of a batch, how results meet.

Under `torchrun` every process runs the same program. `fit`, `evaluate` and `predict` take every batch apart:
each process computes its rows, and gradients, losses and metrics are those of the whole batch. A part weighs
its rows over the rows of the batch, so parts of different sizes, empty ones too, give exactly what one
process computes.
"""

import contextlib

import torch

from torchkeras_lite.base import processes
from torchkeras_lite.callbacks import CallbackList
from torchkeras_lite.callbacks.shared_list import SharedCallbackList
from torchkeras_lite.random.state import random_state, restore_random_state
from torchkeras_lite.training import distributed_metrics as joined
from torchkeras_lite.training.distributed_batches import DividedBatches
from torchkeras_lite.training.distributed_outputs import DividedOutputs
from torchkeras_lite.training.distributed_steps import DividedStep, UsersStep
from torchkeras_lite.training.distributed_weights import average_statistics, send_weights, shard


def call(function, model, *args, **kwargs):
    """Call a loop, `function(model, ...)`, of all processes together."""
    with together(model):
        return function(model, *args, **kwargs)


@contextlib.contextmanager
def together(model, for_a_batch=False):
    """Let the processes work on `model` together inside, where there are several.

    `model.team` is the `Team` inside, `None` in a process alone and with `compile(distribute=False)`.

    Args:
        model: The model.
        for_a_batch: Whether for one batch alone: random numbers stay as they are, and what a training step
            needs is kept for the next one.
    """
    if model.team is not None or model.distribute is False or not processes.several():
        yield
        return
    processes.start()
    team = Team(model, for_a_batch)
    model.__dict__["team"] = team
    try:
        yield
    finally:
        model.__dict__.pop("team")
        team.close()


class Team:
    """The processes that work on a model together, as one of them sees it.

    Their random numbers agree at the begin, and again at the end. Between them, what is drawn for data (the
    order of rows) is the same in all, and what is drawn inside the model (dropout) is each one's own.

    Args:
        model: The model.
        for_a_batch: As in `together`.

    Attributes:
        common: State of the generator from which all draw alike for data.
    """

    def __init__(self, model, for_a_batch=False):
        self.model = model
        self.step = None
        self.for_a_batch = for_a_batch
        self.joins_batch_logs = False
        self.part = processes.WHOLE
        if not for_a_batch:
            self._forget_batch_step()
            restore_random_state(processes.from_first(random_state()))
        self.common = torch.get_rng_state()
        if not for_a_batch:
            self.draw_apart()
        joined.keep_apart(model)

    def __deepcopy__(self, memo):
        return None  # copies of a model are worked on alone

    def __reduce__(self):
        return type(None), ()

    def _forget_batch_step(self):
        _, step = self.model.__dict__.pop("_batch_step", ((), None))
        if isinstance(step, StepInPart):
            step.step.close()

    def draw_apart(self):
        """Give each process random numbers of its own, from a state that they have in common."""
        torch.manual_seed(torch.randint(2**40, ()).item() + 1 + processes.rank())

    @contextlib.contextmanager
    def common_numbers(self):
        """Draw inside what all processes draw alike."""
        own = torch.get_rng_state()
        torch.set_rng_state(self.common)
        try:
            yield
        finally:
            self.common = torch.get_rng_state()
            torch.set_rng_state(own)

    def alike(self, value):
        """Return whether all processes have the same `value`, a plain one."""
        return len(set(processes.from_all(value))) == 1

    def divide(self, batches):
        """Return `batches` as the parts of this process."""
        return DividedBatches(batches, self)

    def callbacks(self, callbacks, **arguments):
        """Return the `CallbackList` of this process, whose decisions agree with the others'."""
        if isinstance(callbacks, CallbackList):
            callbacks = callbacks.callbacks
        return SharedCallbackList(callbacks, team=self, **arguments)

    def prepare_weights(self):
        """Give all processes the weights of the first, and shard them where that was asked for."""
        send_weights(self.model)
        if self.model.distribute == "fsdp":
            shard(self.model)

    def training_step(self, users):
        """Return a training step on parts of batches, the one there is already where there is one.

        Args:
            users: The step that the user's class has instead of ours, a function of a batch, or `None`.
        """
        if self.step is None:
            step = DividedStep(self.model) if users is None else UsersStep(self.model, users)
            self.step = StepInPart(self.model, step)
        return self.step

    def testing_step(self, step):
        """Return a step of `evaluate` on parts of batches."""
        return StepInPart(self.model, step)

    def collected(self, outputs, batches):
        """Return what collects the outputs of `predict`."""
        return DividedOutputs(outputs, batches, self)

    def results(self, returned, running):
        """Return the results of the metrics over all processes, by name.

        Args:
            returned: What the last step returned, or `None`.
            running: Whether an epoch is going on; metrics over a whole epoch are left out then, and the
                results are this process's own where no callback reads them.
        """
        if running and not self.joins_batch_logs:
            return joined.own_results(self.model, returned)
        return joined.results(self.model, returned, running)

    def end_epoch(self):
        """Average the statistics that layers keep of the batches they saw."""
        average_statistics(self.model)

    def close(self):
        """Give every process the same random numbers again."""
        joined.keep_apart(self.model, False)
        if self.for_a_batch:
            return
        if self.step is not None:
            self.step.step.close()
        torch.set_rng_state(self.common)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed(int(self.common.long().sum()))


class StepInPart:
    """A step that knows which part of the batch it computes; an empty part leaves metrics as they are.

    Args:
        model: The model.
        step: The step on a batch.
    """

    def __init__(self, model, step):
        self.model = model
        self.step = step

    def __call__(self, *batch):
        """Make the step, and return what it returns."""
        part = self.model.team.part
        with processes.computing(part):
            if part.rows:
                return self.step(*batch)
            with joined.unchanged(self.model):
                self.step(*batch)
            return None
