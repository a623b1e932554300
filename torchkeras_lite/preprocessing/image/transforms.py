"""Augmentations of one image, an array."""

import numpy as np

from torchkeras_lite.base import config
from torchkeras_lite.preprocessing.image.warping import warp


def transform_matrix_offset_center(matrix, x, y):
    """Return a matrix that does around the middle of `x` rows and `y` columns what `matrix` does around 0."""
    middle = np.array([x / 2 - 0.5, y / 2 - 0.5])
    centred = np.array(matrix, dtype="float64")
    centred[:2, 2] += middle - centred[:2, :2] @ middle
    return centred


def _matrix(theta, tx, ty, shear, zx, zy):
    """Return rotation, shift, shear and zoom as one matrix."""
    turn, lean = np.deg2rad(theta), np.deg2rad(shear)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    shearing = np.array([[1, -np.sin(lean), 0], [0, np.cos(lean), 0], [0, 0, 1]])
    return rotation @ shift @ shearing @ np.diag([zx, zy, 1])


def apply_affine_transform(
    x,
    theta=0,
    tx=0,
    ty=0,
    shear=0,
    zx=1,
    zy=1,
    row_axis=1,
    col_axis=2,
    channel_axis=0,
    fill_mode="nearest",
    cval=0.0,
    order=1,
):
    """Return an image turned, moved, sheared and scaled around its middle.

    Args:
        x: Array with three axes.
        theta: Angle in degrees.
        tx, ty: Shift in pixels, of rows and of columns.
        shear: Angle in degrees.
        zx, zy: Zoom of rows and of columns; below 1 things become larger.
        row_axis, col_axis, channel_axis: Axes of `x`.
        fill_mode: What is outside of the image: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`.
        cval: The number outside for `"constant"`.
        order: 0 for the nearest pixel, 1 for linear interpolation, 2 to 5 for splines, which need SciPy.

    Raises:
        ValueError: axes that are not 0, 1 and 2 in some order, an unknown fill mode.

    Source: tf.keras `preprocessing.image.apply_affine_transform`. Differs: computed by torch, without SciPy.
    """
    if sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2] or x.ndim != 3:
        raise ValueError(
            "apply_affine_transform: expected an image of three axes and `row_axis`, `col_axis`, "
            "`channel_axis` "
            f"among 0, 1 and 2; got the shape {x.shape} and {row_axis}, {col_axis}, {channel_axis}."
        )
    if (theta, tx, ty, shear, zx, zy) == (0, 0, 0, 0, 1, 1):
        return x
    axes = (channel_axis, row_axis, col_axis)
    planes = x.transpose(axes)
    matrix = transform_matrix_offset_center(_matrix(theta, tx, ty, shear, zx, zy), *planes.shape[1:])
    if col_axis > row_axis:
        matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]  # it was written for x and y, planes have rows first
    return warp(planes, matrix[:2], fill_mode, cval, order).transpose(np.argsort(axes))


def random_rotation(
    x, rg, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0, interpolation_order=1
):
    """Return an image turned by an angle from `-rg` to `rg` degrees. See `apply_affine_transform`."""
    theta = np.random.uniform(-rg, rg)
    return _affine(x, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order, theta=theta)


def random_shift(
    x, wrg, hrg, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0, interpolation_order=1
):
    """Return an image moved by up to the fractions `wrg` of its width and `hrg` of its height."""
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return _affine(x, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order, tx=tx, ty=ty)


def random_shear(
    x, intensity, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0, interpolation_order=1
):
    """Return an image sheared by an angle from `-intensity` to `intensity` degrees."""
    shear = np.random.uniform(-intensity, intensity)
    return _affine(x, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order, shear=shear)


def random_zoom(
    x,
    zoom_range,
    row_axis=1,
    col_axis=2,
    channel_axis=0,
    fill_mode="nearest",
    cval=0.0,
    interpolation_order=1,
):
    """Return an image scaled by factors from `zoom_range`, one for rows and one for columns.

    Raises:
        ValueError: `zoom_range` is no pair.
    """
    if len(zoom_range) != 2:
        raise ValueError(
            f"random_zoom: `zoom_range` should be a tuple or list of two floats. Received: {zoom_range}"
        )
    zx, zy = zooms(zoom_range, np.random)
    return _affine(x, row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order, zx=zx, zy=zy)


def zooms(zoom_range, random):
    """Return the factors of rows and of columns."""
    low, high = zoom_range
    return (1, 1) if low == high == 1 else random.uniform(low, high, 2)


def _affine(x, row_axis, col_axis, channel_axis, fill_mode, cval, order, **change):
    return apply_affine_transform(
        x,
        **change,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=order,
    )


def apply_channel_shift(x, intensity, channel_axis=0):
    """Return an image with `intensity` added, between its smallest and its largest value."""
    return np.clip(x + np.asarray(intensity, x.dtype), x.min(), x.max())


def random_channel_shift(x, intensity_range, channel_axis=0):
    """Return an image with a number from `-intensity_range` to `intensity_range` added."""
    intensity = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, intensity, channel_axis)


def apply_brightness_shift(x, brightness, scale=True):
    """Return an image made brighter, in whole steps from 0 to 255.

    Args:
        x: Array; values outside of 0 to 255 are stretched into that range meanwhile.
        brightness: 0 for black, 1 for the image as it is.
        scale: Whether the values are stretched to 0 to 255, and stay so.

    Source: tf.keras `preprocessing.image.apply_brightness_shift`. Differs: needs no Pillow.
    """
    x = np.asarray(x, dtype=config.floatx())
    low, high = x.min(), x.max()
    stretches = low < 0 or high > 255
    if scale or stretches:
        x = x - low
        x = x / x.max() * 255 if x.max() else x
    levels = np.clip(np.trunc(x) * np.asarray(brightness, x.dtype), 0, 255)
    levels = np.trunc(levels)
    if not scale and stretches:
        levels = levels / 255 * (high - low) + low
    return levels.astype(config.floatx())


def random_brightness(x, brightness_range, scale=True):
    """Return an image made brighter by a factor from `brightness_range`.

    Raises:
        ValueError: `brightness_range` is no pair.
    """
    if len(brightness_range) != 2:
        raise ValueError(
            "random_brightness: `brightness_range` should be tuple or list of two floats. Received: "
            f"{brightness_range}"
        )
    return apply_brightness_shift(x, np.random.uniform(*brightness_range), scale)


def flip_axis(x, axis):
    """Return an array in the opposite order along an axis."""
    return np.flip(x, axis)
