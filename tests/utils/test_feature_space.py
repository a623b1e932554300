"""FeatureSpace; the expected matrix is that of Keras 3.15.1 on TensorFlow 2.21."""

import copy

import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers
from torchkeras_lite.utils import FeatureSpace

DATA = {
    "f": [0.0, 1.0, 2.0],
    "n": [1.0, 2.0, 3.0],
    "d": [0.0, 1.0, 5.0],
    "r": [1.0, 2.0, 3.0],
    "s": ["a", "b", "a"],
    "h": ["x", "y", "z"],
    "i": [1, 2, 3],
}
# Columns: d (3), f, h (4), i (4), n, r, s (3), s_X_i (8).
MATRIX = [
    [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -1.2247448, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0],
    [0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
    [0, 0, 1, 2, 0, 1, 0, 0, 0, 1, 0, 0, 1.2247448, 3, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
]


def space(**arguments):
    return FeatureSpace(
        {
            "f": "float",
            "n": "float_normalized",
            "d": FeatureSpace.float_discretized(3),
            "r": "float_rescaled",
            "s": "string_categorical",
            "h": FeatureSpace.string_hashed(4),
            "i": "integer_categorical",
        },
        crosses=[("s", "i")],
        crossing_dim=8,
        **arguments,
    )


def samples():
    return [{name: column[index] for name, column in DATA.items()} for index in range(3)]


SOURCES = {
    "dict": lambda: DATA,
    "arrays": lambda: {name: np.array(column) for name, column in DATA.items()},
    "samples": samples,
    "labelled": lambda: ((sample, 1.0) for sample in samples()),
    "loader": lambda: torch.utils.data.DataLoader(samples(), batch_size=2),
}


@pytest.mark.parametrize("source", SOURCES)
def test_encodes_as_keras_does(source):
    features = space()
    features.adapt(SOURCES[source]())
    np.testing.assert_allclose(features(DATA).numpy(), MATRIX, rtol=1e-6)
    for sample, row in zip(samples(), MATRIX, strict=True):
        np.testing.assert_allclose(features(sample).numpy(), row, rtol=1e-6)
    again = copy.deepcopy(features)
    np.testing.assert_allclose(again(DATA).numpy(), MATRIX, rtol=1e-6)


def test_a_dict_of_features():
    features = space(output_mode="dict")
    features.adapt(DATA)
    found = features(DATA)
    assert list(found) == ["d", "f", "h", "i", "n", "r", "s", "s_X_i"]
    np.testing.assert_allclose(torch.cat(list(found.values()), -1).numpy(), MATRIX, rtol=1e-6)
    integers = FeatureSpace(
        {"s": FeatureSpace.string_categorical(output_mode="int"), "i": FeatureSpace.integer_hashed(4, "int")},
        crosses=[FeatureSpace.cross(("s", "i"), 5, output_mode="int")],
        output_mode="dict",
    )
    integers.adapt({"s": DATA["s"], "i": DATA["i"]})
    assert {name: tuple(value.shape) for name, value in integers({"s": ["a"], "i": [3]}).items()} == {
        "i": (1, 1),
        "s": (1, 1),
        "s_X_i": (1, 1),
    }


def test_in_models_and_files(tmp_path):
    features = space()
    features.adapt(DATA)
    inputs, encoded = features.get_inputs(), features.get_encoded_features()
    assert encoded.shape == (None, 25)
    assert inputs["s"].dtype == "string"
    model = torchkeras_lite.Model(inputs, layers.Dense(1)(encoded))
    model.compile("sgd", "mse")
    data = SOURCES["arrays"]()
    model.fit(data, np.ones(3), verbose=0)
    expected = model.predict(data, verbose=0)
    model.save(tmp_path / "model.keras")
    again = torchkeras_lite.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(data, verbose=0), expected, rtol=1e-5)
    features.save(tmp_path / "space.keras")
    loaded = torchkeras_lite.saving.load_model(tmp_path / "space.keras")
    np.testing.assert_allclose(loaded(DATA).numpy(), MATRIX, rtol=1e-6)
    assert loaded.get_encoded_features().shape == (None, 25)
    on_encoded = torchkeras_lite.Model(encoded, layers.Dense(1)(encoded))
    assert on_encoded.predict(features(DATA), verbose=0).shape == (3, 1)


def test_preprocessors_of_ones_own():
    features = FeatureSpace(
        {
            "text": FeatureSpace.feature("string", layers.TextVectorization(output_mode="tf_idf"), "float"),
            "given": FeatureSpace.feature("float32", layers.Normalization(mean=2.0, variance=4.0), "float"),
        }
    )
    data = {"text": ["1st string", "2nd string", "3rd string"], "given": [2.0, 4.0, 6.0]}
    features.adapt(data)
    assert features(data).shape == (3, 6)
    assert features(data)[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert FeatureSpace({"x": "float"})({"x": [1.0, 2.0]}).tolist() == [[1.0], [2.0]]


def refusing(**arguments):
    return lambda: FeatureSpace({"a": "integer_categorical", "b": "integer_categorical"}, **arguments)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: FeatureSpace({}), "cannot be None or empty"),
        (lambda: FeatureSpace({"a": "flaot"}), "Invalid feature type: 'flaot'.*did you mean 'float'"),
        (refusing(crosses=[("a", "b")], crossing_dim=None), "`crossing_dim`"),
        (refusing(crosses=[("a", "c")]), "should be present in the `features` dict.*unknown features: c"),
        (refusing(output_mode="x"), "for argument `output_mode`"),
        (lambda: refusing()()({"a": [0], "b": [0]}), r"You need to call `\.adapt"),
        (lambda: refusing()().get_encoded_features(), r"You need to call `\.adapt"),
        (lambda: refusing()().adapt([1]), "expected a dict of columns"),
        (lambda: refusing()().adapt({"a": [1]}), r"lacks the features \['b'\]"),
        (lambda: FeatureSpace({"a": "float"})({"b": [1.0]}), r"lacks the features \['a'\]"),
        (
            lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, output_mode="int")})({"a": [1]}),
            "feature 'a' has not been encoded",
        ),
        (lambda: FeatureSpace.feature("float32", layers.Rescaling(1.0), "x"), "`output_mode` must be one of"),
        (lambda: FeatureSpace.cross(("a", "b"), 3, output_mode="x"), "`output_mode` must be one of"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_say_what_to_do(make, match):
    with pytest.raises(ValueError, match=match):
        make()
