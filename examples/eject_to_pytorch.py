"""A trained model as a Python file that imports torch alone: the source is printed, and predicts the same.

Run: python examples/eject_to_pytorch.py [--quick]
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import layers


def make_model():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


def load(path):
    """Import a Python file by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


def main(quick=False):
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)

    model = make_model()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=8 if quick else 20, verbose=2)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.py"
        model.to_source(path)  # and net.pt beside it; `python -m torchkeras_lite eject` does it with a file
        source = path.read_text()
        net = load(path)
    print(source[source.index("class Net") : source.index("def load")].rstrip())

    with torch.no_grad():
        outputs = net(torch.as_tensor(x_test)).numpy()
    np.testing.assert_allclose(outputs, model.predict(x_test, verbose=0), rtol=1e-4, atol=1e-5)
    print(f"test accuracy of the PyTorch module: {(outputs.argmax(-1) == y_test).mean():.3f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
