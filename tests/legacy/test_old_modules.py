"""Modules that older Keras had inside its rooms, under this package's name; in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import torchkeras_lite as keras
from torchkeras_lite.base import old_rooms

old = {f"torchkeras_lite.{place}.{name}" for place, names in old_rooms.MODULES.items() for name in names}
assert not old & set(sys.modules)
from torchkeras_lite.engine.topology import Layer, get_source_inputs
from torchkeras_lite.layers.advanced_activations import LeakyReLU
from torchkeras_lite.layers.convolutional import Conv2D
from torchkeras_lite.layers.convolutional import MaxPooling2D
from torchkeras_lite.layers.core import Activation, Dense
from torchkeras_lite.layers.experimental.preprocessing import Normalization
from torchkeras_lite.layers.merge import add
from torchkeras_lite.layers.normalization import *
from torchkeras_lite.layers.pooling import GlobalAveragePooling2D
from torchkeras_lite.layers.recurrent import LSTM
from torchkeras_lite.objectives import mean_squared_error
from torchkeras_lite.utils.np_utils import to_categorical
from torchkeras_lite.wrappers.scikit_learn import KerasClassifier
from torchkeras_lite.backend.tensorflow_backend import mean
from torchkeras_lite.backend.common import floatx
import torchkeras_lite.layers.convolutional as convolutional
import torchkeras_lite.backend.load_backend

assert Layer is keras.Layer and get_source_inputs is keras.utils.get_source_inputs
for layer in (
    Activation, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, LSTM, LeakyReLU, Normalization
):
    assert layer is getattr(keras.layers, layer.__name__)
assert add is keras.layers.add and to_categorical is keras.utils.to_categorical
assert mean_squared_error is keras.losses.mean_squared_error
assert mean is keras.backend.mean and floatx is keras.backend.floatx is keras.backend.load_backend.floatx
assert "Conv2D" in dir(convolutional) and not hasattr(convolutional, "_private")
for name in sorted(old):
    __import__(name)
for line, text in {
    "from torchkeras_lite.layers.convolutional import Conv9D": "cannot import name 'Conv9D'",
    "import torchkeras_lite.layers.nothing": "No module named 'torchkeras_lite.layers.nothing'",
    "import torchkeras_lite.losses.losses_": "No module named 'torchkeras_lite.losses.losses_'",
    "from torchkeras_lite.layers.core import Conv2D": "cannot import name 'Conv2D'",
}.items():
    try:
        exec(line)
    except ImportError as error:
        assert text in str(error), error
    else:
        raise AssertionError(line)
print("done")
"""


def run(program):
    return subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_old_modules():
    result = run(PROGRAM)
    assert result.stdout.strip() == "done", result.stderr[-3000:]
    told = (
        "the module `torchkeras_lite.layers.convolutional` is of an older Keras; import from "
        "`torchkeras_lite.layers`."
    )
    assert result.stderr.count(told) == 1
    assert "<string>:12: DeprecationWarning: `keras.layers.core.Activation`" in result.stderr


ATTRIBUTES = """
import torchkeras_lite as keras

assert keras.layers.convolutional.Conv2D is keras.layers.Conv2D
assert keras.layers.normalization.BatchNormalization is keras.layers.BatchNormalization
assert keras.layers.experimental.preprocessing.Rescaling is keras.layers.Rescaling
assert keras.engine.topology.Layer is keras.Layer and keras.engine.training.Model is keras.Model
assert keras.backend.tensorflow_backend.mean is keras.backend.mean
assert keras.utils.io_utils.to_categorical is keras.utils.to_categorical
for room, name in ((keras.layers, "convolutionals"), (keras.engine, "topologies"), (keras.backend, "other")):
    assert not hasattr(room, name)
print("done")
"""


def test_old_modules_are_attributes():
    result = run(ATTRIBUTES)
    assert result.stdout.strip() == "done", result.stderr[-3000:]
    told = "<string>:4: DeprecationWarning: the module `torchkeras_lite.layers.convolutional` is of an older"
    assert result.stderr.count(told) == result.stderr.count("layers.convolutional") == 1
