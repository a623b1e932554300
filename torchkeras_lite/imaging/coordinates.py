"""Values between pixels and outside of images."""

import functools
import itertools
import operator

import torch
import torch.nn.functional as F

from torchkeras_lite.imaging.layout import as_dtype, computing_dtype, to_torch, to_user

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
# How torch calls what lies outside, and whether its reflections turn at the centres of the outermost pixels.
_GRID_MODES = {
    "constant": ("zeros", False),
    "nearest": ("border", False),
    "reflect": ("reflection", False),
    "mirror": ("reflection", True),
}


def inside(places, size, fill_mode):
    """Return whole-numbered places on an axis of `size` as places inside; those of "constant" are cut off.

    Args:
        places: Integer tensor.
        size: Length of the axis.
        fill_mode: How an axis "abcd" goes on: `"constant"` and `"nearest"` dddd, `"wrap"` abcd, `"mirror"`
            cba, `"reflect"` dcba.
    """
    if fill_mode == "wrap":
        return places.remainder(size)
    if fill_mode == "mirror":
        period = max(2 * (size - 1), 1)
        places = places.remainder(period)
        return torch.minimum(places, period - places).clamp(max=size - 1)
    if fill_mode == "reflect":
        places = places.remainder(2 * size)
        return torch.minimum(places, 2 * size - 1 - places)
    return places.clamp(0, size - 1)


def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0.0):
    """Return the values of an array at places between its elements.

    Args:
        inputs: Tensor of any number of axes.
        coordinates: Tensor whose first axis runs over the axes of `inputs`; the others are those of the
            result.
        order: 0 for the nearest element (at ties the even one), 1 for linear interpolation.
        fill_mode: How the array goes on outside, see `inside`.
        fill_value: The number outside for `"constant"`.

    Returns:
        A tensor of the dtype of `inputs`; integers are rounded.
    """
    dtype = inputs.dtype
    fill_value = _as_fill(fill_value, dtype)
    if order == 0:
        nodes = [[(places.round().long(), None)] for places in coordinates]
    else:
        work = torch.promote_types(computing_dtype(dtype), computing_dtype(coordinates.dtype))
        coordinates = coordinates.to(work)
        inputs = inputs.to(work)
        lower = coordinates.floor()
        fractions = coordinates - lower
        lower = lower.long()
        nodes = [
            [(low, 1 - fraction), (low + 1, fraction)]
            for low, fraction in zip(lower.unbind(), fractions.unbind(), strict=True)
        ]
    parts = [_corner(inputs, corner, fill_mode, fill_value) for corner in itertools.product(*nodes)]
    return as_dtype(functools.reduce(operator.add, parts), dtype)


def _corner(inputs, corner, fill_mode, fill_value):
    """Return the weighted values at one corner of the cells that hold the places."""
    places = [place for place, _ in corner]
    values = inputs[
        tuple(inside(place, size, fill_mode) for place, size in zip(places, inputs.shape, strict=True))
    ]
    if fill_mode == "constant":
        known = [(place >= 0) & (place < size) for place, size in zip(places, inputs.shape, strict=True)]
        values = values.where(functools.reduce(operator.and_, known), _scalar(fill_value, values))
    weights = [weight for _, weight in corner if weight is not None]
    return functools.reduce(operator.mul, weights, values)


def _as_fill(value, dtype):
    """Return the number outside as images of this dtype hold it: integers without fractions."""
    if dtype.is_floating_point:
        return value
    return value.to(dtype) if isinstance(value, torch.Tensor) else int(value)


def _scalar(value, like):
    """Return `value` as a tensor without axes of the dtype of `like`."""
    if isinstance(value, torch.Tensor):
        return value.to(like.dtype)
    return torch.full((), value, dtype=like.dtype, device=like.device)


def sample(
    images,
    columns,
    rows,
    interpolation="bilinear",
    fill_mode="constant",
    fill_value=0.0,
    data_format="channels_last",
):
    """Return the values of images at the places (columns, rows), of which every image has its own.

    Args:
        images: Batch of images.
        columns, rows: Tensors (batch, new height, new width), in pixels from the centre of the first.
        interpolation: `"bilinear"`, or `"nearest"` (at ties the even place).
        fill_mode: How images go on outside, see `inside`.
        fill_value: The number outside for `"constant"`.
        data_format: Layout of `images`.

    Returns:
        Images of the dtype of `images`; integers are rounded.
    """
    x = to_torch(images, data_format)
    read = _sample_nearest if interpolation == "nearest" else _sample_bilinear
    return to_user(read(x, columns, rows, fill_mode, _as_fill(fill_value, x.dtype)), data_format)


def _sample_nearest(x, columns, rows, fill_mode, fill_value):
    height, width = x.shape[2:]
    columns, rows = columns.round().long(), rows.round().long()
    places = inside(rows, height, fill_mode) * width + inside(columns, width, fill_mode)
    places = places.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    values = x.flatten(2).gather(2, places).unflatten(2, rows.shape[1:])
    if fill_mode != "constant":
        return values
    known = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return values.where(known[:, None], _scalar(fill_value, values))


def _sample_bilinear(x, columns, rows, fill_mode, fill_value):
    work = computing_dtype(x.dtype)
    values, columns, rows = x.to(work), columns.to(work), rows.to(work)
    if fill_mode == "wrap":  # torch knows no such mode: a copy of the first row and column closes the circle
        columns, rows = columns.remainder(x.shape[3]), rows.remainder(x.shape[2])
        values = torch.cat([values, values[:, :, :1]], 2)
        values = torch.cat([values, values[:, :, :, :1]], 3)
    mode, at_centres = _GRID_MODES["nearest" if fill_mode == "wrap" else fill_mode]
    height, width = values.shape[2:]
    if at_centres:
        grid = torch.stack([columns * (2 / max(width - 1, 1)) - 1, rows * (2 / max(height - 1, 1)) - 1], -1)
    else:
        grid = torch.stack([(columns * 2 + 1) / width - 1, (rows * 2 + 1) / height - 1], -1)
    outside = fill_value if fill_mode == "constant" else 0.0
    if isinstance(outside, torch.Tensor) or outside:
        values = F.grid_sample(values - outside, grid, padding_mode=mode, align_corners=at_centres) + outside
    else:
        values = F.grid_sample(values, grid, padding_mode=mode, align_corners=at_centres)
    return as_dtype(values, x.dtype)
