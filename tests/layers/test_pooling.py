"""Pooling, global and adaptive pooling against real Keras, and TensorFlow's rule where it differs."""

import keras
import numpy as np
import pytest
import torch

from oracle import assert_layer_matches, plain_config
from torchkeras_lite.engine.masking import attach_mask
from torchkeras_lite.layers import adaptive_pooling, global_pooling, pooling
from torchkeras_lite.layers.input_layer import Input

FORMATS = ("channels_last", "channels_first")
formats = pytest.mark.parametrize("data_format", FORMATS)
ranks = pytest.mark.parametrize("rank", [1, 2, 3])
kinds = pytest.mark.parametrize("kind", ["Max", "Average"])


def shape_of(rank, data_format="channels_last", size=6, channels=3):
    """A shape of which every spatial size is another: odd and even ones."""
    spatial = [size, size + 1, size + 2][:rank]
    return (2, *spatial, channels) if data_format == "channels_last" else (2, channels, *spatial)


def make(name, **args):
    room = next(room for room in (global_pooling, adaptive_pooling, pooling) if hasattr(room, name))
    return getattr(room, name)(**args)


def assert_matches(name, shape, rng, **args):
    other = getattr(keras.layers, name)(**args)
    assert_layer_matches(make(name, **args), other, rng.normal(size=shape))
    assert plain_config(make(name, **args).get_config()) == plain_config(other.get_config())


@formats
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("pool_size", "strides"), [(2, None), (3, 2), (2, 1), (3, 1), (4, 1), (1, 2), (2, 3), (4, 3)]
)
@ranks
def test_max_pooling(rank, pool_size, strides, padding, data_format, rng):
    args = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
    for size in (5, 6):
        assert_matches(f"MaxPooling{rank}D", shape_of(rank, data_format, size), rng, **args)


@formats
@pytest.mark.parametrize(("pool_size", "strides"), [(2, None), (3, 2), (2, 1), (4, 3)])
@ranks
def test_average_pooling(rank, pool_size, strides, data_format, rng):
    args = {"pool_size": pool_size, "strides": strides, "data_format": data_format}
    assert_matches(f"AveragePooling{rank}D", shape_of(rank, data_format), rng, **args)


@formats
@pytest.mark.parametrize(("pool_size", "strides", "size"), [(3, 1, 6), (3, 2, 5), (2, 2, 6), (5, 2, 7)])
@ranks
def test_same_average_pooling_with_symmetric_padding(rank, pool_size, strides, size, data_format, rng):
    shape = (2, *[size] * rank, 3) if data_format == "channels_last" else (2, 3, *[size] * rank)
    args = {"pool_size": pool_size, "strides": strides, "padding": "same", "data_format": data_format}
    assert_matches(f"AveragePooling{rank}D", shape, rng, **args)


def averages(x, pool_size, strides):
    """Means of the windows of a vector, cut at its ends: the rule of TensorFlow and JAX."""
    count = -(-len(x) // strides)
    start = -(max((count - 1) * strides + pool_size - len(x), 0) // 2)
    return [
        x[max(i, 0) : max(i, 0) + pool_size + min(i, 0)].mean()
        for i in range(start, start + count * strides, strides)
    ]


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize(
    ("pool_size", "strides"), [(2, 1), (4, 1), (4, 2), (2, 2), (3, 2), (4, 3), (2, 3), (5, 4)]
)
def test_same_average_pooling_ignores_the_padding(pool_size, strides, size, rng):
    x = rng.normal(size=size).astype("float32")
    expected = np.array(averages(x, pool_size, strides))
    line = make("AveragePooling1D", pool_size=pool_size, strides=strides, padding="same")
    np.testing.assert_allclose(line(x[None, :, None]).numpy().ravel(), expected, rtol=1e-5)
    for axis, spatial in ((1, (size, 1)), (2, (1, size))):
        pools = [1, 1]
        pools[axis - 1] = pool_size
        image = make("AveragePooling2D", pool_size=pools, strides=strides, padding="same")
        np.testing.assert_allclose(image(x.reshape(1, *spatial, 1)).numpy().ravel(), expected, rtol=1e-5)


def test_same_average_pooling_by_the_known_numbers():
    x = np.arange(1, 6, dtype="float32").reshape(1, 5, 1)
    layer = make("AveragePooling1D", pool_size=4, strides=2, padding="same")
    assert layer(x).numpy().ravel().tolist() == [2.0, 3.5, 4.5]


@pytest.mark.parametrize("strides", [1, 2])
def test_same_max_pooling_never_sees_zeros(strides):
    x = -torch.arange(1.0, 26).reshape(1, 5, 5, 1)
    layer = make("MaxPooling2D", pool_size=4, strides=strides, padding="same")
    assert (layer(x) < 0).all()
    integers = layer(x.to(torch.int32))
    assert integers.dtype == torch.int32
    torch.testing.assert_close(integers.float(), layer(x))


@formats
@pytest.mark.parametrize("keepdims", [False, True])
@kinds
@ranks
def test_global_pooling(rank, kind, keepdims, data_format, rng):
    args = {"data_format": data_format, "keepdims": keepdims}
    assert_matches(f"Global{kind}Pooling{rank}D", shape_of(rank, data_format), rng, **args)


@formats
@pytest.mark.parametrize("output_size", [1, 3, 6, 9])
@kinds
@ranks
def test_adaptive_pooling(rank, kind, output_size, data_format, rng):
    args = {"output_size": output_size, "data_format": data_format}
    assert_matches(f"Adaptive{kind}Pooling{rank}D", shape_of(rank, data_format), rng, **args)


def test_adaptive_pooling_takes_a_size_for_each_axis(rng):
    for kind in ("Max", "Average"):
        assert_matches(f"Adaptive{kind}Pooling2D", shape_of(2), rng, output_size=[2, 3])


@formats
def test_global_average_over_the_steps_that_a_mask_keeps(data_format, rng):
    x = rng.normal(size=(3, 5, 4) if data_format == "channels_last" else (3, 4, 5))
    mask = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], dtype=torch.bool)
    for keepdims in (False, True):
        args = {"data_format": data_format, "keepdims": keepdims}
        layer = make("GlobalAveragePooling1D", **args)
        assert_layer_matches(layer, keras.layers.GlobalAveragePooling1D(**args), x, mask=mask)
        x32 = torch.as_tensor(x.astype("float32"))
        travelling = layer(attach_mask(x32.clone(), mask))
        torch.testing.assert_close(travelling, layer(x32, mask=mask))
        assert not torch.allclose(travelling, layer(x32))
        assert getattr(travelling, "_keras_mask", None) is None
    assert layer(x32, mask=torch.zeros(3, 5, dtype=torch.bool)).isnan().all()  # as in Keras


def test_masks_end_at_pooling_with_a_warning():
    x = attach_mask(torch.zeros(2, 4, 3), torch.ones(2, 4, dtype=torch.bool))
    for layer in (make("MaxPooling1D"), make("GlobalMaxPooling1D")):
        with pytest.warns(UserWarning, match="does not support masking"):
            assert getattr(layer(x), "_keras_mask", None) is None


def test_means_of_integers_are_floats():
    x = np.arange(120, dtype="int32").reshape(2, 4, 5, 3)
    for layer in (make("GlobalAveragePooling2D"), make("GlobalMaxPooling2D"), make("MaxPooling2D")):
        theirs = getattr(keras.layers, type(layer).__name__)()(x)
        torch.testing.assert_close(layer(x), theirs)


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16", "float16"])
def test_average_pooling_of_volumes_in_half_precision(policy):
    layer = make("AveragePooling3D", pool_size=2, dtype=policy)
    y = layer(torch.ones(1, 4, 4, 4, 2))
    assert y.dtype == getattr(torch, policy.removeprefix("mixed_"))
    assert (y == 1).all()


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "name", ["MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D"]
)
def test_outputs_in_channels_last_are_contiguous(name, padding):
    layer = make(name, pool_size=2, padding=padding)
    x = torch.randn(shape_of(layer.rank), requires_grad=True)
    assert layer(x).is_contiguous()


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_nothing_is_copied(padding):
    layer = make("MaxPooling2D", padding=padding)
    x = torch.randn(2, 9, 8, 4)
    layer(x)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        layer(x)
    ran = {event.name for event in profile.events()}
    assert not ran & {"aten::copy_", "aten::contiguous", "aten::clone", "aten::constant_pad_nd"}


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [None, 1, 3])
def test_unknown_sizes_stay_unknown(strides, padding):
    args = {"pool_size": 2, "strides": strides, "padding": padding}
    for shape in ((None, None, 3), (None, 7, 3), (8, None, 3)):
        theirs = keras.layers.MaxPooling2D(**args)(keras.Input(shape)).shape
        assert make("MaxPooling2D", **args)(Input(shape)).shape == theirs
    assert make("AdaptiveMaxPooling2D", output_size=2)(Input((None, None, 3))).shape == (None, 2, 2, 3)
    assert make("GlobalMaxPooling2D")(Input((None, None, 3))).shape == (None, 3)


@pytest.mark.parametrize("sizes", [(40, None), (100, None), (128, None), (300, None), (2, 300)], ids=str)
def test_large_windows_and_steps_leave_unknown_sizes_unknown(sizes):
    for name in ("MaxPooling1D", "AveragePooling1D"):
        assert make(name, pool_size=sizes[0], strides=sizes[1])(Input((None, 3))).shape == (None, None, 3)


def test_export_with_an_unknown_batch():
    x = torch.randn(4, 7, 6, 3)
    batch = ({0: torch.export.Dim("batch", min=1, max=64)},)
    for layer in (
        make("MaxPooling2D", padding="same"),
        make("AveragePooling2D", pool_size=2, strides=1, padding="same"),
        make("GlobalAveragePooling2D"),
        make("AdaptiveAveragePooling2D", output_size=2),
    ):
        layer(x)
        program = torch.export.export(layer, (x,), dynamic_shapes=batch)
        more = torch.randn(9, 7, 6, 3)
        torch.testing.assert_close(program.module()(more), layer(more))


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        (
            "MaxPooling2D",
            {"pool_size": 0},
            r"`pool_size` argument must be a tuple of 2 integers.*`value > 0`.*Pass",
        ),
        ("MaxPooling2D", {"pool_size": (2,)}, r"`pool_size` argument must be a tuple of 2 integers.*Pass"),
        ("AveragePooling1D", {"strides": "a"}, r"`strides` argument must be a tuple of 1 integers.*Pass"),
        ("MaxPooling2D", {"padding": "causal"}, r"`padding` argument must be one of.*Conv1D"),
        ("MaxPooling2D", {"padding": None}, r"`padding` argument must be one of.*Pass"),
        ("MaxPooling2D", {"data_format": "x"}, r"`data_format` must be one of"),
        ("GlobalMaxPooling2D", {"data_format": "x"}, r"`data_format` must be one of"),
        (
            "AdaptiveMaxPooling2D",
            {"output_size": 0},
            r"`output_size` argument must be a tuple of 2 integers.*Pass",
        ),
    ],
)
def test_refused_arguments(name, args, says):
    with pytest.raises(ValueError, match=says):
        make(name, **args)


@pytest.mark.parametrize("output_size", [(2, 3, 4), "a", None, 2.5])
def test_adaptive_pooling_refuses_other_kinds_of_sizes(output_size):
    with pytest.raises(TypeError, match=r"`output_size` must be an integer or \(height, width\) tuple.*Pass"):
        make("AdaptiveAveragePooling2D", output_size=output_size)


@pytest.mark.parametrize(
    "name", ["MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"]
)
def test_other_ranks_are_refused(name):
    with pytest.raises(ValueError, match="incompatible with the layer: expected ndim=4, found ndim=3"):
        make(name)(torch.zeros(2, 5, 5))


@pytest.mark.parametrize("x", [torch.zeros(1, 3, 3, 2), Input((3, 3, 2))], ids=["tensor", "symbol"])
def test_windows_that_do_not_fit_are_refused(x):
    with pytest.raises(ValueError, match=r"output size would be zero or negative.*3, 3, 2.*\(5, 5\).*Pass"):
        make("MaxPooling2D", pool_size=5)(x)


def test_names_and_aliases():
    assert pooling.MaxPooling2D().name == "max_pooling2d"
    assert global_pooling.GlobalAveragePooling1D().name == "global_average_pooling1d"
    for room in (pooling, global_pooling):
        names = [name for name in vars(room) if name.endswith("D") and hasattr(keras.layers, name)]
        assert len(names) == 12
        for name in names:
            assert getattr(room, name).__name__ == getattr(keras.layers, name).__name__
