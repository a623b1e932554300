"""Keras 2.2: a variational autoencoder whose loss is a symbolic tensor, given by `add_loss`."""

import numpy as np
from keras import backend as K
from keras import metrics
from keras.layers import Dense, Input, Lambda
from keras.models import Model
from sklearn.datasets import load_digits

np.random.seed(7)
original_dim = 64
intermediate_dim = 48
latent_dim = 2
batch_size = 32
epochs = 12
epsilon_std = 1.0

x = Input(shape=(original_dim,))
h = Dense(intermediate_dim, activation="relu")(x)
z_mean = Dense(latent_dim)(h)
z_log_var = Dense(latent_dim)(h)


def sampling(args):
    z_mean, z_log_var = args
    epsilon = K.random_normal(shape=(K.shape(z_mean)[0], latent_dim), mean=0.0, stddev=epsilon_std)
    return z_mean + K.exp(z_log_var / 2) * epsilon


z = Lambda(sampling, output_shape=(latent_dim,))([z_mean, z_log_var])
decoder_h = Dense(intermediate_dim, activation="relu")
decoder_mean = Dense(original_dim, activation="sigmoid")
x_decoded_mean = decoder_mean(decoder_h(z))

vae = Model(x, x_decoded_mean)
xent_loss = original_dim * metrics.binary_crossentropy(x, x_decoded_mean)
kl_loss = -0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
vae_loss = K.mean(xent_loss + kl_loss)
vae.add_loss(vae_loss)
vae.compile(optimizer="rmsprop")
vae.summary()

data, target = load_digits(return_X_y=True)
data = (data / 16.0).astype("float32")
x_train, x_test = data[:1500], data[1500:]
history = vae.fit(
    x_train, shuffle=True, epochs=epochs, batch_size=batch_size, validation_data=(x_test, None), verbose=0
)
losses = history.history["loss"]
print(losses[0], losses[-1], history.history["val_loss"][-1])
assert losses[-1] < losses[0] - 5

encoder = Model(x, z_mean)
codes = encoder.predict(x_test, batch_size=batch_size)
assert codes.shape == (len(x_test), 2)

decoder_input = Input(shape=(latent_dim,))
generator = Model(decoder_input, decoder_mean(decoder_h(decoder_input)))
n = 5
figure = np.zeros((8 * n, 8 * n))
grid = np.linspace(-1.5, 1.5, n)
for i, yi in enumerate(grid):
    for j, xi in enumerate(grid):
        digit = generator.predict(np.array([[xi, yi]]), verbose=0)[0].reshape(8, 8)
        figure[i * 8 : (i + 1) * 8, j * 8 : (j + 1) * 8] = digit
assert 0 < figure.mean() < 1
