"""Keras 3 guide to PyTorch loops: a Keras model, a DataLoader, torch's optimizer."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from sklearn.datasets import load_digits

keras.utils.set_random_seed(13)
images, target = load_digits(return_X_y=True)
images = (images / 16).astype("float32").reshape(-1, 8, 8, 1)
dataset = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.from_numpy(target))
train_set, val_set = torch.utils.data.random_split(
    dataset, [1437, 360], generator=torch.Generator().manual_seed(0)
)
train_dataloader = torch.utils.data.DataLoader(train_set, batch_size=32, shuffle=True)
val_dataloader = torch.utils.data.DataLoader(val_set, batch_size=32)


def get_model():
    return keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            keras.layers.Conv2D(16, kernel_size=3, activation="relu"),
            keras.layers.MaxPooling2D(pool_size=2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(10),
        ]
    )


class MyTorchModule(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = get_model()

    def forward(self, x):
        return self.model(x)


model = MyTorchModule()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = torch.nn.CrossEntropyLoss()
accuracy = keras.metrics.SparseCategoricalAccuracy()
for epoch in range(6):
    model.train()
    for inputs, targets in train_dataloader:
        logits = model(inputs)
        loss = loss_fn(logits, targets)
        model.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    accuracy.reset_state()
    with torch.no_grad():
        for inputs, targets in val_dataloader:
            accuracy.update_state(targets, model(inputs))
    print(f"Epoch {epoch}: validation accuracy {float(accuracy.result()):.4f}")
assert float(accuracy.result()) > 0.85
assert len(list(model.parameters())) == 4
np.testing.assert_equal(model(torch.zeros(2, 8, 8, 1)).shape, (2, 10))
