"""Keras 2.2: two inputs through one network, a Lambda for the distance, a contrastive loss."""

import random

import numpy as np
from keras import backend as K
from keras.layers import Dense, Dropout, Input, Lambda
from keras.models import Model
from keras.optimizers import RMSprop
from sklearn.datasets import load_digits

random.seed(0)
np.random.seed(0)


def euclidean_distance(vects):
    x, y = vects
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def eucl_dist_output_shape(shapes):
    shape1, shape2 = shapes
    return (shape1[0], 1)


def contrastive_loss(y_true, y_pred):
    margin = 1
    square_pred = K.square(y_pred)
    margin_square = K.square(K.maximum(margin - y_pred, 0))
    return K.mean(y_true * square_pred + (1 - y_true) * margin_square)


def accuracy(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


def create_pairs(x, digit_indices):
    pairs, labels = [], []
    n = min([len(digit_indices[d]) for d in range(10)]) - 1
    for d in range(10):
        for i in range(n):
            z1, z2 = digit_indices[d][i], digit_indices[d][i + 1]
            pairs += [[x[z1], x[z2]]]
            other = (d + random.randrange(1, 10)) % 10
            pairs += [[x[z1], x[digit_indices[other][i]]]]
            labels += [1, 0]
    return np.array(pairs), np.array(labels, dtype="float32")


def create_base_network(input_shape):
    input = Input(shape=input_shape)
    x = Dense(64, activation="relu")(input)
    x = Dropout(0.1)(x)
    x = Dense(32, activation="relu")(x)
    return Model(input, x)


data, target = load_digits(return_X_y=True)
data = (data / 16).astype("float32")
indices = [np.where(target[:1200] == i)[0] for i in range(10)]
tr_pairs, tr_y = create_pairs(data[:1200], indices)
indices = [np.where(target[1200:] == i)[0] for i in range(10)]
te_pairs, te_y = create_pairs(data[1200:], indices)

base_network = create_base_network((64,))
input_a = Input(shape=(64,))
input_b = Input(shape=(64,))
distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)(
    [base_network(input_a), base_network(input_b)]
)
model = Model([input_a, input_b], distance)
model.compile(loss=contrastive_loss, optimizer=RMSprop(), metrics=[accuracy])
model.fit(
    [tr_pairs[:, 0], tr_pairs[:, 1]],
    tr_y,
    batch_size=64,
    epochs=10,
    verbose=0,
    validation_data=([te_pairs[:, 0], te_pairs[:, 1]], te_y),
)
y_pred = model.predict([te_pairs[:, 0], te_pairs[:, 1]])
score = np.mean((y_pred.ravel() < 0.5) == te_y)
print("accuracy on test pairs: %0.2f%%" % (100 * score))
assert score > 0.8
