"""Hashing, lookups and TextVectorization.

Keras needs TensorFlow for them, which is not installed with the tests: `preprocessing_golden.json` holds what
Keras 3.15.1 on TensorFlow 2.21 gives, and the buckets of TensorFlow's hash functions.
"""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from torchkeras_lite import layers
from torchkeras_lite.base.safe_mode import safe_mode_scope
from torchkeras_lite.layers.fingerprints import fingerprints

GOLDEN = json.loads(Path(__file__).with_name("preprocessing_golden.json").read_text(encoding="utf-8"))
LOOKUPS = ("StringLookup", "IntegerLookup", "TextVectorization")


def case_name(case):
    arguments = ", ".join(f"{key}={value!r}" for key, value in case["args"].items())
    return f"{case['layer']}({arguments})-{np.array(case['inputs'], dtype=object).shape}"


def made(case):
    layer = getattr(layers, case["layer"])(**case["args"])
    if case["adapt"] is not None:
        layer.adapt(case["adapt"])
    return layer


def numbers(outputs):
    return outputs if isinstance(outputs, np.ndarray) else outputs.numpy()


golden = pytest.mark.parametrize("case", GOLDEN["cases"], ids=case_name)


@golden
def test_outputs_and_vocabularies_are_those_of_keras(case):
    layer = made(case)
    outputs = numbers(layer(case["inputs"]))
    assert layer.get_vocabulary() == case["vocabulary"] if "vocabulary" in case else True
    assert list(outputs.shape) == case["shape"]
    if outputs.dtype.kind == "U":
        assert outputs.tolist() == case["output"]
    else:
        np.testing.assert_allclose(outputs, np.array(case["output"]).reshape(case["shape"]), rtol=1e-5)


@golden
def test_configs_copies_and_symbols(case):
    layer = made(case)
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    inputs, expected = case["inputs"], numbers(layer(case["inputs"]))
    for duplicate in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(numbers(duplicate(inputs)), expected)
    parts = inputs if case["layer"] == "HashedCrossing" else [inputs]
    symbols = []
    for part in map(np.array, parts):
        dtype = "string" if part.dtype.kind == "U" else "int64"
        symbols.append(layers.Input(part.shape[1:], dtype=dtype))
    symbol = layer(symbols if len(symbols) > 1 else symbols[0])
    if len(expected.shape) == len(symbol.shape) and len(np.array(parts[0]).shape) > 1:
        sizes = zip(symbol.shape, expected.shape, strict=True)
        assert all(size in (None, known) for size, known in sizes)
    assert symbol.dtype == ("string" if expected.dtype.kind == "U" else str(expected.dtype))


@pytest.mark.parametrize(("name", "key"), [("farmhash", None), ("siphash", (133, 137))])
def test_fingerprints_are_those_of_tensorflow(name, key):
    table = GOLDEN["fingerprints"]
    assert (fingerprints(table["strings"], key) % np.uint64(table["buckets"])).tolist() == table[name]
    assert fingerprints([b"\xff\x00", "a"]).dtype == np.uint64


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("name", LOOKUPS)
def test_adapt_takes_arrays_lists_generators_and_loaders(name, shuffle):
    rows = [[3], [1], [3], [2]] if name == "IntegerLookup" else [["c"], ["a"], ["c"], ["b"]]
    special = {"StringLookup": ["[UNK]"], "IntegerLookup": [-1], "TextVectorization": ["", "[UNK]"]}[name]
    expected = special + ([3, 2, 1] if name == "IntegerLookup" else ["c", "b", "a"])
    flat = [row[0] for row in rows]
    sources = {
        "list": rows,
        "array": np.array(flat),
        "objects": np.array(rows, dtype=object) if name != "IntegerLookup" else np.array(rows),
        "batches": [np.array(flat[:2]), np.array(flat[2:])],
        "generator": (batch for batch in (flat[:3], flat[3:])),
        "labels": [(np.array(flat), np.ones(4))],
        "loader": torch.utils.data.DataLoader(flat, batch_size=3, shuffle=shuffle),
        "labelled loader": torch.utils.data.DataLoader([(one, 1.0) for one in flat], batch_size=3),
    }
    for data in sources.values():
        layer = getattr(layers, name)()
        layer.adapt(data)
        assert layer.get_vocabulary() == expected


def test_adapt_reads_as_many_batches_as_it_is_told():
    layer = layers.StringLookup()
    layer.adapt(([word] for word in "abcd"), steps=2)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    layer.adapt(["x"])
    assert layer.get_vocabulary() == ["[UNK]", "x"]
    layer.reset_state()
    layer.update_state(["p"])
    layer.update_state(["q", "q"])
    layer.finalize_state()
    assert layer.get_vocabulary() == ["[UNK]", "q", "p"]


def test_vocabulary_files_and_safe_mode(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("a\nb \r\né\n".encode())
    layer = layers.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "a", "b ", "é"]
    assert layer.get_config()["vocabulary"] is None
    assert layers.TextVectorization(vocabulary=path).get_vocabulary()[2:] == ["a", "b ", "é"]
    config = {**layer.get_config(), "vocabulary": str(path)}
    for kind in (layers.StringLookup, layers.TextVectorization):
        with safe_mode_scope(True), pytest.raises(TypeError, match=r"names the vocabulary file .*safe_mode"):
            kind.from_config({key: config[key] for key in ("vocabulary", "name")})
    with safe_mode_scope(False):
        assert layers.StringLookup.from_config(config).get_vocabulary() == layer.get_vocabulary()
    with pytest.raises(ValueError, match=r"Vocabulary file .* does not exist"):
        layers.StringLookup(vocabulary=str(tmp_path / "none.txt"))


@pytest.mark.parametrize("weights_first", [True, False])
@pytest.mark.parametrize("name", LOOKUPS)
def test_assets_and_weights_of_terms(name, weights_first, tmp_path):
    data = [[1, 2], [2, 2], [3, 1]] if name == "IntegerLookup" else [["a b"], ["b b"], ["c a"]]
    layer = getattr(layers, name)(output_mode="tf_idf")
    layer.adapt(data)
    store = {}
    layer.save_own_variables(store)
    layer.save_assets(tmp_path)
    assert (tmp_path / "vocabulary.txt").read_text().split("\n") == list(map(str, layer.get_vocabulary()))
    again = type(layer).from_config(layer.get_config())
    assert again.compute_output_shape((None, 1)) == (None, layer.vocabulary_size())
    steps = [lambda: again.load_own_variables(store), lambda: again.load_assets(tmp_path)]
    for step in steps if weights_first else reversed(steps):
        step()
    assert again.get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_array_equal(numbers(again(data)), numbers(layer(data)))


def test_integers_are_looked_up_in_any_graph():
    layer = layers.IntegerLookup(vocabulary=[7, -3, 12], num_oov_indices=2, mask_token=0)
    x = torch.tensor([[7, 0, 5], [12, -3, 4]])
    expected = torch.tensor([[3, 0, 2], [5, 4, 1]])
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), expected)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), expected)
    assert layer(x.to(torch.int32)).dtype == torch.int64
    assert layer.to("meta")(x.to("meta")).device.type == "meta"


def test_functions_of_ones_own_get_arrays_of_strings():
    seen = []

    def standardize(texts):
        seen.append(texts.dtype.kind)
        return np.char.replace(np.char.lower(texts), "-", " ")

    layer = layers.TextVectorization(standardize=standardize, split=lambda texts: np.char.split(texts, " "))
    layer.adapt(["Foo-bar", "foo"])
    assert layer.get_vocabulary() == ["", "[UNK]", "foo", "bar"]
    assert layer(["BAR-foo", "q"]).tolist() == [[3, 2], [1, 0]]
    assert set(seen) == {"U"}


@pytest.mark.parametrize("kind", ["U", "S", "O", "T"])
def test_kinds_of_string_arrays(kind):
    array = np.array(["a", "é", "z"], dtype=object)
    array = np.char.encode(array.astype(str), "utf-8") if kind == "S" else array
    array = array.astype(np.dtypes.StringDType() if kind == "T" else kind)
    assert layers.StringLookup(vocabulary=["a", "é"])(array).tolist() == [1, 2, 0]
    assert layers.TextVectorization(vocabulary=["a", "é"])(array).tolist() == [[2], [3], [1]]
    assert layers.Hashing(10)(array).tolist() == layers.Hashing(10)(["a", "é", "z"]).tolist()


def test_single_values():
    assert layers.StringLookup(vocabulary=["a"])("a").item() == 1
    assert layers.TextVectorization(vocabulary=["a", "b"])("b a q").tolist() == [3, 2, 1]
    assert layers.IntegerLookup(vocabulary=[4])(4).item() == 1
    assert layers.Hashing(3)("A").item() == 1
    assert layers.HashedCrossing(10)(("A", 101)).item() == 1


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (
            lambda: layers.StringLookup(name="s")(["a"]),
            RuntimeError,
            "'s': you must set the layer's vocabulary",
        ),
        (
            lambda: layers.TextVectorization(name="t")(["a"]),
            RuntimeError,
            "'t': you must set the layer's voc",
        ),
        (lambda: layers.StringLookup(output_mode="count")(["a"]), RuntimeError, "must set the layer's"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ValueError, "Cannot adapt layer"),
        (
            lambda: layers.TextVectorization(vocabulary=["a"], name="t").adapt(["b"]),
            ValueError,
            "adapt layer 't'",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"])(np.ones(2)),
            TypeError,
            "expected strings.*IntegerLookup",
        ),
        (lambda: layers.IntegerLookup(vocabulary=[1])(["a"]), TypeError, "expected integers.*StringLookup"),
        (lambda: layers.IntegerLookup(vocabulary=["a"]), ValueError, "expected integers as the vocabulary"),
        (lambda: layers.TextVectorization(vocabulary=["a"])(np.ones(2)), TypeError, "expected strings"),
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), ValueError, r"repeated terms are: \['a'\]"),
        (lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""), ValueError, "reserved mask token"),
        (
            lambda: layers.StringLookup(vocabulary=["a", "[UNK]"], invert=True),
            ValueError,
            "reserved OOV token",
        ),
        (lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), ValueError, "`max_tokens` is 2"),
        (lambda: layers.StringLookup(vocabulary=[]), ValueError, "Cannot set an empty vocabulary"),
        (lambda: layers.StringLookup(max_tokens=1), ValueError, "`max_tokens` must be greater than 1"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ValueError, "`max_tokens` must be set"),
        (lambda: layers.StringLookup(num_oov_indices=-1), ValueError, "num_oov_indices"),
        (lambda: layers.StringLookup(output_mode="x"), ValueError, "Unknown value for `output_mode`"),
        (
            lambda: layers.StringLookup(output_mode="count", invert=True),
            ValueError,
            "must be 'int' when `invert`",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], idf_weights=[1.0]),
            ValueError,
            "should only be set if",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"),
            ValueError,
            "must also be provided",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf", idf_weights=[1.0, 2.0]),
            ValueError,
            "same length as vocabulary",
        ),
        (
            lambda: layers.StringLookup(sparse=True, output_mode="count"),
            ValueError,
            "cannot be used with torch",
        ),
        (lambda: layers.StringLookup(salt=[1, 2, 3]), ValueError, "tuple of size 2 integers"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["x"]),
            ValueError,
            r"values \['x'\]",
        ),
        (
            lambda: layers.IntegerLookup(vocabulary=[1], num_oov_indices=0)([5]),
            ValueError,
            r"OOV values \[5\]",
        ),
        (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), ValueError, "vocabulary_dtype"),
        (lambda: layers.IntegerLookup(oov_method="x"), ValueError, "oov_method"),
        (lambda: layers.IntegerLookup(salt=3), ValueError, "oov_method='farmhash'"),
        (lambda: layers.StringLookup(maxtokens=3), ValueError, "did you mean 'max_tokens'"),
        (lambda: layers.TextVectorization(ragged=True), ValueError, "no ragged tensors"),
        (lambda: layers.TextVectorization(standardize="x"), ValueError, "`standardize`"),
        (lambda: layers.TextVectorization(split="x"), ValueError, "`split`"),
        (lambda: layers.TextVectorization(ngrams="x"), ValueError, "`ngrams`"),
        (lambda: layers.TextVectorization(output_mode="one_hot"), ValueError, "row of its own"),
        (lambda: layers.TextVectorization(output_sequence_length=0), ValueError, "output_sequence_length"),
        (
            lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3),
            ValueError,
            "must not be set if `output_mode`",
        ),
        (
            lambda: layers.TextVectorization(vocabulary=["a"])([["a", "b"]]),
            ValueError,
            "input rank must be 1",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"])([["a"], ["b", "c"]]),
            ValueError,
            "rows of equal length",
        ),
        (lambda: layers.StringLookup().adapt(3.5j), TypeError, "cannot adapt to"),
        (lambda: layers.Hashing(None), ValueError, "cannot be `None`"),
        (lambda: layers.Hashing(3, output_mode="x"), ValueError, "output_mode"),
        (lambda: layers.Hashing(3, sparse=True), ValueError, "cannot be used with torch"),
        (lambda: layers.Hashing(3, mask_value=1)(["a"]), TypeError, "of the kind of the inputs"),
        (lambda: layers.HashedCrossing(3)(np.ones(2)), ValueError, "should be called on a list"),
        (lambda: layers.HashedCrossing(3)([["a"]]), ValueError, "at least two inputs"),
        (lambda: layers.HashedCrossing(3)([["a"], ["a", "b"]]), ValueError, "equal shape"),
        (lambda: layers.HashedCrossing(3)([[["a", "b"]], [[1, 2]]]), ValueError, "should have shape"),
        (lambda: layers.HashedCrossing(3)([[1.5], [2]]), ValueError, "integer or string dtype"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_name_the_layer_and_the_remedy(make, error, match):
    with pytest.raises(error, match=match):
        make()
