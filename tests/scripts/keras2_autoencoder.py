"""Keras 2.2: an autoencoder with an encoder and a decoder that can be called alone."""

import numpy as np
from keras import regularizers
from keras.layers import Dense, Input
from keras.models import Model
from sklearn.datasets import load_digits

np.random.seed(3)
x = load_digits().data.astype("float32") / 16.0
x_train, x_test = x[:1500], x[1500:]
encoding_dim = 16

input_img = Input(shape=(64,))
encoded = Dense(32, activation="relu")(input_img)
encoded = Dense(encoding_dim, activation="relu", activity_regularizer=regularizers.l1(1e-6))(encoded)
decoded = Dense(32, activation="relu")(encoded)
decoded = Dense(64, activation="sigmoid")(decoded)

autoencoder = Model(input_img, decoded)
encoder = Model(input_img, encoded)

encoded_input = Input(shape=(encoding_dim,))
decoder_layer = autoencoder.layers[-2](encoded_input)
decoder = Model(encoded_input, autoencoder.layers[-1](decoder_layer))

autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
history = autoencoder.fit(
    x_train, x_train, epochs=10, batch_size=64, shuffle=True, validation_data=(x_test, x_test), verbose=0
)
encoded_imgs = encoder.predict(x_test)
decoded_imgs = decoder.predict(encoded_imgs)
np.testing.assert_allclose(decoded_imgs, autoencoder.predict(x_test), atol=1e-5)
assert encoded_imgs.shape == (297, 16)
assert history.history["val_loss"][-1] < 0.9 * history.history["val_loss"][0]
