"""Zero padding, cropping and upsampling against real Keras."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_layer_matches, plain_config
from torchkeras_lite.layers import resizing
from torchkeras_lite.layers.input_layer import Input

FORMATS = ("channels_last", "channels_first")
formats = pytest.mark.parametrize("data_format", FORMATS)


def shape_of(rank, data_format="channels_last", size=5, channels=4):
    """A shape of which every spatial size is another: odd and even ones."""
    spatial = [size, size + 1, size + 2][:rank]
    return (2, *spatial, channels) if data_format == "channels_last" else (2, channels, *spatial)


def assert_matches(name, shape, rng, **args):
    ours, theirs = getattr(resizing, name), getattr(keras.layers, name)
    assert_layer_matches(ours(**args), theirs(**args), rng.normal(size=shape))
    assert plain_config(ours(**args).get_config()) == plain_config(theirs(**args).get_config())
    symbol = (None, *(None if size == 6 else size for size in shape[1:]))
    assert ours(**args)(Input(symbol[1:])).shape == theirs(**args)(keras.Input(symbol[1:])).shape


@formats
@pytest.mark.parametrize(
    ("rank", "padding"),
    [
        (1, 2),
        (1, (0, 3)),
        (1, [1, 0]),
        (2, 2),
        (2, (1, 2)),
        (2, ((1, 2), (0, 3))),
        (2, (1, (2, 0))),
        (3, 1),
        (3, (0, 1, 2)),
        (3, ((1, 2), (0, 3), (2, 0))),
    ],
)
def test_zero_padding(rank, padding, data_format, rng):
    args = {"padding": padding, "data_format": data_format}
    assert_matches(f"ZeroPadding{rank}D", shape_of(rank, data_format), rng, **args)


@formats
@pytest.mark.parametrize(
    ("rank", "cropping"),
    [
        (2, 2),
        (2, (1, 2)),
        (2, ((1, 2), (0, 3))),
        (2, (0, (2, 0))),
        (3, 1),
        (3, (0, 1, 2)),
        (3, ((1, 2), (0, 3), (2, 0))),
    ],
)
def test_cropping(rank, cropping, data_format, rng):
    args = {"cropping": cropping, "data_format": data_format}
    assert_matches(f"Cropping{rank}D", shape_of(rank, data_format), rng, **args)


@pytest.mark.parametrize("cropping", [2, (0, 3), (1, 0), (0, 0)])
def test_cropping_of_sequences(cropping, rng):
    assert_matches("Cropping1D", shape_of(1), rng, cropping=cropping)


@pytest.mark.parametrize("name", ["ZeroPadding", "Cropping", "UpSampling"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_defaults(rank, name, rng):
    assert_matches(f"{name}{rank}D", shape_of(rank), rng)


def test_cropping_is_a_view():
    x = torch.randn(2, 6, 6, 3)
    assert resizing.Cropping2D(1)(x).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_up_sampling_of_sequences(size, rng):
    assert_matches("UpSampling1D", shape_of(1), rng, size=size)


@formats
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [2, (3, 1), (2, 4)])
def test_up_sampling_of_images(size, interpolation, data_format, rng):
    args = {"size": size, "interpolation": interpolation, "data_format": data_format}
    assert_matches("UpSampling2D", shape_of(2, data_format), rng, **args)


@formats
@pytest.mark.parametrize("size", [2, (3, 1, 2)])
def test_up_sampling_of_volumes(size, data_format, rng):
    assert_matches("UpSampling3D", shape_of(3, data_format), rng, size=size, data_format=data_format)


@pytest.mark.parametrize("size", [41, 47, 55, 82, 110])
def test_up_sampling_by_large_factors_repeats_exactly(size):
    """Factors whose reciprocal, rounded, is too small."""
    x = torch.arange(9.0).reshape(1, 9, 1, 1)
    expected = x.repeat_interleave(size, 1)
    torch.testing.assert_close(resizing.UpSampling2D((size, 1))(x), expected, rtol=0, atol=0)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_up_sampling_keeps_other_dtypes(dtype, interpolation, rng):
    if dtype == "bool" and interpolation != "nearest":
        return
    x = rng.integers(0, 100, (1, 3, 4, 2)).astype(dtype)
    args = {"size": 2, "interpolation": interpolation}
    ours = resizing.UpSampling2D(**args)(x)
    torch.testing.assert_close(ours, keras.layers.UpSampling2D(**args)(x))


@formats
@pytest.mark.parametrize(
    ("interpolation", "expected"),
    [  # jax.image.resize of [0, 1, 4, 9], which Keras on torch lacks
        ("lanczos3", [-0.01624, 0.05931, 0.59464, 1.418, 2.74555, 5.54101, 8.20458, 9.53884]),
        ("lanczos5", [-0.19959, 0.25995, 0.80215, 1.21286, 2.62841, 5.51108, 8.08456, 9.6761]),
    ],
)
def test_lanczos(interpolation, expected, data_format):
    x = torch.tensor([0.0, 1, 4, 9])
    layer = resizing.UpSampling2D((1, 2), data_format, interpolation)
    shape = (1, 1, 4, 1) if data_format == "channels_last" else (1, 1, 1, 4)
    np.testing.assert_allclose(layer(x.reshape(shape)).numpy().ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_up_sampled_images_are_contiguous(interpolation):
    assert resizing.UpSampling2D(interpolation=interpolation)(torch.randn(2, 4, 5, 3)).is_contiguous()
    assert resizing.UpSampling1D()(torch.randn(2, 4, 3)).is_contiguous()


def test_export_with_an_unknown_batch():
    x = torch.randn(4, 7, 6, 3)
    batch = ({0: torch.export.Dim("batch", min=1, max=64)},)
    for layer in (
        resizing.ZeroPadding2D((1, (0, 2))),
        resizing.Cropping2D((1, (0, 2))),
        resizing.UpSampling2D(2),
        resizing.UpSampling2D(2, interpolation="bilinear"),
        resizing.UpSampling2D(2, interpolation="lanczos3"),
    ):
        layer(x)
        program = torch.export.export(layer, (x,), dynamic_shapes=batch)
        more = torch.randn(9, 7, 6, 3)
        torch.testing.assert_close(program.module()(more), layer(more))


def test_export_with_unknown_sizes():
    x = torch.randn(2, 9, 10, 3)
    sizes = {1: torch.export.Dim("height", min=4, max=64), 2: torch.export.Dim("width", min=4, max=64)}
    for layer in (resizing.ZeroPadding2D(2), resizing.Cropping2D((1, (0, 2))), resizing.UpSampling2D(2)):
        layer(x)
        program = torch.export.export(layer, (x,), dynamic_shapes=(sizes,))
        more = torch.randn(2, 12, 15, 3)
        torch.testing.assert_close(program.module()(more), layer(more))


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("ZeroPadding1D", (1, 2, 3), r"`padding` argument must be a tuple of 2 integers.*Pass"),
        ("ZeroPadding1D", (-1, 0), r"`padding` argument must be a tuple of 2 integers.*`value >= 0`"),
        ("ZeroPadding2D", "a", r"`padding` should have two elements. Received: padding=a.*Pass"),
        ("ZeroPadding2D", (1, 2, 3), r"`padding` should have two elements.*Pass"),
        (
            "ZeroPadding2D",
            ((1, 2, 3), 1),
            r"`1st entry of padding` argument must be a tuple of 2 integers.*Pass",
        ),
        ("ZeroPadding3D", (1, 2), r"`padding` should have 3 elements.*Pass"),
        ("ZeroPadding2D", -1, r"`padding` cannot be negative. Received: padding=-1.*Cropping"),
        ("Cropping1D", "a", r"`cropping` argument must be a tuple of 2 integers.*Pass"),
        ("Cropping2D", -1, r"`cropping` cannot be negative.*ZeroPadding"),
        ("Cropping2D", (1, (1, -2)), r"`2nd entry of cropping` argument must be a tuple of 2 integers"),
        ("Cropping3D", None, r"`cropping` should have 3 elements.*Pass"),
        ("UpSampling1D", 0, r"Argument `size` should be a positive integer. Received: size=0.*Pass"),
        ("UpSampling2D", (1, 2, 3), r"`size` argument must be a tuple of 2 integers.*Pass"),
        ("UpSampling3D", 0, r"`size` argument must be a tuple of 3 integers.*`value > 0`.*Pass"),
    ],
)
def test_refused_sizes(name, args, says):
    with pytest.raises(ValueError, match=says):
        getattr(resizing, name)(args)


@pytest.mark.parametrize("size", [2.5, "2", True, None])
def test_up_sampling_of_sequences_refuses_other_kinds(size):
    with pytest.raises(TypeError, match=r"Expected an integer value for `size`.*Pass"):
        resizing.UpSampling1D(size)


@pytest.mark.parametrize("interpolation", ["area", "linear", None])
def test_other_interpolations_are_refused(interpolation):
    with pytest.raises(ValueError, match="`interpolation` must be one of 'nearest', 'bilinear'"):
        resizing.UpSampling2D(interpolation=interpolation)


@pytest.mark.parametrize(
    ("layer", "shape", "says"),
    [
        (
            resizing.Cropping1D((2, 3)),
            (5, 3),
            "`cropping` parameter of `Cropping1D` layer must be smaller than",
        ),
        (resizing.Cropping2D(3), (5, 8, 3), "Values in `cropping` argument should be smaller than the"),
        (resizing.Cropping3D(3), (8, 8, 5, 3), "Values in `cropping` argument should be smaller than the"),
    ],
)
def test_croppings_that_leave_nothing_are_refused(layer, shape, says):
    for x in (torch.zeros(2, *shape), Input(shape)):
        with pytest.raises(ValueError, match=f"{says}.*crop less"):
            layer(x)


@pytest.mark.parametrize("name", ["ZeroPadding2D", "Cropping2D", "UpSampling2D"])
def test_other_ranks_and_data_formats_are_refused(name):
    with pytest.raises(ValueError, match="incompatible with the layer: expected ndim=4, found ndim=3"):
        getattr(resizing, name)()(torch.zeros(2, 5, 5))
    with pytest.raises(ValueError, match="`data_format` must be one of"):
        getattr(resizing, name)(data_format="x")


def test_names():
    assert resizing.ZeroPadding2D().name == "zero_padding2d"
    assert resizing.UpSampling3D().name == "up_sampling3d"
    assert resizing.Cropping1D().name == "cropping1d"
