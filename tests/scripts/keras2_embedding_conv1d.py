"""Keras 2.2: Tokenizer, padded sequences, Embedding with input_length, Conv1D for text."""

from pydoc_data.topics import topics

import numpy as np
from keras.layers import Activation, Conv1D, Dense, Dropout, Embedding, GlobalMaxPooling1D
from keras.models import Sequential
from keras.preprocessing import sequence
from keras.preprocessing.text import Tokenizer

np.random.seed(5)
max_features, maxlen = 800, 20


def pieces(words, label):
    found = [" ".join(words[i : i + maxlen]) for i in range(0, len(words) - maxlen, 8)]
    return found, [label] * len(found)


names = ("numbers", "formatstrings"), ("class", "with", "try")
texts, labels = [], []
for label, keys in enumerate(names):
    words = " ".join(topics[key] for key in keys if key in topics).split()[:1500]
    some, their = pieces(words, label)
    texts += some
    labels += their

tokenizer = Tokenizer(num_words=max_features)
tokenizer.fit_on_texts(texts)
x = sequence.pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=maxlen)
y = np.array(labels)
order = np.random.permutation(len(x))
x, y = x[order], y[order]

model = Sequential()
model.add(Embedding(max_features, 24, input_length=maxlen))
model.add(Dropout(0.2))
model.add(Conv1D(32, 3, padding="valid", activation="relu", strides=1))
model.add(GlobalMaxPooling1D())
model.add(Dense(24))
model.add(Dropout(0.2))
model.add(Activation("relu"))
model.add(Dense(1))
model.add(Activation("sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
split = len(x) * 4 // 5
model.fit(x[:split], y[:split], batch_size=32, epochs=12, verbose=0)
score, acc = model.evaluate(x[split:], y[split:], batch_size=32, verbose=0)
print("Test accuracy:", acc)
assert acc > 0.75
