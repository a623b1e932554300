"""Keras 2.2: residual blocks written with keras.layers.add and l2 penalties, a LearningRateScheduler."""

import numpy as np
from keras.callbacks import LearningRateScheduler
from keras.layers import Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, Flatten, Input, add
from keras.models import Model
from keras.optimizers import Adam
from keras.regularizers import l2
from keras.utils import to_categorical
from sklearn.datasets import load_digits

np.random.seed(6)


def lr_schedule(epoch):
    lr = 3e-3
    if epoch > 3:
        lr *= 0.1
    print("Learning rate: ", lr)
    return lr


def resnet_layer(inputs, num_filters=16, kernel_size=3, strides=1, activation="relu"):
    conv = Conv2D(
        num_filters,
        kernel_size=kernel_size,
        strides=strides,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=l2(1e-4),
    )
    x = conv(inputs)
    x = BatchNormalization()(x)
    return Activation(activation)(x) if activation is not None else x


inputs = Input(shape=(8, 8, 1))
x = resnet_layer(inputs)
for stack in range(2):
    filters = 16 * 2**stack
    strides = 2 if stack else 1
    y = resnet_layer(x, filters, strides=strides)
    y = resnet_layer(y, filters, activation=None)
    if stack:
        x = resnet_layer(x, filters, kernel_size=1, strides=strides, activation=None)
    x = add([x, y])
    x = Activation("relu")(x)
x = AveragePooling2D(pool_size=4)(x)
outputs = Dense(10, activation="softmax", kernel_initializer="he_normal")(Flatten()(x))
model = Model(inputs=inputs, outputs=outputs)
model.compile(loss="categorical_crossentropy", optimizer=Adam(lr=lr_schedule(0)), metrics=["accuracy"])

digits = load_digits()
images = (digits.images / 16).astype("float32")[..., np.newaxis]
labels = to_categorical(digits.target, 10)
history = model.fit(
    images[:1000],
    labels[:1000],
    batch_size=32,
    epochs=5,
    validation_data=(images[1000:], labels[1000:]),
    verbose=0,
    callbacks=[LearningRateScheduler(lr_schedule)],
)
print(history.history["val_accuracy"][-1])
assert history.history["val_accuracy"][-1] > 0.85
