"""Callbacks made of functions."""

from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.callbacks.callback import Callback

HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Calls the functions it is given.

    Args:
        on_epoch_begin: Function `(epoch, logs)`.
        on_epoch_end: Function `(epoch, logs)`.
        on_train_begin: Function `(logs)`.
        on_train_end: Function `(logs)`.
        on_train_batch_begin: Function `(batch, logs)`.
        on_train_batch_end: Function `(batch, logs)`.
        **kwargs: Functions for the other hooks of `Callback` by their names; anything else becomes an
            attribute.

    Raises:
        TypeError: a hook that is no function or that does not exist.

    Source: Keras 3 `keras.callbacks.LambdaCallback`.
    """

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        **kwargs,
    ):
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, value in given.items():
            if name.startswith("on_"):
                if name not in HOOKS:
                    raise TypeError(f"LambdaCallback: there is no hook `{name}`{suggestion(name, HOOKS)}")
                if value is None:
                    continue
                if not callable(value):
                    raise TypeError(f"LambdaCallback: `{name}` must be a function, got {value!r}.")
            setattr(self, name, value)
