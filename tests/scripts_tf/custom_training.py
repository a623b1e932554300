# ruff: noqa: B905, UP031 - written as users write
"""A training loop of its own: GradientTape, tf.data, tf.function, metrics."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

tf.random.set_seed(42)
rng = np.random.default_rng(42)
x = rng.normal(size=(512, 20)).astype("float32")
y = (x[:, :5].sum(axis=1) > 0).astype("int32")
x_train, y_train, x_val, y_val = x[:384], y[:384], x[384:], y[384:]

train_dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train))
train_dataset = train_dataset.shuffle(buffer_size=1024).batch(64).prefetch(tf.data.AUTOTUNE)
val_dataset = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)

inputs = keras.Input(shape=(20,), name="features")
h = layers.Dense(32, activation="relu")(inputs)
h = layers.Dropout(0.1)(h)
outputs = layers.Dense(2, name="predictions")(h)
model = keras.Model(inputs=inputs, outputs=outputs)

optimizer = keras.optimizers.Adam(learning_rate=1e-2)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
val_acc_metric = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss_value = loss_fn(y, logits)
    grads = tape.gradient(loss_value, model.trainable_weights)
    grads, norm = tf.clip_by_global_norm(grads, 5.0)
    optimizer.apply_gradients(zip(grads, model.trainable_weights))
    train_acc_metric.update_state(y, logits)
    return loss_value, norm


@tf.function
def test_step(x, y):
    val_acc_metric.update_state(y, model(x, training=False))


losses = []
for epoch in range(6):
    for step, (x_batch_train, y_batch_train) in enumerate(train_dataset):
        loss_value, norm = train_step(x_batch_train, y_batch_train)
        if step % 3 == 0:
            print("epoch %d step %d: loss %.4f norm %.3f" % (epoch, step, float(loss_value), norm.numpy()))
    losses.append(loss_value.numpy())
    train_acc = train_acc_metric.result()
    print(f"Training acc over epoch: {float(train_acc):.4f}")
    train_acc_metric.reset_state()
    for x_batch_val, y_batch_val in val_dataset:
        test_step(x_batch_val, y_batch_val)
    val_acc = val_acc_metric.result()
    val_acc_metric.reset_state()

assert losses[-1] < losses[0]
assert float(val_acc) > 0.85, float(val_acc)
predictions = model(x_val[:3]).numpy()
probabilities = tf.nn.softmax(predictions).numpy()
assert probabilities.shape == (3, 2)
np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
