"""Keras 2.2: sums as text, an encoder LSTM, RepeatVector, TimeDistributed."""

import numpy as np
from keras import layers
from keras.models import Sequential

rng = np.random.RandomState(0)
chars = "0123456789+ "
DIGITS = 1
MAXLEN = DIGITS + 1 + DIGITS


def encode(text, num_rows):
    x = np.zeros((num_rows, len(chars)))
    for i, c in enumerate(text):
        x[i, chars.index(c)] = 1
    return x


def decode(x):
    return "".join(chars[i] for i in x.argmax(axis=-1))


questions, expected = [], []
for a in range(10):
    for b in range(10):
        questions.append("{}+{}".format(a, b).ljust(MAXLEN))
        expected.append(str(a + b).ljust(DIGITS + 1))

x = np.array([encode(q, MAXLEN) for q in questions], dtype="float32")
y = np.array([encode(e, DIGITS + 1) for e in expected], dtype="float32")

RNN = layers.LSTM
model = Sequential()
model.add(RNN(64, input_shape=(MAXLEN, len(chars))))
model.add(layers.RepeatVector(DIGITS + 1))
model.add(RNN(64, return_sequences=True))
model.add(layers.TimeDistributed(layers.Dense(len(chars), activation="softmax")))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
for iteration in range(1, 5):
    order = rng.permutation(len(x))
    model.fit(x[order], y[order], batch_size=20, epochs=25, verbose=0)
    guess = decode(model.predict(x[:1], verbose=0)[0])
    print(iteration, questions[0], expected[0], guess)
loss, accuracy = model.evaluate(x, y, verbose=0)
assert accuracy > 0.6, accuracy
