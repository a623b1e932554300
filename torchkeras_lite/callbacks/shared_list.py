"""The callbacks of one of several processes that train together."""

from torchkeras_lite.base import nested, processes
from torchkeras_lite.callbacks.callback_list import CallbackList, checked
from torchkeras_lite.callbacks.progbar_logger import ProgbarLogger


class SharedCallbackList(CallbackList):
    """Callbacks whose decisions hold for all processes.

    Those that print or write files (`first_process_only`) are there in the first process alone. All others
    see the same logs everywhere; after them, training stops everywhere if one process wants it. Logs at the
    end of batches are those of all processes if a callback that
    reads them is there besides the progress bar; the bar shows those of the first process.

    Args:
        callbacks: As in `CallbackList`.
        team: The `Team`, which is told whether logs of batches are joined.
        **arguments: As in `CallbackList`.
    """

    def __init__(self, callbacks=None, team=None, add_progbar=False, **arguments):
        given = [] if callbacks is None else [checked(callback) for callback in nested.flatten(callbacks)]
        is_first = processes.is_first()
        if not is_first:
            given = [c for c in given if not getattr(c, "first_process_only", False)]
        self.team = team
        self.meets = False
        super().__init__(given, add_progbar=add_progbar and is_first, **arguments)

    def find_batch_hooks(self):
        """Find out which callbacks have hooks for batches."""
        super().find_batch_hooks()
        if getattr(self, "meets", False):
            self.has_train_batch_hooks = True

    def can_wait(self, mode):
        """Whether the hooks of a batch need not be called: never where processes meet at its end."""
        return not self.meets and super().can_wait(mode)

    def _look_at_batches(self):
        """Agree on whether processes meet at the end of every batch, and whether logs are joined there."""
        hooks = self._train_begin + self._train_end
        owners = [getattr(hook, "__self__", None) for hook in hooks]
        owners = [owner for owner in owners if not isinstance(owner, ProgbarLogger)]
        reads = any(getattr(owner, "reads_batch_logs", True) for owner in owners)
        self.meets, self.team.joins_batch_logs = processes.agree([bool(owners), reads])
        self.find_batch_hooks()

    def on_epoch_begin(self, epoch, logs=None):
        """Call the hook of every callback."""
        super().on_epoch_begin(epoch, logs)
        self._look_at_batches()

    def on_train_batch_end(self, batch, logs=None):
        """Call the hooks there are, and agree on whether to stop."""
        if not self.meets:
            super().on_train_batch_end(batch, logs)
            return
        self._agree_on_requests()
        joined = logs() if callable(logs) and self.team.joins_batch_logs else logs
        super().on_train_batch_end(batch, joined)
        (self._model.stop_training,) = processes.agree([self._model.stop_training])

    def on_epoch_end(self, epoch, logs=None):
        """Call the hook of every callback with the first process's logs, and agree on whether to stop."""
        self._agree_on_requests()
        if logs:
            logs.update(processes.from_first(dict(logs)))
        super().on_epoch_end(epoch, logs)
        (self._model.stop_training,) = processes.agree([self._model.stop_training])

    def on_train_begin(self, logs=None):
        """Call the hook of every callback; all begin with the first one's epoch."""
        super().on_train_begin(logs)
        self._model._initial_epoch = processes.from_first(self._model._initial_epoch)
        (self._model.stop_training,) = processes.agree([self._model.stop_training])

    def _agree_on_requests(self):
        names = [(c, name) for c in self.callbacks for name in getattr(c, "requests", ())]
        if names:
            flags = processes.agree([getattr(callback, name) for callback, name in names])
            for (callback, name), flag in zip(names, flags, strict=True):
                setattr(callback, callback.requests[name], flag)
