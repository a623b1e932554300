"""Seeds, labels, sessions, curves, and the names that `utils` passes on."""

import builtins
import os
import random

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import utils
from torchkeras_lite.callbacks import History


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_set_random_seed_seeds_everything():
    utils.set_random_seed(11)
    first = draws()
    utils.set_random_seed(np.int64(11))
    assert draws() == first
    keras.utils.set_random_seed(11)
    assert draws() == first


def test_set_random_seed_makes_equal_layers():
    def weights():
        utils.set_random_seed(3)
        layer = torchkeras_lite.layers.Dense(4)
        layer.build((None, 3))
        return layer.get_weights()[0]

    np.testing.assert_array_equal(weights(), weights())


@pytest.mark.parametrize("seed", ["a", 1.0, None, True, [1]])
def test_set_random_seed_refuses_other_things(seed):
    with pytest.raises(ValueError, match="Expected `seed` argument to be an integer, got"):
        utils.set_random_seed(seed)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_set_random_seed_refuses_other_ranges(seed):
    with pytest.raises(ValueError, match=r"Seed must be between 0 and 2\*\*32 - 1"):
        utils.set_random_seed(seed)


def test_deterministic_seeds_switch_torch(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    utils.set_random_seed(1)
    assert not torch.are_deterministic_algorithms_enabled()
    try:
        utils.set_random_seed(1, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 2, 1],
        np.array([[0], [1]]),
        np.array([[0, 1], [1, 2]]),
        3,
        [1.7, 0.2],
        np.array([[0]]),
        np.array([0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("num_classes", [None, 5])
def test_to_categorical_is_kerass(labels, num_classes):
    mine = utils.to_categorical(labels, num_classes)
    his = keras.utils.to_categorical(labels, num_classes)
    assert mine.dtype == his.dtype
    np.testing.assert_array_equal(mine, his)


def test_to_categorical_of_tensors_is_kerass():
    labels = torch.tensor([[0], [2]])
    mine, his = utils.to_categorical(labels, 3), keras.utils.to_categorical(labels, 3)
    assert mine.dtype == his.dtype
    assert torch.equal(mine, his)
    assert torch.equal(utils.to_categorical(labels), his)


def test_to_categorical_of_nothing():
    assert utils.to_categorical([], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="no labels to tell the number of classes from"):
        utils.to_categorical([])


@pytest.mark.parametrize("labels", [[0, 5], [-1, 0]])
def test_to_categorical_refuses_labels_out_of_range(labels):
    with pytest.raises(ValueError, match=r"expected class numbers from 0 to 2, got numbers from -?\d to \d"):
        utils.to_categorical(labels, 3)


@pytest.mark.parametrize(
    ("x", "options"),
    [
        ([[3, 4], [0, 0]], {}),
        ([3.0, 4.0], {"order": 3}),
        (5, {}),
        (np.arange(6, dtype="float32").reshape(2, 3), {"order": 1}),
        (np.array([[1e-12, 0]]), {}),
        (np.array([[3, -4]]), {}),
        (torch.tensor([[3.0, -4.0]]), {"order": 1}),
        (torch.tensor([[3, 4]]), {}),
        (torch.tensor([1e-12, 0.0]), {}),
    ],
    ids=str,
)
def test_normalize_is_kerass(x, options):
    mine, his = utils.normalize(x, **options), keras.utils.normalize(x, **options)
    assert type(mine) is type(his)
    assert mine.dtype == his.dtype
    np.testing.assert_allclose(np.asarray(mine), np.asarray(his), rtol=1e-6)


def test_normalize_takes_arrays_that_keras_mixes_up():
    x = np.arange(1.0, 7.0).reshape(2, 3)
    np.testing.assert_allclose(np.linalg.norm(utils.normalize(x, axis=0), axis=0), np.ones(3))
    np.testing.assert_allclose(utils.normalize(np.array([3.0, 4.0])), [0.6, 0.8])


@pytest.mark.parametrize("order", [0, -1, "a", np.inf, 1.5])
def test_normalize_refuses_other_orders(order):
    with pytest.raises(ValueError, match="`order` must be an int >= 1, got"):
        utils.normalize([1.0], order=order)


def test_clear_session_starts_names_again():
    dense = torchkeras_lite.layers.Dense
    assert [dense(1).name, dense(1).name] == ["dense", "dense_1"]
    utils.clear_session()
    assert dense(1).name == "dense"
    utils.clear_session(free_memory=False)
    assert dense(1).name == "dense"


def test_standardize_dtype_is_kerass():
    for dtype in (
        None,
        "int",
        float,
        int,
        bool,
        str,
        torch.float16,
        np.float64,
        "torch.int8",
        np.dtype("uint8"),
    ):
        assert utils.standardize_dtype(dtype) == keras.utils.standardize_dtype(dtype)
    with pytest.raises(ValueError, match="Invalid dtype: 'abc'"):
        utils.standardize_dtype("abc")


def test_packing_is_kerass():
    x, y, w = np.ones(2), np.zeros(2), np.ones(2)
    for given in ((x,), (x, y), (x, y, w)):
        mine = utils.pack_x_y_sample_weight(*given)
        assert len(mine) == len(keras.utils.pack_x_y_sample_weight(*given)) or mine is x
        assert utils.unpack_x_y_sample_weight(mine) == (*given, None, None)[:3]


def test_is_keras_tensor():
    assert utils.is_keras_tensor(torchkeras_lite.Input((3,)))
    assert not utils.is_keras_tensor(torch.ones(3))


def history_of(values, epochs=None):
    history = History()
    history.history = values
    history.epoch = epochs or list(range(len(next(iter(values.values())))))
    return history


def lines_of(axis):
    return {line.get_label(): [list(values) for values in line.get_data()] for line in axis.get_lines()}


@pytest.fixture
def pyplot():
    room = pytest.importorskip("matplotlib.pyplot")
    yield room
    room.close("all")


def test_plot_history_draws_a_panel_a_metric(pyplot):
    values = {
        "accuracy": [0.5, 0.7],
        "learning_rate": [0.1, 0.1],
        "loss": [2.0, 1.0],
        "val_accuracy": [0.4, 0.6],
        "val_loss": [2.5, 1.5],
    }
    figure = utils.plot_history(history_of(values))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["loss", "accuracy", "learning rate"]
    assert lines_of(figure.axes[0]) == {"train": [[1, 2], [2.0, 1.0]], "validation": [[1, 2], [2.5, 1.5]]}
    assert figure.axes[0].get_legend() is not None
    assert figure.axes[2].get_legend() is None
    assert pyplot.get_fignums() == [figure.number]


def test_plot_history_places_rare_validations(pyplot):
    values = {"loss": [5.0, 4.0, 3.0, 2.0], "val_loss": [4.5, 2.5]}
    figure = utils.plot_history(history_of(values, [2, 3, 4, 5]))
    assert lines_of(figure.axes[0]) == {
        "train": [[3, 4, 5, 6], values["loss"]],
        "validation": [[4, 6], values["val_loss"]],
    }


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_plot_history_leaves_no_empty_panels(pyplot, count):
    figure = utils.plot_history({f"metric_{number}": [1.0, 2.0] for number in range(count)})
    assert len(figure.axes) == count


def test_plot_history_writes_a_file(pyplot, tmp_path):
    figure = utils.plot_history({"loss": torch.tensor([2.0, 1.0])}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert len(figure.axes) == 1
    assert pyplot.get_fignums() == []


def test_plot_history_refuses_nothing():
    with pytest.raises(ValueError, match=r"the history has no epochs. Pass what `model.fit"):
        utils.plot_history(History())


def test_plot_history_without_matplotlib_tells_what_to_install(monkeypatch):
    original = builtins.__import__

    def no_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", lambda name: no_matplotlib(name))
    with pytest.raises(ImportError, match="pip install matplotlib"):
        utils.plot_history({"loss": [1.0]})
