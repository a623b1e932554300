"""tf.keras 2: TextVectorization adapted on a dataset, inside an end-to-end model for raw strings."""

from pydoc_data.topics import topics

import numpy as np
import tensorflow as tf
from tensorflow.keras import Sequential, layers, losses

tf.random.set_seed(3)
rng = np.random.default_rng(3)


def chunks(key, size=15):
    words = topics[key].split()
    return [" ".join(words[i : i + size]) for i in range(0, min(len(words), 1600) - size, 5)]


first, second = chunks("formatstrings"), chunks("specialnames")
texts = np.array(first + second)
labels = np.array([0] * len(first) + [1] * len(second))
order = rng.permutation(len(texts))
texts, labels = texts[order], labels[order]
cut = len(texts) * 4 // 5

raw_train_ds = tf.data.Dataset.from_tensor_slices((texts[:cut], labels[:cut])).batch(32)
raw_test_ds = tf.data.Dataset.from_tensor_slices((texts[cut:], labels[cut:])).batch(32)

vectorize_layer = layers.TextVectorization(
    standardize="lower_and_strip_punctuation", max_tokens=600, output_mode="int", output_sequence_length=16
)
vectorize_layer.adapt(raw_train_ds.map(lambda x, y: x))
print("1 ---> ", vectorize_layer.get_vocabulary()[1])


def vectorize_text(text, label):
    return vectorize_layer(text), label


AUTOTUNE = tf.data.AUTOTUNE
train_ds = raw_train_ds.map(vectorize_text).cache().prefetch(buffer_size=AUTOTUNE)
test_ds = raw_test_ds.map(vectorize_text).cache().prefetch(buffer_size=AUTOTUNE)

model = Sequential(
    [
        layers.Embedding(600, 16),
        layers.Dropout(0.2),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    loss=losses.BinaryCrossentropy(), optimizer=tf.keras.optimizers.Adam(0.02), metrics=["accuracy"]
)
model.fit(train_ds, validation_data=test_ds, epochs=8, verbose=0)
loss, accuracy = model.evaluate(test_ds, verbose=0)
print("Accuracy: ", accuracy)
assert accuracy > 0.75

export_model = Sequential([vectorize_layer, model])
export_model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
metrics = export_model.evaluate(raw_test_ds, return_dict=True, verbose=0)
assert abs(metrics["accuracy"] - accuracy) < 1e-4
