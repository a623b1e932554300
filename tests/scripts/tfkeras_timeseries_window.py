"""tf.keras 2: windows of a series by timeseries_dataset_from_array, dense, convolutional and recurrent."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(4)
steps = np.arange(1200)
rng = np.random.default_rng(4)
series = 10 + np.sin(steps / 12) * 4 + steps / 400 + rng.normal(0, 0.2, len(steps))
mean, std = series[:800].mean(), series[:800].std()
series = ((series - mean) / std).astype("float32")
window, delay = 24, 1


def dataset(part):
    return tf.keras.utils.timeseries_dataset_from_array(
        part[:-delay, np.newaxis], targets=part[window + delay - 1 :], sequence_length=window, batch_size=32
    )


train, valid = dataset(series[:800]), dataset(series[800:])
for inputs, targets in train.take(1):
    assert inputs.shape == (32, window, 1) and targets.shape == (32,)


class Baseline(tf.keras.Model):
    def call(self, inputs):
        return inputs[:, -1, :]


def compile_and_fit(model, patience=2):
    early_stopping = tf.keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, mode="min")
    model.compile(
        loss=tf.losses.MeanSquaredError(),
        optimizer=tf.optimizers.Adam(0.01),
        metrics=[tf.metrics.MeanAbsoluteError()],
    )
    return model.fit(train, epochs=6, validation_data=valid, callbacks=[early_stopping], verbose=0)


baseline = Baseline()
baseline.compile(loss=tf.losses.MeanSquaredError(), metrics=[tf.metrics.MeanAbsoluteError()])
performance = {"Baseline": baseline.evaluate(valid, verbose=0)[1]}
candidates = {
    "Dense": tf.keras.Sequential(
        [tf.keras.layers.Flatten(), tf.keras.layers.Dense(32, activation="relu"), tf.keras.layers.Dense(1)]
    ),
    "Conv": tf.keras.Sequential(
        [
            tf.keras.layers.Conv1D(filters=16, kernel_size=(window,), activation="relu"),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(units=1),
        ]
    ),
    "LSTM": tf.keras.Sequential([tf.keras.layers.LSTM(16), tf.keras.layers.Dense(units=1)]),
}
for name, model in candidates.items():
    history = compile_and_fit(model)
    assert history.history["val_loss"][-1] < history.history["loss"][0]
    performance[name] = model.evaluate(valid, verbose=0)[1]
for name, value in performance.items():
    print(f"{name:10s}: {value:0.4f}")
assert min(performance["Dense"], performance["Conv"], performance["LSTM"]) < performance["Baseline"]
