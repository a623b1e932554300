"""Process-wide switches of Keras's scripts: interactive logging, traceback filtering, limits of training."""

import os

import torch

_switches = {"interactive_logging": True, "traceback_filtering": True}


def enable_interactive_logging():
    """Let messages and progress bars go to the standard output (the setting at the start)."""
    _switches["interactive_logging"] = True


def disable_interactive_logging():
    """Ask for messages that suit a log file rather than a terminal."""
    _switches["interactive_logging"] = False


def is_interactive_logging_enabled():
    """Return whether messages and progress bars go to the standard output."""
    return _switches["interactive_logging"]


def enable_traceback_filtering():
    """Keep the setting only: tracebacks are never cut here, so there is nothing to filter."""
    _switches["traceback_filtering"] = True


def disable_traceback_filtering():
    """Keep the setting only: tracebacks are never cut here."""
    _switches["traceback_filtering"] = False


def is_traceback_filtering_enabled():
    """Return what was set last, `True` at the start."""
    return _switches["traceback_filtering"]


def enable_flash_attention():
    """Allow torch's flash attention kernel on CUDA (torch's own setting, on at the start)."""
    torch.backends.cuda.enable_flash_sdp(True)


def disable_flash_attention():
    """Forbid torch's flash attention kernel on CUDA."""
    torch.backends.cuda.enable_flash_sdp(False)


def is_flash_attention_enabled():
    """Return whether torch may use its flash kernel on CUDA."""
    return torch.backends.cuda.flash_sdp_enabled()


def max_epochs():
    """Return the most epochs that `fit` runs whatever it is told, or `None`."""
    return _limit("KERAS_MAX_EPOCHS")


def set_max_epochs(max_epochs):
    """Limit the epochs of every `fit` (`KERAS_MAX_EPOCHS` of the environment); `None` lifts the limit."""
    _set_limit("KERAS_MAX_EPOCHS", max_epochs)


def max_steps_per_epoch():
    """Return the most steps that an epoch, an evaluation or a prediction runs, or `None`."""
    return _limit("KERAS_MAX_STEPS_PER_EPOCH")


def set_max_steps_per_epoch(max_steps_per_epoch):
    """Limit the steps of an epoch (`KERAS_MAX_STEPS_PER_EPOCH` of the environment); `None`: no limit."""
    _set_limit("KERAS_MAX_STEPS_PER_EPOCH", max_steps_per_epoch)


def _limit(name):
    value = os.environ.get(name)
    return None if value is None else int(value)


def _set_limit(name, value):
    if value is None:
        os.environ.pop(name, None)
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"config: the limit {name} must be an integer or `None`, got {value!r}.")
    os.environ[name] = str(value)
