"""Axes scaled and moved by a matrix: what torch has no function for."""

import torch

from torchkeras_lite.imaging.layout import as_dtype, computing_dtype


def _linear(distance):
    return (1 - distance).clamp(min=0)


def _cubic(distance):
    """Keys's cubic convolution, a = -0.5."""
    near = ((1.5 * distance - 2.5) * distance) * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance >= 2, 0.0, torch.where(distance >= 1, far, near))


def _lanczos(radius):
    def kernel(distance):
        weights = torch.sinc(distance) * torch.sinc(distance / radius)
        return torch.where(distance > radius, 0.0, weights)

    return kernel


def _gaussian(distance):
    """A bell of standard deviation 0.5, cut off at 1.5."""
    return torch.where(distance >= 1.5, 0.0, torch.exp(-2 * distance.square()))


def _mitchell(distance):
    """Mitchell's and Netravali's cubic, B = C = 1/3."""
    near = (7 * distance - 12) * distance.square() / 6 + 8 / 9
    far = ((-7 / 18 * distance + 2) * distance - 10 / 3) * distance + 16 / 9
    return torch.where(distance >= 2, 0.0, torch.where(distance >= 1, far, near))


KERNELS = {
    "linear": _linear,
    "cubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": _gaussian,
    "mitchellcubic": _mitchell,
}


def resampling_matrix(length, new_length, scale, translation, kernel, antialias, like):
    """Return the matrix (new_length, length) that scales and moves an axis.

    Args:
        length: Size of the axis.
        new_length: Size of the new axis.
        scale: How many times larger things become, a number or a tensor without axes.
        translation: How far they are moved after that, in pixels of the new axis.
        kernel: A key of `KERNELS`.
        antialias: Whether the kernel grows with the pixels when things become smaller.
        like: Tensor whose device and computing dtype the matrix has.
    """
    work = computing_dtype(like.dtype)
    scale = torch.as_tensor(scale, dtype=work, device=like.device)
    translation = torch.as_tensor(translation, dtype=work, device=like.device)
    new_places = torch.arange(new_length, dtype=work, device=like.device)
    sources = (new_places + 0.5 - translation) / scale - 0.5
    stretch = (1 / scale).clamp(min=1) if antialias else torch.ones_like(scale)
    distances = (sources[:, None] - torch.arange(length, dtype=work, device=like.device)).abs() / stretch
    weights = KERNELS[kernel](distances)
    total = weights.sum(1, keepdim=True)
    large = total.abs() > 1000 * torch.finfo(torch.float32).eps
    weights = torch.where(large, weights / torch.where(large, total, 1.0), 0.0)
    seen = (sources >= -0.5) & (sources <= length - 0.5)
    return weights * seen[:, None]


def area_matrix(length, new_length, like):
    """Return the matrix (new_length, length) of means over what each new pixel covers of an axis."""
    work = computing_dtype(like.dtype)
    edges = torch.arange(new_length + 1, dtype=work, device=like.device) * (length / new_length)
    pixels = torch.arange(length, dtype=work, device=like.device)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return covered.clamp(min=0) * (new_length / length)


def scale_and_translate(images, output_shape, scale, translation, spatial_dims, kernel, antialias=True):
    """Return an array some axes of which are scaled and moved.

    Args:
        images: Tensor of any number of axes.
        output_shape: Its new shape.
        scale, translation: See `resampling_matrix`; tensors with one number for each of the axes.
        spatial_dims: The axes.
        kernel: A key of `KERNELS`.
        antialias: See `resampling_matrix`.

    Returns:
        A tensor of the dtype of `images`; integers are rounded.
    """
    outputs = images.to(computing_dtype(images.dtype))
    for place, axis in enumerate(spatial_dims):
        matrix = resampling_matrix(
            images.shape[axis],
            output_shape[axis],
            scale[place],
            translation[place],
            kernel,
            antialias,
            images,
        )
        outputs = torch.tensordot(outputs, matrix, dims=([axis], [1])).movedim(-1, axis)
    return as_dtype(outputs, images.dtype)
