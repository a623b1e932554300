"""A GAN: two networks and two optimizers in one model, trained by a `train_step` of its own.

The generator learns to put points on a ring.

Run: python examples/gan.py [--quick]
"""

import sys

import numpy as np
import torch

import torchkeras_lite as keras
from torchkeras_lite import layers

LATENT = 4


class GAN(keras.Model):
    """A generator and a discriminator that learn from each other."""

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential(
            [
                keras.Input((LATENT,)),
                layers.Dense(32, activation="relu"),
                layers.Dense(32, activation="relu"),
                layers.Dense(2),
            ],
            name="generator",
        )
        self.discriminator = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(64, activation="leaky_relu"),
                layers.Dense(64, activation="leaky_relu"),
                layers.Dense(1),
            ],
            name="discriminator",
        )
        self.d_tracker = keras.metrics.Mean(name="d_loss")
        self.g_tracker = keras.metrics.Mean(name="g_loss")
        self.built = True

    def compile(self, d_optimizer, g_optimizer, loss):
        super().compile(optimizer=d_optimizer, loss=loss)
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss

    def call(self, noise):
        return self.generator(noise)

    @property
    def metrics(self):
        return [self.d_tracker, self.g_tracker]

    def minimize(self, loss, network, optimizer):
        """Make one step of an optimizer on the weights of one network alone."""
        weights = network.trainable_weights
        optimizer.apply(torch.autograd.grad(loss, weights), weights)

    def train_step(self, points):
        count = len(points)
        ones, zeros = torch.ones(count, 1), torch.zeros(count, 1)

        fakes = self.generator(torch.randn(count, LATENT)).detach()
        guesses = self.discriminator(torch.cat([points, fakes]))
        d_loss = self.loss_fn(torch.cat([ones, zeros]), guesses)
        self.minimize(d_loss, self.discriminator, self.d_optimizer)

        guesses = self.discriminator(self.generator(torch.randn(count, LATENT)))
        g_loss = self.loss_fn(ones, guesses)
        self.minimize(g_loss, self.generator, self.g_optimizer)

        self.d_tracker.update_state(d_loss)
        self.g_tracker.update_state(g_loss)
        return {metric.name: metric.result() for metric in self.metrics}


def load_data(count=4096):
    """Points near a circle of radius 1."""
    rng = np.random.default_rng(0)
    angles, radii = rng.uniform(0, 2 * np.pi, count), rng.normal(1, 0.05, count)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).astype("float32")


def main(quick=False):
    keras.utils.set_random_seed(0)
    points = load_data()
    model = GAN()
    model.compile(
        d_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        g_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(points, batch_size=128, epochs=25 if quick else 80, verbose=2)

    fakes = model.predict(np.random.default_rng(1).standard_normal((1000, LATENT)), verbose=0)
    distance = np.abs(np.linalg.norm(fakes, axis=1) - 1)
    print(f"mean distance from the ring: {distance.mean():.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
