"""Several callbacks as one, at no cost for hooks that none of them has."""

import weakref
from time import perf_counter

from torchkeras_lite.base import nested
from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.history import History
from torchkeras_lite.callbacks.logs import LazyLogs
from torchkeras_lite.callbacks.progbar_logger import ProgbarLogger

# Names a hook goes by, in order of preference.
BATCH_HOOKS = {
    f"{mode}_batch_{place}": (
        f"on_{mode}_batch_{place}",
        *((f"on_batch_{place}",) if mode == "train" else ()),
    )
    for mode in ("train", "test", "predict")
    for place in ("begin", "end")
}

# Hooks for the end of a batch that have nothing to do before the bar's next drawing.
PATIENT = (
    ProgbarLogger.on_train_batch_end,
    ProgbarLogger.on_test_batch_end,
    ProgbarLogger.on_predict_batch_end,
)


class CallbackList(Callback):
    """A list of callbacks that is called like one.

    Which callbacks have hooks for batches is found out when the model is set and at every begin, so a step
    only pays for hooks that exist. Loops read `has_train_batch_hooks`, `has_test_batch_hooks` and
    `has_predict_batch_hooks` and leave the calls out where they are false. The `logs` of the batch hooks may
    be given as a function without arguments that returns the dict of floats; it is called only if a callback
    looks at its logs (see `LazyLogs`).

    Args:
        callbacks: A callback, or a nested list of them.
        add_history: Whether to append a `History` if there is none.
        add_progbar: Whether to append a `ProgbarLogger` if there is none.
        model: The model, for `set_model` of every callback.
        **params: `verbose`, `epochs`, `steps`, for `set_params` of every callback.

    Raises:
        TypeError: something that is no callback.

    Source: Keras 3 `keras.callbacks.CallbackList`.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        super().__init__()
        self.callbacks = [] if callbacks is None else [checked(c) for c in nested.flatten(callbacks)]
        self._pending = None
        self._history = self._first(History, add_history)
        self._progbar = self._first(ProgbarLogger, add_progbar)
        self.set_model(model)
        self.set_params(params)

    def _first(self, kind, add):
        found = next((callback for callback in self.callbacks if isinstance(callback, kind)), None)
        if found is None and add:
            found = kind()
            self.callbacks.append(found)
        return found

    @property
    def history(self):
        """The `History` in the list, or `None`."""
        return self._history

    def __iter__(self):
        return iter(self.callbacks)

    def __len__(self):
        return len(self.callbacks)

    def append(self, callback):
        """Add a callback at the end and give it the parameters and the model."""
        callback = checked(callback)
        self.callbacks.append(callback)
        if self.params:
            callback.set_params(self.params)
        if self._model is not None:
            callback.set_model(self._model)
        self.find_batch_hooks()

    def set_params(self, params):
        """Give `params` to every callback, if there are any."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model):
        """Give the model to every callback, if there is one."""
        self._model = model
        if model is not None:
            for callback in self.callbacks:
                callback.set_model(model)
        self.find_batch_hooks()

    def find_batch_hooks(self):
        """Find out which callbacks have hooks for batches. To be called when a hook was replaced
        meanwhile."""
        callbacks = self._last_ones_last()
        self._hooks = {
            name: [hook for callback in callbacks if (hook := batch_hook(callback, *names))]
            for name, names in BATCH_HOOKS.items()
        }
        self._train_begin, self._train_end = self._hooks["train_batch_begin"], self._hooks["train_batch_end"]
        self.has_train_batch_hooks = bool(self._train_begin or self._train_end)
        self.has_test_batch_hooks = bool(self._hooks["test_batch_begin"] or self._hooks["test_batch_end"])
        self.has_predict_batch_hooks = bool(
            self._hooks["predict_batch_begin"] or self._hooks["predict_batch_end"]
        )
        self._bars = {mode: self._only_bar(mode) for mode in ("train", "test", "predict") if callbacks}

    def _only_bar(self, mode):
        """Return the bar where it alone has hooks for batches of a mode, else `None`."""
        hooks = self._hooks[f"{mode}_batch_begin"] + self._hooks[f"{mode}_batch_end"]
        waits = [getattr(hook, "__func__", None) in PATIENT for hook in hooks]
        return hooks[0].__self__ if waits == [True] else None

    def can_wait(self, mode):
        """Whether the hooks of a batch that ended need not be called: there is the bar alone, and it is not
        drawn yet. They must be called for the last batch of an epoch then.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
        """
        bar = self._bars.get(mode)
        return bar is not None and perf_counter() < bar.next_draw

    def _last_ones_last(self):
        """Return the callbacks in their order, those behind that note what the others did."""
        if not self.callbacks:
            return []
        return sorted(self.callbacks, key=lambda callback: getattr(callback, "acts_last", False))

    def _call(self, hook, *arguments, logs, callbacks=None):
        self._settle()
        logs = {} if logs is None else logs
        for callback in self.callbacks if callbacks is None else callbacks:
            getattr(callback, hook)(*arguments, logs)

    def _settle(self):
        """Read the logs of the last batch if a callback kept them: what they read is about to change."""
        kept = self._pending and self._pending()
        self._pending = None
        if kept is not None:
            kept.materialize()

    def _end_batch(self, hooks, batch, logs):
        if not hooks:
            return
        if logs is None:
            logs = {}
        elif callable(logs):
            logs = LazyLogs(logs)
        if isinstance(logs, LazyLogs):
            self._pending = weakref.ref(logs)
        for hook in hooks:
            hook(batch, logs)

    def _begin_batch(self, hooks, batch, logs):
        if self._pending is not None:
            self._settle()
        if hooks:
            logs = {} if logs is None else logs
            for hook in hooks:
                hook(batch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        """Call the hooks there are."""
        self._begin_batch(self._train_begin, batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Call the hooks there are with lazy logs."""
        self._end_batch(self._train_end, batch, logs)

    def on_batch_begin(self, batch, logs=None):
        """Older name of `on_train_batch_begin`."""
        self.on_train_batch_begin(batch, logs)

    def on_batch_end(self, batch, logs=None):
        """Older name of `on_train_batch_end`."""
        self.on_train_batch_end(batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Call the hooks there are."""
        self._begin_batch(self._hooks["test_batch_begin"], batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        """Call the hooks there are with lazy logs."""
        self._end_batch(self._hooks["test_batch_end"], batch, logs)

    def on_predict_batch_begin(self, batch, logs=None):
        """Call the hooks there are."""
        self._begin_batch(self._hooks["predict_batch_begin"], batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        """Call the hooks there are with lazy logs."""
        self._end_batch(self._hooks["predict_batch_end"], batch, logs)

    def on_train_begin(self, logs=None):
        """Call the hook of every callback."""
        self._call("on_train_begin", logs=logs)
        self.find_batch_hooks()

    def on_train_end(self, logs=None):
        """Call the hook of every callback."""
        self._call("on_train_end", logs=logs)

    def on_epoch_begin(self, epoch, logs=None):
        """Call the hook of every callback."""
        self._call("on_epoch_begin", epoch, logs=logs)
        self.find_batch_hooks()

    def on_epoch_end(self, epoch, logs=None):
        """Call the hook of every callback."""
        self._call("on_epoch_end", epoch, logs=logs, callbacks=self._last_ones_last())

    def on_test_begin(self, logs=None):
        """Call the hook of every callback."""
        self._call("on_test_begin", logs=logs)
        self.find_batch_hooks()

    def on_test_end(self, logs=None):
        """Call the hook of every callback."""
        self._call("on_test_end", logs=logs)

    def on_predict_begin(self, logs=None):
        """Call the hook of every callback."""
        self._call("on_predict_begin", logs=logs)
        self.find_batch_hooks()

    def on_predict_end(self, logs=None):
        """Call the hook of every callback."""
        self._call("on_predict_end", logs=logs)

    def close(self):
        """Let go of what callbacks hold open: bars, files, swapped weights; loops call it in their
        `finally`."""
        for callback in self.callbacks:
            release = getattr(callback, "release", None)
            if release is not None:
                release()


def batch_hook(callback, *names):
    """Return the first of the methods called `names` that `callback` or its class has filled, else `None`."""
    for name in names:
        method = getattr(callback, name, None)
        if method is not None and getattr(method, "__func__", method) is not getattr(Callback, name):
            return method
    return None


def checked(callback):
    """Return `callback`, which must be an object with the methods of `Callback`."""
    if isinstance(callback, type):
        remedy = f"Pass an instance: {callback.__name__}(...)."
    elif isinstance(callback, Callback) or hasattr(callback, "set_model"):
        return callback
    elif callable(callback):
        remedy = "Wrap a function: LambdaCallback(on_epoch_end=function)."
    else:
        remedy = "Pass objects of subclasses of `Callback`."
    raise TypeError(f"callbacks: expected instances of Callback, got {callback!r}. {remedy}")
