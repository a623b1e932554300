"""Keras 2.2: a multilayer perceptron on digits, with one-hot labels and RMSprop."""

from __future__ import print_function

import keras
import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import RMSprop
from sklearn.datasets import load_digits

np.random.seed(1)
batch_size = 64
num_classes = 10
epochs = 12

data, labels = load_digits(return_X_y=True)
data = data.astype("float32")
data /= 16
order = np.random.permutation(len(data))
x_train, x_test = data[order[:1400]], data[order[1400:]]
y_train, y_test = labels[order[:1400]], labels[order[1400:]]
print(x_train.shape[0], "train samples")
print(x_test.shape[0], "test samples")

y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(Dense(128, activation="relu", input_shape=(64,)))
model.add(Dropout(0.2))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(num_classes, activation="softmax"))
model.summary()
model.compile(loss="categorical_crossentropy", optimizer=RMSprop(), metrics=["accuracy"])
history = model.fit(
    x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=1, validation_data=(x_test, y_test)
)
score = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])
assert score[1] > 0.9
assert len(history.history["val_loss"]) == epochs
