"""tf.keras 2: a base from applications, frozen, with augmentation; then its upper layers are tuned."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(5)
rng = np.random.default_rng(5)
IMG_SIZE = (32, 32)
x = rng.uniform(0, 255, (64,) + IMG_SIZE + (3,)).astype("float32")
y = (np.arange(64) % 2).astype("float32")
x[y == 1, :, :, 0] *= 0.2
train_dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16).prefetch(tf.data.AUTOTUNE)

data_augmentation = tf.keras.Sequential(
    [tf.keras.layers.RandomFlip("horizontal"), tf.keras.layers.RandomRotation(0.1)]
)
preprocess_input = tf.keras.applications.mobilenet_v2.preprocess_input
base_model = tf.keras.applications.MobileNetV2(
    input_shape=IMG_SIZE + (3,), alpha=0.35, include_top=False, weights=None
)
base_model.trainable = False
image_batch, label_batch = next(iter(train_dataset))
feature_batch = base_model(image_batch)
print(feature_batch.shape)

global_average_layer = tf.keras.layers.GlobalAveragePooling2D()
prediction_layer = tf.keras.layers.Dense(1)
inputs = tf.keras.Input(shape=IMG_SIZE + (3,))
x = data_augmentation(inputs)
x = preprocess_input(x)
x = base_model(x, training=False)
x = global_average_layer(x)
x = tf.keras.layers.Dropout(0.2)(x)
outputs = prediction_layer(x)
model = tf.keras.Model(inputs, outputs)
model.compile(
    optimizer=tf.keras.optimizers.Adam(learning_rate=1e-4),
    loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
assert len(model.trainable_variables) == 2
model.fit(train_dataset, epochs=1, verbose=0)

base_model.trainable = True
fine_tune_at = 140
for layer in base_model.layers[:fine_tune_at]:
    layer.trainable = False
model.compile(
    loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    optimizer=tf.keras.optimizers.RMSprop(learning_rate=1e-3),
    metrics=["accuracy"],
)
assert len(model.trainable_variables) > 2
frozen = base_model.layers[1].get_weights()[0].copy()
history = model.fit(train_dataset, epochs=2, initial_epoch=1, verbose=0)
np.testing.assert_array_equal(frozen, base_model.layers[1].get_weights()[0])
predictions = model.predict_on_batch(image_batch).flatten()
predictions = tf.where(tf.nn.sigmoid(predictions) < 0.5, 0, 1)
assert predictions.shape == (16,)
assert np.isfinite(history.history["loss"][-1])
