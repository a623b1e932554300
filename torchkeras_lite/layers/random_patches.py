"""Rectangles drawn at random, one an image of a batch."""

import torch


def rectangles(corners, sides, sizes):
    """Return masks `(batch, height, width)`, true inside of one rectangle an image.

    Args:
        corners: Where it lies, `(batch, 2)` from 0 to 1, of the room it has along rows and columns.
        sides: How high and wide it is, `(batch, 2)`, in parts of the image.
        sizes: Height and width of the images.
    """
    lengths = sides * torch.tensor(sizes, device=sides.device)
    starts = corners * (torch.tensor(sizes, device=sides.device) - lengths)
    rows, columns = (
        _between(size, starts[:, axis, None], lengths[:, axis, None]) for axis, size in enumerate(sizes)
    )
    return rows[:, :, None] & columns[:, None, :]


def _between(size, start, length):
    places = torch.arange(size, device=start.device)
    return (places >= start) & (places < start + length)
