"""What a fresh process imports and needs to build, train and use a model."""

import subprocess
import sys

import pytest

BUILD = {
    "dense": "[keras.Input((4,)), layers.Dense(8, 'relu'), layers.Dense(1)]",
    "images": "[keras.Input((4,)), layers.Reshape((2, 2, 1)), layers.Conv2D(3, 2, padding='same'), "
    "layers.MaxPooling2D(), layers.BatchNormalization(), layers.Flatten(), layers.Dropout(0.5), "
    "layers.Dense(1)]",
    "by data": "[layers.Dense(8, 'relu'), layers.Dense(1)]",
    "fixed batch": "[keras.Input((4,), batch_size=8), layers.Dense(8, 'relu'), layers.Dense(1)]",
    "sequences": "[keras.Input((4,)), layers.Reshape((4, 1)), layers.LSTM(3, return_sequences=True), "
    "layers.GRU(3), layers.Dense(1)]",
    "nested": "[keras.Input((4,)), keras.Sequential([keras.Input((4,)), layers.Dense(8)]), layers.Dense(1)]",
}
PROGRAM = """
import sys
import numpy as np

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import torchkeras_lite as keras
from torchkeras_lite import layers

x = np.ones((8, 4), "float32")
model = keras.Sequential(BUILD)
model.compile("adam", "mse")
model.fit(x, x[:, :1], verbose=0)
assert model.predict(x, verbose=0).shape == (8, 1)
assert model.output_shape[1:] == (1,)
model.save(sys.argv[1])
loaded = keras.saving.load_model(sys.argv[1])
assert np.abs(model.predict(x, verbose=0) - loaded.predict(x, verbose=0)).max() < 1e-6
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


@pytest.mark.parametrize("stack", BUILD.values(), ids=BUILD)
def test_first_fit_and_load_import_no_compiler(stack, tmp_path):
    program = PROGRAM.replace("BUILD", stack)
    command = [sys.executable, "-c", program, str(tmp_path / "model.keras")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
