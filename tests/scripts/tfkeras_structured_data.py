"""tf.keras 2: a table with numeric and categorical columns through preprocessing layers."""

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.keras import layers
from tensorflow.keras.layers.experimental import preprocessing

tf.random.set_seed(6)
rng = np.random.default_rng(6)
count = 400
dataframe = pd.DataFrame(
    {
        "Age": rng.integers(1, 100, count),
        "Fee": rng.uniform(0, 300, count).astype("float32"),
        "Type": rng.choice(["Cat", "Dog"], count),
        "Color": rng.choice(["Black", "Brown", "White"], count),
    }
)
dataframe["target"] = ((dataframe["Type"] == "Cat") ^ (dataframe["Age"] > 50)).astype(int)
train, test = dataframe[:320], dataframe[320:]


def df_to_dataset(dataframe, shuffle=True, batch_size=32):
    df = dataframe.copy()
    labels = df.pop("target")
    df = {key: value.to_numpy()[:, np.newaxis] for key, value in df.items()}
    ds = tf.data.Dataset.from_tensor_slices((dict(df), labels))
    if shuffle:
        ds = ds.shuffle(buffer_size=len(dataframe))
    return ds.batch(batch_size).prefetch(batch_size)


train_ds, test_ds = df_to_dataset(train), df_to_dataset(test, shuffle=False)


def get_normalization_layer(name, dataset):
    normalizer = preprocessing.Normalization(axis=None)
    normalizer.adapt(dataset.map(lambda x, y: x[name]))
    return normalizer


def get_category_encoding_layer(name, dataset, dtype, max_tokens=None):
    index = preprocessing.StringLookup(max_tokens=max_tokens)
    index.adapt(dataset.map(lambda x, y: x[name]))
    encoder = preprocessing.CategoryEncoding(num_tokens=index.vocabulary_size())
    return lambda feature: encoder(index(feature))


all_inputs, encoded_features = [], []
for header in ["Age", "Fee"]:
    numeric_col = tf.keras.Input(shape=(1,), name=header)
    encoded_features.append(get_normalization_layer(header, train_ds)(numeric_col))
    all_inputs.append(numeric_col)
for header in ["Type", "Color"]:
    categorical_col = tf.keras.Input(shape=(1,), name=header, dtype="string")
    layer = get_category_encoding_layer(header, train_ds, dtype="string", max_tokens=5)
    encoded_features.append(layer(categorical_col))
    all_inputs.append(categorical_col)

all_features = layers.concatenate(encoded_features)
x = layers.Dense(32, activation="relu")(all_features)
x = layers.Dense(32, activation="relu")(x)
output = layers.Dense(1)(x)
model = tf.keras.Model(all_inputs, output)
model.compile(
    optimizer=tf.keras.optimizers.Adam(0.02),
    loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(train_ds, epochs=20, validation_data=test_ds, verbose=0)
loss, accuracy = model.evaluate(test_ds, verbose=0)
print("Accuracy", accuracy)
assert accuracy > 0.8

sample = {"Type": "Cat", "Age": 3, "Fee": 100, "Color": "Black"}
input_dict = {name: tf.convert_to_tensor([[value]]) for name, value in sample.items()}
predictions = model.predict(input_dict)
prob = tf.nn.sigmoid(predictions[0])
print("probability %.1f" % (100 * float(prob)))
