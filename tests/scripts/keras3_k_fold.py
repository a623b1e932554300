"""Keras 3, in the way of a book: k-fold validation of a regression, and the best number of epochs."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_diabetes

keras.utils.set_random_seed(15)
data, targets = load_diabetes(return_X_y=True)
data, targets = data.astype("float32"), (targets / 100).astype("float32")
train_data, test_data = data[:360], data[360:]
train_targets, test_targets = targets[:360], targets[360:]
mean, std = train_data.mean(axis=0), train_data.std(axis=0)
train_data, test_data = (train_data - mean) / std, (test_data - mean) / std


def build_model():
    model = keras.Sequential(
        [layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu"), layers.Dense(1)]
    )
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


k, num_epochs = 3, 15
num_val_samples = len(train_data) // k
all_mae_histories = []
for i in range(k):
    print(f"Processing fold #{i}")
    val_data = train_data[i * num_val_samples : (i + 1) * num_val_samples]
    val_targets = train_targets[i * num_val_samples : (i + 1) * num_val_samples]
    partial_train_data = np.concatenate(
        [train_data[: i * num_val_samples], train_data[(i + 1) * num_val_samples :]], axis=0
    )
    partial_train_targets = np.concatenate(
        [train_targets[: i * num_val_samples], train_targets[(i + 1) * num_val_samples :]], axis=0
    )
    model = build_model()
    history = model.fit(
        partial_train_data,
        partial_train_targets,
        validation_data=(val_data, val_targets),
        epochs=num_epochs,
        batch_size=16,
        verbose=0,
    )
    all_mae_histories.append(history.history["val_mae"])
average_mae_history = [np.mean([x[i] for x in all_mae_histories]) for i in range(num_epochs)]
best = int(np.argmin(average_mae_history)) + 1
model = build_model()
model.fit(train_data, train_targets, epochs=best, batch_size=16, verbose=0)
test_mse_score, test_mae_score = model.evaluate(test_data, test_targets, verbose=0)
print(best, test_mae_score)
baseline = np.abs(test_targets - train_targets.mean()).mean()
assert test_mae_score < baseline
keras.backend.clear_session()
assert build_model().name == "sequential"
