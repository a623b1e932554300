"""A file is written whole or not at all, and read whole or not at all."""

import copy
import errno
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.base import atomic_file

ROOT = Path(__file__).resolve().parents[2]


def small_model(units=3):
    return keras.Sequential([keras.Input((2,)), layers.Dense(4), layers.Dense(units, name="last")])


def assert_same(model, weights):
    for mine, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, expected)


SAVERS = {
    "x.keras": lambda model, path: model.save(path),
    "x.weights.h5": lambda model, path: model.save_weights(path),
    "x.weights.json": lambda model, path: model.save_weights(path, max_shard_size=6e-8),
    "folder": lambda model, path: model.save(path, zipped=False),
}


def read(model, path):
    """Read a file of any of these kinds into a new model, or into `model` where it holds weights alone."""
    if "weights" in path.name:
        model.load_weights(path)
        return model
    return keras.saving.load_model(path)


@pytest.mark.parametrize("name", SAVERS)
def test_every_kind_of_file_comes_back_and_leaves_nothing_beside_it(name, tmp_path):
    first, second = small_model(), small_model()
    path = tmp_path / name
    for model in (first, second):
        SAVERS[name](model, path)
        assert_same(read(small_model(), path), model.get_weights())
    assert not [entry for entry in os.listdir(tmp_path) if entry.endswith(".tmp")]


@pytest.mark.parametrize("name", SAVERS)
def test_a_full_disk_leaves_the_old_file(name, tmp_path, monkeypatch):
    old = small_model()
    path = tmp_path / name
    SAVERS[name](old, path)
    before = sorted(os.listdir(tmp_path))

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_file, "_mode", full)
    monkeypatch.setattr(atomic_file, "_umask", lambda: full(None))
    with pytest.raises(OSError, match="No space left"):
        SAVERS[name](small_model(), path)
    assert sorted(os.listdir(tmp_path)) == before
    assert_same(read(small_model(), path), old.get_weights())


@pytest.mark.parametrize("name", ["x.keras", "folder"])
def test_what_a_kill_left_goes_after_a_day(name, tmp_path):
    old = [".%s.abc0_9zz.tmp", ".%s.folder00.tmp"]
    kept = [".%s.recent00.tmp", ".%s.short.tmp", "%s.abcdefgh.tmp", ".other.abcdefgh.tmp"]
    for pattern in (*old, *kept):
        place = tmp_path / pattern.replace("%s", name)
        if "folder00" in place.name:
            place.mkdir()
            (place / "config.json").write_text("{}")
        else:
            place.write_bytes(b"")
        if "recent" not in place.name:
            os.utime(place, (1e9, 1e9))
    SAVERS[name](small_model(), tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == sorted([name, *(pattern.replace("%s", name) for pattern in kept)])


def test_an_error_in_a_layer_leaves_the_old_file(tmp_path):
    class Failing(layers.Layer):
        def call(self, inputs):
            return inputs

        def save_own_variables(self, store):
            raise ValueError("cannot")

    old = small_model()
    path = tmp_path / "x.keras"
    old.save(path)
    with pytest.raises(ValueError, match="cannot"):
        keras.Sequential([keras.Input((2,)), Failing()]).save(path)
    assert os.listdir(tmp_path) == ["x.keras"]
    assert_same(keras.saving.load_model(path), old.get_weights())


KILLED = """
import os, random, signal, sys, time
import torchkeras_lite as keras
from torchkeras_lite import layers

whole, weights = sys.argv[1:]
model = keras.Sequential([keras.Input((64,)), *(layers.Dense(64) for _ in range(4))])
moments = random.Random(5)

def save(count):
    while True:
        model.set_weights([w * 0 + count for w in model.get_weights()])
        model.save(whole)
        model.save_weights(weights)
        count += 1

def equal(found):
    return len({float(value) for array in found.get_weights() for value in array.flat}) == 1

model.set_weights([w * 0 for w in model.get_weights()])
model.save(whole)
model.save_weights(weights)
for number in range(30):
    child = os.fork()
    if not child:
        save(1000 * number)
    time.sleep(moments.uniform(0.005, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    model.load_weights(weights)
    assert equal(model), "weights"
    assert equal(keras.saving.load_model(whole)), "model"
print("thirty kills")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_thirty_kills_while_saving(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "x.keras"), str(tmp_path / "x.weights.h5")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "thirty kills\n", done.stderr


# Damaged files


@pytest.mark.parametrize("name", ["x.keras", "x.weights.h5"])
@pytest.mark.parametrize("kind", ["cut", "flipped"])
def test_damage_is_one_error_that_names_the_file(name, kind, tmp_path):
    def make():
        return keras.Sequential([keras.Input((40,)), layers.Dense(50), layers.Dense(60)])

    model = make()
    model.compile("sgd", "mse")
    path = tmp_path / name
    SAVERS[name](model, path)
    whole, draws = path.read_bytes(), random.Random(7)
    target = make()
    told = failed = 0
    for _ in range(60):
        damaged = bytearray(whole)
        if kind == "cut":
            damaged = damaged[: draws.randrange(len(whole))]
        else:
            damaged[draws.randrange(len(whole))] ^= 1 << draws.randrange(8)
        path.write_bytes(damaged)
        before = copy.deepcopy(target.get_weights())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = read(target, path)
        except ValueError as error:
            told += name in str(error) and all(map(np.array_equal, before, target.get_weights()))
            failed += 1
        else:  # what was hit means nothing, such as a date
            assert_same(found, model.get_weights())
    assert told == failed >= (60 if kind == "cut" else 20)


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="File not found"):
        keras.saving.load_model(tmp_path / "none.keras")
    with pytest.raises(ValueError, match="File format not supported"):
        keras.saving.load_model(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        small_model().load_weights(tmp_path / "none.weights.h5")


# Weights that do not fit


def test_the_layer_and_both_shapes_are_named_and_nothing_changes(tmp_path):
    path = tmp_path / "x.weights.h5"
    small_model().save_weights(path)
    model = small_model(units=5)
    before = copy.deepcopy(model.get_weights())
    message = r"Layer 'last': weight 'kernel' has shape \(4, 5\) in the model and shape \(4, 3\) in the file"
    with pytest.raises(ValueError, match=message):
        model.load_weights(path)
    assert_same(model, before)
    with pytest.warns(UserWarning, match=message):
        model.load_weights(path, skip_mismatch=True)
    assert_same(model.layers[1], before[2:])
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_missing_and_unexpected_weights_are_told(tmp_path):
    path = tmp_path / "x.weights.h5"
    small_model().save_weights(path)
    larger = keras.Sequential([*small_model().layers, layers.Dense(2)])
    larger.build((None, 2))
    with pytest.raises(ValueError, match=r"layers/dense_2: .*expected 2 variables, but received 0"):
        larger.load_weights(path)
    smaller = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    with pytest.warns(UserWarning, match="no place for: layers/dense_1"):
        smaller.load_weights(path)


def test_a_failing_method_of_a_layer_leaves_the_model_as_it_was(tmp_path):
    class Picky(layers.Dense):
        def load_own_variables(self, store):
            self.kernel.assign(store["0"])
            raise ValueError("half way")

    def make():
        return keras.Sequential([keras.Input((2,)), layers.Dense(4), Picky(3)])

    path = tmp_path / "x.weights.h5"
    make().save_weights(path)
    model = make()
    before = copy.deepcopy(model.get_weights())
    with pytest.raises(ValueError, match="half way"):
        model.load_weights(path)
    assert_same(model, before)


def test_shards_of_two_saves_do_not_mix(tmp_path):
    path = tmp_path / "x.weights.json"
    SAVERS[path.name](small_model(), path)
    shards = sorted(tmp_path.glob("x_*.weights.h5"))
    assert len(shards) > 1
    kept = shards[0].read_bytes()
    SAVERS[path.name](small_model(), path)
    shards[0].write_bytes(kept)
    with pytest.raises(ValueError, match="belongs to another save"):
        small_model().load_weights(path)
    shards[0].unlink()
    with pytest.raises(ValueError, match="that it lists is missing"):
        small_model().load_weights(path)
    with pytest.raises(ValueError, match="exceeds the maximum shard size"):
        small_model().save_weights(path, max_shard_size=1e-9)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_user_is_asked_before_overwriting(answer, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or answer)
    first, second = small_model(), small_model()
    path = tmp_path / "x.weights.h5"
    first.save_weights(path)
    second.save_weights(path, overwrite=False)
    assert asked == [f"[WARNING] {path} already exists - overwrite? [y/n] "]
    assert_same(read(small_model(), path), (second if answer == "y" else first).get_weights())


@pytest.mark.parametrize("name", ["x.h5", "x.safetensors", "x.pt"])
def test_damage_in_other_formats_is_a_clear_error_too(name, tmp_path):
    """These have no checksums of values, so a flipped bit of a weight goes unseen; all else is told."""
    model = small_model()
    model.compile("sgd", "mse")
    path = tmp_path / name
    whole_model = name.endswith((".h5", ".safetensors"))
    (model.save if whole_model else model.save_weights)(path)
    whole, draws = path.read_bytes(), random.Random(7)
    target = small_model()
    for number in range(80):
        damaged = bytearray(whole)
        if number % 2:
            damaged = damaged[: draws.randrange(len(whole))]
        else:
            damaged[draws.randrange(len(whole))] ^= 1 << draws.randrange(8)
        path.write_bytes(damaged)
        before = copy.deepcopy(target.get_weights())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for read in (target.load_weights, keras.saving.load_model)[: 1 + whole_model]:
                told = None
                try:
                    read(path)
                except (ValueError, TypeError) as error:  # a flipped name of a class or an argument
                    told = str(error)
                if told is None:
                    assert number % 2 == 0
                    continue
                assert name in told
                if read == target.load_weights:
                    assert_same(target, before)
