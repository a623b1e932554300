"""tf.keras 2: a subclassed layer with add_weight and get_config, a callback that halves the rate, saving."""

import os
import tempfile

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_diabetes

tf.random.set_seed(8)


class Linear(tf.keras.layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True
        )
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return tf.matmul(inputs, self.w) + self.b

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class ActivityRegularizer(tf.keras.layers.Layer):
    def __init__(self, rate=1e-2, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * tf.reduce_mean(tf.square(inputs)))
        return inputs

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


class HalveLearningRate(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch and epoch % 4 == 0:
            lr = float(tf.keras.backend.get_value(self.model.optimizer.learning_rate))
            tf.keras.backend.set_value(self.model.optimizer.learning_rate, lr / 2)
            print("\nEpoch %05d: learning rate is %6.4f, loss %.4f" % (epoch, lr / 2, logs["loss"]))


x, y = load_diabetes(return_X_y=True)
x, y = (x * 20).astype("float32"), ((y - y.mean()) / y.std()).astype("float32")
model = tf.keras.Sequential([Linear(16), tf.keras.layers.ReLU(), ActivityRegularizer(1e-3), Linear(1)])
model.compile(tf.keras.optimizers.Adam(0.02), loss=tf.keras.losses.Huber(), metrics=["mae"])
history = model.fit(x, y, epochs=9, batch_size=32, verbose=0, callbacks=[HalveLearningRate()])
assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
assert abs(float(model.optimizer.learning_rate) - 0.005) < 1e-6

path = os.path.join(tempfile.mkdtemp(), "model.h5")
model.save(path)
again = tf.keras.models.load_model(
    path, custom_objects={"Linear": Linear, "ActivityRegularizer": ActivityRegularizer}
)
np.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-5, atol=1e-6)
with tf.keras.utils.custom_object_scope({"Linear": Linear, "ActivityRegularizer": ActivityRegularizer}):
    copy = tf.keras.models.clone_model(model)
copy.build((None, 10))
assert copy.count_params() == model.count_params()
