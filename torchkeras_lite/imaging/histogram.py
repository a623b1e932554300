"""Images whose values are spread by their histograms: as a whole, and tile by tile with limited contrast."""

import torch
import torch.nn.functional as F

from torchkeras_lite.imaging.layout import to_torch, to_user

LEVELS = 256


def equalize(images, bins=LEVELS, data_format="channels_last"):
    """Return images of which every channel has its values spread evenly over 0 to 255, in whole numbers.

    Args:
        images: Batch of images, floats from 0 to 255; channels of one value stay as they are.
        bins: How many steps the values are counted in.
        data_format: Layout of `images`.
    """
    planes = to_torch(images, data_format)
    values = planes.flatten(2)
    places = (values.clamp(0, 255) / 255 * (bins - 1)).long()
    counts = _counts(places, bins)
    below = counts.cumsum(-1)
    total = values.shape[-1]
    # The lowest bin in use is the darkest, and becomes 0.
    darkest = torch.where(counts > 0, below, total).amin(-1, keepdim=True)
    spread = total - darkest
    levels = ((below - darkest) * 255 / spread.clamp(min=1)).round().clamp(min=0).to(images.dtype)
    spaced = torch.where(spread > 0, levels.gather(-1, places), values)
    return to_user(spaced.view(planes.shape), data_format)


def equalize_tiles(images, clip_limit, tiles, data_format="channels_last"):
    """Return images equalized tile by tile, and blended between the middles of the tiles.

    Args:
        images: Batch of images, floats from 0 to 255; fractions are cut off.
        clip_limit: How many times its even share a value may count, a number; what is above is given to all
            values alike. 0 or less: no limit.
        tiles: How many tiles in a column and in a row, two integers.
        data_format: Layout of `images`.
    """
    planes = to_torch(images, data_format)
    height, width = planes.shape[2:]
    sides = [-(-size // number) for size, number in zip((height, width), tiles, strict=True)]
    missing = [side * n - size for side, n, size in zip(sides, tiles, (height, width), strict=True)]
    padded = F.pad(planes, (0, missing[1], 0, missing[0]), mode="replicate")
    levels = _tile_levels(padded.clamp(0, 255).long(), sides, tiles, clip_limit)
    values = planes.clamp(0, 255).long().flatten(2)
    (top, bottom, down), (left, right, across) = (
        _neighbours(size, side, number, images)
        for size, side, number in zip((height, width), sides, tiles, strict=True)
    )

    def looked_up(rows, columns):
        tile = (rows[:, None] * tiles[1] + columns).flatten()
        return levels.gather(-1, tile * LEVELS + values).view(planes.shape)

    above = torch.lerp(looked_up(top, left), looked_up(top, right), across)
    below = torch.lerp(looked_up(bottom, left), looked_up(bottom, right), across)
    return to_user(torch.lerp(above, below, down[:, None]).to(images.dtype), data_format)


def _counts(places, bins):
    """Return how often each bin occurs along the last axis, (..., bins)."""
    counts = torch.zeros(*places.shape[:-1], bins, dtype=torch.int64, device=places.device)
    return counts.scatter_add_(-1, places, torch.ones_like(places))


def _tile_levels(values, sides, tiles, clip_limit):
    """Return the new level of each value in each tile, (batch, channels, tiles * LEVELS)."""
    batch, channels = values.shape[:2]
    cut = values.view(batch, channels, tiles[0], sides[0], tiles[1], sides[1]).transpose(3, 4)
    counts = _counts(cut.reshape(batch, channels, tiles[0] * tiles[1], -1), LEVELS).to(torch.float32)
    area = sides[0] * sides[1]
    if clip_limit > 0:
        limit = int(clip_limit * area / LEVELS)
        excess = (counts - limit).clamp(min=0).sum(-1, keepdim=True)
        counts = counts.clamp(max=limit) + excess / LEVELS
    below = counts.cumsum(-1)
    darkest = below[..., :1]
    spread = (area - darkest).clamp(min=1e-6)
    return ((below - darkest) * 255 / spread).clamp(0, 255).flatten(2)


def _neighbours(size, side, number, like):
    """Return for each pixel of an axis the tiles before and after it, and how near it is to the second."""
    places = torch.arange(size, device=like.device, dtype=torch.float32) / side - 0.5
    before = places.floor()
    near = (places - before).clamp(0, 1)
    last = number - 1
    return before.long().clamp(0, last), (before.long() + 1).clamp(0, last), near
