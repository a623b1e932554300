"""Keras 3: a transformer block and token-and-position embedding as layers of one's own."""

from pydoc_data.topics import topics

import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(10)
vocab_size, maxlen = 400, 16


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs):
        attn_output = self.att(inputs, inputs)
        attn_output = self.dropout1(attn_output)
        out1 = self.layernorm1(inputs + attn_output)
        ffn_output = self.ffn(out1)
        ffn_output = self.dropout2(ffn_output)
        return self.layernorm2(out1 + ffn_output)


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        maxlen = ops.shape(x)[-1]
        positions = ops.arange(start=0, stop=maxlen, step=1)
        positions = self.pos_emb(positions)
        x = self.token_emb(x)
        return x + positions


def windows(key):
    words = topics[key].split()[:1600]
    return [" ".join(words[i : i + maxlen]) for i in range(0, len(words) - maxlen, 5)]


first, second = windows("formatstrings"), windows("specialnames")
vectorize = layers.TextVectorization(max_tokens=vocab_size, output_sequence_length=maxlen)
vectorize.adapt(first + second)
x = np.array(vectorize(np.array(first + second)))
y = np.array([0] * len(first) + [1] * len(second))
order = np.random.permutation(len(x))
x, y = x[order], y[order]

embed_dim, num_heads, ff_dim = 16, 2, 16
inputs = layers.Input(shape=(maxlen,))
embedding_layer = TokenAndPositionEmbedding(maxlen, vocab_size, embed_dim)
x1 = embedding_layer(inputs)
x1 = TransformerBlock(embed_dim, num_heads, ff_dim)(x1)
x1 = layers.GlobalAveragePooling1D()(x1)
x1 = layers.Dropout(0.1)(x1)
x1 = layers.Dense(20, activation="relu")(x1)
outputs = layers.Dense(2, activation="softmax")(layers.Dropout(0.1)(x1))
model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(
    optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)
history = model.fit(x, y, batch_size=32, epochs=5, validation_split=0.2, verbose=2)
assert history.history["val_accuracy"][-1] > 0.75
