"""Keras 2.2: a stateful LSTM over one long series, states reset by hand."""

import numpy as np
from keras.layers import LSTM, Dense
from keras.models import Sequential

np.random.seed(1986)
batch_size, tsteps, epochs = 1, 5, 12
t = np.arange(200)
series = (np.sin(t / 6.0) * np.exp(-t / 400.0)).astype("float32")
target = np.roll(series, -1)
x = series.reshape(-1, tsteps, 1)
y = target.reshape(-1, tsteps)[:, -1:]

model = Sequential()
model.add(LSTM(20, batch_input_shape=(batch_size, tsteps, 1), return_sequences=True, stateful=True))
model.add(LSTM(20, stateful=True))
model.add(Dense(1))
model.compile(loss="mse", optimizer="rmsprop")

losses = []
for _ in range(epochs):
    history = model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0, shuffle=False)
    losses.append(history.history["loss"][0])
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()
predicted = model.predict(x, batch_size=batch_size, verbose=0)
print(losses[0], losses[-1])
assert losses[-1] < 0.5 * losses[0]
assert predicted.shape == (40, 1)
