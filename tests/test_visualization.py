"""Boxes, masks and galleries."""

import keras
import matplotlib as mpl
import numpy as np
import pytest

from torchkeras_lite import visualization

mpl.use("Agg")
IMAGES = np.full((2, 12, 10, 3), 100, "float32")
MASKS = np.random.RandomState(0).randint(-1, 3, (2, 12, 10, 1))


@pytest.mark.parametrize(
    "args",
    [
        {"num_classes": 3},
        {"num_classes": 3, "alpha": 0.5},
        {"num_classes": 3, "ignore_index": 1},
        {"num_classes": 3, "color_mapping": {0: (1, 2, 3), 1: (10, 20, 30), 2: (5, 5, 5)}},
    ],
    ids=["plain", "alpha", "ignored", "colors"],
)
def test_masks_are_kerass(args):
    mine = visualization.draw_segmentation_masks(IMAGES, MASKS, **args)
    his = keras.visualization.draw_segmentation_masks(IMAGES, MASKS, **args)
    assert mine.dtype == his.dtype
    np.testing.assert_allclose(mine.astype(int), his, atol=1)


def test_masks_in_other_forms():
    plain = visualization.draw_segmentation_masks(IMAGES, MASKS)
    first = IMAGES.transpose(0, 3, 1, 2), MASKS.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(plain, visualization.draw_segmentation_masks(IMAGES, MASKS[..., 0]))
    np.testing.assert_array_equal(
        plain, visualization.draw_segmentation_masks(*first, data_format="channels_first")
    )
    with pytest.raises(TypeError, match="must be in integer dtype"):
        visualization.draw_segmentation_masks(IMAGES, MASKS.astype("float32"))
    with pytest.raises(ValueError, match="must be batched 4D tensor"):
        visualization.draw_segmentation_masks(IMAGES[0], MASKS)


def test_boxes():
    boxes = {
        "boxes": np.array([[[2, 3, 7, 9], [0, 0, 1, 1]]] * 2, "float32"),
        "labels": np.array([[1, -1]] * 2),
    }
    drawn = visualization.draw_bounding_boxes(IMAGES, boxes, "xyxy", color=(255, 0, 0), line_thickness=1)
    assert (drawn.shape, drawn.dtype) == (IMAGES.shape, np.uint8)
    edge = np.zeros((12, 10), bool)
    edge[3:10, 2:8] = True
    edge[4:9, 3:7] = False
    np.testing.assert_array_equal((drawn[0] == (255, 0, 0)).all(-1), edge)
    np.testing.assert_array_equal(drawn[0][~edge], 100)
    named = visualization.draw_bounding_boxes(
        np.zeros((1, 120, 80, 3)),
        {"boxes": [[[10, 60, 70, 110]]], "labels": [[1]], "confidences": np.array([[0.5]])},
        "xyxy",
        class_mapping={1: "cat"},
        color=(0, 255, 0),
    )
    assert (named[0, :58, :, 1] > 0).any(), "the text stands above the box"
    with pytest.raises(TypeError, match="should be a dict"):
        visualization.draw_bounding_boxes(IMAGES, [1], "xyxy")
    with pytest.raises(ValueError, match="'boxes' and 'labels' keys"):
        visualization.draw_bounding_boxes(IMAGES, {"boxes": 1}, "xyxy")


def test_galleries(tmp_path):
    figure = visualization.plot_image_gallery(
        IMAGES, y_true=[0, 1], y_pred=[1, 1], label_map={0: "a", 1: "b"}, rows=1, path=tmp_path / "a.png"
    )
    assert [axes.get_title() for axes in figure.axes] == ["a\nPred: b", "b\nPred: b"]
    boxes = {"boxes": np.array([[[2, 3, 7, 9]]] * 2, "float32"), "labels": np.array([[1]] * 2)}
    visualization.plot_bounding_box_gallery(
        IMAGES, "xyxy", boxes, boxes, legend=True, path=tmp_path / "b.png", cols=2
    )
    visualization.plot_segmentation_mask_gallery(
        IMAGES, 3, y_true=MASKS, y_pred=MASKS, path=tmp_path / "c.png"
    )
    assert all((tmp_path / f"{name}.png").stat().st_size > 500 for name in "abc")
    with pytest.raises(ValueError, match="either `path` to be set, or `show`"):
        visualization.plot_image_gallery(IMAGES, path="x.png", show=True)
    with pytest.raises(ValueError, match="`label_map` must also be provided"):
        visualization.plot_image_gallery(IMAGES, y_true=[0, 1])
    with pytest.raises(ValueError, match="`legend` OR `legend_handles`"):
        visualization.plot_bounding_box_gallery(IMAGES, "xyxy", legend=True, legend_handles=[1])
