# ruff: noqa: B905, E501 - written as users write
"""A DCGAN with two tapes, as in the tutorial, on tiny images; with checkpoints."""

import os
import tempfile
import time

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

tf.random.set_seed(7)
train_images = np.random.default_rng(7).normal(size=(64, 8, 8, 1)).astype("float32")
train_images = np.tanh(train_images)
BUFFER_SIZE, BATCH_SIZE, EPOCHS, noise_dim = 64, 16, 2, 10
train_dataset = tf.data.Dataset.from_tensor_slices(train_images).shuffle(BUFFER_SIZE).batch(BATCH_SIZE)


def make_generator_model():
    model = tf.keras.Sequential()
    model.add(layers.Dense(2 * 2 * 16, use_bias=False, input_shape=(noise_dim,)))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU())
    model.add(layers.Reshape((2, 2, 16)))
    assert model.output_shape == (None, 2, 2, 16)
    model.add(layers.Conv2DTranspose(8, (5, 5), strides=(2, 2), padding="same", use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.LeakyReLU())
    model.add(
        layers.Conv2DTranspose(1, (5, 5), strides=(2, 2), padding="same", use_bias=False, activation="tanh")
    )
    assert model.output_shape == (None, 8, 8, 1)
    return model


def make_discriminator_model():
    model = tf.keras.Sequential()
    model.add(layers.Conv2D(8, (5, 5), strides=(2, 2), padding="same", input_shape=[8, 8, 1]))
    model.add(layers.LeakyReLU())
    model.add(layers.Dropout(0.3))
    model.add(layers.Flatten())
    model.add(layers.Dense(1))
    return model


generator, discriminator = make_generator_model(), make_discriminator_model()
cross_entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)


def discriminator_loss(real_output, fake_output):
    real_loss = cross_entropy(tf.ones_like(real_output), real_output)
    fake_loss = cross_entropy(tf.zeros_like(fake_output), fake_output)
    return real_loss + fake_loss


def generator_loss(fake_output):
    return cross_entropy(tf.ones_like(fake_output), fake_output)


generator_optimizer = tf.keras.optimizers.Adam(1e-3)
discriminator_optimizer = tf.keras.optimizers.Adam(1e-3)
checkpoint_dir = tempfile.mkdtemp()
checkpoint_prefix = os.path.join(checkpoint_dir, "ckpt")
checkpoint = tf.train.Checkpoint(
    generator_optimizer=generator_optimizer,
    discriminator_optimizer=discriminator_optimizer,
    generator=generator,
    discriminator=discriminator,
)


@tf.function
def train_step(images):
    noise = tf.random.normal([BATCH_SIZE, noise_dim])
    with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
        generated_images = generator(noise, training=True)
        real_output = discriminator(images, training=True)
        fake_output = discriminator(generated_images, training=True)
        gen_loss = generator_loss(fake_output)
        disc_loss = discriminator_loss(real_output, fake_output)
    gradients_of_generator = gen_tape.gradient(gen_loss, generator.trainable_variables)
    gradients_of_discriminator = disc_tape.gradient(disc_loss, discriminator.trainable_variables)
    generator_optimizer.apply_gradients(zip(gradients_of_generator, generator.trainable_variables))
    discriminator_optimizer.apply_gradients(
        zip(gradients_of_discriminator, discriminator.trainable_variables)
    )
    return gen_loss, disc_loss


before = [w.numpy().copy() for w in generator.trainable_variables]
for epoch in range(EPOCHS):
    start = time.time()
    for image_batch in train_dataset:
        gen_loss, disc_loss = train_step(image_batch)
    checkpoint.save(file_prefix=checkpoint_prefix)
    print(
        f"Time for epoch {epoch + 1} is {time.time() - start:.2f} sec, {gen_loss.numpy():.3f} {disc_loss.numpy():.3f}"
    )
assert all(np.abs(w.numpy() - old).max() > 0 for w, old in zip(generator.trainable_variables, before))
trained = generator(tf.zeros([1, noise_dim]), training=False).numpy()
for weight in generator.weights:
    weight.assign(tf.zeros_like(weight))
checkpoint.restore(tf.train.latest_checkpoint(checkpoint_dir))
np.testing.assert_allclose(generator(tf.zeros([1, noise_dim]), training=False).numpy(), trained, rtol=1e-5)
decision = discriminator(generator(tf.random.normal([1, noise_dim]), training=False))
assert decision.shape == (1, 1)
