# ruff: noqa: UP031 - written as users write
"""Text cleaned by tf.strings in a TextVectorization, and an embedding classifier."""

import re
import string

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, losses

rng = np.random.default_rng(0)
good, bad = ["great", "Lovely", "superb!", "fun"], ["awful", "Boring", "terrible...", "dull"]
neutral = ["the", "movie", "was", "a", "film<br />", "and"]
texts, labels = [], []
for _ in range(200):
    label = int(rng.integers(2))
    words = [*rng.choice(neutral, 6), *rng.choice(good if label else bad, 2)]
    rng.shuffle(words)
    texts.append(" ".join(words))
    labels.append(label)

raw_train_ds = tf.data.Dataset.from_tensor_slices((texts[:160], labels[:160])).batch(32)
raw_val_ds = tf.data.Dataset.from_tensor_slices((texts[160:], labels[160:])).batch(32)


def custom_standardization(input_data):
    lowercase = tf.strings.lower(input_data)
    stripped_html = tf.strings.regex_replace(lowercase, "<br />", " ")
    return tf.strings.regex_replace(stripped_html, "[%s]" % re.escape(string.punctuation), "")


vectorize_layer = layers.TextVectorization(
    standardize=custom_standardization, max_tokens=50, output_mode="int", output_sequence_length=12
)
train_text = raw_train_ds.map(lambda text, label: text)
vectorize_layer.adapt(train_text)
vocabulary = vectorize_layer.get_vocabulary()
assert "superb" in vocabulary
assert "film" in vocabulary


def vectorize_text(text, label):
    text = tf.expand_dims(text, -1)
    return vectorize_layer(text), label


train_ds = raw_train_ds.map(vectorize_text).cache().prefetch(buffer_size=tf.data.AUTOTUNE)
val_ds = raw_val_ds.map(vectorize_text).cache().prefetch(buffer_size=tf.data.AUTOTUNE)
text_batch, label_batch = next(iter(raw_train_ds))
print("Review", text_batch[0].numpy().decode("utf-8"), "Label", label_batch[0].numpy())

model = tf.keras.Sequential(
    [
        layers.Embedding(51, 8),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    loss=losses.BinaryCrossentropy(),
    optimizer=tf.keras.optimizers.Adam(0.05),
    metrics=[tf.metrics.BinaryAccuracy(threshold=0.5)],
)
model.fit(train_ds, validation_data=val_ds, epochs=5, verbose=0)
loss, accuracy = model.evaluate(val_ds, verbose=0)
assert accuracy > 0.9, accuracy

export_model = tf.keras.Sequential([vectorize_layer, model])
examples = tf.constant(["The movie was great and fun", "a boring, terrible film"])
predictions = export_model.predict(examples, verbose=0)
assert predictions[0] > 0.5 > predictions[1]
