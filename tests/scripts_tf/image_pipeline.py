"""Image files, decoded and augmented by tf.image in a tf.data pipeline, and a small CNN."""

import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, models

tf.random.set_seed(1)
rng = np.random.default_rng(1)
root = pathlib.Path(tempfile.mkdtemp())
for label, channel in (("blue", 2), ("red", 0)):
    (root / label).mkdir()
    for number in range(16):
        picture = rng.integers(0, 120, size=(20, 24, 3)).astype("uint8")
        picture[..., channel] += 120
        tf.io.write_file(str(root / label / f"{number}.png"), tf.io.encode_png(picture))

CLASS_NAMES = np.array(sorted(item.name for item in root.glob("*")))
AUTOTUNE = tf.data.AUTOTUNE
IMG_HEIGHT = IMG_WIDTH = 16
list_ds = tf.data.Dataset.list_files(str(root / "*/*"), shuffle=False)
list_ds = list_ds.shuffle(32, seed=3, reshuffle_each_iteration=False)
image_count = list_ds.cardinality().numpy()
train_ds, val_ds = list_ds.skip(8), list_ds.take(8)


def get_label(file_path):
    parts = tf.strings.split(file_path, os.path.sep)
    one_hot = parts[-2] == CLASS_NAMES
    return tf.argmax(tf.cast(one_hot, tf.int32))


def decode_img(img):
    img = tf.io.decode_png(img, channels=3)
    img = tf.image.convert_image_dtype(img, tf.float32)
    return tf.image.resize(img, [IMG_HEIGHT, IMG_WIDTH])


def process_path(file_path):
    label = get_label(file_path)
    return decode_img(tf.io.read_file(file_path)), label


def augment(image, label):
    image = tf.image.resize_with_crop_or_pad(image, IMG_HEIGHT + 4, IMG_WIDTH + 4)
    image = tf.image.random_crop(image, size=[IMG_HEIGHT, IMG_WIDTH, 3])
    image = tf.image.random_flip_left_right(image)
    image = tf.image.random_brightness(image, max_delta=0.1)
    image = tf.image.random_contrast(image, 0.9, 1.1)
    return tf.clip_by_value(image, 0, 1), label


train_ds = train_ds.map(process_path, num_parallel_calls=AUTOTUNE).cache()
train_ds = train_ds.map(augment, num_parallel_calls=AUTOTUNE).shuffle(100).batch(8).prefetch(AUTOTUNE)
val_ds = val_ds.map(process_path, num_parallel_calls=AUTOTUNE).batch(8)
for image, label in train_ds.take(1):
    print("Image shape:", image.numpy().shape, "Label:", label.numpy())
    assert image.shape.as_list() == [8, 16, 16, 3]

model = models.Sequential(
    [
        layers.Input((IMG_HEIGHT, IMG_WIDTH, 3)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(2),
    ]
)
model.compile(
    optimizer=tf.keras.optimizers.Adam(0.01),
    loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(train_ds, validation_data=val_ds, epochs=6, verbose=0)
assert history.history["val_accuracy"][-1] > 0.9, history.history
