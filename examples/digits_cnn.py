"""Digits CNN: a convolutional network on scikit-learn's 8x8 images, trained with `fit`.

Run: python examples/digits_cnn.py [--quick]
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import layers


def load_data():
    """Images `(n, 8, 8, 1)` with values 0 to 16 and labels `(n,)`, split into training and test."""
    digits = load_digits()
    images = digits.images[..., np.newaxis].astype("float32")
    return train_test_split(images, digits.target, test_size=0.25, stratify=digits.target, random_state=0)


def make_model():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.25),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(quick=False):
    keras.utils.set_random_seed(0)
    x_train, x_test, y_train, y_test = load_data()
    model = make_model()
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=4 if quick else 15, validation_split=0.1)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"test loss: {loss:.4f}")
    print(f"test accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
