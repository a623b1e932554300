"""What all callbacks that watch one value share: which value, and which way is better."""

import warnings

import numpy as np

from torchkeras_lite.callbacks.callback import Callback

MODES = {"min": np.less, "max": np.greater}


class MonitorCallback(Callback):
    """Base of the callbacks that compare one entry of the logs with its best value so far.

    Args:
        monitor: Name of an entry of an epoch's logs, `"val_loss"`.
        mode: `"min"` if smaller is better, `"max"` if larger is, `"auto"` to find it out: losses are
            minimized, a metric says it by its direction (`higher_is_better` of torchmetrics), and names that
            end in `acc`, `accuracy` or `auc` or begin with `fmeasure` are maximized. Anything else warns and
            counts as `"auto"`.
        initial_value_threshold: What the first value must better.
        min_delta: Smallest change that counts as better.

    Raises:
        ValueError: at the end of the first epoch, where `"auto"` cannot know.

    Source: Keras 3 `keras.callbacks.MonitorCallback`. Guessing from names is tf.keras's.
    """

    def __init__(self, monitor="val_loss", mode="auto", initial_value_threshold=None, min_delta=0):
        super().__init__()
        if mode not in (*MODES, "auto"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode. "
                "Pass 'min', 'max' or 'auto'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = initial_value_threshold
        self.min_delta = abs(min_delta)
        self.monitor_op = None
        if mode != "auto":
            self._set_direction(mode)

    def _set_direction(self, mode):
        self.monitor_op = MODES[mode]
        self.min_delta = abs(self.min_delta) if mode == "max" else -abs(self.min_delta)

    def is_improvement(self, value, reference):
        """Whether `value` is better than `reference` by `min_delta`; anything is better than `None`."""
        if self.monitor_op is None:
            self._set_direction(self._find_mode())
        return reference is None or bool(self.monitor_op(value - self.min_delta, reference))

    def _find_mode(self):
        name = self.monitor.removeprefix("val_")
        mode = direction(name, flatten_metrics(getattr(self.model, "metrics", None) or ()))
        if mode is None:
            raise ValueError(
                f"{type(self).__name__} callback received monitor={self.monitor}, but it isn't able to "
                "automatically determine whether that metric should be maximized or minimized. "
                "Pass `mode='max'` in order to monitor based on the highest metric value, or pass "
                "`mode='min'` in order to use the lowest value."
            )
        return mode


def flatten_metrics(metrics):
    """Yield every metric in `metrics` and inside of those that hold others."""
    for metric in metrics:
        yield metric
        inner = getattr(metric, "metrics", None)
        if isinstance(inner, (list, tuple)):
            yield from flatten_metrics(inner)


def direction(name, metrics):
    """Return `"min"` or `"max"` for the value called `name`, without `val_`, or `None` where it cannot be
    known."""
    if name == "loss":
        return "min"
    named = [(getattr(metric, "name", None) or type(metric).__name__.lower(), metric) for metric in metrics]
    # `<output>_<metric>` and `weighted_<metric>` end in the metric's name; the longest such name is meant.
    matches = sorted(
        (m for m in named if name == m[0] or name.endswith(f"_{m[0]}")), key=lambda m: -len(m[0])
    )
    for _, metric in matches:
        if (up := _is_upward(metric)) is not None:
            return "max" if up else "min"
    if name.endswith(("acc", "accuracy", "auc")) or name.startswith("fmeasure"):
        return "max"
    return "min" if name.endswith("_loss") else None


def _is_upward(metric):
    known = getattr(metric, "_direction", None)
    if known in ("up", "down"):
        return known == "up"
    higher = getattr(metric, "higher_is_better", None)
    return higher if isinstance(higher, bool) else None
