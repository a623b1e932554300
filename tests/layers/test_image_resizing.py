"""Image layers that give another size, against real Keras: values, boxes, masks, dtypes and shapes."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from oracle import plain_config
from torchkeras_lite import layers

FORMATS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
SIZES = pytest.mark.parametrize("size", [(4, 5), (18, 11), (6, 20), (20, 3), (9, 11), (5, 11)], ids=str)
ASPECTS = pytest.mark.parametrize(
    "aspect", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 7.0}], ids=str
)


def images(rng, data_format="channels_last"):
    """Two images of 9 x 11 pixels with three channels."""
    x = torch.as_tensor(rng.uniform(0, 255, (2, 9, 11, 3)).astype("float32"))
    return x if data_format == "channels_last" else x.permute(0, 3, 1, 2).contiguous()


def boxes(box_format="xyxy"):
    pixels = torch.tensor([[[1.0, 1, 6, 5], [-1, -1, -1, -1], [0, 0, 2, 2], [2, 3, 11, 9]]] * 2)
    found = torchkeras_lite.utils.bounding_boxes.convert_format(pixels, "xyxy", box_format, 9, 11)
    return {"boxes": found, "labels": torch.tensor([[1, 2, 3, 4]] * 2)}


def pair(name, *args, **more):
    return getattr(layers, name)(*args, **more), getattr(keras.layers, name)(*args, **more)


@FORMATS
@SIZES
@ASPECTS
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
def test_resizing(size, aspect, interpolation, data_format, rng):
    more = {"interpolation": interpolation, "data_format": data_format, **aspect}
    ours, theirs = pair("Resizing", *size, **more)
    x = images(rng, data_format)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(ours(x[0]), theirs(x[0]), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(ours(x, training=False), ours(x))
    assert plain_config(ours.get_config()) == plain_config(theirs.get_config())


@ASPECTS
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_antialias(aspect, interpolation, rng):
    ours, theirs = pair("Resizing", 4, 3, interpolation=interpolation, antialias=True, **aspect)
    x = images(rng)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float64"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_resizing_keeps_integers(dtype, interpolation, rng):
    ours, theirs = pair("Resizing", 4, 13, interpolation=interpolation)
    x = images(rng).numpy().astype(dtype)
    found, wanted = ours(x), theirs(x)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1 if dtype in ("uint8", "int32") else 1e-3)


@pytest.mark.parametrize("interpolation", ["lanczos3", "lanczos5"])
def test_lanczos_reproduces_smooth_images(interpolation):
    ramp = torch.linspace(0, 1, 33)[None, :, None, None].expand(1, 33, 33, 1)
    found = layers.Resizing(66, 66, interpolation=interpolation)(ramp)
    wanted = layers.Resizing(66, 66)(ramp)
    torch.testing.assert_close(found[:, 12:-12, 12:-12], wanted[:, 12:-12, 12:-12], rtol=0, atol=2e-3)


@SIZES
@ASPECTS
@pytest.mark.parametrize("box_format", ["xyxy", "xywh", "rel_xyxy", "rel_yxyx"])
def test_boxes_of_resizing(size, aspect, box_format, rng):
    ours, theirs = pair("Resizing", *size, bounding_box_format=box_format, **aspect)
    x, given = images(rng), boxes(box_format)
    before = given["boxes"].clone()
    found = ours({"images": x, "bounding_boxes": given})["bounding_boxes"]
    assert torch.equal(given["boxes"], before)
    wanted = theirs({"images": x, "bounding_boxes": boxes(box_format)})["bounding_boxes"]
    real = (slice(None), (0, 2, 3))  # without the padding
    torch.testing.assert_close(found["boxes"][real], wanted["boxes"][real], rtol=1e-4, atol=1e-4)
    assert torch.equal(found["labels"], wanted["labels"])


@SIZES
def test_masks_are_never_interpolated(size, rng):
    masks = torch.as_tensor(rng.integers(0, 5, (2, 9, 11, 1)), dtype=torch.int32)
    ours, theirs = pair("Resizing", *size)
    found, wanted = (
        layer({"images": masks.float(), "segmentation_masks": masks}) for layer in (ours, theirs)
    )
    assert torch.equal(found["segmentation_masks"], wanted["segmentation_masks"])
    for name in ("CenterCrop", "RandomCrop"):
        cut = getattr(layers, name)(*size)({"images": masks.float(), "segmentation_masks": masks})
        assert cut["segmentation_masks"].shape == (2, *size, 1)
        assert set(cut["segmentation_masks"].unique().tolist()) <= {0, 1, 2, 3, 4}


@FORMATS
@SIZES
def test_center_crop(size, data_format, rng):
    ours, theirs = pair("CenterCrop", *size, data_format=data_format)
    x = images(rng, data_format)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(ours(x[0]), theirs(x[0]), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(ours(x.byte()), theirs(x.byte()), rtol=1e-5, atol=1e-3)
    assert plain_config(ours.get_config()) == plain_config(theirs.get_config())


@SIZES
@pytest.mark.parametrize("box_format", ["xyxy", "rel_xyxy"])
def test_boxes_of_center_crop(size, box_format, rng):
    ours, theirs = pair("CenterCrop", *size, bounding_box_format="xyxy")
    x = images(rng)
    wanted = theirs({"images": x, "bounding_boxes": boxes()})["bounding_boxes"]
    ours = layers.CenterCrop(*size, bounding_box_format=box_format)
    found = ours({"images": x, "bounding_boxes": boxes(box_format)})["bounding_boxes"]
    pixels = torchkeras_lite.utils.bounding_boxes.convert_format(found["boxes"], box_format, "xyxy", *size)
    torch.testing.assert_close(pixels, wanted["boxes"], rtol=1e-4, atol=1e-4)
    assert torch.equal(found["labels"], wanted["labels"])


@FORMATS
@SIZES
@pytest.mark.parametrize("place", [(0, 0), (2, 3), (4, 1)], ids=str)
def test_random_crop_at_a_place(size, place, data_format, rng):
    ours, theirs = pair("RandomCrop", *size, data_format=data_format)
    if size[0] > 9 or size[1] > 11:
        place = (0, place[1]) if size[0] > 9 else (place[0], 0)
    elif size[0] + place[0] > 9 or size[1] + place[1] > 11:
        place = (9 - size[0], 11 - size[1])
    x = images(rng, data_format)
    found, wanted = (layer.transform_images(x, place) for layer in (ours, theirs))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-3)
    assert torch.equal(ours(x, training=False), x)


@pytest.mark.parametrize("size", [(12, 5), (12, 13), (20, 3), (5, 13)], ids=str)
def test_random_crop_takes_the_middle_of_small_images(size, rng):
    ours, theirs = pair("RandomCrop", *size)
    x = images(rng)
    assert ours.get_random_transformation(x)[:2] == tuple(map(int, theirs.get_random_transformation(x)))
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-3)


def test_random_crop_places_every_image_anywhere():
    place = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij"), -1)
    cut = layers.RandomCrop(4, 5, seed=3)(place.expand(600, 9, 11, 2))
    tops, lefts = cut[:, 0, 0].unbind(-1)
    assert sorted(set(tops.tolist())) == list(range(6))
    assert sorted(set(lefts.tolist())) == list(range(7))
    assert tops.mean() == pytest.approx(2.5, abs=0.25)
    assert abs(np.corrcoef(tops, lefts)[0, 1]) < 0.12
    rows = torch.arange(4.0).view(1, 4, 1)
    torch.testing.assert_close(cut[..., 0] - tops.view(-1, 1, 1), rows.expand(600, 4, 5))


@pytest.mark.parametrize("box_format", ["xyxy", "rel_xywh"])
def test_boxes_of_random_crop_follow_the_image(box_format):
    convert = torchkeras_lite.utils.bounding_boxes.convert_format
    image = torch.zeros(50, 9, 11, 1)
    image[:, 3:6, 4:8] = 1.0
    pixels = torch.tensor([[[4.0, 3, 8, 6], [0, 0, 1, 1]]] * 50)
    given = {"boxes": convert(pixels, "xyxy", box_format, 9, 11), "labels": torch.ones(50, 2)}
    layer = layers.RandomCrop(5, 6, seed=5, bounding_box_format=box_format)
    cut = layer({"images": image, "bounding_boxes": given})
    found = convert(cut["bounding_boxes"]["boxes"], box_format, "xyxy", 5, 6)
    labels = cut["bounding_boxes"]["labels"]
    for picture, box, label in zip(cut["images"][..., 0], found[:, 0], labels[:, 0], strict=True):
        left, top, right, bottom = (round(value) for value in box.tolist())
        assert picture.sum() == picture[top:bottom, left:right].sum() == (right - left) * (bottom - top)
        assert (label == 1) == bool(picture.any())
    assert {1.0, -1.0} == set(labels[:, 1].tolist())
    small = layers.RandomCrop(18, 11, bounding_box_format="xyxy")
    grown = small({"images": image, "bounding_boxes": {"boxes": pixels, "labels": torch.ones(50, 2)}})
    torch.testing.assert_close(
        grown["bounding_boxes"]["boxes"][0, 0], torch.tensor([4.0, 6, 8, 12]), atol=3, rtol=0
    )


BAD = [
    ("Resizing", {"height": 0, "width": 4}, "`height`.*strictly positive"),
    ("Resizing", {"height": 4, "width": 2.5}, "`width`"),
    (
        "Resizing",
        {"height": 4, "width": 4, "interpolation": "areal"},
        "`interpolation` must be one of 'bilinear'",
    ),
    ("Resizing", {"height": 4, "width": 4, "fill_mode": "reflect"}, "`fill_mode` must be one of 'constant'"),
    (
        "Resizing",
        {"height": 4, "width": 4, "crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
        "Only one of `pad_to_aspect_ratio`",
    ),
    ("CenterCrop", {"height": -1, "width": 4}, "`height`"),
    ("RandomCrop", {"height": 4, "width": 0}, "`width`"),
    ("RandomCrop", {"height": 4, "width": 4, "seed": "x"}, "`seed` must be an integer"),
]


@pytest.mark.parametrize(("name", "args", "message"), BAD, ids=str)
def test_refused_arguments(name, args, message):
    with pytest.raises(ValueError, match=message):
        getattr(layers, name)(**args)


@pytest.mark.parametrize("more", [0, 2])
def test_max_num_bounding_boxes(more, rng):
    ours, theirs = pair("MaxNumBoundingBoxes", 3 + more, fill_value=-7, bounding_box_format="xyxy")
    x = images(rng)
    for batch in (lambda v: v, lambda v: v[0]):
        given = {key: batch(value) for key, value in boxes().items()}
        data = {"images": batch(x), "segmentation_masks": batch(x), "bounding_boxes": given}
        found, wanted = (layer(dict(data))["bounding_boxes"] for layer in (ours, theirs))
        assert torch.equal(found["boxes"], wanted["boxes"])
        assert torch.equal(found["labels"], wanted["labels"])
    assert layers.MaxNumBoundingBoxes.from_config(ours.get_config()).fill_value == -7
    scores = {**boxes(), "confidence": torch.ones(2, 4)}
    assert ours({"images": x, "bounding_boxes": scores})["bounding_boxes"]["confidence"].shape == (
        2,
        3 + more,
    )
