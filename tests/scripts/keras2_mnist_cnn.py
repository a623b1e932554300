"""Keras 2.2: a small convolutional network that minds the order of channels."""

import keras
import numpy as np
from keras import backend as K
from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from sklearn.datasets import load_digits

np.random.seed(2)
img_rows, img_cols = 8, 8
digits = load_digits()
images, labels = digits.images.astype("float32") / 16, digits.target
x_train, x_test = images[:1500], images[1500:]
y_train, y_test = labels[:1500], labels[1500:]

if K.image_data_format() == "channels_first":
    x_train = x_train.reshape(x_train.shape[0], 1, img_rows, img_cols)
    x_test = x_test.reshape(x_test.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    x_train = x_train.reshape(x_train.shape[0], img_rows, img_cols, 1)
    x_test = x_test.reshape(x_test.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)

y_train = keras.utils.to_categorical(y_train)
y_test = keras.utils.to_categorical(y_test)

model = Sequential()
model.add(Conv2D(16, kernel_size=(3, 3), activation="relu", padding="same", input_shape=input_shape))
model.add(Conv2D(32, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(64, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))
model.compile(
    loss=keras.losses.categorical_crossentropy, optimizer=keras.optimizers.Adam(), metrics=["accuracy"]
)
model.fit(x_train, y_train, batch_size=32, epochs=4, verbose=2, validation_split=0.1)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print("%.3f" % accuracy)
assert accuracy > 0.8

predicted = np.argmax(model.predict(x_test), axis=-1)
assert predicted.shape == (297,)
