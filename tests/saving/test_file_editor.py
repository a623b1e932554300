"""`KerasFileEditor`: what is in a file, compared and changed without the model."""

import keras as real_keras
import numpy as np
import pytest

import torchkeras_lite as keras
from torchkeras_lite import layers


def model(*units):
    return keras.Sequential([keras.Input((2,)), *(layers.Dense(size) for size in units)])


def test_a_file_is_fitted_onto_another_model(tmp_path, capsys):
    path, again = tmp_path / "m.keras", tmp_path / "m.weights.h5"
    model(3, 4).save(path)
    editor = keras.saving.KerasFileEditor(path)
    editor.summary()
    assert "layers/dense_1" in capsys.readouterr().out
    assert editor.compare(model(3, 4)) == {"status": "success"}
    target = model(3, 5, 4)
    assert editor.compare(target)["error_count"] == 3
    editor.rename_object("dense_1", "dense_2")
    editor.delete_weight("dense_2", "0")
    editor.add_weights("dense_2", {"0": np.ones((5, 4))})
    editor.add_object("layers/dense_1", {"0": np.ones((3, 5)), "1": np.zeros(5)})
    assert editor.compare(target) == {"status": "success"}
    editor.save(again)
    target.load_weights(again)
    np.testing.assert_array_equal(target.get_weights()[2], np.ones((3, 5)))
    editor.delete_object("layers/dense")
    assert editor.compare(target)["error_count"] == 1
    with pytest.raises(ValueError, match="'nothing' is not in the file"):
        editor.delete_object("nothing")


def test_files_of_keras(tmp_path):
    path = tmp_path / "m.keras"
    theirs = real_keras.Sequential([real_keras.Input((2,)), real_keras.layers.Dense(3)])
    theirs.save(path)
    editor = keras.saving.KerasFileEditor(path)
    assert editor.compare(model(3)) == {"status": "success"}
    assert set(editor.weights_dict["layers"]["dense"]) == {"0", "1"}
    assert "3.15.1" in editor.metadata
    with pytest.raises(ValueError, match=r"expected a `.keras`"):
        keras.saving.KerasFileEditor(tmp_path / "x.pt")
