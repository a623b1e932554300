"""Keras 3: mixed precision, a schedule with warm-up, label smoothing, EMA, a summary through print_fn."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(19)
keras.mixed_precision.set_global_policy("mixed_bfloat16")
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32").reshape(-1, 8, 8, 1)
y = keras.utils.to_categorical(y)
augmentation = keras.Sequential(
    [layers.RandomTranslation(0.05, 0.05), layers.RandomZoom(0.05), layers.GaussianNoise(0.02)]
)
inputs = keras.Input((8, 8, 1))
h = augmentation(inputs)
for filters in (16, 32):
    shortcut = layers.Conv2D(filters, 1, strides=2, padding="same")(h)
    h = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(h)
    h = layers.BatchNormalization(momentum=0.9)(h)
    h = layers.Activation("gelu")(h)
    h = layers.MaxPooling2D(3, strides=2, padding="same")(h)
    h = layers.add([h, shortcut])
h = layers.GlobalAveragePooling2D()(h)
outputs = layers.Dense(10, dtype="float32", activation="softmax")(h)
model = keras.Model(inputs, outputs)
lines = []
model.summary(print_fn=lambda line, **kwargs: lines.append(line))
assert any("SeparableConv2D" in line for line in lines)
assert model.get_layer(index=-1).compute_dtype == "float32" and model.layers[2].compute_dtype == "bfloat16"

steps = 1500 // 32
schedule = keras.optimizers.schedules.CosineDecay(
    0.0, decay_steps=8 * steps, warmup_target=0.01, warmup_steps=steps
)
model.compile(
    optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-3, use_ema=True, ema_momentum=0.9),
    loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
    metrics=[
        "accuracy",
        keras.metrics.TopKCategoricalAccuracy(3, name="top3"),
        keras.metrics.F1Score(name="f1"),
    ],
)
history = model.fit(
    x[:1500], y[:1500], epochs=8, batch_size=32, verbose=0, validation_data=(x[1500:], y[1500:])
)
keras.mixed_precision.set_global_policy("float32")
print({k: v[-1] for k, v in history.history.items()})
assert history.history["val_accuracy"][-1] > 0.75
assert history.history["val_top3"][-1] >= history.history["val_accuracy"][-1]
assert np.asarray(history.history["f1"][-1]).shape == (10,)
