"""A training step of one's own, as in Keras's guide to custom steps with torch; `fit` does the rest.

The step is mixup: every sample is blended with another one, and so are their labels.

Run: python examples/custom_train_step.py [--quick]
"""

import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import layers


class MixupModel(keras.Model):
    """A functional model that trains on blends of two samples."""

    def train_step(self, data):
        x, y = data
        share = 0.8 + 0.2 * torch.rand((), device=x.device)
        others = torch.randperm(x.shape[0], device=x.device)
        mixed_x = share * x + (1 - share) * x[others]
        mixed_y = share * y + (1 - share) * y[others]

        self.zero_grad()
        y_pred = self(mixed_x, training=True)
        loss = self.compute_loss(y=mixed_y, y_pred=y_pred)
        loss.backward()

        trainable_weights = list(self.trainable_weights)
        gradients = [v.value.grad for v in trainable_weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, trainable_weights)

        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(mixed_y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def load_data():
    """Flat images with values 0 to 1, and one-hot labels."""
    x, y = load_digits(return_X_y=True)
    one_hot = np.eye(10, dtype="float32")[y]
    return train_test_split((x / 16).astype("float32"), one_hot, test_size=0.25, random_state=0)


def main(quick=False):
    keras.utils.set_random_seed(0)
    x_train, x_test, y_train, y_test = load_data()
    inputs = keras.Input((64,))
    hidden = layers.Dense(128, activation="relu")(inputs)
    outputs = layers.Dense(10, activation="softmax")(hidden)
    model = MixupModel(inputs, outputs)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=6 if quick else 20, verbose=2)

    results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    print(f"test accuracy: {results['accuracy']:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
