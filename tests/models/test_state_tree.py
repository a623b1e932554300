"""`get_state_tree` and `set_state_tree` against Keras."""

import keras
import numpy as np
import pytest

import torchkeras_lite as tk

X, Y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")


def made(package):
    model = package.Sequential(
        [
            package.Input((3,)),
            package.layers.Dense(2, name="d"),
            package.layers.BatchNormalization(name="norm"),
        ],
        name="net",
    )
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


def paths(tree):
    if not isinstance(tree, dict):
        return np.shape(tree)
    return {key: paths(value) for key, value in tree.items()}


def test_the_tree_has_the_paths_of_keras_and_goes_into_it():
    ours, theirs = made(tk), made(keras)
    tree = ours.get_state_tree(value_format="numpy_array")
    assert paths(tree) == paths(theirs.get_state_tree(value_format="numpy_array"))
    theirs.set_state_tree(tree)
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X, verbose=0), atol=1e-6)
    tree["trainable_variables"]["net"]["d"]["bias"] = [3.0, 4.0]
    ours.set_state_tree(tree)
    assert ours.layers[0].bias.numpy().tolist() == [3.0, 4.0]


def test_wrong_trees_are_told_and_change_nothing():
    model = made(tk)
    before = model.get_weights()
    for tree, text in (
        ({"weights": {}}, "unknown part 'weights'"),
        (
            {"trainable_variables": {"net": {"d": {"bias": [0.0, 0.0], "kernle": 1.0}}}},
            "no variable 'net/d/kernle'.*did you mean 'net/d/kernel'",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            model.set_state_tree(tree)
    for mine, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, expected)
    with pytest.raises(ValueError, match="unknown value_format='numpy'"):
        model.get_state_tree("numpy")


def test_two_variables_of_one_path_are_told():
    class Twice(tk.Model):
        def __init__(self):
            super().__init__()
            self.pair = [tk.layers.Dense(1, name="same"), tk.layers.Dense(1, name="same")]

        def call(self, inputs):
            return self.pair[0](inputs) + self.pair[1](inputs)

    model = Twice()
    model(X)
    with pytest.raises(ValueError, match="variable path is found twice in the model"):
        model.get_state_tree()
