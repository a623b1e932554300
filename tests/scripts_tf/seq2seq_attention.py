# ruff: noqa: B007, B905 - written as users write
"""Encoder, Bahdanau attention and decoder as layers of one's own, trained with a masked loss."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(0)
rng = np.random.default_rng(0)
VOCAB, LENGTH, UNITS, START = 12, 5, 24, 1
source = rng.integers(2, VOCAB, size=(128, LENGTH))
lengths = rng.integers(2, LENGTH + 1, size=128)
source[np.arange(LENGTH)[None] >= lengths[:, None]] = 0
target = source.copy()


class BahdanauAttention(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.W1 = tf.keras.layers.Dense(units)
        self.W2 = tf.keras.layers.Dense(units)
        self.V = tf.keras.layers.Dense(1)

    def call(self, query, values, mask):
        query_with_time_axis = tf.expand_dims(query, 1)
        score = self.V(tf.nn.tanh(self.W1(query_with_time_axis) + self.W2(values)))
        score = tf.where(mask[:, :, tf.newaxis], score, -1e9)
        attention_weights = tf.nn.softmax(score, axis=1)
        context_vector = tf.reduce_sum(attention_weights * values, axis=1)
        return context_vector, attention_weights


class Encoder(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.embedding = tf.keras.layers.Embedding(VOCAB, UNITS)
        self.gru = tf.keras.layers.GRU(UNITS, return_sequences=True, return_state=True)

    def call(self, x, hidden):
        return self.gru(self.embedding(x), initial_state=hidden)

    def initialize_hidden_state(self, batch):
        return tf.zeros((batch, UNITS))


class Decoder(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.embedding = tf.keras.layers.Embedding(VOCAB, UNITS)
        self.gru = tf.keras.layers.GRU(UNITS, return_sequences=True, return_state=True)
        self.fc = tf.keras.layers.Dense(VOCAB)
        self.attention = BahdanauAttention(UNITS)

    def call(self, x, hidden, enc_output, mask):
        context_vector, attention_weights = self.attention(hidden, enc_output, mask)
        x = tf.concat([tf.expand_dims(context_vector, 1), self.embedding(x)], axis=-1)
        output, state = self.gru(x)
        output = tf.reshape(output, (-1, output.shape[2]))
        return self.fc(output), state, attention_weights


encoder, decoder = Encoder(), Decoder()
optimizer = tf.keras.optimizers.Adam(0.02)
loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")


def loss_function(real, pred):
    mask = tf.math.logical_not(tf.math.equal(real, 0))
    loss_ = loss_object(real, pred)
    mask = tf.cast(mask, dtype=loss_.dtype)
    return tf.reduce_mean(loss_ * mask)


@tf.function
def train_step(inp, targ):
    loss = 0.0
    batch = tf.shape(inp)[0]
    with tf.GradientTape() as tape:
        enc_output, enc_hidden = encoder(inp, encoder.initialize_hidden_state(batch))
        dec_hidden = enc_hidden
        dec_input = tf.fill([batch, 1], START)
        for t in range(targ.shape[1]):
            predictions, dec_hidden, _ = decoder(dec_input, dec_hidden, enc_output, tf.not_equal(inp, 0))
            loss += loss_function(targ[:, t], predictions)
            dec_input = tf.expand_dims(targ[:, t], 1)
    variables = encoder.trainable_variables + decoder.trainable_variables
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    return loss / int(targ.shape[1])


dataset = tf.data.Dataset.from_tensor_slices((source.astype("int32"), target.astype("int32")))
dataset = dataset.shuffle(128).batch(32, drop_remainder=True)
history = []
for epoch in range(12):
    total_loss = 0.0
    for inp, targ in dataset:
        total_loss += train_step(inp, targ)
    history.append(float(total_loss) / 4)
print("losses", [round(one, 3) for one in history])
assert history[-1] < 0.6 * history[0]

inp = tf.constant(source[:1].astype("int32"))
enc_out, hidden = encoder(inp, tf.zeros((1, UNITS)))
dec_input, result = tf.expand_dims([START], 0), []
attention_plot = tf.TensorArray(tf.float32, size=LENGTH)
for t in range(LENGTH):
    predictions, hidden, weights = decoder(dec_input, hidden, enc_out, inp != 0)
    attention_plot = attention_plot.write(t, tf.reshape(weights, (-1,)))
    predicted_id = tf.argmax(predictions[0]).numpy()
    result.append(int(predicted_id))
    dec_input = tf.expand_dims([predicted_id], 0)
plot = attention_plot.stack().numpy()
assert plot.shape == (LENGTH, LENGTH)
np.testing.assert_allclose(plot.sum(axis=1), 1.0, rtol=1e-4)
