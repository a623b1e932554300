"""Keras 3: an encoder-decoder with states handed over, teacher forcing, then sampling step by step."""

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(17)
tokens, length, latent_dim, count = 8, 5, 64, 600
start = tokens
source = np.random.randint(0, tokens, (count, length))
target = source[:, ::-1]
one_hot = np.eye(tokens + 1, dtype="float32")
encoder_input_data = one_hot[source]
decoder_in = np.concatenate([np.full((count, 1), start), target[:, :-1]], axis=1)
decoder_input_data = one_hot[decoder_in]
decoder_target_data = one_hot[target]

encoder_inputs = keras.Input(shape=(None, tokens + 1))
encoder = layers.LSTM(latent_dim, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]
decoder_inputs = keras.Input(shape=(None, tokens + 1))
decoder_lstm = layers.LSTM(latent_dim, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_dense = layers.Dense(tokens + 1, activation="softmax")
decoder_outputs = decoder_dense(decoder_outputs)
model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(
    [encoder_input_data, decoder_input_data],
    decoder_target_data,
    batch_size=32,
    epochs=20,
    validation_split=0.1,
    verbose=0,
)

encoder_model = keras.Model(encoder_inputs, encoder_states)
decoder_state_input_h = keras.Input(shape=(latent_dim,))
decoder_state_input_c = keras.Input(shape=(latent_dim,))
decoder_states_inputs = [decoder_state_input_h, decoder_state_input_c]
decoder_outputs, state_h, state_c = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
decoder_outputs = decoder_dense(decoder_outputs)
decoder_model = keras.Model([decoder_inputs] + decoder_states_inputs, [decoder_outputs, state_h, state_c])


def decode_sequence(input_seq):
    states_value = encoder_model.predict(input_seq, verbose=0)
    target_seq = one_hot[[[start]]]
    decoded = []
    for _ in range(length):
        output_tokens, h, c = decoder_model.predict([target_seq] + list(states_value), verbose=0)
        token = int(np.argmax(output_tokens[0, -1, :]))
        decoded.append(token)
        target_seq = one_hot[[[token]]]
        states_value = [h, c]
    return decoded


right = sum(
    a == b
    for i in range(20)
    for a, b in zip(decode_sequence(encoder_input_data[i : i + 1]), target[i], strict=True)
)
print(right, "of", 20 * length)
assert right > 0.6 * 20 * length
