"""MixUp, CutMix, RandomErasing and the policies: labels, boxes, masks, rectangles, chains."""

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import layers

ORDER = torch.tensor([2, 0, 1])


@pytest.fixture
def images():
    """A batch of three images of values from 0 to 255."""
    values = np.random.default_rng(7).integers(0, 256, (3, 16, 15, 3))
    return torch.as_tensor(values.astype("float32"))


def test_mix_up_blends_images_and_labels_as_keras(images):
    weights = torch.tensor([0.3, 1.0, 0.6])
    transformation = {"mix_weight": weights, "permutation_order": ORDER}
    ours, theirs = layers.MixUp(), keras.layers.MixUp()
    labels = torch.eye(4)[:3]
    for x in (images, images.to(torch.uint8)):
        mine = ours.transform_images(x, transformation)
        torch.testing.assert_close(mine, theirs.transform_images(x, transformation))
    mine = ours.transform_labels(labels, transformation)
    torch.testing.assert_close(mine, theirs.transform_labels(labels, transformation))
    torch.testing.assert_close(ours.transform_labels(labels.long(), transformation), mine)
    targets = torch.tensor([1.0, 2.0, 4.0])  # one number an image
    expected = weights * targets + (1 - weights) * targets[ORDER]
    torch.testing.assert_close(ours.transform_labels(targets, transformation), expected)


def test_mix_up_blends_masks_and_keeps_all_boxes():
    weights = torch.tensor([0.3, 1.0, 0.6])
    transformation = {"mix_weight": weights, "permutation_order": ORDER}
    layer = layers.MixUp(bounding_box_format="xyxy")
    masks = torch.arange(3).reshape(3, 1, 1, 1).expand(3, 4, 4, 1)
    mixed = layer.transform_segmentation_masks(masks, transformation)
    values = torch.arange(3.0)
    torch.testing.assert_close(mixed[:, 0, 0, 0], weights * values + (1 - weights) * values[ORDER])
    boxes = torch.arange(24.0).reshape(3, 2, 4)
    numbers = torch.arange(6).reshape(3, 2)
    both = layer.transform_bounding_boxes({"boxes": boxes, "labels": numbers}, transformation)
    assert torch.equal(both["boxes"], torch.cat([boxes, boxes[ORDER]], 1))
    assert torch.equal(both["labels"], torch.cat([numbers, numbers[ORDER]], 1))
    theirs = keras.layers.MixUp(bounding_box_format="xyxy")
    his = theirs.transform_bounding_boxes({"boxes": boxes, "labels": numbers}, transformation)
    torch.testing.assert_close(both["boxes"], his["boxes"])


def test_cut_mix_is_that_of_keras(images):
    theirs = keras.layers.CutMix(seed=3)
    transformation = theirs.get_random_transformation({"images": images})
    ours = layers.CutMix()
    labels = torch.eye(4)[:3]
    mine = ours.transform_images(images, transformation)
    torch.testing.assert_close(mine, theirs.transform_images(images, transformation))
    mine = ours.transform_labels(labels, transformation)
    torch.testing.assert_close(mine, theirs.transform_labels(labels, transformation))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [3, 4])
def test_cut_mix_cuts_masks_where_it_cuts_images(data_format, rank, images):
    axis = -1 if data_format == "channels_last" else 1
    layer = layers.CutMix(seed=1, data_format=data_format)
    plane = torch.arange(3).reshape(3, 1, 1).expand(3, 16, 15)
    masks = plane if rank == 3 else plane.unsqueeze(axis)
    x = plane.unsqueeze(axis).float()
    outputs = layer({"images": x, "segmentation_masks": masks})
    found = outputs["segmentation_masks"]
    assert found.dtype == masks.dtype
    cut = outputs["images"].squeeze(axis)
    assert torch.equal(found if rank == 3 else found.squeeze(axis), cut.long())
    assert not torch.equal(cut, x.squeeze(axis))


def test_cut_mix_labels_tell_the_area():
    layer = layers.CutMix((1.0, 1.0), seed=2)
    x = torch.arange(50.0).reshape(50, 1, 1, 1).expand(50, 40, 50, 1)
    outputs = layer({"images": x, "labels": torch.eye(50)})
    for image, label in zip(range(50), outputs["labels"], strict=True):
        share = (outputs["images"][image] == image).float().mean()
        assert abs(share - label[image]) < 0.05


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_class_numbers_cannot_be_mixed(name, images):
    with pytest.raises(ValueError, match=r"class numbers of shape \(3,\).*one-hot"):
        getattr(layers, name)()({"images": images, "labels": torch.tensor([0, 1, 2])})
    single = getattr(layers, name)()({"images": images[0], "labels": torch.tensor(2)})
    assert single["labels"] == 2
    assert torch.equal(single["images"], images[0])


def test_cut_mix_refuses_boxes(images):
    boxes = {"boxes": torch.zeros(3, 1, 4), "labels": torch.zeros(3, 1)}
    with pytest.raises(NotImplementedError, match="cannot transform bounding boxes"):
        layers.CutMix(bounding_box_format="xyxy")({"images": images, "bounding_boxes": boxes})


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_erasing_is_that_of_keras(data_format, images):
    x = images if data_format == "channels_last" else images.permute(0, 3, 1, 2).contiguous()
    theirs = keras.layers.RandomErasing((0.5, 1.0), seed=4, data_format=data_format)
    transformation = theirs.get_random_transformation({"images": x}, training=True)
    # Keras lets "whether" broadcast over the channels, of which there are as many as images here.
    whole = {**transformation, "apply_erasing": torch.ones(1, dtype=torch.bool)}
    ours = layers.RandomErasing(data_format=data_format).transform_images(x, whole)
    torch.testing.assert_close(ours, theirs.transform_images(x.clone(), whole))
    some = {**transformation, "apply_erasing": torch.tensor([True, False, True])}
    partly = layers.RandomErasing(data_format=data_format).transform_images(x, some)
    assert torch.equal(partly[[0, 2]], ours[[0, 2]])
    assert torch.equal(partly[1], x[1])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_erased_rectangles_hold_the_fill_value(data_format):
    shape = (50, 16, 15, 3) if data_format == "channels_last" else (50, 3, 16, 15)
    layer = layers.RandomErasing(
        (1.0, 1.0), (0.25, 0.25), fill_value=[1.0, 2.0, 300.0], seed=1, data_format=data_format
    )
    outputs = layer(torch.zeros(shape))
    channels = outputs if data_format == "channels_last" else outputs.permute(0, 2, 3, 1)
    for channel, value in enumerate((1.0, 2.0, 255.0)):
        assert set(channels[..., channel].unique().tolist()) == {0.0, value}
    rows, columns = (channels[..., 0].amax(axis).sum(1) for axis in (2, 1))
    assert set(rows.tolist()) == {8.0}
    assert set(columns.tolist()) <= {7.0, 8.0}


def test_erasing_refuses_fill_values_for_other_channels(images):
    with pytest.raises(
        ValueError, match=r"`fill_value` to be a number or one a channel.*Pass one number, or 3"
    ):
        layers.RandomErasing(fill_value=[1, 2])(images)


@pytest.mark.parametrize("seed", range(6))
def test_rand_augment_applies_what_keras_chose(seed, images):
    theirs = keras.layers.RandAugment(num_ops=3, seed=seed)
    theirs.build(images.shape)
    values = ["random_color_degeneration", "random_contrast", "random_sharpness"]
    values += ["random_posterization", "solarization", "auto_contrast"]
    transformation = theirs.get_random_transformation({"images": images})
    # Keras computes all eleven, and its brightness writes into its input: every image got brighter.
    transformation["transforms"]["random_brightness"] = {"rgb_delta": torch.zeros(3, 1, 1, 1)}
    names = list(transformation["transforms"])
    chosen = [names.index(values[(seed + step) % len(values)]) for step in range(3)]
    transformation["layer_idxes"] = chosen
    ours = layers.RandAugment(num_ops=3).transform_images(images, transformation)
    tensors = {**transformation, "layer_idxes": [torch.tensor(number) for number in chosen]}
    expected = theirs.transform_images(images.clone(), tensors)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-3)
    compiled = layers.RandAugment(num_ops=3)
    for name in names[:3]:  # the form that graphs use computes all choices
        tensors["transforms"][name] = getattr(compiled, name).get_random_transformation(images)
    torch.testing.assert_close(compiled.transform_images(images, tensors), ours)


def test_rand_augment_draws_for_what_it_chose_only(images):
    layer = layers.RandAugment(num_ops=2, seed=1)
    counts = torch.zeros(11)
    for _ in range(300):
        transformation = layer.get_random_transformation(images)
        chosen = transformation["layer_idxes"]
        assert {layer.names[number] for number in chosen} == set(transformation["transforms"])
        counts[chosen] += 1
    assert (counts > 25).all()
    assert layer.get_random_transformation(images, training=False) is None


def test_rand_augment_moves_masks_with_images(images):
    layer = layers.RandAugment(num_ops=1, seed=1, interpolation="nearest")
    x = images[..., :1].round()
    transformation = {
        "layer_idxes": [layer.names.index("random_translation")],
        "transforms": {"random_translation": layer.random_translation.get_random_transformation(x)},
    }
    masks = layer.transform_segmentation_masks(x, transformation)
    moved = layer.transform_images(x, transformation)
    assert (masks == moved).float().mean() > 0.5
    assert not torch.equal(masks, x)


@pytest.mark.parametrize("all_ops", [True, False])
def test_aug_mix_blends_chains(all_ops, images):
    layer = layers.AugMix(seed=3, all_ops=all_ops, alpha=2.0)
    transformation = layer.get_random_transformation(images)
    mixed = torch.zeros_like(images)
    chains = transformation["chain_transforms"]
    weights = transformation["chain_mixing_weights"]
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    for weight, chain in zip(weights, chains, strict=True):
        x = images
        for step in chain:
            x = getattr(layer, step["layer_name"]).transform_images(x, step["transformation"])
        mixed += weight * x
    own = transformation["weight_sample"]
    torch.testing.assert_close(
        layer.transform_images(images, transformation), own * images + (1 - own) * mixed
    )
    assert hasattr(layer, "random_brightness") == all_ops


def test_aug_mix_draws_as_keras(images):
    lengths = {}
    for room in (layers, keras.layers):
        layer = room.AugMix(seed=5, num_chains=500, chain_depth=2)
        if room is keras.layers:
            layer.build(images.shape)
        chains = layer.get_random_transformation({"images": images[:1]})["chain_transforms"]
        lengths[room] = np.bincount([len(chain) for chain in chains], minlength=3) / 500
    np.testing.assert_allclose(lengths[layers], lengths[keras.layers], atol=0.06)


@pytest.mark.parametrize("factor", [0.05, 0.3, (0.5, 0.9), 1.0])
@pytest.mark.parametrize("name", ["RandAugment", "AugMix"])
def test_policies_have_the_parts_of_keras(name, factor, images):
    ours = getattr(layers, name)(factor=factor, interpolation="nearest", value_range=(0, 1), seed=3)
    theirs = getattr(keras.layers, name)(factor=factor, interpolation="nearest", value_range=(0, 1), seed=3)
    theirs.build(images.shape)
    assert len(ours.names) == 11
    for part in ours.names:
        mine, his = getattr(ours, part).get_config(), getattr(theirs, part).get_config()
        left_out = {"name", "seed", "dtype"}
        assert {key: _plain(value) for key, value in mine.items() if key not in left_out} == {
            key: _plain(value) for key, value in his.items() if key not in left_out
        }


def _plain(value):
    return list(map(float, value)) if isinstance(value, (list, tuple)) else value
