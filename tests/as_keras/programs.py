"""Programs that the tests run in processes of their own, by name."""

IMPORTS = """
import keras, keras.losses, keras.layers.convolutional, tensorflow as tf
from keras.layers import *
from tensorflow.keras import layers, Sequential
from tensorflow.keras.layers import Dense as Other
from keras.layers import merge
from keras.layers.core import Dense, Activation
from keras.layers.merge import add
from keras.utils.np_utils import to_categorical
from keras.optimizers.legacy import SGD
from keras.applications.resnet50 import ResNet50, preprocess_input
from keras.datasets import mnist
from keras.engine.topology import Layer as Old
from keras.engine import InputSpec
from keras.preprocessing.image import ImageDataGenerator
from keras.preprocessing.text import Tokenizer
from keras.preprocessing.sequence import pad_sequences
from keras.wrappers.scikit_learn import KerasClassifier
from keras.src.layers.layer import Layer
from keras.src.saving import saving_lib, serialization_lib
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src import backend, ops
from tensorflow.keras.layers.experimental.preprocessing import Normalization
from tensorflow.keras.mixed_precision import experimental as mixed
from tensorflow.python.keras.layers import LSTM
import tensorflow.keras.backend as K
import tensorflow.compat.v1 as tf1
import torchkeras_lite as tk

assert Dense is Other is layers.Dense is tf.keras.layers.Dense is tk.layers.Dense
assert Conv2D is keras.layers.convolutional.Conv2D is tk.layers.Conv2D
assert Layer is Old is keras.layers.Layer is tk.Layer
assert LSTM is tk.layers.LSTM and KerasTensor is tk.KerasTensor and Normalization is tk.layers.Normalization
assert saving_lib.load_model is tk.saving.load_model
assert serialization_lib.deserialize_keras_object is tk.saving.deserialize_keras_object
assert keras.losses.get is tk.losses.get and ops.relu is tk.ops.relu
assert keras.__version__ == keras.version() == "3.15.1" and backend.backend() == K.backend() == "torch"
assert tf1.constant is tf.constant
assert add is tk.layers.add and callable(merge)
assert "Dense" in dir(keras.layers) and "Dense" in keras.layers.__all__
print("done")
"""

ABSENT = """
import importlib
for statement, text in {
    "import keras.nonsense": "No module named 'keras.nonsense'",
    "from keras.layers import Denze": "did you mean 'Dense'",
    "from keras.src.layers import Nonsense": "cannot import name 'Nonsense' from 'keras.src.layers'",
    "from keras.src.some.file import Whatever": "torchkeras_lite has no `Whatever`",
    "import tensorflow.nonsense": "No module named 'tensorflow.nonsense'",
}.items():
    try:
        exec(statement)
    except ImportError as error:
        assert text in str(error), (statement, error)
    else:
        raise AssertionError(statement)
import keras
try:
    keras.layers.Denze
except AttributeError as error:
    assert "did you mean 'Dense'" in str(error)
assert not hasattr(keras.src.utils, "nothing_of_this_name")
import torch
assert keras.src.backend.torch is not torch
assert keras.src.layers.rnn.rnn.RNN is keras.layers.RNN
assert keras.src.utils.tracking and keras.engine.topology.Layer is keras.layers.Layer
assert keras.src.version.__version__ == "3.15.1"
print("done")
"""

PICKLES = """
import pickle, sys
import keras
from keras import layers

class Own(layers.Layer):
    def call(self, x):
        return x + 1

assert sys.argv[1:] == ["--some", "argument"]
assert __name__ == "__main__" and __file__.endswith("pickles.py")
import beside
assert pickle.loads(pickle.dumps(Own())).__class__ is Own
assert pickle.loads(pickle.dumps(keras.layers)) is keras.layers
print("done")
"""

FAILS = """
def inner():
    raise ValueError("of the script")

inner()
"""

# Code in `site-packages` that asks for TensorFlow before and after the program does.
PACKAGE = """
import importlib.util

def has_tensorflow():
    found = importlib.util.find_spec("tensorflow") is not None
    try:
        import tensorflow
    except ImportError:
        assert not found
        return False
    return True
"""

ASKS = """
import keras
import asks_for_tensorflow
assert not asks_for_tensorflow.has_tensorflow()
import tensorflow as tf
assert asks_for_tensorflow.has_tensorflow()
print("done")
"""

# The script is read again by the process, and what is pickled asks for Keras.
SPAWNS = """
import multiprocessing, os
import keras
import numpy as np
import tensorflow as tf

def predict(weights):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.set_weights(weights)
    return keras.__version__, os.environ.get("HIDDEN"), model.predict(np.ones((1, 2)), verbose=0).tolist()

if __name__ == "__main__":
    weights = [np.full((2, 1), 2.0), np.ones(1)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(predict, [weights]) == [("3.15.1", "is run", [[5.0]])]
    print("done")
"""

JOBS = """
import keras
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score, KFold
from keras.wrappers import SKLearnClassifier

def build(X, y):
    keras.utils.set_random_seed(0)  # in the process that trains
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy")
    return model

if __name__ == "__main__":
    x, y = load_iris(return_X_y=True)
    classifier = SKLearnClassifier(build, fit_kwargs={"epochs": 8, "verbose": 0})
    folds = KFold(2, shuffle=True, random_state=0)
    assert cross_val_score(classifier, x, y, cv=folds, n_jobs=2).mean() > 0.6
    print("done")
"""

# Functions and classes of Keras's sources that packages import.
PRIVATE = """
from keras.src.api_export import keras_export
from keras.src.backend import KerasVariable, any_symbolic_tensors, compute_output_spec
from keras.src.backend.common import KerasVariable as Other
from keras.src.backend.common.keras_tensor import KerasTensor, any_symbolic_tensors as any_symbolic
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.pooling.base_pooling import BasePooling
from keras.src.optimizers.base_optimizer import BaseOptimizer
from keras.src.trainers.trainer import Trainer
from keras.src.utils.naming import auto_name
from keras.src.utils.tracking import no_automatic_dependency_tracking
import keras
import numpy as np

@keras_export("mine.Layer")
class Layer(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.keep()
        self.seen = keras.layers.Dense(2)

    @no_automatic_dependency_tracking
    def keep(self):
        self.hidden = keras.layers.Dense(2)
        self.more = [keras.layers.Dense(2)]

    def call(self, x):
        return self.seen(x) + self.hidden(x) + self.more[0](x)

layer = Layer()
assert layer(np.ones((4, 3))).shape == (4, 2)
assert len(layer.weights) == 2 and [name for name, _ in layer.named_children()] == ["seen"]
assert Layer._api_export_path == "mine.Layer"
x = KerasTensor((None, 3))
outputs = compute_output_spec(lambda a, b=None: {"c": a @ b}, x, b=KerasTensor((3, 5), "float32"))
assert outputs["c"].shape == (None, 5) and isinstance(outputs["c"], KerasTensor)
assert any_symbolic is any_symbolic_tensors
assert any_symbolic(([x],)) and any_symbolic(kwargs={"x": x}) and not any_symbolic((1,), {"x": None})
assert isinstance(layer.seen.kernel, KerasVariable) and Other is KerasVariable is keras.Variable
assert issubclass(keras.layers.Conv2D, BaseConv) and not issubclass(keras.layers.Dense, BaseConv)
assert issubclass(keras.layers.AveragePooling1D, BasePooling) and issubclass(keras.Model, Trainer)
assert BaseOptimizer is keras.optimizers.Optimizer
assert [auto_name("OwnThing"), auto_name("OwnThing")] == ["own_thing", "own_thing_1"]
assert not hasattr(keras.layers, "BaseConv")
print("done")
"""

STORES = """
import keras, torch
store = keras.src.saving.saving_lib.H5IOStore("theirs.h5", mode="r")
rank, values = store.get("lora")["rank"][()], store.get("lora/0")["lora_kernel_a"]
entry = store.get("lora/0")
assert ("lora_kernel_a" in entry, len(entry), list(entry)) == (True, 1, ["lora_kernel_a"])
assert list(entry.keys()) == list(entry) and len(store.get("nowhere")) == 0
store.close()
store = keras.src.saving.saving_lib.H5IOStore("ours.h5", mode="w")
store.make("lora", metadata={"made": "here"})["rank"] = int(rank)
entry = store.make("lora/0")
entry["lora_kernel_a"], entry["half"] = values, torch.ones(2, dtype=torch.bfloat16)
store.close()
"""

GRAIN = """
import grain
from keras.src.utils.backend_utils import in_grain_data_pipeline
assert not in_grain_data_pipeline()
assert list(grain.MapDataset.source([1, 2]).map(lambda _: in_grain_data_pipeline())) == [True, True]
"""
