"""One image read at transformed places, with the fill modes of `scipy.ndimage`."""

import numpy as np
import torch
import torch.nn.functional as F

from torchkeras_lite.base.checks import one_of
from torchkeras_lite.callbacks.extras import extra

FILL_MODES = ("nearest", "constant", "reflect", "wrap")


def warp(planes, matrix, fill_mode, cval, order):
    """Return planes of the same size, read at other places.

    Args:
        planes: Array (channels, height, width).
        matrix: Array (2, 3) that sends the row and column of a new pixel to those where it is read.
        fill_mode: What is outside: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`.
        cval: The number outside for `"constant"`.
        order: 0 for the nearest pixel, 1 for linear interpolation, 2 to 5 for splines, which need SciPy.

    Raises:
        ValueError: an unknown fill mode or order.
        ImportError: a spline, and SciPy is not installed.
    """
    one_of("ImageDataGenerator", "fill_mode", fill_mode, FILL_MODES)
    one_of("ImageDataGenerator", "interpolation_order", order, range(6))
    if order > 1:
        return _spline(planes, matrix, fill_mode, cval, order)
    height, width = planes.shape[1:]
    rows, columns = _places(matrix, height, width)
    outside = None
    if fill_mode == "constant":
        outside = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
    elif fill_mode == "wrap":  # SciPy's period is one pixel short of the length
        rows, columns = _wrapped(rows, height), _wrapped(columns, width)
    values = torch.from_numpy(np.ascontiguousarray(planes))
    read = _nearest if order == 0 else _linear
    result = read(values, rows, columns, fill_mode == "reflect")
    if outside is not None:
        result = result.masked_fill(outside, cval)
    return result.to(values.dtype).numpy()


def _places(matrix, height, width):
    rows = torch.arange(height, device="cpu", dtype=torch.float64)[:, None]
    columns = torch.arange(width, device="cpu", dtype=torch.float64)
    return (rows * row[0] + (columns * row[1] + row[2]) for row in np.asarray(matrix).tolist())


def _wrapped(places, size):
    period = max(size - 1, 1)
    return torch.where((places < 0) | (places > size - 1), places.remainder(period), places)


def _linear(values, rows, columns, reflects):
    height, width = values.shape[1:]
    grid = torch.empty((1, height, width, 2), device="cpu", dtype=torch.float32)
    for axis, (places, size) in enumerate(((columns, width), (rows, height))):
        grid[0, :, :, axis] = places.mul_(2).add_(1).div_(size).sub_(1)
    mode = "reflection" if reflects else "border"
    return F.grid_sample(values[None].float(), grid, padding_mode=mode, align_corners=False)[0]


def _nearest(values, rows, columns, reflects):
    places = []
    for place, size in ((rows, values.shape[1]), (columns, values.shape[2])):
        if reflects:
            place = place.remainder(2 * size)
            place = torch.where(place >= size, 2 * size - 1 - place, place)
        places.append((place + 0.5).floor().long().clamp(0, size - 1))
    return values[:, places[0], places[1]]


def _spline(planes, matrix, fill_mode, cval, order):
    ndimage = extra("scipy.ndimage", "scipy", "ImageDataGenerator(interpolation_order=) beyond 1")
    matrix = np.asarray(matrix)
    return np.stack(
        [
            ndimage.affine_transform(
                plane, matrix[:, :2], matrix[:, 2], order=order, mode=fill_mode, cval=cval
            )
            for plane in planes
        ]
    )
