"""Keras 3: layers written with keras.ops alone, a functional model of operations, saving and loading."""

import os
import tempfile

import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_breast_cancer

keras.utils.set_random_seed(14)


@keras.saving.register_keras_serializable(package="scripts")
class FactorizationMachine(keras.layers.Layer):
    def __init__(self, factors=4, **kwargs):
        super().__init__(**kwargs)
        self.factors = factors

    def build(self, input_shape):
        features = input_shape[-1]
        self.w0 = self.add_weight(shape=(1,), initializer="zeros", name="w0")
        self.w = self.add_weight(shape=(features, 1), initializer="glorot_uniform", name="w")
        self.v = self.add_weight(
            shape=(features, self.factors), initializer=keras.initializers.RandomNormal(stddev=0.05), name="v"
        )

    def call(self, inputs):
        linear = self.w0 + ops.matmul(inputs, self.w)
        square_of_sum = ops.square(ops.matmul(inputs, self.v))
        sum_of_square = ops.matmul(ops.square(inputs), ops.square(self.v))
        return linear + 0.5 * ops.sum(square_of_sum - sum_of_square, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1)

    def get_config(self):
        return {**super().get_config(), "factors": self.factors}


x, y = load_breast_cancer(return_X_y=True)
x = ((x - x.mean(0)) / x.std(0)).astype("float32")
inputs = keras.Input((30,))
scores = FactorizationMachine(factors=3)(inputs)
clipped = ops.clip(scores, -20.0, 20.0)
outputs = ops.sigmoid(clipped)
model = keras.Model(inputs, outputs)
model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc"), "binary_accuracy"])
history = model.fit(x, y, epochs=25, verbose=0, validation_split=0.25)
assert history.history["val_auc"][-1] > 0.95

path = os.path.join(tempfile.mkdtemp(), "machine.keras")
model.save(path)
again = keras.saving.load_model(path)
np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
weights = os.path.join(os.path.dirname(path), "machine.weights.h5")
model.save_weights(weights)
fresh = keras.models.clone_model(model)
fresh.load_weights(weights)
np.testing.assert_allclose(fresh.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
