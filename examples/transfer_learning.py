"""Transfer: a network trained on digits 0 to 4 learns 5 to 9 from a few samples, its first layers frozen.

Run: python examples/transfer_learning.py [--quick]
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import layers

SAMPLES = 60  # labelled images of the digits 5 to 9


def load_data():
    """Images of the digits 0 to 4; then a few of 5 to 9, and the rest of them for the test."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32").reshape(-1, 8, 8, 1)
    low, high = y < 5, y >= 5
    few = train_test_split(x[high], y[high] - 5, train_size=SAMPLES, random_state=0, stratify=y[high])
    return x[low], y[low], *few


def build_base():
    """The layers that are to be reused."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
        ],
        name="base",
    )


def add_head(base):
    """A classifier of five digits on top of `base`; frozen layers stay in inference mode."""
    inputs = keras.Input((8, 8, 1))
    features = base(inputs, training=False) if not base.trainable else base(inputs)
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(features))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(quick=False):
    keras.utils.set_random_seed(0)
    x_low, y_low, x_few, x_test, y_few, y_test = load_data()

    base = build_base()
    add_head(base).fit(x_low, y_low, epochs=3 if quick else 10, verbose=2)

    base.trainable = False
    before = [weight.copy() for weight in base.get_weights()]
    model = add_head(base)
    model.summary(show_trainable=True)
    model.fit(x_few, y_few, epochs=25 if quick else 80, batch_size=16, verbose=0)
    same = all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    print(f"the frozen layers are unchanged: {same}")
    print(f"head alone: {model.evaluate(x_test, y_test, verbose=0)[1]:.4f}")

    base.trainable = True  # fine-tuning: everything, with small steps
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x_few, y_few, epochs=10 if quick else 20, batch_size=16, verbose=0)
    print(f"test accuracy: {model.evaluate(x_test, y_test, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
