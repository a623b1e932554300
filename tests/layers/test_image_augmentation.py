"""What all image layers share: what they take and give, modes, seeds, models and pipelines."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers
from torchkeras_lite.layers.image_augmentation import BaseImagePreprocessingLayer

GEOMETRY = [
    ("RandomFlip", {}),
    ("RandomCrop", {"height": 5, "width": 4}),
    ("RandomRotation", {"factor": 0.2}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.2}),
    ("RandomShear", {"x_factor": 0.3, "y_factor": 0.2}),
    ("RandomPerspective", {}),
    ("RandomElasticTransform", {"scale": (0.5, 1.0)}),
]
geometry = pytest.mark.parametrize(("name", "args"), GEOMETRY, ids=[name for name, _ in GEOMETRY])


class Recorder(BaseImagePreprocessingLayer):
    """Adds 1 to everything and keeps what was called."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def get_random_transformation(self, data, training=True, seed=None):
        return f"drawn-{training}"

    def _note(self, what, value, transformation, training):
        self.seen.append((what, tuple(value.shape), transformation, training))
        return value + 1

    def transform_images(self, images, transformation, training=True):
        return self._note("images", images, transformation, training)

    def transform_labels(self, labels, transformation, training=True):
        return self._note("labels", labels, transformation, training)

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        boxes = self._note("boxes", bounding_boxes["boxes"], transformation, training)
        return {**bounding_boxes, "boxes": boxes}

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return self._note("masks", segmentation_masks, transformation, training)


def everything(rng):
    return {
        "images": rng.uniform(0, 255, (2, 8, 6, 3)).astype("float32"),
        "labels": np.array([1, 2]),
        "bounding_boxes": {"boxes": np.zeros((2, 5, 4), "float32"), "labels": np.zeros((2, 5), "int64")},
        "segmentation_masks": rng.integers(0, 4, (2, 8, 6, 1)),
        "names": np.arange(2),
    }


def first_of(data):
    return {k: first_of(v) if isinstance(v, dict) else v[0] for k, v in data.items()}


def test_all_parts_get_one_transformation(rng):
    layer, data = Recorder(bounding_box_format="xyxy"), everything(rng)
    before = copy.deepcopy(data)
    out = layer(data)
    sizes = [("images", (2, 8, 6, 3)), ("boxes", (2, 5, 4)), ("labels", (2,)), ("masks", (2, 8, 6, 1))]
    assert layer.seen == [(what, shape, "drawn-True", True) for what, shape in sizes]
    np.testing.assert_array_equal(data["images"], before["images"])
    assert all(isinstance(out[key], torch.Tensor) for key in ("images", "labels", "names"))
    np.testing.assert_array_equal(out["labels"], [2, 3])
    np.testing.assert_array_equal(out["names"], [0, 1])
    np.testing.assert_array_equal(out["bounding_boxes"]["boxes"], np.ones((2, 5, 4)))


def test_one_image_is_a_batch_of_one(rng):
    layer = Recorder(bounding_box_format="xyxy")
    out = layer(first_of(everything(rng)), training=False)
    sizes = [("images", (1, 8, 6, 3)), ("boxes", (1, 5, 4)), ("labels", (1,)), ("masks", (1, 8, 6, 1))]
    assert layer.seen == [(what, shape, "drawn-False", False) for what, shape in sizes]
    assert out["images"].shape == (8, 6, 3)
    assert out["labels"].shape == ()
    assert out["bounding_boxes"]["boxes"].shape == (5, 4)
    assert out["segmentation_masks"].shape == (8, 6, 1)


BAD_INPUTS = [
    (lambda data: data["images"][0, 0], "'aug': Expected image tensor to have rank 3 .*shape=\\(6, 3\\)"),
    (
        lambda data: {"labels": data["labels"]},
        "'aug': expected a dict with the key 'images', got the keys 'labels'",
    ),
    (lambda data: {**data, "bounding_boxes": data["images"]}, "dict with keys 'boxes' and 'labels'"),
    (lambda data: {**data, "bounding_boxes": {"boxes": data["images"]}}, r"got \['boxes'\]"),
]


@pytest.mark.parametrize(("change", "message"), BAD_INPUTS, ids=["rank", "no images", "no dict", "no labels"])
def test_refused_inputs(change, message, rng):
    with pytest.raises(ValueError, match=message):
        Recorder(bounding_box_format="xyxy", name="aug")(change(everything(rng)))


def test_boxes_need_a_format(rng):
    with pytest.raises(ValueError, match=r"specify a bounding box format\. Pass a `bounding_box_format`"):
        Recorder()(everything(rng))


def test_methods_a_subclass_lacks_are_named(rng):
    class Empty(BaseImagePreprocessingLayer):
        pass

    class ImagesOnly(Empty):
        def transform_images(self, images, transformation, training=True):
            return images

    data = everything(rng)
    with pytest.raises(NotImplementedError, match="defines no `transform_images"):
        Empty()(data["images"])
    for key, words in (("bounding_boxes", "bounding boxes"), ("segmentation_masks", "segmentation masks")):
        with pytest.raises(NotImplementedError, match=f"cannot transform {words}"):
            ImagesOnly(bounding_box_format="xyxy")({"images": data["images"], key: data[key]})


@geometry
def test_acts_unless_told_not_to(name, args):
    layer, theirs = getattr(layers, name)(**args, seed=1), getattr(keras.layers, name)(**args, seed=1)
    x = torch.arange(8 * 8 * 6.0).reshape(8, 8, 6, 1) / 2
    for one in (layer, theirs):
        assert not torch.equal(one(x)[:, :4, :4], x[:, :4, :4])
        torch.testing.assert_close(one(x, training=False), x)
        assert not torch.equal(one(x)[:, :4, :4], x[:, :4, :4]), "an earlier call decides"
        assert not torch.equal(one(x, training=True)[:, :4, :4], x[:, :4, :4])
    assert not torch.equal(layer(x)[:, :4, :4], x[:, :4, :4])
    torch.testing.assert_close(layer.eval()(x), x)
    assert not torch.equal(layer.train()(x)[:, :4, :4], x[:, :4, :4])


@geometry
def test_seeds_repeat_the_sequence(name, args):
    x = torch.rand(6, 8, 6, 3) * 255
    make = lambda seed=4: getattr(layers, name)(**args, seed=seed)
    first, second = make(), make()
    one, two = first(x), first(x)
    assert not torch.equal(one, two)
    torch.testing.assert_close(second(x), one)
    for duplicate in (copy.deepcopy(second), pickle.loads(pickle.dumps(second))):
        torch.testing.assert_close(duplicate(x), two)
    torch.testing.assert_close(second(x), two)
    unseeded = make(None)
    torch.manual_seed(5)
    one = unseeded(x)
    torch.manual_seed(5)
    torch.testing.assert_close(unseeded(x), one)
    drawn = [first.get_random_transformation(x, seed=9) for _ in range(2)]
    torch.testing.assert_close(*(first.transform_images(x, one) for one in drawn))


@geometry
def test_images_of_a_batch_differ(name, args):
    x = (torch.rand(1, 8, 6, 3) * 255).expand(16, 8, 6, 3)
    out = getattr(layers, name)(**args)(x)
    assert len({tuple(image.flatten().tolist()) for image in out}) > 1


@geometry
def test_in_models_and_compiled(name, args, rng):
    layer = getattr(layers, name)(**args)
    model = torchkeras_lite.Sequential(
        [layers.Input((None, None, 3)), layer, layers.GlobalAveragePooling2D(), layers.Dense(1)]
    )
    model.compile(loss="mse")
    x = rng.uniform(0, 255, (8, 8, 6, 3)).astype("float32")
    assert np.isfinite(model.fit(x, np.ones((8, 1)), verbose=0).history["loss"]).all()
    np.testing.assert_allclose(model.predict(x, verbose=0), model.predict(x, verbose=0))
    torch._dynamo.reset()
    compiled = torch.compile(layer.train(), backend="eager", fullgraph=True)
    x = torch.as_tensor(x)
    torch.manual_seed(3)
    expected = layer(x)
    torch.manual_seed(3)
    torch.testing.assert_close(compiled(x), expected, rtol=1e-4, atol=1e-2)


@geometry
def test_shapes_of_symbols_and_of_all_inputs(name, args, rng):
    layer = getattr(layers, name)(**args, bounding_box_format="xyxy")
    size = (args.get("height", 8), args.get("width", 6))
    assert layer(layers.Input((8, 6, 3), dtype="uint8")).shape == (None, *size, 3)
    assert layer.compute_output_shape((None, 8, 6, 3)) == (None, *size, 3)
    data = everything(rng)
    if name == "RandomElasticTransform":
        del data["bounding_boxes"]
    for batch in ((lambda v: v), first_of):
        out = layer(batch(data))
        assert out["images"].shape[-3:] == (*size, 3)
        assert out["segmentation_masks"].shape[-3:] == (*size, 1)
        assert out["images"].dtype == torch.float32
        assert set(out["segmentation_masks"].unique().tolist()) <= {0, 1, 2, 3}
        np.testing.assert_array_equal(out["labels"], batch(data)["labels"])
        if "bounding_boxes" in out:
            assert out["bounding_boxes"]["boxes"].shape == batch(data)["bounding_boxes"]["boxes"].shape


def test_images_reach_the_device_of_the_data():
    x = torch.zeros(2, 8, 6, 3, device="meta")
    for name, args in GEOMETRY:
        assert getattr(layers, name)(**args, seed=3)(x).is_meta


def test_gradients_flow_without_a_warning():
    x = (torch.rand(2, 8, 6, 3) * 255).requires_grad_()
    for name, args in GEOMETRY:
        getattr(layers, name)(**args)(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_pipeline_is_its_layers(rng):
    steps = [layers.RandomFlip("horizontal", seed=1, bounding_box_format="xyxy"), layers.Resizing(4, 5)]
    steps[1].bounding_box_format = "xyxy"
    pipeline, apart = layers.Pipeline(steps, name="steps"), copy.deepcopy(steps)
    data = everything(rng)
    out, expected = pipeline(data), apart[1](apart[0](data))
    for key in ("images", "segmentation_masks", "labels"):
        torch.testing.assert_close(out[key], expected[key])
    torch.testing.assert_close(out["bounding_boxes"], expected["bounding_boxes"])
    x = torch.as_tensor(data["images"])
    torch.testing.assert_close(pipeline(x, training=False), apart[1](x))
    assert pipeline(x[0]).shape == (4, 5, 3)
    assert pipeline(layers.Input((8, 6, 3))).shape == (None, 4, 5, 3)
    assert pipeline.compute_output_shape((None, 8, 6, 3)) == (None, 4, 5, 3)
    assert pipeline.layers == steps
    assert layers.Pipeline([])(x) is x


def test_pipeline_config_is_that_of_keras():
    configs = []
    for room in (layers, keras.layers):
        steps = [room.RandomFlip(seed=1, name="flip"), room.Resizing(4, 5, name="resize")]
        configs.append(room.Pipeline(steps, name="steps").get_config())
    assert configs[0] == configs[1]
    again = layers.Pipeline.from_config(configs[0])
    assert again.get_config() == configs[0]
    assert "Resizing" in type(again.layers[1]).__name__


@pytest.mark.parametrize("steps", [None, layers.Flatten, [lambda x: x]], ids=["None", "class", "function"])
def test_pipeline_refuses_what_is_no_layer(steps):
    with pytest.raises(ValueError, match="'steps': expected `layers` to be a list of layers"):
        layers.Pipeline(steps, name="steps")


def test_pipeline_hands_masks_and_modes_on():
    class Masked(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, inputs, training=None, mask=None):
            return inputs + mask + (10 if training else 0)

    ones = torch.ones(3)
    pipeline = layers.Pipeline([Masked(), layers.Identity(), Masked()])
    assert pipeline(ones, training=True, mask=ones).tolist() == [23] * 3
    assert pipeline(ones, training=False, mask=ones).tolist() == [3] * 3
