"""The interface of callbacks: a class of empty hooks."""

from torch.nn.parallel import DistributedDataParallel


class Callback:
    """Base of all callbacks: hooks that `fit`, `evaluate` and `predict` call, all empty.

    Override what is needed. Indices are 0-based. `logs` are mappings of names to Python floats: running means
    so far at the end of a batch (read from the device only if the callback looks at them), the results of the
    epoch with `val_*` entries at the end of an epoch, empty where nothing is known yet.

    A training loop of your own wraps its callbacks in a `CallbackList` and calls the hooks of that.

    Attributes:
        params: Dict with `verbose`, `epochs` and `steps`.
        model: The model being trained.

    Source: Keras 3 `keras.callbacks.Callback`.
    """

    params = None
    _model = None
    stateful: tuple[str, ...] = ()  # attributes that a training which goes on after an interruption needs
    first_process_only = False  # of several processes; it prints or writes files, and decides nothing
    reads_batch_logs = True  # whether its hooks for batches may look at their logs
    # Flags that one of several processes may set, and the attributes that get what all have agreed on.
    requests: dict[str, str] = {}
    acts_last = False  # whether it comes behind all others at the end of batches and epochs

    def __init__(self):
        self.params = None
        self._model = None

    @property
    def model(self):
        """The model; where torch's `DistributedDataParallel` holds it, the model inside."""
        if isinstance(self._model, DistributedDataParallel):
            return self._model.module
        return self._model

    @model.setter
    def model(self, model):
        self._model = model

    def state_dict(self):
        """Return what `BackupAndRestore` keeps of the callback: plain values, arrays, lists, dicts."""
        return {name: getattr(self, name) for name in self.stateful}

    def load_state_dict(self, state_dict):
        """Take what `state_dict` returned, after `on_train_begin`."""
        for name, value in state_dict.items():
            setattr(self, name, value)

    def set_params(self, params):
        """Receive the dict of `verbose`, `epochs` and `steps`."""
        self.params = params

    def set_model(self, model):
        """Receive the model, before any hook is called."""
        self._model = model

    def release(self):
        """Let go of files and of anything else held open, at the end of a loop, however it ended.

        Not in Keras: after an error or Ctrl-C `on_train_end` is not called.
        """

    def on_train_begin(self, logs=None):
        """Before the first epoch of `fit`."""

    def on_train_end(self, logs=None):
        """After the last epoch of `fit`; `logs` are those of that epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before the batches of an epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """After the batches and the validation of an epoch; `logs` hold the results of both."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before a training step."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch, logs=None):
        """After a training step; with `steps_per_execution=N` after every N steps."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch, logs=None):
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Older name of `on_train_batch_end`."""

    def on_test_begin(self, logs=None):
        """Before `evaluate`, and before the validation of an epoch."""

    def on_test_end(self, logs=None):
        """After `evaluate`, and after the validation of an epoch."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before a batch of `evaluate` or of the validation."""

    def on_test_batch_end(self, batch, logs=None):
        """After a batch of `evaluate` or of the validation."""

    def on_predict_begin(self, logs=None):
        """Before `predict`."""

    def on_predict_end(self, logs=None):
        """After `predict`."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a batch of `predict`; `logs["outputs"]` are its results."""
