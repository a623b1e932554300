"""The learning rate as a function of the epoch."""

import inspect

import numpy as np

from torchkeras_lite.callbacks.callback import Callback
from torchkeras_lite.callbacks.learning_rates import note_learning_rates, rated_optimizers
from torchkeras_lite.callbacks.progress import announce


class LearningRateScheduler(Callback):
    """Sets the learning rate before every epoch; with a `MultiOptimizer`, that of each of its optimizers.

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
        for optimizer, _, words in rated_optimizers(self.model.optimizer):
            if not hasattr(optimizer, "learning_rate"):
                raise ValueError(
                    'Optimizer must have a "learning_rate" attribute. LearningRateScheduler works with '
                    f"the optimizer that compile() made or was given; got {optimizer!r}."
                )
            arguments = (epoch, float(optimizer.learning_rate))
            rate = self.schedule(*(arguments if _takes(self.schedule, *arguments) else arguments[:1]))
            if not isinstance(rate, (float, np.floating)):
                raise ValueError(
                    f"The output of the `schedule` function should be a float. Got: {rate} "
                    f"of type {type(rate).__name__}. Return float(...)."
                )
            optimizer.learning_rate = rate
            if self.verbose:
                announce(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {words} to {rate}.")

    def on_epoch_end(self, epoch, logs=None):
        """Note the learning rate in the logs."""
        if logs is not None:
            note_learning_rates(self.model.optimizer, logs)


def _takes(function, *arguments):
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True
