"""Skip-grams with negative samples, and a subclassed model with einsum."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

SEED = 42
tf.random.set_seed(SEED)
rng = np.random.default_rng(SEED)
sentence = "the wide road shimmered in the hot sun while the cold moon slept in the dark night"
tokens = list(sentence.lower().split())
vocab, index = {"<pad>": 0}, 1
for token in tokens:
    if token not in vocab:
        vocab[token] = index
        index += 1
vocab_size, num_ns, window = len(vocab), 4, 2
sequence = [vocab[word] for word in tokens]

targets, contexts, labels = [], [], []
for place, target in enumerate(sequence):
    for other in range(max(place - window, 0), min(place + window + 1, len(sequence))):
        if other == place:
            continue
        context_class = tf.expand_dims(tf.constant([sequence[other]], dtype="int64"), 1)
        negative = rng.integers(1, vocab_size, size=num_ns)
        negative = tf.constant(negative, dtype="int64")
        context = tf.concat([tf.squeeze(context_class, 1), negative], 0)
        label = tf.constant([1] + [0] * num_ns, dtype="int64")
        targets.append(target)
        contexts.append(context)
        labels.append(label)

targets, contexts, labels = np.array(targets), np.array(contexts), np.array(labels)
assert contexts.shape == (len(targets), num_ns + 1)
dataset = tf.data.Dataset.from_tensor_slices(((targets, contexts), labels))
dataset = dataset.shuffle(1000).batch(16, drop_remainder=True).cache().prefetch(tf.data.AUTOTUNE)


class Word2Vec(tf.keras.Model):
    def __init__(self, vocab_size, embedding_dim):
        super().__init__()
        self.target_embedding = layers.Embedding(vocab_size, embedding_dim, name="w2v_embedding")
        self.context_embedding = layers.Embedding(vocab_size, embedding_dim)

    def call(self, pair):
        target, context = pair
        if len(target.shape) == 2:
            target = tf.squeeze(target, axis=1)
        word_emb = self.target_embedding(target)
        context_emb = self.context_embedding(context)
        return tf.einsum("be,bce->bc", word_emb, context_emb)


def custom_loss(x_logit, y_true):
    return tf.nn.sigmoid_cross_entropy_with_logits(logits=x_logit, labels=tf.cast(y_true, tf.float32))


word2vec = Word2Vec(vocab_size, 16)
word2vec.compile(
    optimizer=tf.keras.optimizers.Adam(0.02),
    loss=tf.keras.losses.CategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = word2vec.fit(dataset, epochs=10, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
(some_targets, some_contexts), some_labels = next(iter(dataset))
assert custom_loss(word2vec((some_targets, some_contexts)), some_labels).shape == (16, 5)
weights = word2vec.get_layer("w2v_embedding").get_weights()[0]
normed = tf.nn.l2_normalize(weights, axis=1)
similarity = tf.matmul(normed, normed, transpose_b=True)
nearest = tf.math.top_k(similarity[vocab["sun"]], k=3).indices.numpy()
assert nearest[0] == vocab["sun"]
