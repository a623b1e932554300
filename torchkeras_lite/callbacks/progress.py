"""Progress bars in Keras's look, drawn with tqdm."""

import logging
import math
import os
import sys
import time

import numpy as np
from tqdm.std import tqdm
from tqdm.utils import disp_trim

from torchkeras_lite.base import processes
from torchkeras_lite.base.switches import is_interactive_logging_enabled

BOLD, GREEN, GREY, PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class StatusLine(tqdm):
    """A tqdm bar whose text is given; tqdm keeps it apart from other bars and from what `announce` prints.

    Args:
        stream: Where it is drawn.
        text: What is shown first.
    """

    monitor_interval = 0

    def __init__(self, stream, text):
        self.text = text
        self.ended = False
        # A number of columns and rows keeps tqdm from asking terminals that do not know theirs.
        super().__init__(file=stream, leave=True, ncols=80, nrows=20)

    def __str__(self):
        columns = None if self.ended else columns_of(self.fp)
        return disp_trim(self.text, columns - 1) if columns else self.text

    def show(self, text):
        """Draw `text` in place of what is there."""
        self.text = text
        self.refresh()

    def finish(self, text):
        """Draw `text` in full and end the line."""
        self.text = text
        self.ended = True
        self.close()


def columns_of(stream):
    """Return the width of the terminal behind `stream`, or `None` where it is not known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, AttributeError, ValueError):
        return None


def announce(message):
    """Print a line without cutting through bars that are drawn; log it where interactive logging is off."""
    if not processes.is_first():
        return
    if not is_interactive_logging_enabled():
        logging.getLogger("torchkeras_lite").info(message)
        return
    tqdm.write(message, file=sys.stdout)
    sys.stdout.flush()


def is_live(stream):
    """Whether what is written to `stream` can be drawn over: a terminal or a notebook."""
    if not is_interactive_logging_enabled():
        return False
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) or "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


def bar_character(stream):
    """Return what the bar is made of: a line, or `=` where the stream's encoding has none."""
    try:
        "━".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "="
    return "━"


def format_rate(seconds, unit_name):
    """`6ms/step`: the duration of one unit."""
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit_name}"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/{unit_name}"
    return f"{seconds * 1e6:.0f}us/{unit_name}"


def format_eta(seconds):
    """`12s`, `3:07` or `1:02:33`: the time left."""
    minutes, rest = divmod(int(seconds), 60)
    if seconds > 3600:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if seconds > 60 else f"{rest}s"


def format_value(value):
    """Four decimals, scientific up to 1e-3; a mean for arrays; text as it is."""
    if isinstance(value, str) or value is None:
        return str(value)
    number = value if isinstance(value, float) else float(np.mean(value))
    return f"{number:.4f}" if abs(number) > 1e-3 else f"{number:.4e}"


class Progbar:
    """A progress bar with the time left and the values of metrics.

    On a terminal or in a notebook the line is drawn over; anywhere else, one line is printed at the end.

    Args:
        target: Number of steps expected, or `None`.
        width: Width of the bar in characters.
        verbose: 0 for nothing, 1 for a bar, 2 for one line at the end.
        interval: Least time between two drawings, in seconds.
        stateful_metrics: Names of values to show as they are; all others are averaged over the steps.
        stateless_metrics: Names of values to average; all others are shown as they are. Only one of both.
        unit_name: What is counted, `"step"` or `"sample"`.

    Raises:
        ValueError: both `stateful_metrics` and `stateless_metrics`.

    Source: Keras 3 `keras.utils.Progbar`.
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: Only one of `stateful_metrics` and `stateless_metrics` can be given, got both. "
                "Name either those to show as they are or those to average."
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self.seen = 0
        self._sums = {}
        self._line = None
        self._started = self._now()
        self._first_step_ended = None
        self._next_draw = self._started

    @staticmethod
    def _now():
        return time.perf_counter()

    def is_averaged(self, name):
        """Whether the value called `name` is averaged over the steps."""
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in (self.stateful_metrics or ())

    def update(self, current, values=None, finalize=None):
        """Show that `current` steps are done.

        Args:
            current: Number of steps done.
            values: List of `(name, value of the last step)`.
            finalize: Whether this is the last update; by default when `current` reaches the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self.seen, 1)
        for name, value in values or ():
            if finalize or isinstance(value, str) or not self.is_averaged(name):
                self._sums[name] = (value, None)
            else:
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = (total + value * steps, (count or 0) + steps)
        self.seen = current
        now = self._now()
        duration = self._step_duration(current, now)
        stream = sys.stdout
        if self.verbose == 1 and is_live(stream):
            if now >= self._next_draw or finalize:
                self._draw(
                    stream, self._text(current, now, duration, finalize, bar_character(stream)), finalize
                )
                self._next_draw = self._now() + self.interval
        elif finalize and self.verbose:
            counts = self._counts(current)
            if self.verbose == 1:
                announce(uncoloured(self._text(current, now, duration, True, bar_character(stream))))
            else:
                parts = [counts, f"{now - self._started:.0f}s", format_rate(duration, self.unit_name)]
                announce(" - ".join(parts) + self._metrics())

    def add(self, n, values=None):
        """Show that `n` more steps are done, with the `values` of the last."""
        self.update(self.seen + n, values)

    def close(self):
        """End a line that is still drawn."""
        if self._line is not None:
            self._line.finish(self._line.text)
            self._line = None

    def _draw(self, stream, text, finalize):
        if self._line is None:
            self._line = StatusLine(stream, "" if finalize else text)
        elif not finalize:
            self._line.show(text)
        if finalize:
            self._line.finish(text)
            self._line = None

    def _step_duration(self, current, now):
        """Seconds a step; the first, which is slower as a rule, only counts while it is alone."""
        if not current:
            return 0.0
        if current > 1 and self._first_step_ended is not None:
            return (now - self._first_step_ended) / (current - 1)
        if current == 1:
            self._first_step_ended = now
        return (now - self._started) / current

    def _counts(self, current):
        if not self.target:
            return f"{current:7d}/Unknown"
        return f"{current:{int(math.log10(self.target)) + 1}d}/{self.target}"

    def _metrics(self):
        shown = {
            name: value if count is None else value / count for name, (value, count) in self._sums.items()
        }
        return "".join(f" - {name}: {format_value(value)}" for name, value in shown.items())

    def _text(self, current, now, duration, finalize, character):
        if self.target:
            done = min(int(self.width * current / self.target), self.width)
            bar = f"{BOLD}{self._counts(current)}{PLAIN} "
            bar += f"{GREEN}{character * done}{PLAIN}" if done else ""
            bar += f"{GREY}{character * (self.width - done)}{PLAIN}"
        else:
            bar = self._counts(current)
        if finalize or not self.target:
            clock = f"{now - self._started:.0f}s"
        else:
            clock = format_eta(duration * (self.target - current))
        return f"{bar} {BOLD}{clock}{PLAIN} {format_rate(duration, self.unit_name)}{self._metrics()}"


def uncoloured(text):
    """Return `text` without the codes for colours, for files and pipes."""
    for code in (BOLD, GREEN, GREY, PLAIN):
        text = text.replace(code, "")
    return text
