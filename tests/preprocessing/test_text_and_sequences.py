"""`preprocessing.text` and `.sequence`: what Keras gives for the same texts and random numbers."""

import random

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing import sequence as his_sequence
from keras.src.legacy.preprocessing import text as his_text

import torchkeras_lite as tkl
from torchkeras_lite.preprocessing import sequence, text

TEXTS = ["Hello, world! hello", "the World's end; the end's near", "a b c a"]
MODES = ("binary", "count", "freq", "tfidf")
pytestmark = pytest.mark.filterwarnings("ignore:The `nb_words` argument", "ignore:non-integer arguments")

SETTINGS = {
    "none": {},
    "num_words": {"num_words": 4},
    "char_level": {"char_level": True},
    "oov_token": {"oov_token": "<oov>"},
    "oov_token and num_words": {"oov_token": "<oov>", "num_words": 4},
    "oov_token alone": {"oov_token": "<oov>", "num_words": 1},
    "lower": {"lower": False},
    "characters as they are": {"lower": False, "char_level": True},
    "split": {"split": "e"},
    "filters": {"filters": ""},
    "analyzer": {"analyzer": lambda given: given.split("l")},
    "nb_words": {"nb_words": 3},
}


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error)


def both(call, *rooms):
    one, other = (outcome(lambda room=room: call(room)) for room in rooms)
    assert one == other
    return one


@pytest.mark.parametrize("name", SETTINGS)
def test_tokenizers_are_kerass(name):
    def use(room):
        tokenizer = room.Tokenizer(**SETTINGS[name])
        tokenizer.fit_on_texts(TEXTS)
        tokenizer.fit_on_texts([["q", "Q"]])
        numbers = tokenizer.texts_to_sequences([*TEXTS, "unknown hello"])
        tables = [tokenizer.word_index, tokenizer.index_word, dict(tokenizer.word_counts)]
        documents = [dict(tokenizer.word_docs), dict(tokenizer.index_docs), tokenizer.document_count]
        words = tokenizer.sequences_to_texts([*numbers, [99]])
        matrices = [tokenizer.texts_to_matrix(TEXTS, mode).round(6).tolist() for mode in MODES]
        return tables, documents, numbers, words, matrices, list(tokenizer.get_config())

    both(use, text, his_text)


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - {"analyzer", "nb_words"}))
def test_tokenizers_of_keras_are_read(name):
    tokenizer = his_text.Tokenizer(**SETTINGS[name])
    tokenizer.fit_on_texts(TEXTS)
    read = text.tokenizer_from_json(tokenizer.to_json())
    assert read.to_json() == tokenizer.to_json()
    assert read.texts_to_sequences(TEXTS) == tokenizer.texts_to_sequences(TEXTS)
    np.testing.assert_allclose(
        read.texts_to_matrix(TEXTS, "tfidf"), tokenizer.texts_to_matrix(TEXTS, "tfidf")
    )


def test_sequences_alone():
    def use(room):
        tokenizer = room.Tokenizer(num_words=10)
        tokenizer.fit_on_sequences([[1, 2], [2, 3]])
        matrix = tokenizer.sequences_to_matrix([[1, 2], [], [12]], "tfidf").tolist()
        return tokenizer.document_count, dict(tokenizer.index_docs), matrix

    both(use, text, his_text)


@pytest.mark.parametrize(
    "call",
    [
        lambda room: room.text_to_word_sequence("A, b  C.d"),
        lambda room: room.text_to_word_sequence("A,b", ",b"),
        lambda room: room.text_to_word_sequence("A,b", "b", False, ","),
        lambda room: room.one_hot("a b c d", 7),
        lambda room: room.hashing_trick("a b a", 50, "md5"),
        lambda room: room.hashing_trick("a bb a", 50, len),
        lambda room: room.hashing_trick("a bb a", 50, len, analyzer=list),
    ],
    ids=range(7),
)
def test_words_are_kerass(call):
    assert isinstance(both(call, text, his_text), list)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: text.Tokenizer(numwords=3),
            TypeError,
            "unknown argument `numwords`; did you mean 'num_words'",
        ),
        (lambda: text.Tokenizer().texts_to_matrix(["a"]), ValueError, "Specify a dimension"),
        (lambda: text.Tokenizer(2).sequences_to_matrix([[1]], "x"), ValueError, "Unknown vectorization mode"),
        (lambda: text.Tokenizer(2).sequences_to_matrix([[1]], "tfidf"), ValueError, "Fit the Tokenizer on"),
        (lambda: text.hashing_trick("a", 3, "sha"), ValueError, "`hash_function` must be None, 'md5' or"),
    ],
    ids=range(5),
)
def test_text_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"seed": 1, "negative_samples": 0},
        {"seed": 1, "shuffle": False, "categorical": True, "negative_samples": 2.0},
        {"seed": 3, "sampling_table": sequence.make_sampling_table(20, 0.1)},
        {"window_size": 1, "seed": 2},
        {},
    ],
    ids=range(6),
)
def test_skipgrams_are_kerass(options):
    def draw(room):
        random.seed(7)
        return room.skipgrams([0, 1, 2, 3, 4, 5, 6], 20, **options)

    both(draw, sequence, his_sequence)


def test_sampling_tables_are_kerass():
    for options in ({"size": 1000}, {"size": 50, "sampling_factor": 0.01}):
        np.testing.assert_allclose(
            sequence.make_sampling_table(**options), his_sequence.make_sampling_table(**options)
        )


ROWS, TARGETS = np.arange(40).reshape(20, 2), np.arange(20)


@pytest.mark.parametrize(
    "options",
    [
        {"length": 3},
        {"length": 4, "sampling_rate": 2, "batch_size": 3},
        {"length": 3, "stride": 2, "start_index": 1, "end_index": 8, "batch_size": 2},
        {"length": 3, "reverse": True, "batch_size": 2},
        {"length": 3, "shuffle": True, "batch_size": 4},
        {"length": 20},
        {"length": 3, "start_index": 18},
    ],
    ids=range(7),
)
@pytest.mark.parametrize("form", [lambda rows: rows, lambda rows: rows.tolist()], ids=["arrays", "lists"])
def test_series_are_kerass(options, form):
    def use(room):
        generator = room.TimeseriesGenerator(form(ROWS), form(TARGETS), **options)
        np.random.seed(1)
        batches = [generator[index] for index in range(len(generator))]
        return [[part.tolist() for part in batch] for batch in batches]

    both(use, sequence, his_sequence)


def test_series_are_described_and_trained_on():
    generator = sequence.TimeseriesGenerator(ROWS.astype("float32"), TARGETS[:, None], 3, batch_size=4)
    assert '"length": 3' in generator.to_json()
    assert generator.get_config()["data"].startswith("[[0.0, 1.0]")
    model = tkl.Sequential([tkl.layers.Flatten(), tkl.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(generator, epochs=2, verbose=0).history["loss"]) == 2
    with pytest.raises(ValueError, match="have to be of same length"):
        sequence.TimeseriesGenerator(ROWS, TARGETS[:3], 3)


SEQUENCES = {
    "numbers": [[1, 2, 3], [4], []],
    "vectors": [[[1, 2]], [[3, 4], [5, 6]]],
    "arrays": (np.arange(3), np.arange(5)),
    "words": [["a"], ["b", "c"]],
    "flat": [1, 2],
    "number": 3,
    "mixed": [[[1, 2]], [3]],
}
PADDINGS = [
    {},
    {"maxlen": 2},
    {"padding": "post"},
    {"maxlen": 2, "truncating": "post"},
    {"maxlen": 6, "value": -1, "dtype": "float32"},
    {"dtype": object, "value": "x"},
    {"value": "x"},
    {"padding": "x"},
    {"truncating": "x"},
]


@pytest.mark.parametrize("number", range(len(PADDINGS)))
@pytest.mark.parametrize("name", SEQUENCES)
def test_padding_is_kerass(name, number):
    def pad(room):
        array = room.pad_sequences(SEQUENCES[name], **PADDINGS[number])
        return array.dtype, array.tolist()

    both(pad, sequence, keras.utils)
    assert sequence.pad_sequences is tkl.utils.pad_sequences
