"""Strings as the inputs of models: calls, training, prediction, data sources, files."""

import copy
import pickle

import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import layers
from torchkeras_lite.training.arrays import to_tensor

TEXTS = np.array([["good film"], ["bad film"], ["very good"], ["so bad"]] * 5)
LABELS = np.array([1.0, 0.0, 1.0, 0.0] * 5, "float32")


def vectorization(**arguments):
    layer = layers.TextVectorization(**arguments)
    layer.adapt(TEXTS)
    return layer


def classifier():
    encoder = vectorization(output_sequence_length=3)
    return torchkeras_lite.Sequential(
        [
            torchkeras_lite.Input((1,), dtype="string"),
            encoder,
            layers.Embedding(encoder.vocabulary_size(), 4, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


@pytest.mark.parametrize(
    "data",
    [
        TEXTS,
        TEXTS[:, 0],
        TEXTS.astype(object),
        TEXTS[:, 0].tolist(),
        TEXTS.tolist(),
    ],
    ids=["rows", "flat", "objects", "list", "lists"],
)
def test_a_model_reads_strings(data):
    model = classifier()
    expected = model(TEXTS).detach().numpy()
    np.testing.assert_allclose(model(data).detach().numpy(), expected)
    np.testing.assert_allclose(model.predict(data, verbose=0, batch_size=7), expected, rtol=1e-5)
    model.compile("adam", "binary_crossentropy")
    history = model.fit(data, LABELS, epochs=2, batch_size=6, validation_split=0.2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert model.evaluate(data, LABELS, verbose=0) < history["loss"][0]


def test_shuffled_rows_keep_their_labels():
    model = torchkeras_lite.Sequential(
        [
            torchkeras_lite.Input((1,), dtype="string"),
            layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0, output_mode="one_hot"),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.compile(torchkeras_lite.optimizers.SGD(0.5), "mse")
    words = np.array(["a", "b"] * 16)
    model.fit(words, (words == "b").astype("float32") * 4 - 1, epochs=30, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], [-1.0, 3.0], atol=0.05)


def test_loaders_and_generators_give_strings():
    model = classifier()
    model.compile("adam", "binary_crossentropy")
    samples = list(zip(TEXTS[:, 0].tolist(), LABELS.tolist(), strict=True))
    loader = torch.utils.data.DataLoader(samples, batch_size=4)
    losses = [model.evaluate(TEXTS, LABELS, verbose=0, batch_size=4), model.evaluate(loader, verbose=0)]
    batches = [(TEXTS[start : start + 4], LABELS[start : start + 4]) for start in range(0, 20, 4)]
    losses.append(model.evaluate(iter(batches), verbose=0))
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    model.fit(loader, verbose=0)


def test_layers_encode_in_a_pipeline():
    encoder = vectorization(output_sequence_length=3)

    class Encoded(torch.utils.data.Dataset):
        def __len__(self):
            return len(TEXTS)

        def __getitem__(self, index):
            return encoder(TEXTS[index, 0]), LABELS[index]

    batch, _ = next(iter(torch.utils.data.DataLoader(Encoded(), batch_size=4)))
    torch.testing.assert_close(batch, encoder(TEXTS[:4]))


def test_strings_beside_numbers_and_strings_out():
    words = torchkeras_lite.Input((1,), dtype="string", name="words")
    values = torchkeras_lite.Input((2,), name="values")
    encoded = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(words)
    model = torchkeras_lite.Model([words, values], layers.Concatenate()([encoded, values]))
    data = {"words": np.array(["a", "q"]), "values": np.array([[1.0, 2.0], [3.0, 4.0]])}
    expected = [[0, 1, 0, 1, 2], [1, 0, 0, 3, 4]]
    for inputs in (data, list(data.values())):
        assert model(inputs).tolist() == expected
        assert model.predict(inputs, verbose=0).tolist() == expected
    names = torchkeras_lite.Sequential(
        [torchkeras_lite.Input((1,), dtype="int64"), layers.StringLookup(vocabulary=["a", "b"], invert=True)]
    )
    assert names.output.dtype == "string"
    assert names.predict(np.array([[1], [2], [9]]), batch_size=2, verbose=0).tolist() == [
        ["a"],
        ["b"],
        ["[UNK]"],
    ]


def test_models_inside_models_copies_and_files(tmp_path):
    inner = classifier()
    inputs = torchkeras_lite.Input((1,), dtype="string")
    outer = torchkeras_lite.Model(inputs, layers.Dense(2)(inner(inputs)))
    expected = outer(TEXTS)
    for again in (copy.deepcopy(outer), pickle.loads(pickle.dumps(outer))):
        torch.testing.assert_close(again(TEXTS), expected)
    outer.save(tmp_path / "model.keras")
    torch.testing.assert_close(torchkeras_lite.saving.load_model(tmp_path / "model.keras")(TEXTS), expected)


def test_shapes_of_nested_models_do_not_depend_on_texts():
    inner = torchkeras_lite.Sequential(
        [torchkeras_lite.Input((1,), dtype="string"), vectorization(), layers.Embedding(9, 2)]
    )
    inputs = torchkeras_lite.Input((1,), dtype="string")
    assert inner(inputs).shape == (None, None, 2)


def test_models_without_an_input_and_layers_of_ones_own():
    model = torchkeras_lite.Sequential([vectorization(), layers.Embedding(9, 2)])
    assert model(TEXTS[:2]).shape == (2, 2, 2)
    assert model(["bad"]).shape == (1, 1, 2)

    class Reader(layers.Layer):
        def __init__(self):
            super().__init__()
            self.encoder = vectorization(output_mode="count")
            self.dense = layers.Dense(2)

        def call(self, inputs):
            return self.dense(self.encoder(inputs))

    assert Reader()(TEXTS).shape == (20, 2)
    assert torchkeras_lite.Sequential([Reader()]).predict(TEXTS, verbose=0).shape == (20, 2)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: classifier()(np.ones((2, 1))), TypeError, "declared with dtype='string', got numbers"),
        (
            lambda: torchkeras_lite.Sequential([torchkeras_lite.Input((1,)), layers.Dense(1)])(TEXTS),
            TypeError,
            "declared with dtype='float32', got strings",
        ),
        (
            lambda: layers.Dense(1, name="d")(TEXTS),
            TypeError,
            "Dense 'd': expected numbers.*TextVectorization",
        ),
        (lambda: to_tensor(TEXTS, torch.float32), ValueError, "Encode text"),
        (lambda: classifier().predict([["a"], ["b", "c"]], verbose=0), ValueError, "rows of equal length"),
    ],
    ids=["numbers", "strings", "layer", "targets", "ragged"],
)
def test_what_does_not_fit_is_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()
