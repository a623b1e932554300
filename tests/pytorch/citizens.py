"""The models that every tool made for torch models is tried on, and a batch for each."""

import torch

from torchkeras_lite import Input, Model, Sequential, layers


def mlp():
    return Sequential(
        [
            Input((4,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5),
            layers.Dense(3, name="head"),
        ]
    )


def cnn():
    return Sequential(
        [
            Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", strides=2, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )


def rnn():
    inputs = Input((None, 4), name="steps")
    x = layers.LSTM(5, return_sequences=True, name="lstm")(inputs)
    x = layers.GRU(4, name="gru")(x)
    return Model(inputs, layers.Dense(3, name="head")(x))


BATCHES = {
    "mlp": torch.linspace(-1, 1, 16).reshape(4, 4),
    "cnn": torch.linspace(-1, 1, 4 * 8 * 8 * 3).reshape(4, 8, 8, 3),
    "rnn": torch.linspace(-1, 1, 4 * 6 * 4).reshape(4, 6, 4).sin(),
}
MAKERS = {"mlp": mlp, "cnn": cnn, "rnn": rnn}
# The first module with a weight of its own, by its path.
FIRST = {"mlp": "hidden.linear", "cnn": "conv.conv", "rnn": "head.linear"}
