"""Models with several outputs, in Keras and here, with equal weights."""

import numpy as np

import torchkeras_lite as tkl

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4)).astype("float32")
A = RNG.standard_normal((12, 3)).astype("float32")
B = RNG.standard_normal((12, 1)).astype("float32")
C = RNG.integers(0, 2, (12,)).astype("int64")
ONE_HOT = np.eye(2, dtype="float32")[C]
W1, W2 = RNG.random((2, 12)).astype("float32")


def forms(a, b, c):
    """The forms of outputs that the tests use, by name."""
    return {
        "one": a,
        "list of one": [a],
        "dict of one": {"u": a},
        "list": [a, b],
        "list of three": [a, b, c],
        "dict": {"u": a, "v": b},
        "dict by layers": {"a": a, "b": b},
        "dict, not in order": {"v": b, "u": a},
        "nested dict": {"x": {"u": a, "v": b}, "w": c},
        "list in dict": {"x": [a, b], "w": c},
        "list in list": [[a, b], c],
    }


def functional(k, form):
    inputs = k.Input((4,))
    a, b, c = (
        k.layers.Dense(units, activation=activation, name=name)(inputs)
        for units, activation, name in ((3, None, "a"), (1, None, "b"), (2, "softmax", "c"))
    )
    return filled(k.Model(inputs, forms(a, b, c)[form]))


def subclassed(k, form):
    class Several(k.Model):
        def __init__(self):
            super().__init__()
            self.a = k.layers.Dense(3)
            self.b = k.layers.Dense(1)
            self.c = k.layers.Dense(2, activation="softmax")

        def call(self, x):
            return forms(self.a(x), self.b(x), self.c(x))[form]

    model = Several()
    model(X[:1])
    return filled(model)


def filled(model):
    """The model with weights that depend on their shapes alone."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.standard_normal(w.shape).astype("float32") * 0.5 for w in model.get_weights()])
    return model


def classifier(units=3, activation="softmax", seed=1):
    """A small model of ours over four features."""
    hidden = tkl.layers.Dense(8, activation="tanh")
    model = tkl.Sequential([tkl.Input((4,)), hidden, tkl.layers.Dense(units, activation=activation)])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(w.shape).astype("float32") * 0.5 for w in model.get_weights()])
    return model
