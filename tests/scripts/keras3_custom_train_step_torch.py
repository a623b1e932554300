"""Keras 3: a train_step with torch inside, and metrics kept by the model."""

import keras
import numpy as np
import torch
from keras import layers
from sklearn.datasets import load_wine

keras.utils.set_random_seed(11)


class CustomModel(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.acc_metric = keras.metrics.SparseCategoricalAccuracy(name="acc")
        self.loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.loss_fn(y, y_pred)
        loss.backward()
        trainable_weights = [v for v in self.trainable_weights]
        gradients = [v.value.grad for v in trainable_weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, trainable_weights)
        self.loss_tracker.update_state(loss)
        self.acc_metric.update_state(y, y_pred)
        return {"loss": self.loss_tracker.result(), "acc": self.acc_metric.result()}

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.loss_tracker.update_state(self.loss_fn(y, y_pred))
        self.acc_metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    @property
    def metrics(self):
        return [self.loss_tracker, self.acc_metric]


x, y = load_wine(return_X_y=True)
x = ((x - x.mean(0)) / x.std(0)).astype("float32")
inputs = keras.Input(shape=(13,))
hidden = layers.Dense(16, activation="relu")(inputs)
outputs = layers.Dense(3)(hidden)
model = CustomModel(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.01))
history = model.fit(x, y, epochs=15, verbose=0)
assert sorted(history.history) == ["acc", "loss"]
assert history.history["acc"][-1] > 0.95
result = model.evaluate(x, y, return_dict=True, verbose=0)
assert result["acc"] > 0.95
np.testing.assert_allclose(model.predict(x, verbose=0).shape, (178, 3))
