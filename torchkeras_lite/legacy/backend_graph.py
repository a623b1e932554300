"""Graphs, sessions and the learning phase of Keras 2's backend, of which functions of tensors are left."""

import numpy as np

from torchkeras_lite import random
from torchkeras_lite.base import config, nested
from torchkeras_lite.engine.keras_tensor import is_symbolic
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers import Input
from torchkeras_lite.legacy.renaming import named
from torchkeras_lite.models import Model
from torchkeras_lite.utils.session import clear_session

FUNCTIONS: dict = {}


class LearningPhase(int):
    """What `K.learning_phase()` returns: 0, and as an input of `K.function` the mode."""


class GraphFunction:
    """What `K.function` returns: from a list of arrays to a list of arrays."""

    def __init__(self, inputs, outputs):
        self.single = not isinstance(outputs, (list, tuple))
        inputs = list(inputs)
        self.phases = [isinstance(one, LearningPhase) for one in inputs]
        symbols = [one for one, phase in zip(inputs, self.phases, strict=True) if not phase]
        if not symbols or not all(is_symbolic(one) for one in symbols):
            raise ValueError(
                f"K.function: expected symbolic inputs, got {inputs!r}. Write a Python function of tensors."
            )
        self.model = Model(symbols, [outputs] if self.single else list(outputs))

    def __call__(self, values):
        """Return the outputs for a list of arrays, in the order of the inputs."""
        values = nested.flatten(values)
        if len(values) != len(self.phases):
            raise ValueError(f"K.function: expected {len(self.phases)} inputs, got {len(values)}.")
        training = any(bool(v) for v, phase in zip(values, self.phases, strict=True) if phase)
        arrays = [
            np.asarray(v, dtype=t.dtype)
            for v, t in zip(
                (v for v, phase in zip(values, self.phases, strict=True) if not phase),
                self.model.inputs,
                strict=True,
            )
        ]
        outputs = self.model(arrays if len(arrays) > 1 else arrays[0], training=training)
        found = [one.detach().cpu().numpy() for one in nested.flatten(outputs)]
        return found[0] if self.single else found


@named(FUNCTIONS, "Model(inputs, outputs), and call it")
def function(inputs, outputs, updates=None, name=None, **kwargs):
    """Return a function of arrays from symbolic tensors, such as the inputs and outputs of layers.

    Raises:
        ValueError: `updates`, or inputs that are not symbolic.
    """
    if updates:
        raise ValueError("K.function: there are no `updates` here. Assign in the `call` of a layer.")
    return GraphFunction(inputs, outputs)


@named(FUNCTIONS, "the `training` argument of `call`")
def learning_phase():
    """Return 0, inference; in the inputs of `K.function` it stands for the mode."""
    return LearningPhase(0)


@named(FUNCTIONS, "training=... in the call, or layer.train() and layer.eval()")
def set_learning_phase(value):
    """Accept 0, which is the mode of calls anyway.

    Raises:
        ValueError: 1.
    """
    if int(value) != 0:
        raise ValueError(
            "K.set_learning_phase(1): there is no global mode. Pass `training=True` in the call, or call "
            "`model.train()`."
        )


@named(FUNCTIONS, "`if training:` in `call`")
def in_train_phase(x, alt, training=None):
    """Return `x` in training, else `alt`; either may be a function without arguments."""
    chosen = x if training else alt
    return chosen() if callable(chosen) else chosen


@named(FUNCTIONS, "`if training:` in `call`")
def in_test_phase(x, alt, training=None):
    """Return `alt` in training, else `x`; either may be a function without arguments."""
    return in_train_phase(alt, x, training)


@named(FUNCTIONS, "Input(batch_shape=...)")
def placeholder(shape=None, ndim=None, dtype=None, sparse=False, name=None):
    """Return a symbolic tensor."""
    return Input(batch_shape=tuple(shape or (None,) * ndim), dtype=dtype or config.floatx(), name=name)


class _Printed(Layer):
    """Prints values as they pass."""

    def __init__(self, message, **kwargs):
        super().__init__(**kwargs)
        self.message = message

    def call(self, inputs):
        """Print and return `inputs`."""
        print(self.message, inputs)
        return inputs


@named(FUNCTIONS, "print")
def print_tensor(x, message="", summarize=3):
    """Print `x` with a message when it is computed, and return it."""
    return _Printed(message)(x)


@named(FUNCTIONS, "random.binomial(shape, 1, p)")
def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """Return a tensor of ones, with probability `p`, and zeros."""
    return random.binomial(shape, 1, p, dtype=dtype or config.floatx(), seed=seed)


@named(FUNCTIONS, "utils.clear_session()")
def reset_uids():
    """Let automatic names count from the start."""
    clear_session()


@named(FUNCTIONS, "config.image_data_format()")
def image_dim_ordering():
    """Return `"tf"` or `"th"`."""
    return {"channels_last": "tf", "channels_first": "th"}[config.image_data_format()]


@named(FUNCTIONS, "config.set_image_data_format(...)")
def set_image_dim_ordering(dim_ordering):
    """Set the order of axes by its name of Keras 1.

    Raises:
        ValueError: neither `"tf"` nor `"th"`.
    """
    formats = {"tf": "channels_last", "th": "channels_first"}
    if dim_ordering not in formats:
        raise ValueError(f"K.set_image_dim_ordering: expected 'tf' or 'th', got {dim_ordering!r}.")
    config.set_image_data_format(formats[dim_ordering])


@named(FUNCTIONS, "nothing: operations run at once")
def manual_variable_initialization(value):
    """Do nothing: weights have their values when they are made."""


@named(FUNCTIONS, "nothing: there are no sessions, operations run at once")
def set_session(session):
    """Do nothing: there are no sessions."""


@named(FUNCTIONS, "a function of tensors: there are no sessions, operations run at once")
def get_session(*args, **kwargs):
    """Raise.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "K.get_session: there are no sessions, operations run at once. Instead of `sess.run(tensor)`, call "
        "the model or function that makes the tensor; of weights, read `layer.get_weights()`."
    )
