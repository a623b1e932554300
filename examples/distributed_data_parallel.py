"""One script for one process and for many: the same losses and weights come out of both.

Run: python examples/distributed_data_parallel.py [--quick]
     torchrun --nproc-per-node=4 examples/distributed_data_parallel.py

`batch_size` counts the rows of all processes together: every process computes its part of every batch, and
gradients and metrics are those of the whole one. `compile(..., distribute="fsdp")` cuts the weights and the
optimizer's state over the processes as well.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import torchkeras_lite as keras
from torchkeras_lite import layers


def load_data(rows):
    """Points in 20 dimensions, labelled by a curved border. Every process makes, or reads, all of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 20)).astype("float32")
    y = (np.sin(x[:, :1]) + x[:, 1:2] > 0).astype("float32")
    cut = rows * 4 // 5
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def main(quick=False):
    keras.utils.set_random_seed(0)
    train, test = load_data(4000)
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(momentum=0.9, synchronized=True),  # statistics of the whole batch
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        model.fit(
            *train,
            batch_size=128,
            epochs=3 if quick else 10,
            validation_data=test,
            verbose=2,  # the first process prints
            callbacks=[
                keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
                keras.callbacks.CSVLogger(Path(folder, "log.csv")),  # the first process writes
            ],
        )
        model.save(Path(folder, "model.keras"))
    accuracy = model.evaluate(*test, verbose=0, return_dict=True)["accuracy"]
    probabilities = model.predict(test[0], verbose=0)  # all of them, in every process
    assert len(probabilities) == len(test[0])
    print(f"processes: {keras.distribution.get_device_count()}")
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
