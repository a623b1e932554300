"""Twelve kinds of models, trained three epochs from Keras's weights, have Keras's history."""

import keras
import numpy as np
import pytest

import torchkeras_lite as tkl

RNG = np.random.default_rng(5)
ROWS, SIZE = 48, 16
VECTORS = RNG.standard_normal((ROWS, 6)).astype("float32")
IMAGES = RNG.standard_normal((ROWS, 10, 10, 3)).astype("float32")
SERIES = RNG.standard_normal((ROWS, 7, 4)).astype("float32")
TOKENS = RNG.integers(1, 20, (ROWS, 8)) * (np.arange(8) < RNG.integers(3, 9, (ROWS, 1)))
LABELS = np.digitize(VECTORS[:, 0] + IMAGES[:, 0, 0, 0] + SERIES[:, 0, 0], [-0.7, 0.7])
BINARY = (VECTORS.sum(1) > 0).astype("float32")
REAL = VECTORS[:, :1] * 0.5 + VECTORS[:, 1:2]


def stack(k, shape, *layers, dtype=None):
    return k.Sequential([k.Input(shape, dtype=dtype), *layers])


def perceptron(k):
    L = k.layers
    return stack(k, (6,), L.Dense(12, "relu"), L.Dense(8, "tanh"), L.Dense(3, "softmax"))


def convolutional(k):
    L = k.layers
    return stack(
        k,
        (10, 10, 3),
        L.Conv2D(6, 3, padding="same", activation="relu"),
        L.BatchNormalization(),
        L.MaxPooling2D(),
        L.Conv2D(8, 3, strides=2),
        L.Flatten(),
        L.Dense(3, "softmax"),
    )


def separable(k):
    L = k.layers
    return stack(
        k,
        (10, 10, 3),
        L.SeparableConv2D(8, 3, activation="relu"),
        L.DepthwiseConv2D(3, depth_multiplier=2),
        L.GlobalAveragePooling2D(),
        L.Dense(3, "softmax"),
    )


def convolutional_series(k):
    L = k.layers
    return stack(
        k, (7, 4), L.Conv1D(8, 3, padding="causal"), L.ReLU(), L.GlobalMaxPooling1D(), L.Dense(3, "softmax")
    )


def lstm(k):
    L = k.layers
    return stack(k, (7, 4), L.LSTM(6, return_sequences=True), L.LSTM(5), L.Dense(3, "softmax"))


def masked_gru(k):
    L = k.layers
    return stack(
        k,
        (8,),
        L.Embedding(20, 5, mask_zero=True),
        L.Bidirectional(L.GRU(4)),
        L.Dense(3, "softmax"),
        dtype="int32",
    )


def simple_rnn(k):
    L = k.layers
    return stack(
        k,
        (7, 4),
        L.SimpleRNN(6, return_sequences=True),
        L.TimeDistributed(L.Dense(2)),
        L.Flatten(),
        L.Dense(3, "softmax"),
    )


def bag_of_words(k):
    L = k.layers
    return stack(
        k, (8,), L.Embedding(20, 6), L.GlobalAveragePooling1D(), L.Dense(1, "sigmoid"), dtype="int32"
    )


def transformer(k):
    L = k.layers
    inputs = k.Input((8,), dtype="int32")
    hidden = L.Embedding(20, 8)(inputs)
    attended = L.MultiHeadAttention(2, 4)(hidden, hidden, use_causal_mask=True)
    hidden = L.LayerNormalization()(L.Add()([hidden, attended]))
    hidden = L.Add()([hidden, L.Dense(8)(L.Dense(16, "gelu")(hidden))])
    return k.Model(inputs, L.Dense(3, "softmax")(L.GlobalAveragePooling1D()(hidden)))


def residual(k):
    L = k.layers
    inputs = k.Input((10, 10, 3))
    hidden = L.Conv2D(6, 3, padding="same")(inputs)
    inner = L.Conv2D(6, 3, padding="same", use_bias=False)(L.ReLU()(L.GroupNormalization(3)(hidden)))
    hidden = L.Add()([hidden, inner])
    return k.Model(inputs, L.Dense(3, "softmax")(L.GlobalAveragePooling2D()(hidden)))


def autoencoder(k):
    L = k.layers
    return stack(
        k,
        (10, 10, 3),
        L.Conv2D(4, 3, strides=2, padding="same", activation="elu"),
        L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="elu"),
        L.Conv2D(3, 1),
    )


def two_towers(k):
    L = k.layers
    left, right = k.Input((6,), name="left"), k.Input((7, 4), name="right")
    joined = L.Concatenate()([L.Dense(5, "relu")(left), L.Flatten()(L.LSTM(4, return_sequences=True)(right))])
    value = L.Dense(1, name="value", kernel_regularizer="l2")(joined)
    return k.Model([left, right], [value, L.Dense(3, "softmax", name="label")(joined)])


SPARSE = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
KINDS = {
    "perceptron": (perceptron, VECTORS, LABELS, SPARSE),
    "convolutional": (convolutional, IMAGES, LABELS, SPARSE),
    "separable": (separable, IMAGES, LABELS, SPARSE),
    "convolutional series": (convolutional_series, SERIES, LABELS, SPARSE),
    "lstm": (lstm, SERIES, LABELS, SPARSE),
    "masked gru": (masked_gru, TOKENS, LABELS, SPARSE),
    "simple rnn": (simple_rnn, SERIES, LABELS, SPARSE),
    "bag of words": (
        bag_of_words,
        TOKENS,
        BINARY,
        {"loss": "binary_crossentropy", "metrics": ["accuracy", "auc", "precision"]},
    ),
    "transformer": (transformer, TOKENS, LABELS, SPARSE),
    "residual": (residual, IMAGES, LABELS, SPARSE),
    "autoencoder": (autoencoder, IMAGES, IMAGES, {"loss": "mse", "metrics": ["mae", "cosine_similarity"]}),
    "two towers": (
        two_towers,
        [VECTORS, SERIES],
        [REAL, LABELS],
        {
            "loss": ["mse", "sparse_categorical_crossentropy"],
            "loss_weights": [0.4, 1.0],
            "metrics": [["mae"], ["accuracy"]],
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_history_is_keras_s(kind):
    build, x, y, compile_args = KINDS[kind]
    theirs, ours = build(keras), build(tkl)
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
    histories = []
    for model in (ours, theirs):
        model.compile(optimizer="adam", **compile_args)
        arguments = {
            "epochs": 3,
            "batch_size": SIZE,
            "shuffle": False,
            "validation_split": 0.25,
            "verbose": 0,
        }
        histories.append(model.fit(x, y, **arguments).history)
    mine, his = histories
    assert list(mine) == list(his)
    for key in his:
        np.testing.assert_allclose(mine[key], his[key], rtol=1e-3, atol=1e-6, err_msg=key)
