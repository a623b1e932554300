"""Early stopping, the best model on disk, a learning rate that follows, and curves for TensorBoard.

Everything is written to `run/` in the folder in which the script is called; afterwards
`tensorboard --logdir run/logs` shows the curves.

Run: python examples/checkpoints_and_tensorboard.py [--quick]
"""

import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import callbacks, layers


def load_data():
    """Standardized measurements and labels 0 and 1, training and test data apart."""
    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0)).astype("float32")
    return train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)


def main(quick=False):
    keras.utils.set_random_seed(0)
    x_train, x_test, y_train, y_test = load_data()
    folder = Path("run")
    model = keras.Sequential(
        [
            keras.Input((x_train.shape[1],)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy", "auc"])
    history = model.fit(
        x_train,
        y_train,
        epochs=40 if quick else 200,
        validation_split=0.2,
        verbose=2,
        callbacks=[
            callbacks.EarlyStopping(patience=8, restore_best_weights=True, verbose=1),
            callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True),
            callbacks.ReduceLROnPlateau(patience=4, verbose=1),
            callbacks.CSVLogger(folder / "epochs.csv"),
            callbacks.TensorBoard(folder / "logs", histogram_freq=10),
        ],
    )
    print(f"epochs: {len(history.epoch)}")

    best = keras.saving.load_model(folder / "best.keras")
    results = best.evaluate(x_test, y_test, verbose=0, return_dict=True)
    print(f"test accuracy: {results['accuracy']:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
