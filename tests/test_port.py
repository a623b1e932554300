"""`python -m torchkeras_lite port`: imports change where they stand, and what is doubtful is listed."""

import ast
import json
from pathlib import Path

import pytest

from torchkeras_lite.__main__ import main
from torchkeras_lite.commands.port import port_notebook, port_script

SCRIPTS = sorted(
    path for folder in ("scripts", "scripts_tf") for path in (Path(__file__).parent / folder).glob("*.py")
)
IMPORTS = {
    "import keras": "import torchkeras_lite as keras",
    "import keras as k  # the library": "import torchkeras_lite as k  # the library",
    "import os, keras, sys": "import os, torchkeras_lite as keras, sys",
    "import keras.layers": "import torchkeras_lite as keras",
    "import keras.backend as K": "import torchkeras_lite.backend as K",
    "import tensorflow.keras.backend as K": "import torchkeras_lite.backend as K",
    "import keras.layers.core as c": "import torchkeras_lite.layers as c",
    "import tensorflow as tf": "import torchkeras_lite.tf as tf",
    "import tensorflow": "import torchkeras_lite.tf as tensorflow",
    "import tensorflow.keras": "import torchkeras_lite.tf as tensorflow",
    "import tensorflow.keras as keras": "import torchkeras_lite as keras",
    "from keras import layers, backend as K": "from torchkeras_lite import layers, backend as K",
    "from tensorflow import keras": "import torchkeras_lite as keras",
    "from tensorflow import keras as k": "import torchkeras_lite as k",
    "from tf_keras import layers": "from torchkeras_lite import layers",
    "from tensorflow.keras import Model": "from torchkeras_lite import Model",
    "from tensorflow.keras.layers import *": "from torchkeras_lite.layers import *",
    "from tensorflow.python.keras.layers import Dense": "from torchkeras_lite.layers import Dense",
    "from keras.layers.convolutional import Conv2D": "from torchkeras_lite.layers import Conv2D",
    "from keras.utils.np_utils import to_categorical": "from torchkeras_lite.utils import to_categorical",
    "from keras.applications.vgg16 import VGG16": "from torchkeras_lite.applications.vgg16 import VGG16",
    "from keras.datasets import mnist": "from torchkeras_lite.datasets import mnist",
    "from keras.optimizers.schedules import CosineDecay": (
        "from torchkeras_lite.optimizers.schedules import CosineDecay"
    ),
    "from tensorflow.keras.layers.experimental import preprocessing": (
        "import torchkeras_lite.layers as preprocessing"
    ),
    "from tensorflow.keras.layers.experimental.preprocessing import Rescaling": (
        "from torchkeras_lite.layers import Rescaling"
    ),
    "from tensorflow.data import Dataset": "from torchkeras_lite.tf.data import Dataset",
    "from tensorflow import keras, data": (
        "import torchkeras_lite as keras\nfrom torchkeras_lite.tf import data"
    ),
    "if x: from tensorflow import keras, data": (
        "if x: import torchkeras_lite as keras; from torchkeras_lite.tf import data"
    ),
    "if x:\n\tfrom tensorflow import keras, data  # both": (
        "if x:\n\timport torchkeras_lite as keras\n\tfrom torchkeras_lite.tf import data  # both"
    ),
    "from keras.layers import (\n    Dense,  # one\n    Input,\n)": (
        "from torchkeras_lite.layers import (\n    Dense,  # one\n    Input,\n)"
    ),
    "s = 'é'; from keras import layers; t = 'é'": "s = 'é'; from torchkeras_lite import layers; t = 'é'",
    "import keras\r\nx = 1\r\n": "import torchkeras_lite as keras\r\nx = 1\r\n",
    "import keras\nm = keras.layers.core.Dense(3)": (
        "import torchkeras_lite as keras\nm = keras.layers.Dense(3)"
    ),
    "import numpy as np\nfrom . import keras": "import numpy as np\nfrom . import keras",
    "print('import keras')": "print('import keras')",
}


@pytest.mark.parametrize("text", IMPORTS)
def test_imports(text):
    ported, notes = port_script(text)
    assert ported == IMPORTS[text]
    assert notes == []


NOTES = {
    "from keras.layers import Denze": "torchkeras_lite has no `Denze`; did you mean 'Dense'?",
    "import keras\nkeras.layers.Denze(3)": "2: module 'torchkeras_lite.layers' has no attribute 'Denze'",
    "from keras.layers import CuDNNLSTM": "write `keras.layers.LSTM`; it works, with a warning",
    "from keras.layers import Highway": "`Highway` is gone: write `t * Dense",
    "from keras import utils\nutils.multi_gpu_model(m)": "2: `multi_gpu_model` is gone: start the",
    "from keras.src.layers.core.dense import Dense": "private to Keras; `Dense` is now `keras.layers.Dense`",
    "from keras.engine.topology import Layer": "private to Keras; `Layer` is now `keras.Layer`",
    "import keras.src.backend": "`keras.src.backend` is private to Keras; nothing stands for it",
    "import keras_tuner": "`keras_tuner` imports Keras or TensorFlow itself: use `python -m",
    "import tensorflow.compat.v1 as tf": "code for TensorFlow 1",
    "import tensorflow as tf\n\ns = tf.Session()": "3: tf.Session is not in torchkeras_lite. Use a function",
    "import tensorflow as tf\ntf.math.sine(x)": "2: tf.math.sine is not in torchkeras_lite",
    "import tensorflow as tf\ntf.keras.layers.Densee(3)": "2: module 'torchkeras_lite.layers' has no",
    "from keras import backend as K\nK.get_session()": "2: `keras.backend.get_session` is of an older Keras",
    "from keras.layers import Dense\nDense(3, unit=4)": "2: Dense has no argument `unit`",
    "from keras.layers import Dense\nDense(output_dim=4)": "`output_dim` is an older name of `units`",
    "from keras.layers import LSTM\nLSTM(4, time_major=True)": "`time_major` is of an older Keras: swap the",
    "from keras.layers import LSTM\nLSTM(4, time_major=False)": "`time_major` has no effect; leave it out",
    "import keras\nkeras.layers.Convolution2D(32, 3, 3)": "2: Convolution2D: the third argument is `strides`",
    "from keras.layers import LeakyReLU\nLeakyReLU(alpha=0.1)": "older name of `negative_slope`",
    "from keras.optimizers import SGD\nSGD(lr=0.1)": "`lr` is an older name of `learning_rate`",
    "from keras.optimizers import SGD\nSGD(decay=0.1)": "Write a `schedules.InverseTimeDecay`",
    "import keras\nkeras.callbacks.ModelCheckpoint('a', period=2)": "older name of `save_freq`",
    "model.fit(x, y, nb_epoch=3)": "1: fit: `nb_epoch` is an older name of `epochs`",
    "model.fit(x, samples_per_epoch=3)": "1: fit: `samples_per_epoch` is of an older Keras: it counted",
    "model.fit_generator(g)": "1: `.fit_generator` is a method of an older Keras",
    "print(model.total_loss)": "1: `.total_loss` is of an older Keras: use the loss",
    "%matplotlib inline\nimport keras": "1: `%matplotlib inline` works in notebooks alone",
    "if x:\n    !pip install keras\n": "2: `!pip install keras` works in notebooks alone",
    "get_ipython().run_line_magic('time', '')": "1: `get_ipython` is there in notebooks alone",
}


@pytest.mark.parametrize("text", NOTES)
def test_what_cannot_be_vouched_for(text):
    _, notes = port_script(text)
    told = [f"{place}: {note}" for place, note in notes]
    assert any(NOTES[text] in one for one in told), told


@pytest.mark.parametrize(
    "text",
    [
        "from keras.layers import Dense\nDense(3, input_shape=(4,), name='a', dtype='float32', units=3)",
        "from keras.optimizers import Adam\nAdam(learning_rate=0.1, clipnorm=1.0)",
        "import tensorflow as tf\ntf.random.set_seed(1)\ntf.keras.utils.set_random_seed(1)",
        "from keras import layers\ndef f(layers):\n    return layers.anything",
        "import keras\nclass A(keras.Model):\n    def call(self, x):\n        return self.any.at.all(x, y=1)",
        "from keras import backend as K\nK.mean(x, axis=-1)",
    ],
    ids=["layer", "optimizer", "tensorflow", "hidden name", "attributes", "backend"],
)
def test_what_is_fine_is_not_listed(text):
    assert port_script(text)[1] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_keep_all_but_their_imports(path):
    text = path.read_text()
    ported, notes = port_script(text)
    fine = ("older Keras", "older name", "leave it out")
    assert [note for _, note in notes if not any(part in note for part in fine)] == []
    changed = [
        pair for pair in zip(text.splitlines(), ported.splitlines(), strict=True) if pair[0] != pair[1]
    ]
    assert changed
    assert all("import" in old for old, _ in changed)
    modules = set()
    for node in ast.walk(ast.parse(ported)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.split(".")[0])
    assert modules.isdisjoint({"keras", "tensorflow", "tf_keras"})
    assert "torchkeras_lite" in modules


BOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["import keras\n"]},
        {
            "cell_type": "code",
            "source": ["%matplotlib inline\n", "import keras\n", "print(1)"],
            "outputs": [],
        },
        {"cell_type": "code", "source": "x = keras.layers.Denze(3)"},
        {"cell_type": "code", "source": ["%%bash\n", "import keras"]},
        {"cell_type": "code", "source": ["x = !ls"]},
    ],
    "metadata": {"é": 1},
}


def test_notebooks():
    ported, notes = port_notebook(json.dumps(BOOK))
    cells = json.loads(ported)["cells"]
    assert cells[1]["source"] == ["%matplotlib inline\n", "import torchkeras_lite as keras\n", "print(1)"]
    assert [cells[i] for i in (0, 2, 3, 4)] == [BOOK["cells"][i] for i in (0, 2, 3, 4)]
    assert [place for place, _ in notes] == ["cell 2, line 1", "cell 3, line 1", "cell 4", "cell 5, line 1"]
    with pytest.raises(ValueError, match="no notebook"):
        port_notebook("[]")


def test_command(tmp_path, capsys):
    script, target = tmp_path / "script.py", tmp_path / "out.py"
    source = b"# -*- coding: latin-1 -*-\r\nimport keras  # \xe9\r\nm.fit_generator(g)\r\n"
    changed = source.replace(b"import keras", b"import torchkeras_lite as keras")
    script.write_bytes(source)
    assert main(["port", str(script)]) == 0
    output = capsys.readouterr()
    assert "import torchkeras_lite as keras  # é" in output.out
    assert output.err.startswith(f"{script}:3: `.fit_generator` is a method")
    assert main(["port", str(script), "-o", str(target)]) == 0
    assert (script.read_bytes(), target.read_bytes()) == (source, changed)
    assert main(["port", str(script), "--in-place"]) == 0
    assert script.read_bytes() == changed
    capsys.readouterr()
    script.write_text("import keras\nprint 'python 2'\n")
    assert main(["port", str(script)]) == 1
    assert "port: " in capsys.readouterr().err
    assert main(["port", str(tmp_path / "none.py")]) == 1
