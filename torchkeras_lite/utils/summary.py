"""`model.summary()`: a table of the layers with their output shapes and numbers of weights."""

import shutil
import sys
from dataclasses import dataclass

from torchkeras_lite.engine.weights import leaf
from torchkeras_lite.utils.flops import count_flops
from torchkeras_lite.utils.summary_rows import is_branched, rows_of
from torchkeras_lite.utils.text_table import column_widths, draw_table, for_stream, readable_size

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def print_summary(
    model,
    line_length=None,
    positions=None,
    print_fn=None,
    expand_nested=False,
    show_trainable=False,
    layer_range=None,
    show_flops=False,
    rows=None,
):
    """Print a table of the layers of `model`, and how many weights there are in all.

    Args:
        model: The model; one that is not built shows what is known.
        line_length: Width of the table; by default as the columns need, and at most that of the terminal.
        positions: Where the columns end, as fractions of the line, one a column.
        print_fn: Called with the text instead of printing it.
        expand_nested: Whether the layers of models inside are listed too.
        show_trainable: Whether a column tells which layers are trained.
        layer_range: Names (or regular expressions) of two layers: only these and those between are listed.
        show_flops: Whether a column and a line tell the floating-point operations (products of matrices,
            convolutions and attention) of a forward pass of one sample.
        rows: The rows to show, for what is no model of this package.

    Raises:
        ValueError: `layer_range` is no pair of names, or names no layers; too few `positions`.

    Source: Keras 3 `Model.summary`. Additions: `show_flops`, and plain torch modules by their class.
    """
    text = summary_text(
        model, line_length, positions, expand_nested, show_trainable, layer_range, show_flops, rows
    )
    if print_fn is not None:
        print_fn(text)
        return
    text = for_stream(text, sys.stdout)
    if sys.stdout.isatty():
        title, rest = text.split("\n", 1)
        text = f"{BOLD}{title}{PLAIN}\n{rest}"
    print(text, end="")


def summary_text(
    model,
    line_length=None,
    positions=None,
    expand_nested=False,
    show_trainable=False,
    layer_range=None,
    show_flops=False,
    rows=None,
):
    """Return what `print_summary` prints."""
    flops = count_flops(model) if show_flops else None
    branched = is_branched(model)
    columns = [
        Column("Layer (type)", "<", lambda row: row.label),
        Column("Output Shape", "<", lambda row: row.shape),
        Column("Param #", ">", lambda row: row.count),
    ]
    if branched:
        columns.append(Column("Connected to", "<", lambda row: row.sources or "-"))
        default_length, default_positions = 108, (0.3, 0.56, 0.74, 1.0)
    else:
        default_length, default_positions = 88, (0.45, 0.8, 1.0)
    positions = list(positions or default_positions)
    extra = []
    if show_trainable:
        extra.append(Column("Trainable", "^", lambda row: row.trained))
    if show_flops:
        by_module = flops[1] if flops else {}
        extra.append(Column("FLOPs", ">", lambda row: _flops_cell(row.target, by_module)))
    for column in extra:
        columns.append(column)
        default_length += 12
        positions = [position * 0.9 for position in positions] + [1.0]
    if len(positions) < len(columns):
        raise ValueError(
            f"summary: expected {len(columns)} `positions`, one a column, got {positions}. Pass fractions "
            f"of the line such as {list(default_positions)}."
        )
    length = line_length or min(default_length, shutil.get_terminal_size().columns - 4)
    rows = rows_of(model, layer_range, expand_nested) if rows is None else rows
    table = draw_table(
        [column.title for column in columns],
        [[column.cell(row) for column in columns] for row in rows],
        [column.alignment for column in columns],
        column_widths(length, positions, len(columns)),
    )
    lines = [f'Model: "{model.name}"', table, *_totals(model)]
    if show_flops:
        lines.append(f" FLOPs a sample: {flops[0]:,}" if flops else " FLOPs a sample: unknown")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Column:
    """A column of the table: its title, alignment, and what it shows of a `Row`."""

    title: str
    alignment: str
    cell: object


def _totals(model):
    trained = [leaf(weight) for weight in model.trainable_weights]
    frozen = [leaf(weight) for weight in model.non_trainable_weights]
    counts = {"Trainable": _count(trained), "Non-trainable": _count(frozen)}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and getattr(optimizer, "built", False):
        counts["Optimizer"] = _count([getattr(v, "value", v) for v in optimizer.variables])
    total = [sum(numbers) for numbers in zip(*counts.values(), strict=True)]
    lines = {"Total": total, **counts}
    return [f" {what} params: {number:,} ({readable_size(size)})" for what, (number, size) in lines.items()]


def _count(tensors):
    """Return how many numbers tensors hold, and their size in bytes."""
    return sum(t.numel() for t in tensors), sum(t.numel() * t.element_size() for t in tensors)


def _flops_cell(target, by_module):
    return f"{by_module[id(target)]:,}" if id(target) in by_module else "-"
