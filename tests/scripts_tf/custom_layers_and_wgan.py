# ruff: noqa: B007, B905 - written as users write
"""Layers of one's own with tf.math, a custom train_step, and a gradient penalty by nested tapes."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(4)


class Linear(keras.layers.Layer):
    def __init__(self, units=8, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        w_init = tf.random_normal_initializer(stddev=0.2)
        self.w = tf.Variable(
            initial_value=w_init(shape=(input_shape[-1], self.units), dtype="float32"), trainable=True
        )
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return tf.matmul(inputs, self.w) + self.b


class Sampling(keras.layers.Layer):
    def call(self, inputs):
        z_mean, z_log_var = inputs
        batch, dim = tf.shape(z_mean)[0], tf.shape(z_mean)[1]
        epsilon = tf.random.normal(shape=(batch, dim))
        return z_mean + tf.exp(0.5 * z_log_var) * epsilon


class VAE(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder, self.mean, self.log_var = Linear(16), Linear(2), Linear(2)
        self.sampling, self.decoder = Sampling(), Linear(6)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.loss_tracker]

    def call(self, x):
        h = tf.nn.relu(self.encoder(x))
        return self.decoder(self.sampling((self.mean(h), self.log_var(h))))

    def train_step(self, data):
        with tf.GradientTape() as tape:
            h = tf.nn.relu(self.encoder(data))
            z_mean, z_log_var = self.mean(h), self.log_var(h)
            reconstruction = self.decoder(self.sampling((z_mean, z_log_var)))
            reconstruction_loss = tf.reduce_mean(tf.reduce_sum(tf.square(data - reconstruction), axis=1))
            kl_loss = -0.5 * (1 + z_log_var - tf.square(z_mean) - tf.exp(z_log_var))
            total_loss = reconstruction_loss + tf.reduce_mean(tf.reduce_sum(kl_loss, axis=1))
        grads = tape.gradient(total_loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights))
        self.loss_tracker.update_state(total_loss)
        return {"loss": self.loss_tracker.result()}


data = np.random.default_rng(4).normal(size=(128, 2)).astype("float32") @ np.ones((2, 6), "float32")
vae = VAE()
vae.compile(optimizer=keras.optimizers.Adam(0.01))
history = vae.fit(data, epochs=6, batch_size=32, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
assert len(vae.trainable_weights) >= 4

critic = keras.Sequential([keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)])
d_optimizer = keras.optimizers.Adam(0.01, beta_1=0.5)


def gradient_penalty(real, fake):
    alpha = tf.random.uniform([tf.shape(real)[0], 1], 0.0, 1.0)
    interpolated = real + alpha * (fake - real)
    with tf.GradientTape() as gp_tape:
        gp_tape.watch(interpolated)
        pred = critic(interpolated, training=True)
    grads = gp_tape.gradient(pred, [interpolated])[0]
    norm = tf.sqrt(tf.reduce_sum(tf.square(grads), axis=[1]))
    return tf.reduce_mean((norm - 1.0) ** 2)


penalties = []
for step in range(30):
    real, fake = tf.constant(data[:32]), tf.random.normal((32, 6))
    with tf.GradientTape() as tape:
        cost = tf.reduce_mean(critic(fake, training=True)) - tf.reduce_mean(critic(real, training=True))
        penalty = gradient_penalty(real, fake)
        d_loss = cost + 10.0 * penalty
    d_optimizer.apply_gradients(
        zip(tape.gradient(d_loss, critic.trainable_variables), critic.trainable_variables)
    )
    penalties.append(penalty.numpy())
assert np.mean(penalties[-5:]) < np.mean(penalties[:5])
