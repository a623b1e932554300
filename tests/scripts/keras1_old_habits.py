"""Keras 1 and 2.0: arguments, layers and methods by their first names."""

import numpy as np
from keras import backend as K
from keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keras.layers import Dense, Dropout, Flatten, Input, merge
from keras.layers.advanced_activations import LeakyReLU
from keras.layers.convolutional import Convolution2D, MaxPooling2D, ZeroPadding2D
from keras.layers.normalization import BatchNormalization
from keras.layers.recurrent import GRU
from keras.models import Model, Sequential
from keras.optimizers import SGD
from keras.regularizers import l2
from keras.utils import np_utils
from sklearn.datasets import load_digits

np.random.seed(1337)
nb_classes = 10
nb_epoch = 6

X, y = load_digits(return_X_y=True)
X = (X / 16.0).astype("float32").reshape(-1, 8, 8, 1)
Y = np_utils.to_categorical(y, nb_classes)
X_train, X_test, Y_train, Y_test = X[:1400], X[1400:], Y[:1400], Y[1400:]

K.set_image_dim_ordering("tf")
model = Sequential()
model.add(ZeroPadding2D((1, 1), input_shape=(8, 8, 1)))
model.add(Convolution2D(16, 3, 3, border_mode="valid", init="he_normal", W_regularizer=l2(1e-5)))
model.add(LeakyReLU(alpha=0.1))
model.add(BatchNormalization(mode=0, axis=-1))
model.add(MaxPooling2D(pool_size=(2, 2), border_mode="same", dim_ordering="tf"))
model.add(Flatten())
model.add(Dense(output_dim=48, init="glorot_uniform", activation="relu"))
model.add(Dropout(p=0.2))
model.add(Dense(nb_classes, activation="softmax"))

sgd = SGD(lr=0.05, decay=1e-4, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"], class_mode="categorical")
callbacks = [
    EarlyStopping(monitor="val_acc", patience=3, mode="max"),
    ModelCheckpoint("weights.{epoch:02d}-{val_acc:.2f}.hdf5", save_weights_only=True, period=2),
    ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, epsilon=1e-4),
]
hist = model.fit(
    X_train, Y_train, batch_size=32, nb_epoch=nb_epoch, verbose=2, validation_split=0.1, callbacks=callbacks
)
print(hist.history["acc"], hist.history["val_acc"], K.get_value(model.optimizer.lr))
assert hist.history["acc"][-1] > 0.9

classes = model.predict_classes(X_test, batch_size=32)
proba = model.predict_proba(X_test, batch_size=32)
assert (classes == proba.argmax(-1)).all()
assert (classes == Y_test.argmax(-1)).mean() > 0.8

get_features = K.function([model.layers[0].input, K.learning_phase()], [model.layers[6].output])
features = get_features([X_test[:5], 0])[0]
assert features.shape == (5, 48)

left = Input(shape=(8, 8))
row = GRU(output_dim=24, inner_activation="sigmoid")(left)
flat = Dense(24, activation="relu")(Flatten()(left))
both = merge([row, flat], mode="concat", concat_axis=-1)
two = Model(input=left, output=Dense(nb_classes, activation="softmax")(both))
two.compile("adam", "categorical_crossentropy", metrics=["acc"])


def generator(batch_size=50):
    while True:
        for start in range(0, 1400, batch_size):
            yield X_train[start : start + batch_size, :, :, 0], Y_train[start : start + batch_size]


two.fit_generator(generator(), steps_per_epoch=28, nb_epoch=5, verbose=0, max_q_size=10, nb_worker=1)
loss, accuracy = two.evaluate(X_test[..., 0], Y_test, verbose=0)
print(accuracy)
assert accuracy > 0.7
