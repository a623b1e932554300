"""Image layers that change values: real Keras's numbers for the same transformation, and the draws."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers


@pytest.fixture
def images():
    """A batch of three images of whole values from 0 to 255, as floats."""
    values = np.random.default_rng(7).integers(0, 256, (3, 9, 8, 3))
    return torch.as_tensor(values.astype("float32"))


def in_range(images, value_range):
    low, high = value_range
    return images / 255 * (high - low) + low


def one_each(*values):
    return torch.tensor(values).reshape(-1, 1, 1, 1)


# name, arguments, transformation: real Keras takes all of these.
GIVEN = [
    ("RandomBrightness", {"factor": 0.2}, {"rgb_delta": one_each(0.3, -0.2, 0.0)}),
    ("RandomContrast", {"factor": 0.2}, {"contrast_factor": one_each(1.4, 0.2, 1.0)}),
    ("RandomColorDegeneration", {"factor": 0.2}, {"factor": one_each(0.4, -0.3, 1.0)}),
    ("RandomHue", {"factor": 0.2}, {"factor": torch.tensor([0.3, -0.2, 0.0])}),
    ("RandomSaturation", {"factor": 0.2}, {"factor": torch.tensor([0.3, 0.9, 0.0])}),
    ("RandomPosterization", {"factor": 4}, {"shift_factor": torch.tensor([1, 5, 7], dtype=torch.uint8)}),
    ("RandomSharpness", {"factor": 0.2}, {"factor": torch.tensor([0.0, 0.3, 1.0])}),
    (
        "RandomGaussianBlur",
        {"kernel_size": 5},
        {"should_apply_blur": torch.tensor([True, False, True]), "blur_factor": torch.tensor([0.4, 1.3])},
    ),
    ("Solarization", {}, {"additions": one_each(0.0, 30.0, 60.0), "thresholds": one_each(0.0, 200.0, 90.0)}),
    ("AutoContrast", {}, None),
    ("Equalization", {}, None),
    ("Equalization", {"bins": 16}, None),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (1, 1)}, None),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": 40.0, "tile_grid_size": (3, 2)}, None),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": 0, "tile_grid_size": (2, 3)}, None),
]
given = pytest.mark.parametrize(
    ("name", "args", "transformation"), GIVEN, ids=[f"{name}-{args}" for name, args, _ in GIVEN]
)
ranges = pytest.mark.parametrize("value_range", [(0, 255), (0, 1), (-1, 1)], ids=str)


@given
@ranges
def test_values_are_those_of_keras(name, args, transformation, value_range, images):
    if name == "Equalization":  # whole values lie on the borders of bins, where rounding decides
        images = images * 0.9 + 0.37
    x = in_range(images, value_range)
    args = {**args, "value_range": value_range}
    if name == "RandomSaturation" and value_range[0]:
        pytest.skip("Keras takes the saturation of negative numbers")
    if name == "RandomBrightness":
        scale = value_range[1] - value_range[0]
        transformation = {"rgb_delta": transformation["rgb_delta"] * scale}
    before = x.clone()
    ours = getattr(layers, name)(**args).transform_images(x, transformation)
    assert torch.equal(x, before)
    layer = getattr(keras.layers, name)(**args)
    if name == "Equalization":  # Keras counts the values of a whole batch
        theirs = torch.cat([layer.transform_images(image[None], None) for image in x.clone()])
    else:
        theirs = layer.transform_images(x.clone(), transformation)
    scale = (value_range[1] - value_range[0]) / 255
    torch.testing.assert_close(ours / scale, theirs / scale, rtol=1e-5, atol=1e-3)


@given
def test_channels_first_transposes(name, args, transformation, images):
    first = getattr(layers, name)(data_format="channels_first", **args)
    last = getattr(layers, name)(data_format="channels_last", **args)
    moved = first.transform_images(images.permute(0, 3, 1, 2).contiguous(), transformation)
    torch.testing.assert_close(moved.permute(0, 2, 3, 1), last.transform_images(images, transformation))


@given
def test_integers_give_what_their_floats_give(name, args, transformation, images):
    layer = getattr(layers, name)(**args)
    ours = layer.transform_images(images.to(torch.uint8), transformation)
    floats = layer.transform_images(images, transformation)
    keeps = name in ("RandomBrightness", "ContrastLimitedAdaptiveHistogramEqualization")
    assert ours.dtype == (torch.uint8 if keeps else torch.float32)
    torch.testing.assert_close(ours, floats.to(ours.dtype))


def test_brightness_of_bytes_does_not_wrap():
    layer = layers.RandomBrightness(0.2)
    images = torch.tensor([[250, 3]], dtype=torch.uint8).reshape(1, 1, 2, 1)
    for delta, expected in ((10.7, [255, 13]), (-10.7, [239, 0])):
        assert layer.transform_images(images, {"rgb_delta": one_each(delta)}).flatten().tolist() == expected


def test_strong_saturation_stays_in_the_range(images):
    for value_range in ((0, 255), (-1, 1)):
        weak = layers.RandomSaturation((0.3, 0.3), value_range=value_range)
        expected = in_range(layers.RandomSaturation((0.3, 0.3))(images), value_range)
        torch.testing.assert_close(weak(in_range(images, value_range)), expected, rtol=1e-4, atol=1e-4)
        layer = layers.RandomSaturation((1.0, 1.0), value_range=value_range)
        outputs = layer(in_range(images, value_range))
        assert outputs.min() >= value_range[0]
        assert outputs.max() <= value_range[1]
        least = in_range(images, value_range).amin(-1)
        assert (outputs.amin(-1) <= least + 1e-4).all()


@pytest.mark.parametrize("value_range", [(0, 255), (-1, 1)], ids=str)
def test_invert_mirrors_the_range(value_range, images):
    x = in_range(images, value_range)
    layer = layers.RandomInvert((1.0, 1.0), value_range=value_range)
    torch.testing.assert_close(layer(x), sum(value_range) - x)
    assert layer(layer(x)).shape == x.shape


def test_grayscale_is_that_of_keras(images):
    chosen = torch.tensor([True, False, True]).reshape(-1, 1, 1, 1)
    for x in (images, images.to(torch.uint8)):
        ours = layers.RandomGrayscale().transform_images(x, {"apply_grayscale": chosen})
        torch.testing.assert_close(ours, keras.layers.RandomGrayscale().transform_images(x, chosen))


def test_every_image_is_blurred_by_its_own_deviations(images):
    layer = layers.RandomGaussianBlur(kernel_size=5)
    sigma = torch.tensor([[0.4, 1.0], [2.0, 0.7], [1.0, 1.0]])
    everything = {"should_apply_blur": torch.ones(3, dtype=torch.bool), "blur_factor": sigma}
    together = layer.transform_images(images, everything)
    for index in range(3):
        one = {"should_apply_blur": torch.ones(1, dtype=torch.bool), "blur_factor": sigma[index]}
        alone = keras.layers.RandomGaussianBlur(kernel_size=5).transform_images(images[[index]], one)
        torch.testing.assert_close(together[[index]], alone, rtol=1e-5, atol=1e-4)


def test_sides_of_a_blur_may_differ(images):
    layer = layers.RandomGaussianBlur((1.0, 1.0), kernel_size=(1, 3), sigma=(1.0, 1.0))
    outputs = layer(images)
    assert outputs.shape == images.shape
    weights = torch.softmax(-0.5 * torch.tensor([1.0, 0.0, 1.0]), 0)
    torch.testing.assert_close(outputs[:, 3], (images[:, 2:5] * weights[:, None, None]).sum(1))


def test_a_jitter_is_its_parts_in_order(images):
    factors = {"brightness_factor": 0.2, "contrast_factor": 0.3, "hue_factor": 0.2, "saturation_factor": 0.4}
    layer = layers.RandomColorJitter(**factors, seed=3)
    transformation = layer.get_random_transformation(images)
    expected = images.clone()
    for name in ("RandomBrightness", "RandomContrast", "RandomHue", "RandomSaturation"):
        key = "random_" + name.removeprefix("Random").lower()
        theirs = getattr(keras.layers, name)(0.5)
        expected = theirs.transform_images(expected, transformation[key])
    ours = layer.transform_images(images, transformation)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-3)
    assert layers.RandomColorJitter().get_random_transformation(images) == {}
    assert torch.equal(layers.RandomColorJitter()(images), images)


# name, arguments, key, and how far from Keras's mean and deviation the drawn values may be
DRAWS = [
    ("RandomBrightness", {"factor": (-0.2, 0.6), "value_range": (-1, 1)}, "rgb_delta"),
    ("RandomContrast", {"factor": (0.1, 0.6)}, "contrast_factor"),
    ("RandomContrast", {"factor": 0.4}, "contrast_factor"),
    ("RandomColorDegeneration", {"factor": 0.4}, "factor"),
    ("RandomHue", {"factor": (0.2, 0.8)}, "factor"),
    ("RandomSaturation", {"factor": (0.2, 0.7)}, "factor"),
    ("RandomPosterization", {"factor": 6}, "shift_factor"),
    ("RandomPosterization", {"factor": (2, 5)}, "shift_factor"),
    ("RandomSharpness", {"factor": (0.2, 0.4)}, "factor"),
    ("RandomInvert", {"factor": 0.6}, "apply_inversion"),
    ("RandomGaussianBlur", {"factor": (0.5, 0.9)}, "should_apply_blur"),
    ("Solarization", {"addition_factor": 0.3, "value_range": (0, 1)}, "additions"),
    ("Solarization", {"threshold_factor": (0.0, 0.9)}, "thresholds"),
    ("RandomErasing", {"factor": (0.2, 0.4)}, "apply_erasing"),
    ("RandomErasing", {"scale": (0.1, 0.5)}, "batch_masks"),
    ("RandomErasing", {"value_range": (10, 20)}, "fill_value"),
    ("MixUp", {"alpha": 0.4}, "mix_weight"),
    ("CutMix", {"factor": (0.5, 0.5)}, "mix_weight"),
    ("CutMix", {"factor": (0.5, 0.5)}, "batch_masks"),
]


@pytest.mark.parametrize(("name", "args", "key"), DRAWS, ids=[f"{n}-{a}-{k}" for n, a, k in DRAWS])
def test_values_are_drawn_as_in_keras(name, args, key):
    data = {"images": torch.zeros(4000, 6, 5, 1)}
    moments = []
    for room in (layers, keras.layers):
        drawn = getattr(room, name)(seed=5, **args).get_random_transformation(data, training=True)[key]
        values = drawn.reshape(4000, -1).double().mean(1) if key != "fill_value" else drawn.double().flatten()
        moments.append((values.mean(), values.std(), values.min(), values.max()))
    (mean, deviation, low, high), (his_mean, his_deviation, his_low, his_high) = moments
    assert abs(mean - his_mean) < 0.08 * his_deviation
    assert abs(deviation - his_deviation) < 0.06 * his_deviation
    if key == "batch_masks":  # few pixels, so that the extremes jump
        return
    assert abs(low - his_low) < 0.25 * his_deviation
    assert abs(high - his_high) < 0.25 * his_deviation


AUGMENTING = [
    ("RandomBrightness", {"factor": 0.5}),
    ("RandomContrast", {"factor": 0.5}),
    ("RandomColorJitter", {"contrast_factor": 0.5, "hue_factor": 0.5}),
    ("RandomColorDegeneration", {"factor": 0.5}),
    ("RandomGrayscale", {}),
    ("RandomHue", {"factor": 0.5}),
    ("RandomSaturation", {"factor": 0.5}),
    ("RandomPosterization", {"factor": 8}),
    ("RandomSharpness", {"factor": 0.5}),
    ("RandomInvert", {}),
    ("RandomGaussianBlur", {}),
    ("RandomErasing", {}),
    ("Solarization", {"addition_factor": 0.9, "threshold_factor": 0.9}),
    ("MixUp", {"alpha": 1.0}),
    ("CutMix", {}),
    ("AugMix", {}),
    ("RandAugment", {}),
]
augmenting = pytest.mark.parametrize(("name", "args"), AUGMENTING, ids=[name for name, _ in AUGMENTING])


@augmenting
def test_a_seed_repeats_a_sequence_and_none_follows_torch(name, args, images):
    kind = getattr(layers, name)
    images = images.repeat(6, 1, 1, 1)
    first, second = kind(seed=3, **args), kind(seed=3, **args)
    runs = [[layer(images) for _ in range(3)] for layer in (first, second)]
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(runs[0][0], runs[0][1])
    assert not torch.equal(kind(seed=4, **args)(images), runs[0][0])
    torch.manual_seed(1)
    before = kind(**args)(images)
    torch.manual_seed(1)
    assert torch.equal(kind(**args)(images), before)
    state = torch.get_rng_state()
    first(images)
    assert torch.equal(torch.get_rng_state(), state)


@augmenting
def test_inference_leaves_everything(name, args, images):
    layer = getattr(layers, name)(**args)
    labels = torch.eye(3)
    outputs = layer({"images": images, "labels": labels}, training=False)
    assert torch.equal(outputs["images"], images)
    assert torch.equal(outputs["labels"], labels)
    layer.eval()
    assert torch.equal(layer(images), images)


@augmenting
def test_single_images_arrays_and_models(name, args, images):
    layer = getattr(layers, name)(seed=3, **args)
    assert layer(images[0]).shape == images.shape[1:]
    outputs = layer(images.to(torch.uint8).numpy())
    keeps = name in ("RandomBrightness", "RandomGrayscale")
    assert outputs.shape == images.shape
    assert outputs.dtype == (torch.uint8 if keeps else torch.float32)
    inputs = layers.Input(images.shape[1:])
    model = torchkeras_lite.Model(inputs, layers.Flatten()(layer(inputs)))
    assert model.output_shape == (None, images[0].numel())
    assert torch.equal(model(images, training=False), images.flatten(1))
    assert not torch.equal(model(images.repeat(9, 1, 1, 1), training=True)[:3], images.flatten(1))


@augmenting
def test_boxes_and_masks_come_along(name, args, images):
    layer = getattr(layers, name)(seed=3, bounding_box_format="xyxy", **args)
    boxes = {"boxes": torch.tensor([[[1.0, 2.0, 5.0, 6.0]]]).repeat(3, 1, 1), "labels": torch.ones(3, 1)}
    masks = torch.arange(3.0).reshape(3, 1, 1, 1).expand(3, 9, 8, 1)
    data = {"images": images, "segmentation_masks": masks, "other": 1}
    if name != "CutMix":
        data["bounding_boxes"] = boxes
    outputs = layer(data)
    assert outputs["other"] == 1
    assert outputs["segmentation_masks"].shape == masks.shape
    if name not in ("MixUp", "CutMix", "AugMix", "RandAugment"):
        assert torch.equal(outputs["segmentation_masks"], masks)
        assert torch.equal(outputs["bounding_boxes"]["boxes"], boxes["boxes"])


def test_a_model_trains_on_augmented_images(images):
    model = torchkeras_lite.Sequential(
        [
            layers.RandomContrast(0.3),
            layers.RandomErasing(),
            layers.RandAugment(seed=2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    history = model.fit(images.numpy() / 255, np.ones((3, 1)), epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2


REFUSED = [
    ("RandomBrightness", {"factor": 1.5}, r"`factor` argument should be .* \[-1.0, 1.0\].*factor=1.5"),
    ("RandomContrast", {"factor": -0.1}, "`factor` argument"),
    ("RandomHue", {"factor": (0.1, 2)}, "`factor` argument"),
    ("RandomSharpness", {"factor": "strong"}, "`factor` argument"),
    ("RandomPosterization", {"factor": 0}, r"\[1, 8\]"),
    ("RandomGrayscale", {"factor": 2}, "`factor` in the range"),
    ("RandomInvert", {"value_range": (1, 0)}, "the lower first"),
    ("RandomGaussianBlur", {"kernel_size": 4}, "must be an odd number.*Pass 3"),
    ("RandomGaussianBlur", {"sigma": -1.0}, "`sigma`"),
    ("RandomErasing", {"scale": (0.1, 3)}, "`scale`"),
    ("Solarization", {"threshold_factor": 2}, "`threshold_factor`"),
    ("Equalization", {"bins": 0}, "`bins` must be a positive integer"),
    ("AutoContrast", {"value_range": 255}, "`value_range` argument should be a list of two numbers"),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": None}, "Pass 0 for no limit"),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (0, 2)}, "`tile_grid_size`"),
    ("MixUp", {"alpha": 0}, "number above 0"),
    ("CutMix", {"factor": None}, "`factor`"),
    ("AugMix", {"alpha": -1}, "number above 0"),
    ("AugMix", {"num_chains": 0}, "`num_chains` must be a positive integer"),
    ("RandAugment", {"num_ops": -1}, "`num_ops`"),
    ("RandAugment", {"interpolation": "bicubic"}, "'nearest', 'bilinear'"),
]


@pytest.mark.parametrize(("name", "args", "message"), REFUSED, ids=[f"{n}-{a}" for n, a, _ in REFUSED])
def test_wrong_arguments_are_refused(name, args, message):
    needed = {"factor": 1} if name in ("RandomBrightness",) else {}
    with pytest.raises(ValueError, match=message):
        getattr(layers, name)(**{**needed, **args})


@pytest.mark.parametrize("name", ["RandomHue", "RandomSaturation", "RandomColorDegeneration"])
def test_other_channels_are_refused(name, images):
    with pytest.raises(ValueError, match=r"expected images with .*3 channels, got 4 .*data_format"):
        getattr(layers, name)(0.5)(torch.cat([images, images], -1)[..., :4])
