"""Bounding boxes against real Keras: formats, clipping, cropping, affine maps, overlaps and differences."""

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite.utils import bounding_boxes as ours

theirs = keras.utils.bounding_boxes
IN_PIXELS = ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"]
FORMATS = [*IN_PIXELS, "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"]
sources = pytest.mark.parametrize("source", FORMATS)
targets = pytest.mark.parametrize("target", FORMATS)


@pytest.fixture
def pixels():
    """Boxes (2, 5, 4) in xyxy around images of 100 x 80 pixels; the last of each is padding."""
    start = np.random.default_rng(3).uniform(-20, 70, (2, 5, 2))
    size = np.random.default_rng(4).uniform(1, 60, (2, 5, 2))
    boxes = np.concatenate([start, start + size], -1).astype("float32")
    boxes[:, -1] = -1
    return boxes


def close(found, wanted, tolerance=1e-4):
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@sources
@targets
def test_formats(source, target, pixels):
    given = theirs.convert_format(pixels, "xyxy", source, height=100, width=80).numpy()
    for boxes in (given, given[0], given[0, 0], given.astype("float64")):
        found = ours.convert_format(boxes, source, target, height=100, width=80)
        close(found, theirs.convert_format(boxes, source, target, height=100, width=80))
    close(ours.convert_format(found, target, source, 100, 80), torch.as_tensor(given))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_dtype_of_converted_boxes(dtype, pixels):
    found, wanted = (room.convert_format(pixels, "xyxy", "xywh", dtype=dtype) for room in (ours, theirs))
    assert found.dtype == wanted.dtype


def test_sizes_may_differ_between_images(pixels):
    sizes = {"height": np.array([100.0, 50.0]), "width": torch.tensor([80.0, 40.0])}
    found = ours.convert_format(pixels, "xyxy", "rel_yxyx", **sizes)
    for index, (height, width) in enumerate(((100, 80), (50, 40))):
        close(found[index], ours.convert_format(pixels[index], "xyxy", "rel_yxyx", height, width))


def test_dicts_stay_as_they_were(pixels):
    given = {"boxes": torch.as_tensor(pixels), "labels": torch.ones(2, 5), "confidence": torch.zeros(2, 5)}
    found = ours.convert_format(given, "xyxy", "xywh")
    assert given["boxes"] is not found["boxes"]
    np.testing.assert_array_equal(given["boxes"], pixels)
    assert found["labels"] is given["labels"]
    clipped = ours.clip_to_image_size(given, 100, 80)
    np.testing.assert_array_equal(given["boxes"], pixels)
    assert list(clipped) == ["boxes", "labels", "confidence"]
    assert given["labels"].sum() == 10


@pytest.mark.parametrize("name", FORMATS)
def test_clipping(name, pixels):
    given = {"boxes": pixels.copy(), "labels": np.arange(10).reshape(2, 5)}
    wanted = theirs.clip_to_image_size(given, height=100, width=80, bounding_box_format="xyxy")
    given = {
        "boxes": ours.convert_format(pixels, "xyxy", name, 100, 80),
        "labels": torch.arange(10).reshape(2, 5),
    }
    found = ours.clip_to_image_size(given, height=100, width=80, bounding_box_format=name)
    close(ours.convert_format(found["boxes"], name, "xyxy", 100, 80), wanted["boxes"], 1e-3)
    assert torch.equal(found["labels"], wanted["labels"])


def test_clipping_of_one_hot_labels(pixels):
    labels = torch.ones(2, 5, 3)
    found = ours.clip_to_image_size({"boxes": pixels, "labels": labels}, 100, 80)["labels"]
    assert found[:, -1].eq(-1).all()
    assert found.shape == (2, 5, 3)


@pytest.mark.parametrize("name", IN_PIXELS)
@pytest.mark.parametrize("function", ["crop", "pad"])
def test_crop_and_pad(function, name, pixels):
    wanted = getattr(theirs, function)(pixels, 2, 3, 40, 50, "xyxy")
    boxes = ours.convert_format(pixels, "xyxy", name)
    found = getattr(ours, function)(boxes, 2, 3, 40, 50, name)
    close(ours.convert_format(found, name, "xyxy"), wanted, 1e-3)
    tops, lefts = torch.tensor([2, 2]), torch.tensor([3, 3])
    close(getattr(ours, function)(boxes, tops, lefts, 40, 50, name), found)


MAPS = {
    "turn": {"angle": [30.0, -75.0]},
    "move": {"translate_x": [0.1, 0.2], "translate_y": [-0.1, 0.3]},
    "scale": {"scale": [2.0, 0.5]},
    "shear-x": {"shear_x": [20.0, -10.0]},
    "shear-y": {"shear_y": [20.0, -10.0]},
    "center": {"angle": [30.0, 90.0], "center_x": 0.3, "center_y": 0.6},
    "all": {
        "angle": [30.0, 10.0],
        "translate_x": [0.1, 0.2],
        "translate_y": [0.3, -0.1],
        "scale": [1.5, 0.7],
        "shear_x": [20.0, 5.0],
        "shear_y": [10.0, -5.0],
    },
}


@pytest.mark.parametrize("case", MAPS)
@pytest.mark.parametrize("name", IN_PIXELS)
def test_affine_transform(case, name, pixels):
    still = {"angle": 0, "translate_x": 0, "translate_y": 0, "scale": 1, "shear_x": 0, "shear_y": 0}
    args = {key: np.full(2, value, "float32") for key, value in still.items()}
    args |= {key: np.array(v, "float32") if isinstance(v, list) else v for key, v in MAPS[case].items()}
    wanted = theirs.affine_transform(pixels, **args, height=100, width=80)
    boxes = ours.convert_format(pixels, "xyxy", name)
    found = ours.affine_transform(boxes, **args, height=100, width=80, bounding_box_format=name)
    close(ours.convert_format(found, name, "xyxy"), wanted, 1e-3)
    numbers = {key: float(np.ravel(value)[0]) for key, value in args.items()}
    alone = ours.affine_transform(boxes[:1], **numbers, height=100, width=80, bounding_box_format=name)
    close(alone, found[:1], 1e-3)


@pytest.mark.parametrize("name", ["xyxy", "xywh", "rel_yxyx"])
@pytest.mark.parametrize(
    "masking", [{}, {"use_masking": True}, {"use_masking": True, "mask_val": 7}], ids=str
)
def test_iou(name, masking, pixels):
    first = ours.convert_format(pixels, "xyxy", name, 100, 80).numpy()
    second = np.roll(first, 1, axis=0)[:, :4]
    shape = {"image_shape": (100, 80, 3)} if name.startswith("rel") else {}
    mixed = [] if masking else [(first[0], second), (first, second[0])]  # Keras fails with a mask
    for a, b in ((first, second), (first[0], second[0]), *mixed):
        found, wanted = (room.compute_iou(a, b, name, **masking, **shape) for room in (ours, theirs))
        close(found, wanted)


def test_ciou(pixels):
    other = np.roll(pixels, 1, axis=1)
    for name in ("xyxy", "xywh"):
        a, b = (ours.convert_format(boxes, "xyxy", name).numpy() for boxes in (pixels, other))
        close(ours.compute_ciou(a, b, name), theirs.compute_ciou(a, b, name))
    relative = [ours.convert_format(boxes, "xyxy", "rel_xyxy", 100, 80) for boxes in (pixels, other)]
    found = ours.compute_ciou(*relative, "rel_xyxy", image_shape=(100, 80, 3))
    close(found, theirs.compute_ciou(pixels, other, "xyxy"), 1e-3)


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]], ids=str)
@pytest.mark.parametrize("name", ["xyxy", "xywh", "rel_xyxy"])
def test_differences_to_anchors(encoding, variance, name, pixels):
    anchors, boxes = pixels[0, :4], pixels[:, (1, 2, 3, 0)]
    given = ours.convert_format(boxes, "xyxy", name, 100, 80).numpy()
    args = {"variance": variance, "image_shape": (100, 80, 3)}
    deltas = [
        room.encode_box_to_deltas(anchors, given, "xyxy", name, encoding, **args) for room in (ours, theirs)
    ]
    close(*deltas)
    back = [
        room.decode_deltas_to_boxes(anchors, deltas[1], "xyxy", name, encoding, **args)
        for room in (ours, theirs)
    ]
    close(*back, 1e-3)
    close(back[0], torch.as_tensor(given), 1e-3)
    both = ours.decode_deltas_to_boxes({"P3": anchors}, {"P3": deltas[0]}, "xyxy", name, encoding, **args)
    close(both["P3"], back[0], 1e-3)


def test_boxes_without_an_area_have_finite_differences():
    anchors, points = np.array([[10, 20, 30, 60.0]], "float32"), np.array([[5, 5, 5, 5.0]], "float32")
    found, wanted = (room.encode_box_to_deltas(anchors, points, "xyxy", "xyxy") for room in (ours, theirs))
    close(found, wanted)
    assert torch.isfinite(found).all()


BOX = np.zeros((1, 2, 4), "float32")
REFUSED = [
    (lambda: ours.convert_format(BOX, "xyxy", "corners"), "Supported formats"),
    (lambda: ours.convert_format(BOX[..., :3], "xyxy", "xywh"), "last dimension of 4"),
    (lambda: ours.convert_format(BOX, "xyxy", "rel_xyxy"), "must receive `height` and `width`"),
    (
        lambda: ours.clip_to_image_size({"boxes": BOX, "labels": BOX[..., 0]}),
        "`height` and `width` must be set",
    ),
    (lambda: ours.clip_to_image_size(BOX, 4, 4), "a dict with 'boxes' and 'labels'"),
    (lambda: ours.crop(BOX, 1, 1, 2, 2, "rel_xyxy"), "crop: expected boxes in pixels"),
    (lambda: ours.pad(BOX, 1, 1, bounding_box_format="rel_xywh"), "pad: expected boxes in pixels"),
    (lambda: ours.compute_iou(BOX, BOX, "rel_xyxy"), "`image_shape` argument must be provided"),
    (lambda: ours.compute_iou(BOX[0, 0], BOX, "xyxy"), "expects boxes1 to be batched"),
    (
        lambda: ours.encode_box_to_deltas(BOX[0], BOX, "xyxy", "xyxy", "xyxy"),
        "`encoding_format` should be one",
    ),
    (lambda: ours.encode_box_to_deltas(BOX[0], BOX, "xyxy", "xyxy", variance=[1, 1]), "must be length 4"),
    (lambda: ours.decode_deltas_to_boxes({"a": BOX[0]}, {"b": BOX}, "xyxy", "xyxy"), "keys of `anchors`"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
