"""tf.keras 2: a small U-Net with skip connections on made masks, IoU by hand."""

import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dropout,
    Input,
    MaxPooling2D,
    concatenate,
)
from tensorflow.keras.models import Model

tf.random.set_seed(7)
np.random.seed(7)
X = np.random.uniform(0, 0.4, (96, 16, 16, 1)).astype("float32")
Y = np.zeros((96, 16, 16, 1), dtype="float32")
for i in range(len(X)):
    r, c = np.random.randint(0, 10, 2)
    X[i, r : r + 6, c : c + 6] += 0.5
    Y[i, r : r + 6, c : c + 6] = 1


def conv2d_block(input_tensor, n_filters, kernel_size=3, batchnorm=True):
    x = input_tensor
    for _ in range(2):
        x = Conv2D(
            filters=n_filters,
            kernel_size=(kernel_size, kernel_size),
            kernel_initializer="he_normal",
            padding="same",
        )(x)
        if batchnorm:
            x = BatchNormalization()(x)
        x = tf.keras.layers.Activation("relu")(x)
    return x


def get_unet(input_img, n_filters=8, dropout=0.05):
    c1 = conv2d_block(input_img, n_filters)
    p1 = Dropout(dropout)(MaxPooling2D((2, 2))(c1))
    c2 = conv2d_block(p1, n_filters * 2)
    p2 = Dropout(dropout)(MaxPooling2D((2, 2))(c2))
    c3 = conv2d_block(p2, n_filters=n_filters * 4)
    u4 = concatenate([Conv2DTranspose(n_filters * 2, (3, 3), strides=(2, 2), padding="same")(c3), c2])
    c4 = conv2d_block(Dropout(dropout)(u4), n_filters * 2)
    u5 = concatenate([Conv2DTranspose(n_filters, (3, 3), strides=(2, 2), padding="same")(c4), c1], axis=3)
    c5 = conv2d_block(Dropout(dropout)(u5), n_filters)
    return Model(inputs=[input_img], outputs=[Conv2D(1, (1, 1), activation="sigmoid")(c5)])


def dice(y_true, y_pred, smooth=1.0):
    intersection = tf.reduce_sum(y_true * y_pred)
    return (2.0 * intersection + smooth) / (tf.reduce_sum(y_true) + tf.reduce_sum(y_pred) + smooth)


model = get_unet(Input((16, 16, 1), name="img"))
model.compile(
    optimizer=tf.keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=["accuracy", dice]
)
results = model.fit(X[:80], Y[:80], batch_size=16, epochs=5, validation_data=(X[80:], Y[80:]), verbose=0)
mask = (model.predict(X[80:], verbose=0) > 0.5).astype("float32")
iou = (mask * Y[80:]).sum() / np.maximum(mask, Y[80:]).sum()
print("IoU", iou, results.history["dice"][-1])
assert results.history["dice"][-1] > results.history["dice"][0]
assert results.history["loss"][-1] < 0.5 * results.history["loss"][0]
