"""Tables of box characters, with the widths and line breaks that Keras's summaries have."""

import re

ASCII = str.maketrans("┏┳┓┡╇┩├┼┤└┴┘━─┃│…", "++++++++++++--||~")


def column_widths(line_length, positions, count):
    """Return the widths of `count` columns, without their margins.

    Args:
        line_length: Width of the table.
        positions: Where the columns end, in fractions of the line.
        count: Number of columns.
    """
    ends = [int(line_length * position) for position in positions]
    wanted = [max(end - start, 1) for start, end in zip([0, *ends], ends[:count], strict=False)]
    excess = sum(wanted) + 3 * count + 1 - line_length  # two margins a column, and the lines
    widths = []
    for index, width in enumerate(wanted):
        cut = min(max(round(excess / (count - index)), 0), width + 1)
        excess -= cut
        widths.append(max(width - cut, 1))
    return widths


def wrap(text, width):
    """Return `text` as lines of `width` characters at most, broken between words; longer words end in `…`."""
    lines, used = [""], 0
    for word in re.findall(r"\s*\S+\s*", text):
        if used and used + len(word.rstrip()) > width:
            lines.append("")
            used = 0
        lines[-1] += word
        used += len(word)
    lines = [line.rstrip() for line in lines]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


def draw_table(headers, rows, alignments, widths):
    """Return a table as text.

    Args:
        headers: Texts of the first row.
        rows: Lists of texts.
        alignments: `"<"`, `">"` or `"^"` for each column.
        widths: Of the columns, without margins.
    """

    def rule(left, line, middle, right):
        return left + middle.join(line * (width + 2) for width in widths) + right

    lines = [rule("┏", "━", "┳", "┓")]
    lines += _draw_row(headers, alignments, widths, "┃", bottom=True)
    lines.append(rule("┡", "━", "╇", "┩"))
    for number, row in enumerate(rows):
        if number:
            lines.append(rule("├", "─", "┼", "┤"))
        lines += _draw_row(row, alignments, widths, "│")
    lines.append(rule("└", "─", "┴", "┘"))
    return "\n".join(lines)


def _draw_row(cells, alignments, widths, edge, bottom=False):
    wrapped = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    filled = []
    for lines in wrapped:
        space = [""] * (height - len(lines))
        filled.append(space + lines if bottom else lines + space)
    return [
        edge
        + edge.join(
            f" {text:{align}{width}} " for text, align, width in zip(line, alignments, widths, strict=True)
        )
        + edge
        for line in zip(*filled, strict=True)
    ]


def for_stream(text, stream):
    """Return `text`, in plain characters where the encoding of `stream` has no boxes."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return text.translate(ASCII)
    return text


def readable_size(num_bytes):
    """`1.61 KB`: a number of bytes with a unit."""
    size, units = float(num_bytes), ["B", "KB", "MB", "GB", "TB", "PB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.2f} {units[0]}"
