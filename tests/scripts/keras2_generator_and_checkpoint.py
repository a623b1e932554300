"""Keras 2.2: fit_generator over a Sequence, checkpoints in HDF5, early stopping, load_model."""

import os
import tempfile

import numpy as np
from keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keras.layers import Dense
from keras.models import Sequential, load_model
from keras.optimizers import SGD
from keras.utils import Sequence
from sklearn.datasets import load_breast_cancer

np.random.seed(4)
features, target = load_breast_cancer(return_X_y=True)
features = ((features - features.mean(0)) / features.std(0)).astype("float32")


class Rows(Sequence):
    def __init__(self, x, y, batch_size):
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return int(np.ceil(len(self.x) / float(self.batch_size)))

    def __getitem__(self, idx):
        part = slice(idx * self.batch_size, (idx + 1) * self.batch_size)
        return self.x[part], self.y[part]


train = Rows(features[:400], target[:400], 32)
valid = Rows(features[400:], target[400:], 32)

model = Sequential(
    [
        Dense(16, input_dim=30, kernel_initializer="uniform", activation="relu"),
        Dense(1, kernel_initializer="uniform", activation="sigmoid"),
    ]
)
model.compile(loss="binary_crossentropy", optimizer=SGD(lr=0.1, momentum=0.9), metrics=["acc"])

path = os.path.join(tempfile.mkdtemp(), "weights.{epoch:02d}.h5")
best = os.path.join(os.path.dirname(path), "best.h5")
history = model.fit_generator(
    train,
    steps_per_epoch=len(train),
    epochs=6,
    validation_data=valid,
    validation_steps=len(valid),
    callbacks=[
        EarlyStopping(monitor="val_loss", patience=3),
        ModelCheckpoint(best, monitor="val_acc", save_best_only=True, mode="max"),
        ReduceLROnPlateau(factor=0.5, patience=2),
    ],
    workers=1,
    verbose=0,
)
assert "val_acc" in history.history
restored = load_model(best)
loss, accuracy = restored.evaluate_generator(valid, steps=len(valid))
print(loss, accuracy)
assert accuracy > 0.9
assert abs(accuracy - max(history.history["val_acc"])) < 1e-6
predictions = restored.predict_generator(valid, steps=len(valid))
assert predictions.shape == (169, 1)
