"""The learning rate as a function of the epoch."""

import inspect

import numpy as np

from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.progress import announce


class LearningRateScheduler(Callback):
    """Sets the learning rate before every epoch.

    Args:
        schedule: Function `(epoch, learning_rate)` or `(epoch)` that returns the learning rate as a float.
        verbose: 1 to print it.

    Raises:
        ValueError: at the begin of an epoch, if the optimizer has no learning rate or the function returns no
            float.
        TypeError: an optimizer whose learning rate is a schedule.

    Source: Keras 3 `keras.callbacks.LearningRateScheduler`.
    """

    def __init__(self, schedule, verbose=0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch, logs=None):
        """Set the learning rate of the epoch."""
        if not hasattr(self.model.optimizer, "learning_rate"):
            raise ValueError(
                'Optimizer must have a "learning_rate" attribute. LearningRateScheduler works with '
                f"the optimizer that compile() made or was given; got {self.model.optimizer!r}."
            )
        arguments = (epoch, float(self.model.optimizer.learning_rate))
        learning_rate = self.schedule(*(arguments if _takes(self.schedule, *arguments) else arguments[:1]))
        if not isinstance(learning_rate, (float, np.floating)):
            raise ValueError(
                f"The output of the `schedule` function should be a float. Got: {learning_rate} "
                f"of type {type(learning_rate).__name__}. Return float(...)."
            )
        self.model.optimizer.learning_rate = learning_rate
        if self.verbose:
            announce(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {learning_rate}.")

    def on_epoch_end(self, epoch, logs=None):
        """Note the learning rate in the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes(function, *arguments):
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True
