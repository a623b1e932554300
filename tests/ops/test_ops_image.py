"""Images against real Keras, and where that is wrong on torch against plain arithmetic."""

import colorsys

import keras
import numpy as np
import pytest
import scipy.ndimage
import torch

from ops.operation_oracle import assert_operation_matches
from torchkeras_lite import imaging, ops

FORMATS = ("channels_last", "channels_first")
KINDS = ("float32", "float64", "uint8", "int32")


def pictures(rng, dtype="float32", data_format="channels_last", batched=True, channels=3, size=(7, 9)):
    x = rng.uniform(size=(2, *size, channels))
    x = x.astype(dtype) if dtype.startswith("f") else (x * 255).astype(dtype)
    x = x if data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, -1, 1))
    return x if batched else x[0]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("batched", [True, False])
def test_layouts(data_format, batched, rng):
    x = pictures(rng, data_format=data_format, batched=batched)
    kwargs = dict(data_format=data_format)
    transform = np.array([1.1, 0.2, -0.7, -0.1, 0.9, 0.6, 0, 0], "float32")
    start = np.array([[0, 0], [0, 6], [8, 0], [8, 6]], "float32")
    end = start + np.array([[0.5, 0.2], [0.1, -0.3], [-0.4, 0.2], [0.3, 0.1]], "float32")
    assert_operation_matches("image.resize", x, (5, 12), **kwargs)
    assert_operation_matches("image.gaussian_blur", x, **kwargs)
    assert_operation_matches("image.rgb_to_grayscale", x, **kwargs)
    assert_operation_matches("image.rgb_to_hsv", x, atol=1e-4, **kwargs)
    assert_operation_matches("image.hsv_to_rgb", x, atol=1e-4, **kwargs)
    assert_operation_matches("image.pad_images", x, 1, 2, 3, 0, **kwargs)
    assert_operation_matches("image.crop_images", x, 1, 2, None, None, 4, 5, **kwargs)
    assert_operation_matches("image.extract_patches", x, (2, 3), **kwargs)
    transform = np.stack([transform, transform * 0.9]) if batched else transform
    assert_operation_matches("image.affine_transform", x, transform, gradient=False, atol=1e-4, **kwargs)
    if batched:
        points = (np.stack([start, start]), np.stack([end, end * 0.9]))
        assert_operation_matches("image.sobel_edges", x, **kwargs)
    else:
        points = (start, end)
    assert_operation_matches("image.perspective_transform", x, *points, atol=1e-4, **kwargs)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(
    "args",
    [{}, dict(crop_to_aspect_ratio=True), dict(pad_to_aspect_ratio=True, fill_value=2.0)],
    ids=["stretch", "crop", "pad"],
)
def test_resize(interpolation, antialias, dtype, args, rng):
    x = pictures(rng, dtype)
    for size in ((5, 4), (14, 30), (3, 11)):
        assert_operation_matches("image.resize", x, size, interpolation, antialias, **args)


@pytest.mark.parametrize("interpolation", ["lanczos3", "lanczos5"])
@pytest.mark.parametrize("antialias", [False, True])
def test_resize_by_lanczos_as_jax_does(interpolation, antialias, rng):
    x = pictures(rng)
    expected = pytest.importorskip("jax.image").resize(x, (2, 5, 14, 3), interpolation, antialias=antialias)
    found = ops.image.resize(x, (5, 14), interpolation, antialias)
    np.testing.assert_allclose(found, expected, atol=1e-4)


TRANSFORMS = np.array(
    [[1.1, 0.21, -0.77, -0.13, 0.9, 0.61, 0, 0], [0.93, -0.2, 30.37, 0.1, 1.2, -40.6, 0, 0]], "float32"
)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", imaging.FILL_MODES)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_affine_transform(interpolation, fill_mode, dtype, rng):
    x = torch.as_tensor(pictures(rng, dtype))
    args = (TRANSFORMS, interpolation, fill_mode, 1.5)
    found, expected = ops.image.affine_transform(x, *args), keras.ops.image.affine_transform(x, *args)
    torch.testing.assert_close(found, expected, atol=1.0 if dtype == "uint8" else 1e-4, rtol=0)
    assert (found != expected).sum() < 5 or dtype == "float32"


def test_projective_transform(rng):
    x, (a, b, c, d, e, f, g, h) = pictures(rng)[:1], (1.1, 0.2, 0.1, 0.05, 0.9, 0.3, 0.02, -0.03)
    columns, rows = np.meshgrid(np.arange(9), np.arange(7))
    depth = g * columns + h * rows + 1
    places = [(d * columns + e * rows + f) / depth, (a * columns + b * rows + c) / depth]
    expected = scipy.ndimage.map_coordinates(x[0, ..., 1], places, order=1, mode="grid-constant")
    found = ops.image.affine_transform(x, [a, b, c, d, e, f, g, h])
    np.testing.assert_allclose(found[0, ..., 1], expected, atol=1e-5)


def test_gradients_of_transforms(rng):
    x = torch.as_tensor(pictures(rng, "float64", size=(5, 4)))[..., :1]
    transform = torch.as_tensor(TRANSFORMS[:1].astype("float64"))
    torch.autograd.gradcheck(ops.image.affine_transform, (x.requires_grad_(), transform.requires_grad_()))
    colors = torch.as_tensor(pictures(rng, "float64", size=(2, 2))).requires_grad_()
    torch.autograd.gradcheck(ops.image.rgb_to_hsv, (colors,))
    torch.autograd.gradcheck(ops.image.hsv_to_rgb, (colors,))


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("fill_mode", imaging.FILL_MODES)
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_map_coordinates(order, fill_mode, dtype, rng):
    x = (rng.normal(size=(5, 6)) * 40).astype(dtype)
    places = rng.uniform(-20, 25, size=(2, 4, 30)).astype("float32")
    kwargs = dict(fill_mode=fill_mode, fill_value=3, atol=1 if dtype == "int32" else 1e-3, rtol=1e-4)
    assert_operation_matches("image.map_coordinates", x, places, order, **kwargs)
    volume = rng.normal(size=(3, 4, 5)).astype("float32")
    places = rng.uniform(-5, 8, size=(3, 40)).astype("float32")
    assert_operation_matches("image.map_coordinates", volume, places, order, fill_mode, 1.0, gradient=False)


def test_colors(rng):
    x = pictures(rng, "float64")
    found = ops.image.rgb_to_hsv(x).reshape(-1, 3)
    expected = [colorsys.rgb_to_hsv(*pixel) for pixel in x.reshape(-1, 3)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(ops.image.hsv_to_rgb(ops.image.rgb_to_hsv(x)), x, atol=1e-6)
    for dtype in ("uint8", "int32"):
        assert_operation_matches("image.rgb_to_grayscale", pictures(rng, dtype))
    assert_operation_matches("image.rgb_to_grayscale", pictures(rng, channels=1))


def test_gaussian_blur(rng):
    x = pictures(rng)
    for size, sigma in (((3, 3), (1.0, 1.0)), ((5, 5), (0.5, 2.0))):
        assert_operation_matches("image.gaussian_blur", x, size, sigma, data_format="channels_last")
    columns = ops.image.gaussian_blur(x, (5, 1), (1.5, 1.0))
    weights = np.exp(-0.5 * (np.arange(-2, 3) / 1.5) ** 2)
    expected = scipy.ndimage.convolve1d(x, weights / weights.sum(), axis=2, mode="constant")
    np.testing.assert_allclose(columns, expected, atol=1e-6)
    torch.testing.assert_close(ops.image.gaussian_blur(x, 3, 0.0), torch.as_tensor(x))


def test_every_image_its_own_sigma(rng):
    x, sigmas = torch.as_tensor(pictures(rng)), torch.tensor([[1.0, 2.0], [3.0, 0.5]])
    found = imaging.gaussian_blur(x, (5, 5), sigmas)
    for image, sigma, one in zip(x, sigmas, found, strict=True):
        torch.testing.assert_close(one, imaging.gaussian_blur(image[None], (5, 5), sigma)[0])


def test_elastic_transform(rng):
    rows, columns = (torch.as_tensor(g, dtype=torch.float32) for g in np.mgrid[:40, :40])
    ramps = torch.stack([rows, columns], -1)[None].repeat(8, 1, 1, 1)
    moves = [
        (room.image.elastic_transform(ramps, alpha=2.0, sigma=1.0, seed=3) - ramps)[:, 6:-6, 6:-6]
        for room in (ops, keras.ops)
    ]
    for axis in (0, 1):  # the same distribution: normal values, smoothed, so that little of them is left
        torch.testing.assert_close(moves[0][..., axis].std(), moves[1][..., axis].std(), rtol=0.05, atol=0)
    first, second = (ops.image.elastic_transform(ramps, seed=5) for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(ops.image.elastic_transform(ramps, alpha=0.0), ramps)


@pytest.mark.parametrize("method", ["linear", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("antialias", [False, True])
def test_scale_and_translate(method, antialias, rng):
    scale, translation = np.array([1.7, 0.5], "float32"), np.array([0.3, -0.2], "float32")
    args = ((12, 5, 3), scale, translation, (0, 1), method, antialias)
    assert_operation_matches(
        "image.scale_and_translate", pictures(rng)[0], *args, gradient=False, shapes=False
    )


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("args", [{}, dict(strides=1), dict(strides=1, dilation_rate=2)], ids=str)
@pytest.mark.parametrize("data_format", FORMATS)
def test_extract_patches(padding, args, data_format, rng):
    args = dict(args, padding=padding, data_format=data_format)
    assert_operation_matches("image.extract_patches", pictures(rng, data_format=data_format), 3, **args)
    volumes = rng.normal(size=(2, 5, 6, 4, 2) if data_format == "channels_last" else (2, 2, 5, 6, 4))
    assert_operation_matches("image.extract_patches_3d", volumes, (2, 3, 2), **args)


def test_edges_and_similarity(rng):
    x = pictures(rng, size=(16, 17))
    y = np.clip(x + 0.1 * rng.normal(size=x.shape), 0, 1).astype("float32")
    assert_operation_matches("image.ssim", x, y, atol=1e-4)
    assert_operation_matches("image.ssim", x[0], y[0], 2.0, 8, 1.0, 0.02, 0.05, atol=1e-4)
    assert_operation_matches("image.sobel_edges", (x * 90).astype("int32"))
    whole = ops.image.ssim((x * 255).astype("uint8"), (x * 255).astype("uint8"), 255)
    torch.testing.assert_close(whole, torch.ones(2))


IMAGE = np.ones((4, 5, 3), "float32")
REFUSED = [
    ("resize", (IMAGE, (0, 3)), "positive height and width"),
    ("resize", (IMAGE, (3, 3), "areal"), "lanczos3"),
    ("resize", (IMAGE, (3, 3), "bilinear", False, True, True), "Only one of"),
    ("resize", (IMAGE[0], (3, 3)), "Invalid images rank"),
    ("affine_transform", (IMAGE, np.ones((2, 2, 8))), "Invalid transform rank"),
    ("affine_transform", (IMAGE, np.ones(6)), "8 numbers"),
    ("affine_transform", (IMAGE, np.ones(8), "bicubic"), "nearest"),
    ("affine_transform", (IMAGE, np.ones(8), "nearest", "edge"), "reflect"),
    ("perspective_transform", (IMAGE, np.ones((3, 2)), np.ones((4, 2))), "Invalid start_points shape"),
    ("map_coordinates", (IMAGE, np.ones((2, 3)), 1), "First dim"),
    ("rgb_to_hsv", (IMAGE.astype("int32"),), "expected float dtype"),
    ("rgb_to_hsv", (IMAGE[..., :2],), "must have 3 channels"),
    ("rgb_to_grayscale", (IMAGE[..., :2],), "Invalid channel size"),
    ("pad_images", (IMAGE, 1), "exactly two"),
    ("pad_images", (IMAGE, -1, 0, 1, 1), "top_padding must be >= 0"),
    ("crop_images", (IMAGE, 2, 0, 2, 0), "nothing is left"),
    ("extract_patches", (IMAGE, (1, 2, 3, 4)), "length 2 or 3"),
    ("ssim", (IMAGE, IMAGE), "at least 11"),
    ("scale_and_translate", (IMAGE, (2, 2, 3), np.ones(2), np.ones(2), (0,), "linear"), "as many numbers"),
]


@pytest.mark.parametrize(("name", "args", "message"), REFUSED, ids=[f"{n}-{m}" for n, _, m in REFUSED])
def test_refusals(name, args, message):
    with pytest.raises(ValueError, match=message):
        getattr(ops.image, name)(*args)
