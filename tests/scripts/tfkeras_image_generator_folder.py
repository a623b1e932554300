"""tf.keras 2: pictures in folders, ImageDataGenerator with augmentation, flow_from_directory."""

import os
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img

tf.random.set_seed(9)
rng = np.random.default_rng(9)
base_dir = tempfile.mkdtemp()
for split, count in (("train", 40), ("validation", 16)):
    for number in range(count):
        label = ("cats", "dogs")[number % 2]
        folder = os.path.join(base_dir, split, label)
        os.makedirs(folder, exist_ok=True)
        pixels = rng.integers(0, 120, (40, 50, 3))
        pixels[..., number % 2] += 130
        Image.fromarray(pixels.astype("uint8")).save(os.path.join(folder, "%s.%d.jpg" % (label, number)))

train_datagen = ImageDataGenerator(
    rescale=1.0 / 255,
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=0.2,
    shear_range=0.2,
    zoom_range=0.2,
    horizontal_flip=True,
)
test_datagen = ImageDataGenerator(rescale=1.0 / 255)
train_generator = train_datagen.flow_from_directory(
    os.path.join(base_dir, "train"), target_size=(24, 24), batch_size=8, class_mode="binary", seed=0
)
validation_generator = test_datagen.flow_from_directory(
    os.path.join(base_dir, "validation"), target_size=(24, 24), batch_size=8, class_mode="binary"
)
print(train_generator.class_indices)

model = tf.keras.models.Sequential(
    [
        tf.keras.layers.Conv2D(8, (3, 3), activation="relu", input_shape=(24, 24, 3)),
        tf.keras.layers.MaxPooling2D(2, 2),
        tf.keras.layers.Flatten(),
        tf.keras.layers.Dense(16, activation="relu"),
        tf.keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    loss="binary_crossentropy", optimizer=tf.keras.optimizers.RMSprop(learning_rate=0.005), metrics=["acc"]
)
history = model.fit(
    train_generator,
    steps_per_epoch=5,
    epochs=5,
    validation_data=validation_generator,
    validation_steps=2,
    verbose=2,
)
acc, val_acc = history.history["acc"], history.history["val_acc"]
assert len(acc) == len(val_acc) == 5
assert val_acc[-1] > 0.8

img = load_img(os.path.join(base_dir, "validation", "cats", "cats.0.jpg"), target_size=(24, 24))
x = np.expand_dims(img_to_array(img), axis=0) / 255
classes = model.predict(np.vstack([x]), batch_size=10)
assert classes[0] < 0.5
