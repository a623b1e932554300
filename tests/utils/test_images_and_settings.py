"""Single images, `Config`, `get_source_inputs`: Keras's results."""

import io
import pathlib

import keras
import numpy as np
import pytest
import torch
from keras.src.utils import image_utils

import torchkeras_lite as tkl
from torchkeras_lite import utils
from torchkeras_lite.preprocessing.image import smart_resize

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    pictures = {
        "rgb.png": RNG.integers(0, 255, (9, 12, 3), dtype="uint8"),
        "rgba.png": RNG.integers(0, 255, (8, 7, 4), dtype="uint8"),
        "gray.png": RNG.integers(0, 255, (8, 7), dtype="uint8"),
        "deep.png": RNG.integers(0, 65535, (8, 7), dtype="uint16"),
        "photo.jpg": RNG.integers(0, 255, (9, 12, 3), dtype="uint8"),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name)
    return [str(folder / name) for name in pictures]


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
def test_load_img_is_kerass(color_mode, paths):
    for path in paths:
        mine, his = (k.utils.load_img(path, color_mode) for k in (tkl, keras))
        assert mine.mode == his.mode
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(his))


@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_resized_images_are_kerass(interpolation, keep_aspect_ratio, paths):
    for size in ((5, 4), (20, 6), (9, 12)):
        arguments = (paths[0], "rgb", size, interpolation, keep_aspect_ratio)
        mine, his = utils.load_img(*arguments), keras.utils.load_img(*arguments)
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(his))


def test_images_come_from_paths_and_files(paths):
    expected = np.asarray(utils.load_img(paths[0]))
    with open(paths[0], "rb") as file:
        content = file.read()
    for source in (pathlib.Path(paths[0]), paths[0].encode(), io.BytesIO(content)):
        np.testing.assert_array_equal(np.asarray(utils.load_img(source)), expected)
    with pytest.raises(TypeError, match="path should be path-like or"):
        utils.load_img(3)
    with pytest.raises(ValueError, match="Invalid interpolation method cubic specified"):
        utils.load_img(paths[0], interpolation="cubic")
    with pytest.raises(ValueError, match="`color_mode` must be one of 'grayscale', 'rgb', 'rgba'"):
        utils.load_img(paths[0], color_mode="bgr")


@pytest.mark.parametrize("dtype", [None, "uint8", "float64"])
@pytest.mark.parametrize("data_format", [None, "channels_last", "channels_first"])
def test_arrays_of_images_are_kerass(data_format, dtype, paths):
    for path, mode in zip(paths, ("rgb", "rgba", "grayscale", "grayscale", "rgb"), strict=True):
        image = keras.utils.load_img(path, mode)
        arrays = [k.img_to_array(image, data_format, dtype) for k in (utils, keras.utils)]
        assert arrays[0].dtype == arrays[1].dtype
        np.testing.assert_array_equal(*arrays)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_images_of_arrays_are_kerass(data_format, scale):
    for channels in (1, 3, 4):
        x = RNG.random((6, 5, channels)) * 200
        x = x.transpose(2, 0, 1) if data_format == "channels_first" else x
        for given in (x, x.astype("uint8"), x * 0):
            mine, his = (k.array_to_img(given, data_format, scale) for k in (utils, keras.utils))
            assert mine.mode == his.mode
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(his))
    assert utils.array_to_img(torch.ones(3, 2, 1)).size == (2, 3)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.bmp"])
def test_images_are_written_as_keras_writes_them(name, tmp_path):
    for channels in (1, 3):
        x = RNG.random((6, 5, channels)) * 255
        for number, k in enumerate((utils, keras.utils)):
            k.save_img(tmp_path / f"{number}{name}", x, scale=False)
        assert (tmp_path / f"0{name}").read_bytes() == (tmp_path / f"1{name}").read_bytes()


def test_transparent_images_as_jpeg(tmp_path):
    with pytest.warns(UserWarning, match="does not support RGBA images, converting to RGB"):
        utils.save_img(tmp_path / "a.jpg", np.ones((4, 4, 4)))
    utils.save_img(tmp_path / "b", np.ones((4, 4, 3)), file_format="png")
    with Image.open(tmp_path / "b") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: utils.img_to_array(np.ones(3)), "Unsupported image shape"),
        (lambda: utils.img_to_array(np.ones((3, 3)), data_format="x"), "Invalid data_format: x"),
        (lambda: utils.array_to_img(np.ones((3, 3))), "to have rank 3"),
        (lambda: utils.array_to_img(np.ones((3, 3, 2))), "Unsupported channel number: 2"),
        (lambda: smart_resize(np.ones((3, 3)), (2, 2)), "incorrect rank"),
        (lambda: smart_resize(np.ones((3, 3, 1)), (2,)), "tuple of 2 integers"),
    ],
    ids=range(6),
)
def test_images_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("size", [(4, 9), (9, 4), (20, 3), (8, 12)])
@pytest.mark.parametrize("shape", [(8, 12, 3), (2, 12, 7, 1)])
def test_smart_resize_is_kerass(shape, size, interpolation):
    x = (RNG.random(shape) * 255).astype("float32")
    mine, his = smart_resize(x, size, interpolation), image_utils.smart_resize(x, size, interpolation)
    assert isinstance(mine, np.ndarray)
    np.testing.assert_allclose(mine, np.asarray(his), atol=2e-3)
    torch.testing.assert_close(smart_resize(torch.tensor(x), size, interpolation), torch.tensor(mine))


def test_without_pillow(monkeypatch, paths):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    for call in (lambda: utils.load_img(paths[0]), lambda: utils.array_to_img(np.ones((2, 2, 1)))):
        with pytest.raises(ImportError, match="Run: pip install pillow"):
            call()


@pytest.mark.parametrize(
    "use",
    [
        lambda c: (
            c.a,
            c["a"],
            c.b,
            "a" in c,
            "q" in c,
            len(c),
            list(c),
            c.get("q", 7),
            c.to_json(),
            repr(c),
        ),
        lambda c: c.zz,
        lambda c: c["zz"],
        lambda c: (setattr(c, "d", 4), c.__setitem__("e", 5), c.update({"f": 6}, g=7), c.as_dict()),
        lambda c: (c.pop("a"), c.pop("a", 3), list(c.items())),
        lambda c: delattr(c, "zz"),
        lambda c: (c.freeze(), c.frozen, c.a, c.unfreeze(), setattr(c, "a", 2), c.frozen, c.a),
        lambda c: (c.freeze(), setattr(c, "a", 2)),
        lambda c: (c.freeze(), c.pop("a")),
        lambda c: (c.freeze(), c.update(a=2)),
        lambda c: (c.freeze(), c.__setitem__("a", 2)),
    ],
    ids=range(11),
)
def test_config_is_kerass(use):
    def outcome(k):
        try:
            return use(k.utils.Config(a=1, b={"x": 2}))
        except Exception as error:
            return type(error)

    assert outcome(tkl) == outcome(keras)


def test_settings_are_removed():
    config = utils.Config(a=1, b=2)
    del config.a, config["b"]
    assert config.as_dict() == {}
    with pytest.raises(AttributeError, match="Unknown attribute: 'a'"):
        del config.a


def test_source_inputs():
    first, second = tkl.Input((3,)), tkl.Input((3,))
    total = tkl.layers.Dense(2)(first) + tkl.layers.Dense(2)(second) + torch.relu(tkl.layers.Dense(2)(first))
    assert utils.get_source_inputs(total) == [first, second]
    left, right = tkl.KerasTensor((2,)), tkl.KerasTensor((2,))
    assert utils.get_source_inputs((left + right) * 2) == [left, right]
    assert utils.get_source_inputs(first)[0] is first
    assert utils.get_source_inputs(3) == 3


def test_legacy_configs():
    written = utils.legacy.serialize_keras_object(tkl.initializers.Zeros())
    assert written == keras.utils.legacy.serialize_keras_object(keras.initializers.Zeros())
    known = {"Zeros": tkl.initializers.Zeros}
    assert type(utils.legacy.deserialize_keras_object(written, module_objects=known)) is known["Zeros"]
