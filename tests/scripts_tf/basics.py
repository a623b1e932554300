# ruff: noqa: E501 - written as users write
"""Tensors, variables and automatic differentiation: a line fitted with low-level pieces."""

import numpy as np
import tensorflow as tf

print("TensorFlow version:", tf.__version__)
assert tf.executing_eagerly()
print("GPUs:", len(tf.config.list_physical_devices("GPU")))

rank_4 = tf.zeros([3, 2, 4, 5])
print("Type of every element:", rank_4.dtype)
assert rank_4.ndim == 4
assert rank_4.shape[-1] == 5
assert tf.size(rank_4).numpy() == 3 * 2 * 4 * 5
var_x = tf.Variable(tf.constant([[1], [2], [3]]))
assert var_x.shape.as_list() == [3, 1]
assert tf.reshape(var_x, [1, 3]).shape == (1, 3)
a = tf.constant([[1, 2], [3, 4]])
b = tf.ones([2, 2], dtype=tf.int32)
assert np.array_equal(a @ b, tf.matmul(a, b))
assert tf.reduce_max(a).numpy() == 4
assert np.array_equal(tf.math.argmax(a, axis=1), [1, 1])
assert a[0, ::-1].numpy().tolist() == [2, 1]
assert tf.cast(tf.constant([2.2, 3.3]), tf.int32).numpy().tolist() == [2, 3]
x = tf.constant([1, 2, 3])
y = tf.constant(2)
assert (x * y).numpy().tolist() == [2, 4, 6]
print(tf.broadcast_to(x, [2, 3]))
ragged = tf.ragged.constant([[0, 1, 2, 3], [4, 5], [6]])
assert ragged.shape == (3, None)
assert tf.strings.split(tf.constant("gray wolf")).numpy().tolist() == [b"gray", b"wolf"]

TRUE_W, TRUE_B, NUM_EXAMPLES = 3.0, 2.0, 201
xs = tf.linspace(-2, 2, NUM_EXAMPLES)
xs = tf.cast(xs, tf.float32)
tf.random.set_seed(0)
noise = tf.random.normal(shape=[NUM_EXAMPLES])
ys = xs * TRUE_W + TRUE_B + noise


class MyModel(tf.Module):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = tf.Variable(5.0)
        self.b = tf.Variable(0.0)

    def __call__(self, x):
        return self.w * x + self.b


model = MyModel()
assert len(model.variables) == 2


def loss(target_y, predicted_y):
    return tf.reduce_mean(tf.square(target_y - predicted_y))


def train(model, x, y, learning_rate):
    with tf.GradientTape() as t:
        current_loss = loss(y, model(x))
    dw, db = t.gradient(current_loss, [model.w, model.b])
    model.w.assign_sub(learning_rate * dw)
    model.b.assign_sub(learning_rate * db)


for epoch in range(30):
    train(model, xs, ys, learning_rate=0.1)
    if epoch % 10 == 0:
        print(
            f"Epoch {epoch:2d}: W={model.w.numpy():1.2f} b={model.b.numpy():1.2f} loss={loss(ys, model(xs)):2.5f}"
        )
assert abs(model.w.numpy() - TRUE_W) < 0.3
assert abs(model.b.numpy() - TRUE_B) < 0.3

x = tf.Variable(1.0)
with tf.GradientTape() as t2:
    with tf.GradientTape() as t1:
        y = x * x * x
    dy_dx = t1.gradient(y, x)
d2y_dx2 = t2.gradient(dy_dx, x)
assert (dy_dx.numpy(), d2y_dx2.numpy()) == (3.0, 6.0)
