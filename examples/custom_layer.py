"""A layer of one's own: radial basis functions, written as in Keras with plain torch in `call`.

Two interleaved half circles cannot be told apart by a line; distances to learned centers do it.

Run: python examples/custom_layer.py [--quick]
"""

import sys

import torch
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

import torchkeras_lite as keras
from torchkeras_lite import layers


class RadialBasis(layers.Layer):
    """One output a center: `exp(-sharpness * |x - center|^2)`.

    Args:
        units: Number of centers.
        spread_loss: Weight of a loss that keeps the learned sharpness small; 0 leaves it out.
    """

    def __init__(self, units, spread_loss=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.spread_loss = spread_loss

    def build(self, input_shape):
        self.centers = self.add_weight(
            shape=(self.units, input_shape[-1]), initializer="random_normal", name="centers"
        )
        self.sharpness = self.add_weight(
            shape=(self.units,), initializer="ones", constraint="non_neg", name="sharpness"
        )

    def call(self, inputs):
        if self.spread_loss:
            self.add_loss(self.spread_loss * torch.sum(self.sharpness * self.sharpness))
        offsets = inputs.unsqueeze(1) - self.centers  # (batch, units, features)
        return torch.exp(-self.sharpness * offsets.square().sum(-1))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "spread_loss": self.spread_loss}


def main(quick=False):
    keras.utils.set_random_seed(0)
    x, y = make_moons(1000, noise=0.15, random_state=0)
    x_train, x_test, y_train, y_test = train_test_split(x.astype("float32"), y, random_state=0)

    model = keras.Sequential(
        [keras.Input((2,)), RadialBasis(32, spread_loss=1e-4), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.02), loss="binary_crossentropy", metrics=["accuracy"]
    )
    model.fit(x_train, y_train, epochs=15 if quick else 40, verbose=2)

    basis = model.layers[0]
    for weight in basis.weights:
        print(weight.path, tuple(weight.shape))
    copy = RadialBasis.from_config(basis.get_config())
    print(f"a layer from its config: {copy.name}, {copy.units} centers")
    print(f"test accuracy: {model.evaluate(x_test, y_test, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
