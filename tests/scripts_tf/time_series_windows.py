"""Windows of a series by tf.data, and a forecast by a small recurrent network."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(51)
np.random.seed(51)
time = np.arange(300, dtype="float32")
series = np.sin(time / 6) + 0.05 * np.random.randn(300).astype("float32")
split_time, window_size, batch_size, shuffle_buffer_size = 240, 12, 32, 100
x_train, x_valid = series[:split_time], series[split_time:]


def windowed_dataset(series, window_size, batch_size, shuffle_buffer):
    series = tf.expand_dims(series, axis=-1)
    ds = tf.data.Dataset.from_tensor_slices(series)
    ds = ds.window(window_size + 1, shift=1, drop_remainder=True)
    ds = ds.flat_map(lambda w: w.batch(window_size + 1))
    ds = ds.shuffle(shuffle_buffer)
    ds = ds.map(lambda w: (w[:-1], w[-1]))
    return ds.batch(batch_size).prefetch(1)


dataset = windowed_dataset(x_train, window_size, batch_size, shuffle_buffer_size)
for windows, labels in dataset.take(1):
    assert windows.shape == (32, window_size, 1)
    assert labels.shape == (32, 1)

model = tf.keras.models.Sequential(
    [
        tf.keras.layers.Input((window_size, 1)),
        tf.keras.layers.Conv1D(8, 3, padding="causal", activation="relu"),
        tf.keras.layers.LSTM(12),
        tf.keras.layers.Dense(1),
        tf.keras.layers.Lambda(lambda x: x * 2.0),
    ]
)
lr_schedule = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 0.02 * 0.9**epoch)
model.compile(loss=tf.keras.losses.Huber(), optimizer=tf.keras.optimizers.Adam(0.02), metrics=["mae"])
history = model.fit(dataset, epochs=8, callbacks=[lr_schedule], verbose=0)


def model_forecast(model, series, window_size):
    ds = tf.data.Dataset.from_tensor_slices(series)
    ds = ds.window(window_size, shift=1, drop_remainder=True)
    ds = ds.flat_map(lambda w: w.batch(window_size))
    return model.predict(ds.batch(32).prefetch(1), verbose=0)


forecast = model_forecast(model, series[..., np.newaxis], window_size)
results = forecast[split_time - window_size : -1, 0]
mae = np.mean(np.abs(results - x_valid))
print("MAE", mae)
assert results.shape == x_valid.shape
assert mae < 0.3
