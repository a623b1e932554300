"""What `fit`, `evaluate` and `predict` accept in their arguments, told before anything is done."""

import inspect
import numbers

from torchkeras_lite.base.checks import positive_int, suggestion

VERBOSE = ("auto", 0, 1, 2)
WORKERS = ("workers", "use_multiprocessing", "max_queue_size")


def check_training(
    epochs, initial_epoch, validation_split, validation_steps, validation_batch_size, validation_freq
):
    """Raise a `ValueError` for arguments of `fit` that make no sense."""
    not_negative("epochs", epochs)
    not_negative("initial_epoch", initial_epoch)
    number = isinstance(validation_split, numbers.Real) and not isinstance(validation_split, bool)
    if not number or not 0 <= validation_split < 1:
        raise ValueError(
            f"`validation_split` must be between 0 and 1, got {validation_split!r}. Pass the fraction to "
            "hold out, in the range [0, 1): for example 0.2."
        )
    optional_count("fit", "validation_steps", validation_steps)
    optional_count("fit", "validation_batch_size", validation_batch_size)
    if not isinstance(validation_freq, (list, tuple, set)) and (
        isinstance(validation_freq, bool) or not isinstance(validation_freq, int) or validation_freq < 1
    ):
        raise ValueError(
            f"`validation_freq` must be a positive integer or a list of epochs, got {validation_freq!r}."
        )


def not_negative(name, value):
    """Raise unless `value` is an integer of 0 or more."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise ValueError(f"fit: `{name}` must be an integer of 0 or more, got {name}={value!r}.")


def optional_count(method, name, value):
    """Raise unless `value` is `None` or a positive integer."""
    if value is not None:
        positive_int(method, name, value)


def verbosity(value):
    """Return `verbose` as a number; `"auto"` is 1.

    Raises:
        ValueError: an unknown value.
    """
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, (str, int)) or value not in VERBOSE:
        raise ValueError(
            f"`verbose` must be 0 (silent), 1 (a bar), 2 (a line an epoch) or 'auto', got {value!r}."
        )
    return 1 if value == "auto" else value


def worker_options(method, given):
    """Return what tf.keras scripts pass beside the arguments of today: `workers` and its like.

    Args:
        method: The method that was called.
        given: The keyword arguments that it does not name.

    Raises:
        TypeError: another argument.
    """
    for name in given:
        if name not in WORKERS:
            known = list(inspect.signature(method).parameters)
            raise TypeError(
                f"{method.__name__}: got an unexpected, unknown argument `{name}`"
                f"{suggestion(name, (*known, *WORKERS))}"
            )
    return given
