"""Models whose summaries are compared; every function takes our package or Keras."""

import numpy as np


def sequential(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8,)),
            layers.Dense(4, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, name="a_very_long_layer_name_that_is_long_and_longer_still_ok"),
        ]
    )


def large(k):
    layers = k.layers
    return k.Sequential([k.Input((3000,)), layers.Dense(2000, name="wide"), layers.Dense(30, name="narrow")])


def half(k):
    return k.Sequential([k.Input((8,)), k.layers.Dense(4, dtype="float16")])


def fixed_batch(k):
    return k.Sequential([k.Input(batch_shape=(4, 8)), k.layers.Dense(4)])


def unbuilt(k):
    return k.Sequential([k.layers.Dense(4), k.layers.Dense(2)])


def empty(k):
    return k.Sequential()


def convolutional(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def chain(k):
    inputs = k.Input((8,), name="inp")
    hidden = k.layers.Dense(4, name="first")(inputs)
    return k.Model(inputs, [hidden, k.layers.Dense(2, name="second")(hidden)])


def branches(k):
    layers = k.layers
    inputs = k.Input((8,), name="inp")
    left, right = layers.Dense(4, name="left")(inputs), layers.Dense(4, name="right")(inputs)
    added = layers.Add(name="add")([left, right])
    return k.Model(inputs, layers.Concatenate(name="joined")([left, added, inputs]), name="branches")


def shared(k):
    layer = k.layers.Dense(8, name="shared")
    inputs = k.Input((8,), name="inp")
    return k.Model(inputs, layer(layer(inputs)))


def shared_between_models(k):
    layer = k.layers.Dense(8, name="shared")
    inputs = k.Input((8,), name="inp")
    once = layer(inputs)
    k.Model(inputs, layer(once))
    return k.Model(inputs, k.layers.Concatenate(name="joined")([layer(once), inputs]))


def shapes_of_a_shared_layer(k):
    layer = k.layers.Dense(8, name="shared")
    flat, deep = k.Input((8,), name="flat"), k.Input((5, 8), name="deep")
    return k.Model([flat, deep], [layer(flat), layer(deep)])


def several_inputs_and_outputs(k):
    first, second = k.Input((8,), name="first"), k.Input((8,), name="second")
    outputs = [k.layers.Dense(3, name="three")(first), k.layers.Dense(4, name="four")(second)]
    return k.Model({"first": first, "second": second}, outputs)


def unused_input(k):
    used, unused = k.Input((8,), name="used"), k.Input((3,), name="unused")
    return k.Model([used, unused], k.layers.Dense(2, name="dense")(used))


def scalars(k):
    inputs = k.Input((), name="inp")
    return k.Model(inputs, k.layers.Reshape((1,), name="column")(inputs))


def long_names(k):
    layers = k.layers
    inputs = k.Input((8,), name="an_input_with_a_long_name_indeed_it_is_long")
    parts = [
        layers.Dense(n, name=f"dense_layer_{n}_with_a_long_name_indeed_it_is")(inputs) for n in (3, 4, 5)
    ]
    return k.Model(inputs, layers.Concatenate(name="joined")(parts))


def custom_layers(k):
    class Inner(k.layers.Layer):
        def build(self, input_shape):
            self.count = self.add_weight(
                shape=(3,), dtype="int32", initializer="zeros", trainable=False, name="n"
            )
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs):
            return {"b": inputs * self.scale, "a": [inputs, inputs[:, :2]]}

    class Outer(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = k.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

    inputs = k.Input((8,), name="inp")
    return k.Model(inputs, Inner(name="inner")(Outer(name="outer")(inputs)))


def inner_sequential(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8,)),
            layers.Dense(4, name="a_layer_with_a_long_name_inside_of_another"),
            layers.Dense(4, name="okay_of_a_layer_inside_an"),
        ],
        name="inner",
    )


def nested_in_sequential(k):
    layers = k.layers
    return k.Sequential([k.Input((8,)), inner_sequential(k), layers.BatchNormalization(), layers.Dense(2)])


def nested_in_graph(k):
    layers = k.layers
    start = k.Input((8,), name="start")
    inner = k.Model(start, layers.Dense(5, name="z1")(layers.Dense(4, name="z0")(start)), name="inner")
    inputs = k.Input((8,), name="inp")
    both = [inner(inputs), layers.Dense(5, name="beside")(inputs)]
    return k.Model(inputs, layers.Add(name="add")(both), name="middle")


def nested_twice(k):
    return k.Sequential([k.Input((8,)), nested_in_graph(k), k.layers.Dense(1, name="last")], name="outer")


def nested_unbuilt(k):
    inner = k.Sequential([k.layers.Dense(3, name="inside")], name="inner")
    return k.Sequential([k.layers.Dense(2, name="outside"), inner])


def frozen(k):
    model = sequential(k)
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model


def frozen_whole(k):
    model = nested_in_graph(k)
    model.trainable = False
    return model


def compiled(k):
    model = frozen(k)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def with_built_optimizer(k):
    model = compiled(k)
    model.optimizer.build(model.trainable_variables)
    return model


def with_frozen_optimizer(k):
    model = frozen_whole(k)
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def trained(k):
    model = k.Sequential([k.Input((8,)), k.layers.Dense(2)])
    model.compile(k.optimizers.SGD(momentum=0.9), "mse")
    model.fit(np.ones((4, 8), "float32"), np.ones((4, 2), "float32"), verbose=0)
    return model


def subclassed(k):
    class Subclassed(k.Model):
        def __init__(self):
            super().__init__()
            self.first = k.layers.Dense(3, name="first")
            self.second = k.layers.Dense(2, name="second")

        def call(self, inputs):
            return self.second(self.first(inputs))

    return Subclassed()
