"""A pandas table: every column goes to the input of its name, whatever its kind.

Run: python examples/pandas_table.py [--quick]
"""

import sys

import numpy as np
import pandas as pd

import torchkeras_lite as keras
from torchkeras_lite import layers

CITIES = ("Bern", "Genoa", "Lyon", "Trieste")
NUMBERS = ("area", "age")


def load_data(rows=4000):
    """A table of flats, made up, with their rents."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area": rng.gamma(8, 9, rows),
            "age": rng.integers(0, 90, rows),
            "city": pd.Categorical.from_codes(rng.integers(0, 4, rows), CITIES),
            "balcony": rng.random(rows) < 0.4,
        }
    )
    level = table["city"].map(dict(zip(CITIES, (22, 12, 16, 10), strict=True))).astype(float)
    rent = level * table["area"] * (1.1 - 0.004 * table["age"]) + 120 * table["balcony"]
    table["rent"] = rent * rng.normal(1, 0.05, rows)
    return table


def prepare(table, mean, spread):
    """Numbers to unit scale, categories to their codes; the names of columns stay."""
    scaled = (table[list(NUMBERS)] - mean) / spread
    return scaled.assign(city=table["city"].cat.codes, balcony=table["balcony"])


def build():
    """A model with an input for each column."""
    inputs = {name: keras.Input((1,), name=name) for name in (*NUMBERS, "balcony")}
    inputs["city"] = keras.Input((1,), name="city", dtype="int32")
    city = layers.Flatten()(layers.Embedding(len(CITIES), 3)(inputs["city"]))
    columns = layers.Concatenate()([inputs["area"], inputs["age"], inputs["balcony"], city])
    hidden = layers.Dense(32, activation="relu")(columns)
    hidden = layers.Dense(32, activation="relu")(hidden)
    return keras.Model(inputs, layers.Dense(1)(hidden))


def main(quick=False):
    keras.utils.set_random_seed(0)
    table = load_data()
    train, test = table.iloc[:3000], table.iloc[3000:]
    mean, spread = train[list(NUMBERS)].mean(), train[list(NUMBERS)].std()
    scale = train["rent"].std()

    model = build()
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="mse", metrics=["mae"])
    history = model.fit(
        prepare(train, mean, spread),
        train["rent"] / scale,
        epochs=5 if quick else 25,
        validation_split=0.1,
        verbose=2,
    )
    print(history.to_frame()[["loss", "val_loss"]].tail(3))

    rents = model.predict(prepare(test, mean, spread), verbose=0)[:, 0] * scale
    error = np.abs(rents - test["rent"]) / test["rent"]
    print(f"median relative error: {error.median():.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
