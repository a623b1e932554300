"""Keras 3: a picture that excites a filter, and the gradient of a class by the input (Grad-CAM)."""

import keras
import numpy as np
import torch
from keras import layers, ops
from sklearn.datasets import load_digits

keras.utils.set_random_seed(18)
digits = load_digits()
images = (digits.images / 16).astype("float32")[..., None]
inputs = keras.Input((8, 8, 1))
x = layers.Conv2D(8, 3, activation="relu", padding="same", name="first")(inputs)
x = layers.Conv2D(16, 3, activation="relu", padding="same", name="last_conv")(x)
x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
outputs = layers.Dense(10, activation="softmax")(x)
model = keras.Model(inputs, outputs)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images, digits.target, epochs=3, verbose=0)

feature_extractor = keras.Model(inputs=model.inputs, outputs=model.get_layer(name="last_conv").output)


def compute_loss(image, filter_index):
    activation = feature_extractor(image)
    return ops.mean(activation[:, 1:-1, 1:-1, filter_index])


image = torch.rand(1, 8, 8, 1) * 0.5 + 0.25
strongest = int(ops.argmax(ops.mean(feature_extractor(images[:64]), axis=(0, 1, 2))))
losses = []
for _ in range(15):
    image = image.detach().requires_grad_(True)
    loss = compute_loss(image, strongest)
    (grads,) = torch.autograd.grad(loss, image)
    image = image + 0.5 * grads / (grads.norm() + 1e-8)
    losses.append(loss.item())
assert losses[-1] > losses[0]

grad_model = keras.Model(model.inputs, [model.get_layer("last_conv").output, model.output])
conv_output, predictions = grad_model(images[:1])
best = int(ops.argmax(predictions[0]))
(grads,) = torch.autograd.grad(predictions[:, best].sum(), conv_output)
pooled_grads = ops.mean(grads, axis=(0, 1, 2))
heatmap = ops.maximum(ops.sum(conv_output[0] * pooled_grads, axis=-1), 0)
heatmap = ops.convert_to_numpy(heatmap / (ops.max(heatmap) + 1e-8))
assert heatmap.shape == (8, 8) and heatmap.max() <= 1.0
assert np.isfinite(heatmap).all()
