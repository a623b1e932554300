"""Images read at other places."""

import torch

from torchkeras_lite import imaging
from torchkeras_lite.base.checks import one_of
from torchkeras_lite.engine.operation import operation
from torchkeras_lite.imaging.coordinates import FILL_MODES
from torchkeras_lite.ops.image.arguments import as_batch, as_given, check_transform, spatial_axes
from torchkeras_lite.ops.inputs import as_tensors
from torchkeras_lite.random import SeedGenerator, normal

_KERNELS = {
    "linear": "linear",
    "bilinear": "linear",
    "trilinear": "linear",
    "cubic": "cubic",
    "bicubic": "cubic",
    "tricubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


@operation
def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Return images of another size.

    Args:
        images: One image or a batch.
        size: (height, width).
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: Whether smaller images are smoothed, so that no pixel goes unseen.
        crop_to_aspect_ratio: Whether the largest part in the middle that has the new form is taken, so that
            nothing is stretched.
        pad_to_aspect_ratio: Whether images get edges to have the new form before they are resized.
        fill_mode: What is in these edges: `"constant"`.
        fill_value: The number in them.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Returns:
        Images of the same dtype; integers are rounded.

    Raises:
        ValueError: unknown names, both a crop and edges, another number of axes.

    Source: Keras 3 `keras.ops.image.resize`. Differs: Keras on torch has no Lanczos interpolation.
    """
    size = _new_size(size)
    one_of("resize", "interpolation", interpolation, tuple(imaging.INTERPOLATIONS))
    one_of("resize", "fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "resize: Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`. Choose one."
        )
    images, batched, data_format = as_batch("resize", images, data_format)
    resized = imaging.resize(
        images,
        size,
        interpolation,
        antialias,
        data_format,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        fill_value=fill_value,
    )
    return as_given(resized, batched)


def _new_size(size):
    if len(size) != 2:
        raise ValueError(f"resize: Expected `size` to be a tuple of 2 integers. Received: size={size}")
    if any(int(side) < 1 for side in size):
        raise ValueError(f"resize: `size` must have positive height and width. Received: size={size}")
    return tuple(int(side) for side in size)


@operation(tensors=2)
def affine_transform(
    images,
    transform,
    interpolation="bilinear",
    fill_mode="constant",
    fill_value=0,
    data_format=None,
):
    """Return images of the same size, read at transformed places.

    Args:
        images: One image or a batch.
        transform: Tensor (8,), or (batch, 8). a0 a1 a2 b0 b1 b2 c0 c1 sends the output point (x, y) to the
            input point ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), where k = c0 x + c1 y + 1.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: How images go on outside: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or `"reflect"`.
        fill_value: The number outside for `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: unknown names, shapes that do not go together.

    Source: Keras 3 `keras.ops.image.affine_transform`; torch's `F.grid_sample`. Differs: c0 and c1 count, as
    in Keras on TensorFlow; gradients reach `transform`.
    """
    check_transform("affine_transform", interpolation, fill_mode)
    images, transform = as_tensors([images, transform])
    images, batched, data_format = as_batch("affine_transform", images, data_format)
    if transform.ndim not in (1, 2):
        raise ValueError(
            "affine_transform: Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch "
            f"of transforms). Received input with shape: transform.shape={tuple(transform.shape)}."
        )
    if transform.shape[-1] != 8 or (transform.ndim == 2 and transform.shape[0] not in (1, images.shape[0])):
        raise ValueError(
            "affine_transform: expected a transform of 8 numbers for all images or for each, got shape "
            f"{tuple(transform.shape)} for images of shape {tuple(images.shape)}."
        )
    transformed = imaging.affine_transform(
        images, transform, interpolation, fill_mode, fill_value, data_format
    )
    return as_given(transformed, batched)


@operation(tensors=3)
def perspective_transform(
    images,
    start_points,
    end_points,
    interpolation="bilinear",
    fill_value=0,
    data_format=None,
):
    """Return images in which four points lie at four other places.

    Args:
        images: One image or a batch.
        start_points: Tensor (4, 2), or (batch, 4, 2), of points (x, y) of the input.
        end_points: Where they are in the output, likewise.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: The number outside.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: unknown names, shapes that do not go together.

    Source: Keras 3 `keras.ops.image.perspective_transform`.
    """
    check_transform("perspective_transform", interpolation)
    images, start_points, end_points = as_tensors([images, start_points, end_points])
    images, batched, data_format = as_batch("perspective_transform", images, data_format)
    for name, points in (("start_points", start_points), ("end_points", end_points)):
        if points.ndim not in (2, 3) or tuple(points.shape[-2:]) != (4, 2):
            raise ValueError(
                f"perspective_transform: Invalid {name} shape: expected (4,2) for a single image or (N,4,2) "
                f"for a batch. Received shape: {tuple(points.shape)}."
            )
    if start_points.shape != end_points.shape:
        raise ValueError(
            "perspective_transform: start_points and end_points must have the same shape. Received "
            f"start_points.shape={tuple(start_points.shape)}, end_points.shape={tuple(end_points.shape)}."
        )
    start_points, end_points = start_points.reshape(-1, 4, 2), end_points.reshape(-1, 4, 2)
    transformed = imaging.perspective_transform(
        images, start_points[: len(images)], end_points[: len(images)], interpolation, fill_value, data_format
    )
    return as_given(transformed, batched)


@operation
def elastic_transform(
    images,
    alpha=20.0,
    sigma=5.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    seed=None,
    data_format=None,
):
    """Return images bent as if printed on rubber.

    Args:
        images: One image or a batch.
        alpha: How strongly, a number > 0.
        sigma: How smoothly: standard deviation of the Gaussian over the moves, in pixels, > 0.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: How images go on outside, see `affine_transform`.
        fill_value: The number outside for `"constant"`.
        seed: An integer, a `SeedGenerator` or `None`.
        data_format: `"channels_last"` or `"channels_first"`; `None`: the configured one.

    Raises:
        ValueError: unknown names, another number of axes.

    Source: Keras 3 `keras.ops.image.elastic_transform`. The same distribution; not the numbers that Keras
    draws for a seed.
    """
    check_transform("elastic_transform", interpolation, fill_mode)
    images, batched, data_format = as_batch("elastic_transform", images, data_format)
    height, width = (images.shape[axis] for axis in spatial_axes(data_format))
    shape = (images.shape[0], height, width, 2)
    if images.is_meta:
        noise = images.new_empty(shape, dtype=torch.float32)
    else:
        generator = seed if isinstance(seed, SeedGenerator) or seed is None else SeedGenerator(seed)
        noise = normal(shape, seed=generator).to(images.device)
    bent = imaging.elastic_transform(
        images, noise, alpha, sigma, interpolation, fill_mode, fill_value, data_format
    )
    return as_given(bent, batched)


@operation(tensors=2)
def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """Return the values of an array at places between its elements.

    Args:
        inputs: Tensor of any number of axes.
        coordinates: Tensor whose first axis runs over the axes of `inputs`; the others are those of the
            result.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: How the array goes on outside, see `affine_transform`.
        fill_value: The number outside for `"constant"`.

    Raises:
        NotImplementedError: a higher order.
        ValueError: another fill mode, shapes that do not go together.

    Source: Keras 3 `keras.ops.image.map_coordinates`; `scipy.ndimage.map_coordinates`.
    """
    inputs, coordinates = as_tensors([inputs, coordinates])
    if not coordinates.ndim or coordinates.shape[0] != inputs.ndim:
        raise ValueError(
            "map_coordinates: First dim of `coordinates` must be the same as the rank of `inputs`. Received "
            f"inputs with shape: {tuple(inputs.shape)} and coordinates with shape: "
            f"{tuple(coordinates.shape)}."
        )
    if coordinates.ndim < 2:
        raise ValueError(
            "map_coordinates: Invalid coordinates rank: expected at least rank 2. Received input with shape: "
            f"{tuple(coordinates.shape)}."
        )
    one_of("map_coordinates", "fill_mode", fill_mode, FILL_MODES)
    if order not in (0, 1):
        raise NotImplementedError(
            f"map_coordinates: currently requires order<=1, got order={order}. Pass 1 for linear."
        )
    if not coordinates.is_floating_point():
        coordinates = coordinates.float()
    return imaging.map_coordinates(inputs, coordinates, order, fill_mode, fill_value)


@operation(tensors=4)
def scale_and_translate(images, output_shape, scale, translation, spatial_dims, method, antialias=True):
    """Return an array some axes of which are scaled and moved.

    Args:
        images: Tensor of any number of axes.
        output_shape: Its new shape; `None` for axes that stay.
        scale: How many times larger things become, one number for each of the axes.
        translation: How far they are moved after that, in pixels of the new axes, likewise.
        spatial_dims: The axes.
        method: `"linear"`, `"cubic"` (or `"bilinear"`, `"bicubic"`, ...), `"lanczos3"` or `"lanczos5"`.
        antialias: Whether smaller images are smoothed.

    Returns:
        A tensor of the same dtype; integers are rounded.

    Raises:
        ValueError: another method, lengths that differ.

    Source: Keras 3 `keras.ops.image.scale_and_translate`; `jax.image.scale_and_translate`.
    """
    images, scale, translation = as_tensors([images, scale, translation])
    one_of("scale_and_translate", "method", method, tuple(_KERNELS))
    output_shape = tuple(output_shape)
    spatial_dims = tuple(int(axis) for axis in spatial_dims)
    found = (len(output_shape), len(spatial_dims), len(spatial_dims))
    if found != (images.ndim, scale.numel(), translation.numel()):
        raise ValueError(
            f"scale_and_translate: expected an output shape of {images.ndim} axes and as many numbers in "
            f"`scale` and `translation` as `spatial_dims`, got output_shape={output_shape}, scale of shape "
            f"{tuple(scale.shape)}, translation of shape {tuple(translation.shape)}, spatial_dims="
            f"{spatial_dims}."
        )
    return imaging.scale_and_translate(
        images, output_shape, scale, translation, spatial_dims, _KERNELS[method], antialias
    )
