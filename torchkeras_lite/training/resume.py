"""Where a training is: what an interrupted `fit` needs, beside the weights, to go on as if nothing had been.

A point is taken between two batches or two epochs. It holds the epoch and the step, the history, the state of
callbacks and metrics, the random generators, and the place in the data: the random state in which the pass
over it began, from which the same order follows again, and how many batches were read since.

Of several processes each has random numbers, sums of metrics and statistics of its own; the point holds those
of all, and as many processes go on from it. Another number of processes can begin an epoch there, and repeats
one that was interrupted.
"""

from collections import Counter

import numpy as np
import torch

from torchkeras_lite.base import processes
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.callbacks.monitor import flatten_metrics
from torchkeras_lite.engine import collecting
from torchkeras_lite.random.state import random_state, restore_random_state
from torchkeras_lite.training.batches import WrappedBatches
from torchkeras_lite.training.py_dataset import PyDataset


class TrackedBatches(WrappedBatches):
    """Batches of a source, with the place in it.

    Args:
        batches: The source.

    Attributes:
        began: Random state in which the pass over the source began.
        used: Batches of the pass that were given.
        is_open: Whether the pass is going on.
    """

    def __init__(self, batches):
        super().__init__(batches)
        self.began = None
        self.used = 0
        self.is_open = False
        self._place = self._looked = None

    def look(self, state):
        """Return the first batch of the pass that began in random state `state`; it will be given again."""
        restore_random_state(state)
        batch = self.batches.first()
        self._looked = random_state()  # a stream that is open now does not draw again what it drew
        return batch

    def go_to(self, place, state):
        """Have the next pass begin at `place`, and leave the random generators in `state` there."""
        self._place = place, state

    def place(self):
        """Return the place in the pass that is going on, `None` between passes."""
        return {"began": self.began, "used": self.used} if self.is_open else None

    def __iter__(self):
        place, self._place = self._place, None
        if place is not None:
            restore_random_state(place[0]["began"])
        self.began, self.used, self.is_open = random_state(), 0, True
        looked, self._looked = self._looked, None
        if looked is not None:
            restore_random_state(looked)
        stream = iter(self.batches)
        try:
            if place is not None:
                while self.used < place[0]["used"] and next(stream, None) is not None:
                    self.used += 1
                restore_random_state(place[1])
            for batch in stream:
                self.used += 1
                yield batch
        finally:
            self.is_open = False
            if hasattr(stream, "close"):
                stream.close()


class TrainingPoint:
    """Takes and restores points of one `fit`; callbacks find it as `model.training_point`.

    Args:
        model: The model.
        batches: Its `Batches`; their source is tracked from here on.
        callbacks: The `CallbackList`.
        team: The `Team` of the processes that all take points together, `None` in a process alone.

    Attributes:
        pending: The point to go on from, which a callback gives to `accept` in `on_train_begin`.
        members: What `model.save` adds to the archive, by name.
    """

    def __init__(self, model, batches, callbacks, team=None):
        self.model = model
        self.team = team
        self.callbacks = callbacks
        self.pending = None
        self._regroups = False
        self.members = {}
        self.epoch_began = None
        parent = None
        source = batches
        while isinstance(source, WrappedBatches):
            parent, source = source, source.batches
        self.tracked = TrackedBatches(source)
        self.batches = self.tracked if parent is None else batches
        if parent is not None:
            parent.batches = self.tracked

    def take(self, epoch, step, ended=None):
        """Return the point: plain values, lists, dicts and tensors.

        Args:
            epoch: Number of the epoch that is going on or comes next, from 0.
            step: Batches of it that are done.
            ended: For a callback that others come behind: `(callback, hook, number, logs)` of the call that
                is going on, which those that keep a state are to get once the point is restored.
        """
        if ended is not None:
            callback, hook, number, logs = ended
            listed = list(self.callbacks)
            # One that another callback holds is not in the list: nothing is known to come behind it.
            place = next((i for i, other in enumerate(listed) if other is callback), len(listed))
            logs = {key: float(value) for key, value in logs.items() if np.ndim(value) == 0}
            ended = {"behind": place, "hook": hook, "number": number, "logs": logs}
        own = self._own(step)
        shared = {}
        if self.team is not None:
            shared = {"common": self.team.common, "of_each": processes.from_all(_on_cpu(own))}
        return {
            "epoch": epoch,
            "step": step,
            "ended": ended,
            "stop_training": bool(self.model.stop_training),
            "learning_rate": self._rate(),
            "callbacks": [[type(c).__name__, c.state_dict()] for c in self._stateful()],
            "data": self._data_state(),
            "place": self.tracked.place(),
            **own,
            **shared,
        }

    def _own(self, step):
        """Return what each of several processes has for itself."""
        return {
            "metrics": [_metric_state(metric) for metric in self._metrics()] if step else [],
            "draws": [source.random_state() for source in collecting.random_sources(self.model)],
            "states": [layer.states for layer in stateful_layers(self.model)],
            "statistics": [] if self.team is None else list(self.model.buffers()),
            "epoch_began": self.epoch_began,
            "random": random_state(),
        }

    def accept(self, point):
        """Keep `point` to go on from, with what of it holds for this process, and return that.

        A warning tells that the epoch is repeated: another number of processes took the point in the middle
        of one.
        """
        parts = point.get("of_each", ())
        takers, count = len(parts) or 1, 1 if self.team is None else processes.count()
        self._regroups = takers != count
        if self._regroups:
            self.pending = self._regrouped(point, takers, count)
        else:
            self.pending = {**point, **parts[processes.rank()]} if parts else point
        return self.pending

    def _regrouped(self, point, takers, count):
        """Return what holds for any number of processes: the begin of an epoch, the order of the data."""
        if point["step"]:
            if processes.is_first():
                warn_user(
                    f"The training was interrupted in the middle of epoch {point['epoch'] + 1}, behind batch "
                    f"{point['step']}, with {takers} process(es), and {count} go(es) on. Sums and random "
                    "numbers of each process are of no use to another number of them, so this epoch is "
                    f"repeated from its begin, with the weights of then. Start {takers} process(es) to go on "
                    "behind that batch; at the end of an epoch any number can go on."
                )
            point = {**point, "step": 0, "place": None, "ended": None}
        common = point.get("common", point["random"]["torch"])
        of_one = {"draws": [], "states": [], "statistics": []}
        return {**point, **of_one, "common": common, "random": {**point["random"], "torch": common}}

    def begin(self):
        """Restore the point that a callback has given, after `on_train_begin`.

        Returns:
            Whether the training had been stopped, so that no epoch is left.
        """
        if self.pending is None:
            return False
        point = self.pending
        self._restore_statistics(point)
        self._restore_callbacks(point["callbacks"])
        for source, state in zip(collecting.random_sources(self.model), point["draws"], strict=False):
            source.restore_random_state(state)
        self._restore_states(point["states"])
        if point["data"] is not None and hasattr(self._dataset(), "load_state_dict"):
            self._dataset().load_state_dict(point["data"])
        self.model.stop_training = point["stop_training"]
        if self.team is not None and "common" in point:
            self.team.common = point["common"]
        if point["place"] is not None:
            self.tracked.go_to(point["place"], {**point["random"], **self._drawn_for_data(point)})
        restore_random_state(point["random"])
        if self.team is not None and self._regroups:
            self.team.draw_apart()
        if not point["step"]:
            self._end_again(point)
        return self.model.stop_training

    def _end_again(self, point):
        """Call the hook that was going on for the callbacks behind the one that took the point."""
        ended = point.get("ended")
        if ended is None or ended["hook"] not in ("on_epoch_end", "on_train_batch_end"):
            return
        logs = dict(ended["logs"])  # one for all: some add to it
        for callback in list(self.callbacks)[ended["behind"] + 1 :]:
            if hasattr(callback, "load_state_dict") and callback.state_dict():
                getattr(callback, ended["hook"])(ended["number"], logs)

    def before_epoch(self):
        """Note the random state before the data of an epoch is made ready; the old one where it had begun."""
        if self.pending is not None and self.pending["step"]:
            restore_random_state(self.pending["epoch_began"])
        self.epoch_began = random_state()

    def begin_epoch(self):
        """Restore what the begin of an epoch has changed, if it had begun; return the steps that are done."""
        point, self.pending = self.pending, None
        if point is None or not point["step"]:
            return 0
        self._resolve(point["place"])
        self._restore_states(point["states"])  # which that call has changed
        self._restore_callbacks(point["callbacks"])
        if point["learning_rate"] is not None:
            self.model.optimizer.learning_rate = point["learning_rate"]
        for metric, state in zip(self._metrics(), point["metrics"], strict=False):
            _restore_metric(metric, state)
        if self.team is not None:
            restore_random_state(point["random"])
        self._end_again(point)
        return point["step"]

    def _drawn_for_data(self, point):
        """Return the random state from which several processes draw for data, where they have one."""
        return {"torch": point["common"]} if self.team is not None and "common" in point else {}

    def _restore_statistics(self, point):
        if self.team is not None:
            for buffer, value in zip(self.model.buffers(), point.get("statistics", ()), strict=False):
                buffer.detach().copy_(value)

    def _resolve(self, place):
        """Have losses and metrics given by name made, as by the first batch: they are to get a state."""
        model = self.model
        if model.compiled_metrics.parts is not None or place is None:
            return
        x, y, _ = self.tracked.look(place["began"])
        with torch.no_grad():
            y_pred = model(x)
        model.compiled_metrics.build(model, y, y_pred)
        if model.compiled_loss is not None and model.compiled_loss.parts is None:
            model.compiled_loss.build(model, y, y_pred)

    def _rate(self):
        optimizer = self.model.optimizer
        while hasattr(optimizer, "inner_optimizer"):
            optimizer = optimizer.inner_optimizer
        return float(optimizer._rate) if isinstance(optimizer._rate, (int, float)) else None

    def _dataset(self):
        """Return the `PyDataset` that is trained on; other data finds its place by being read again."""
        source = getattr(self.tracked.batches, "source", None)
        return source if isinstance(source, PyDataset) else None

    def _data_state(self):
        return self._dataset().state_dict() if hasattr(self._dataset(), "state_dict") else None

    def _stateful(self):
        return [callback for callback in self.callbacks if hasattr(callback, "load_state_dict")]

    def _restore_callbacks(self, states):
        """Give each callback the state of the one of its class and number among those of that class."""
        seen, table = Counter(), {}
        for name, state in states:
            table[name, seen[name]] = state
            seen[name] += 1
        seen.clear()
        for callback in self._stateful():
            name = type(callback).__name__
            state = table.get((name, seen[name]))
            seen[name] += 1
            if state:
                callback.load_state_dict(state)

    def _restore_states(self, states):
        for layer, values in zip(stateful_layers(self.model), states, strict=False):
            for kept, value in zip(layer.states, values, strict=True):
                kept.detach_().copy_(value)

    def _metrics(self):
        return list(flatten_metrics(self.model.metrics))


def _on_cpu(value):
    """Return nested values with the tensors in them in the memory of the CPU."""
    if isinstance(value, dict):
        return {key: _on_cpu(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_on_cpu(part) for part in value]
    return value.detach().cpu() if isinstance(value, torch.Tensor) else value


def _metric_state(metric):
    if hasattr(metric, "kept_batches"):
        return metric.kept_batches()
    return [variable.value for variable in metric.variables]


def _restore_metric(metric, state):
    if hasattr(metric, "kept_batches"):
        metric.keep_batches(state)
        return
    for variable, value in zip(metric.variables, state, strict=False):
        variable.assign(value)


def stateful_layers(model):
    """Return the layers whose states go from batch to batch, such as an `LSTM(stateful=True)`."""
    layers = collecting.all_layers(model)
    return [layer for layer in layers if getattr(layer, "stateful", False) and layer.states]
