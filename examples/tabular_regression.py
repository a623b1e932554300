"""Tabular regression: predict how diabetes progresses within a year, from ten measurements.

Run: python examples/tabular_regression.py [--quick]
"""

import sys

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import layers


def load_data():
    """Standardized features `(n, 10)` and targets `(n, 1)`, then the targets' standard deviation."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    x_train, x_test, y_train, y_test = train_test_split(x, y[:, np.newaxis], test_size=0.25, random_state=0)
    mean, spread = x_train.mean(0), x_train.std(0)
    center, scale = y_train.mean(), y_train.std()
    x_train, x_test = (x_train - mean) / spread, (x_test - mean) / spread
    return x_train, x_test, (y_train - center) / scale, (y_test - center) / scale, scale


def main(quick=False):
    keras.utils.set_random_seed(0)
    x_train, x_test, y_train, y_test, scale = load_data()
    model = keras.Sequential(
        [
            keras.Input((x_train.shape[1],)),
            layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.Dropout(0.2),
            layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=2e-3), loss="mse", metrics=["mae"])
    history = model.fit(
        x_train, y_train, epochs=15 if quick else 40, validation_data=(x_test, y_test), verbose=2
    )
    print(f"lowest validation loss: {min(history.history['val_loss']):.4f}")

    results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    constant = np.abs(y_test).mean()
    print(f"mean absolute error in the data's units: {results['mae'] * scale:.1f}")
    print(f"error relative to always predicting the mean: {results['mae'] / constant:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
