"""Image layers that flip, turn, move, zoom, slant and bend: Keras's results for the same transformation."""

import copy

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import layers
from torchkeras_lite.utils import bounding_boxes

FORMATS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
FLIPS = {"flips": torch.tensor([True, False, True]).reshape(3, 1, 1, 1)}
MOVES = {"translations": torch.tensor([[1.0, 2.0], [-1.5, 0.5], [0.0, 0.0]])}
ZOOMS = {
    "height_zoom": torch.tensor([[1.5], [0.5], [1.0]]),
    "width_zoom": torch.tensor([[1.25], [0.75], [1.0]]),
}
SLOPES = {"shear_factor": torch.tensor([[0.3, -0.2], [-0.1, 0.25], [0.0, 0.0]])}
CORNERS = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 7.0], [9.0, 7.0]])
SHIFTS = [[[1.0, 0.5], [-1, 0.2], [0.3, 0.5], [-0.4, -1]], [[0, 0]] * 4, [[0, 0], [3, 1], [1, 2], [0, 1]]]
SEEN = {
    "apply_perspective": torch.tensor([True, False, True]),
    "start_points": CORNERS.repeat(3, 1, 1),
    "end_points": CORNERS + torch.tensor(SHIFTS),
}


def turned(*degrees, height=8, width=10):
    """What Keras's `RandomRotation` draws."""
    theirs = keras.layers.RandomRotation((0.1, 0.1))
    rows = []
    for angle in degrees:
        theirs.factor = (angle / 360, angle / 360)
        rows.append(theirs.get_random_transformation(torch.zeros(1, height, width, 1))["rotation_matrix"][0])
    sizes = {"image_height": height, "image_width": width, "batch_size": len(degrees)}
    return {"angle": torch.tensor(degrees), "rotation_matrix": torch.stack(rows), **sizes}


TURNS = turned(20.0, -75.0, 90.0)
# name, arguments, transformation
GIVEN = {
    "flip": ("RandomFlip", {}, FLIPS),
    "flip-horizontal": ("RandomFlip", {"mode": "horizontal"}, FLIPS),
    "flip-vertical": ("RandomFlip", {"mode": "vertical"}, FLIPS),
    "turn": ("RandomRotation", {"factor": 0.2}, TURNS),
    "turn-constant": ("RandomRotation", {"factor": 0.2, "fill_mode": "constant", "fill_value": 3.0}, TURNS),
    "turn-nearest": ("RandomRotation", {"factor": 0.2, "fill_mode": "nearest"}, TURNS),
    "turn-wrap": ("RandomRotation", {"factor": 0.2, "fill_mode": "wrap"}, TURNS),
    "move": ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.2}, MOVES),
    "move-constant": (
        "RandomTranslation",
        {"height_factor": 0.2, "width_factor": 0.2, "fill_mode": "constant", "fill_value": 5},
        MOVES,
    ),
    "zoom": ("RandomZoom", {"height_factor": 0.3}, ZOOMS),
    "zoom-wrap": ("RandomZoom", {"height_factor": 0.3, "fill_mode": "wrap"}, ZOOMS),
    "slant": ("RandomShear", {"x_factor": 0.3, "y_factor": 0.3}, SLOPES),
    "slant-nearest": ("RandomShear", {"x_factor": 0.3, "fill_mode": "nearest"}, SLOPES),
    "side": ("RandomPerspective", {}, SEEN),
    "side-filled": ("RandomPerspective", {"fill_value": 9.0}, SEEN),
}
given = pytest.mark.parametrize("case", GIVEN)


def both(case, data_format="channels_last", **more):
    """Our layer, Keras's, and the transformation for images of 8 x 10 pixels."""
    name, args, transformation = GIVEN[case]
    args = {**args, **more, "data_format": data_format}
    shape = (3, 8, 10, 2) if data_format == "channels_last" else (3, 2, 8, 10)
    transformation = {
        "input_shape": shape,
        **copy.deepcopy(transformation),
    }  # Keras changes matrices in place
    return getattr(layers, name)(**args), getattr(keras.layers, name)(**args), transformation


def images(rng, data_format="channels_last"):
    """Three images of 8 x 10 pixels with two channels."""
    x = torch.as_tensor(rng.uniform(0, 255, (3, 8, 10, 2)).astype("float32"))
    return x if data_format == "channels_last" else x.permute(0, 3, 1, 2).contiguous()


@FORMATS
@given
def test_images_are_those_of_keras(case, data_format, rng):
    ours, theirs, transformation = both(case, data_format)
    x = images(rng, data_format)
    found, wanted = (layer.transform_images(x, transformation) for layer in (ours, theirs))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=2e-3)
    assert not torch.equal(found, x)
    torch.testing.assert_close(ours.transform_images(x, transformation, training=False), x)
    torch.testing.assert_close(ours.transform_images(x, None), x)


@given
def test_nearest_pixels_are_those_of_keras(case, rng):
    if GIVEN[case][0] == "RandomFlip":
        pytest.skip("reads no places between pixels")
    ours, theirs, transformation = both(case, interpolation="nearest")
    x = images(rng)
    found, wanted = (layer.transform_images(x, transformation) for layer in (ours, theirs))
    # Places half-way between two pixels may round to either.
    assert (found != wanted).float().mean() < 0.05


@FORMATS
@given
def test_masks_keep_their_values(case, data_format, rng):
    ours, theirs, transformation = both(case, data_format)
    masks = (images(rng, data_format) / 60).floor()  # Keras rounds the corners for masks of integers
    whole, found = (ours.transform_segmentation_masks(one, transformation) for one in (masks.int(), masks))
    wanted = theirs.transform_segmentation_masks(masks, transformation)
    assert found.dtype == wanted.dtype
    assert (found != wanted).float().mean() < 0.05
    assert set(found.unique().tolist()) <= {*masks.unique().tolist(), 3, 5, 9, 0}
    torch.testing.assert_close(whole.float(), found)


def boxes_in(box_format):
    """Boxes within an image of 8 x 10 pixels, and one that is padding."""
    pixels = torch.tensor([[[1.0, 1, 6, 5], [-1, -1, -1, -1], [0, 0, 2, 2], [2, 3, 9, 8]]] * 3)
    boxes = bounding_boxes.convert_format(pixels, "xyxy", box_format, 8, 10)
    return {"boxes": boxes, "labels": torch.tensor([[1, 2, 3, 4]] * 3)}


@given
def test_boxes_are_those_of_keras(case):
    ours, theirs, transformation = both(case, bounding_box_format="xyxy")
    before = boxes_in("xyxy")
    found = ours.transform_bounding_boxes(before, transformation)
    assert all(torch.equal(before[key], value) for key, value in boxes_in("xyxy").items())
    wanted = theirs.transform_bounding_boxes(boxes_in("xyxy"), transformation)
    real = (slice(None), (0, 2, 3))
    torch.testing.assert_close(found["boxes"][real], wanted["boxes"][real], rtol=1e-4, atol=1e-4)
    assert torch.equal(found["labels"][real], wanted["labels"][real])
    assert torch.equal(ours.transform_bounding_boxes(before, None)["boxes"], before["boxes"])


# Keras 3.15 gives other boxes than for "xyxy" from two layers.
@pytest.mark.parametrize("box_format", ["xywh", "center_xywh", "rel_xyxy", "rel_yxyx", "rel_center_xywh"])
@given
def test_boxes_of_other_formats_are_the_same_boxes(case, box_format):
    ours, _, transformation = both(case, bounding_box_format=box_format)
    found = ours.transform_bounding_boxes(boxes_in(box_format), transformation)
    ours, _, transformation = both(case, bounding_box_format="xyxy")
    wanted = ours.transform_bounding_boxes(boxes_in("xyxy"), transformation)
    pixels = bounding_boxes.convert_format(found["boxes"], box_format, "xyxy", 8, 10)
    torch.testing.assert_close(pixels, wanted["boxes"], rtol=1e-4, atol=1e-4)
    real = (slice(None), (0, 2, 3))
    assert torch.equal(found["labels"][real], wanted["labels"][real])


# What is drawn: the entry, its shape for five images, its limits.
DRAWN = [
    ("RandomRotation", {"factor": (-0.1, 0.3)}, "angle", (5,), -36.0, 108.0),
    ("RandomRotation", {"factor": 0.25}, "angle", (5,), -90.0, 90.0),
    ("RandomTranslation", {"height_factor": 0.5, "width_factor": 0.5}, "translations", (5, 2), -5.0, 5.0),
    ("RandomZoom", {"height_factor": (-0.2, 0.3)}, "height_zoom", (5, 1), 0.8, 1.3),
    ("RandomZoom", {"height_factor": 0.5, "width_factor": 0.1}, "width_zoom", (5, 1), 0.9, 1.1),
    ("RandomShear", {"x_factor": 0.4, "y_factor": 0.4}, "shear_factor", (5, 2), -0.4, 0.4),
    ("RandomElasticTransform", {"scale": (0.2, 0.6)}, "distortion_factor", (5,), 0.2, 0.6),
]


@pytest.mark.parametrize(("name", "args", "key", "shape", "low", "high"), DRAWN, ids=str)
def test_draws_fill_their_range(name, args, key, shape, low, high):
    layer, theirs = getattr(layers, name)(**args), getattr(keras.layers, name)(**args)
    square = (5, 10, 10, 1)
    assert layer.get_random_transformation(torch.zeros(square))[key].shape == shape
    many = torch.zeros(4000, 10, 10, 1)
    values = layer.get_random_transformation(many)[key]
    width = high - low
    assert low <= values.min() < low + 0.02 * width
    assert high - 0.02 * width < values.max() <= high
    assert values.mean() == pytest.approx((low + high) / 2, abs=0.05 * width)
    expected = theirs.get_random_transformation(many)[key]
    if expected.ndim:
        assert values.std() == pytest.approx(expected.std().item(), rel=0.05)


def test_slopes_of_a_pair_go_both_ways():
    slopes = layers.RandomShear((0.2, 0.3)).get_random_transformation(torch.zeros(4000, 4, 4, 1))
    x, y = slopes["shear_factor"].unbind(-1)
    assert 0.2 <= x.abs().min() < 0.21
    assert 0.29 < x.abs().max() <= 0.3
    assert (x > 0).float().mean() == pytest.approx(0.5, abs=0.05)
    assert not y.any()


def test_zoom_keeps_proportions_unless_told():
    drawn = layers.RandomZoom(0.3).get_random_transformation(torch.zeros(9, 4, 4, 1))
    assert torch.equal(drawn["height_zoom"], drawn["width_zoom"])


@pytest.mark.parametrize(
    ("name", "key"),
    [("RandomPerspective", "apply_perspective"), ("RandomElasticTransform", "apply_transform")],
)
@pytest.mark.parametrize(("factor", "share"), [(1.0, 0.5), (0.3, 0.15), ((0.3, 0.6), 0.45), (0.0, 0.0)])
def test_share_of_images_that_change(name, key, factor, share):
    many = torch.zeros(4000, 2, 2, 1)
    for room in (layers, keras.layers)[: 2 if share else 1]:  # Keras draws nothing for 0
        drawn = getattr(room, name)(factor).get_random_transformation(many)
        assert drawn[key].float().mean() == pytest.approx(share, abs=0.03)


def test_half_of_the_images_flip():
    flips = layers.RandomFlip().get_random_transformation(torch.zeros(4000, 2, 2, 1))["flips"]
    assert flips.float().mean() == pytest.approx(0.5, abs=0.03)


def test_corners_move_as_in_keras():
    layer, theirs = layers.RandomPerspective(scale=0.5), keras.layers.RandomPerspective(scale=0.5)
    ours, his = (one.get_random_transformation(torch.zeros(4000, 8, 10, 1)) for one in (layer, theirs))
    torch.testing.assert_close(ours["start_points"], his["start_points"])
    for extreme in (torch.amin, torch.amax, torch.std):
        a, b = (extreme(drawn["end_points"] - drawn["start_points"], 0) for drawn in (ours, his))
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)


def test_elastic_moves_are_as_strong_as_in_keras():
    ramp = torch.arange(48.0)[None, :, None, None].expand(16, 48, 48, 1) * 3
    args = {"value_range": (-300, 300)}
    spread = []
    for room in (layers, keras.layers):
        layer = room.RandomElasticTransform(**args)
        drawn = {"apply_transform": torch.ones(16, dtype=torch.bool), "distortion_factor": torch.tensor(0.7)}
        moved = layer.transform_images(ramp, {**drawn, "seed": 3})
        spread.append(((moved - ramp)[:, 8:-8] / 3).std().item())
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


def test_elastic_bends_images_and_masks_alike():
    layer = layers.RandomElasticTransform(scale=(1.0, 1.0), interpolation="nearest", seed=3)
    x = torch.arange(4 * 32 * 32).reshape(4, 32, 32, 1).float() % 200
    drawn = layer.get_random_transformation(x)
    drawn["apply_transform"] = torch.tensor([True, True, False, True])
    bent = layer.transform_images(x, drawn)
    torch.testing.assert_close(bent, layer.transform_segmentation_masks(x.int(), drawn).float())
    changed = (bent != x).flatten(1).any(1)
    assert changed.tolist() == [True, True, False, True]
    outside = layers.RandomElasticTransform(value_range=(0, 1), seed=3)
    assert outside.transform_images(x, drawn)[0].max() == 1


def test_elastic_refuses_boxes():
    layer = layers.RandomElasticTransform(bounding_box_format="xyxy", name="rubber")
    boxes = {"boxes": torch.zeros(1, 1, 4), "labels": torch.zeros(1, 1)}
    with pytest.raises(NotImplementedError, match="'rubber': cannot transform bounding boxes"):
        layer({"images": torch.zeros(1, 4, 4, 1), "bounding_boxes": boxes})


def test_integers_and_halves_take_keras_dtypes(rng):
    x = (images(rng)).byte()
    for case in ("flip", "turn", "move", "zoom"):
        for policy in ("float32", "mixed_bfloat16"):
            ours, theirs, transformation = both(case, dtype=policy)
            found, wanted = (layer.transform_images(x, transformation) for layer in (ours, theirs))
            assert found.dtype == wanted.dtype
            torch.testing.assert_close(found, wanted, rtol=0.01, atol=1.0)


BAD = [
    (
        "RandomRotation",
        {"factor": 2.0},
        r"`factor` argument should be a number .* in the range \[-1.0, 1.0\]",
    ),
    ("RandomRotation", {"factor": "much"}, "`factor` argument should be a number"),
    ("RandomTranslation", {"height_factor": 0.1, "width_factor": (0.1, 0.2, 0.3)}, "`width_factor`"),
    ("RandomZoom", {"height_factor": -1.0}, r"`height_factor` .* in the range \(-1.0, 1.0\]"),
    ("RandomZoom", {"height_factor": 0.1, "width_factor": (-1.0, 0.5)}, "`width_factor`"),
    ("RandomShear", {"x_factor": -0.1}, "`x_factor`"),
    ("RandomShear", {"y_factor": (-0.1, 0.2)}, "`y_factor`"),
    ("RandomPerspective", {"scale": 1.5}, "`scale`"),
    ("RandomPerspective", {"factor": -0.5}, "`factor`"),
    ("RandomElasticTransform", {"scale": 1.5}, "`scale`"),
    ("RandomElasticTransform", {"value_range": 3}, "`value_range`"),
    ("RandomRotation", {"factor": 0.1, "fill_mode": "mirror"}, "`fill_mode` must be one of 'reflect'"),
    ("RandomRotation", {"factor": 0.1, "interpolation": "bicubic"}, "`interpolation` must be one of"),
    ("RandomFlip", {"mode": "sideways"}, "`mode` must be one of 'horizontal'"),
    ("RandomFlip", {"seed": 1.5}, "`seed` must be an integer"),
    ("RandomFlip", {"data_format": "NHWC"}, "`data_format` must be one of"),
    ("RandomFlip", {"bounding_box_format": "corners"}, "Supported formats"),
]


@pytest.mark.parametrize(("name", "args", "message"), BAD, ids=str)
def test_refused_arguments(name, args, message):
    with pytest.raises(ValueError, match=message):
        getattr(layers, name)(**args)


def test_shear_of_a_config_can_be_made_again():
    config = layers.RandomShear(0.2, (0.1, 0.3)).get_config()
    assert layers.RandomShear.from_config(config).get_config() == config


def test_flips_masks_without_channels():
    masks = torch.arange(6).reshape(1, 2, 3)
    drawn = {"flips": torch.ones(1, 1, 1, 1, dtype=torch.bool), "input_shape": (1, 2, 3, 1)}
    for data_format in ("channels_last", "channels_first"):
        layer = layers.RandomFlip("horizontal", data_format=data_format)
        flipped = layer.transform_segmentation_masks(masks, drawn)
        np.testing.assert_array_equal(flipped, [[[2, 1, 0], [5, 4, 3]]])
