"""Curves of a training."""

from torchkeras_lite.callbacks.extras import extra

TRAIN_COLOUR, VALIDATION_COLOUR, GRID_COLOUR, TEXT_COLOUR = "#2a6f97", "#e07a2f", "#e3e6ea", "#3b4252"


def plot_history(history, to_file=None):
    """Draw the curves of a training, one panel a metric, with validation beside training.

    Args:
        history: What `fit` returned, or its dict of names to lists of values.
        to_file: File to write the picture to, such as `"curves.png"`, instead of showing it.

    Returns:
        The matplotlib figure, which a notebook or `matplotlib.pyplot.show()` shows.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there is no epoch to draw.

    Source: an addition; needs `pip install matplotlib` (the extra `plot`).
    """
    values = getattr(history, "history", history)
    if not values:
        raise ValueError("plot_history: the history has no epochs. Pass what `model.fit(...)` returned.")
    pyplot = extra("matplotlib.pyplot", "matplotlib", "utils.plot_history()")
    ticker = extra("matplotlib.ticker", "matplotlib", "utils.plot_history()")
    names = _panels(values)
    columns = 2 if len(names) == 4 else min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = pyplot.figure(figsize=(4.6 * columns, 3.4 * rows), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, name in zip(axes, names, strict=False):
        _draw_panel(axis, name, values, getattr(history, "epoch", None), ticker)
    for axis in axes[len(names) :]:
        axis.remove()
    if to_file is not None:
        figure.savefig(to_file, dpi=150)
        pyplot.close(figure)
    return figure


def _panels(values):
    """Return the metrics: the loss first, the learning rate last, every validation value with its metric."""
    names = [name for name in values if not (name.startswith("val_") and name.removeprefix("val_") in values)]
    return sorted(
        names, key=lambda name: (name == "learning_rate", name != "loss", not name.endswith("loss"))
    )


def _draw_panel(axis, name, values, epochs, ticker):
    curves = [(name, "validation" if name.startswith("val_") else "train")]
    if f"val_{name}" in values:
        curves.append((f"val_{name}", "validation"))
    for key, label in curves:
        y = [float(value) for value in values[key]]
        x = _epochs_of(y, len(values[name]), epochs)
        colour = VALIDATION_COLOUR if label == "validation" else TRAIN_COLOUR
        marker = "o" if len(y) <= 20 else None
        axis.plot(x, y, color=colour, linewidth=1.8, marker=marker, markersize=3.5, label=label)
    axis.set_title(name.replace("_", " "), color=TEXT_COLOUR, fontsize=11, loc="left", fontweight="bold")
    axis.set_xlabel("epoch", color=TEXT_COLOUR, fontsize=9)
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(color=GRID_COLOUR, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(colors=TEXT_COLOUR, labelsize=8, length=0)
    for side, spine in axis.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID_COLOUR)
    if len(curves) > 1:
        axis.legend(frameon=False, fontsize=9, labelcolor=TEXT_COLOUR)


def _epochs_of(y, count, epochs):
    """Return the numbers, from 1, of the epochs of `y`: every `n`th with a `validation_freq` of `n`."""
    numbers = (
        [epoch + 1 for epoch in epochs] if epochs and len(epochs) == count else list(range(1, count + 1))
    )
    if len(y) == len(numbers):
        return numbers
    step = max(count // max(len(y), 1), 1)
    return [numbers[min(index * step + step - 1, count - 1)] for index in range(len(y))]
