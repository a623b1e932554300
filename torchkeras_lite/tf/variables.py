"""`Variable` and `Module`, the holder of variables."""

import contextlib
import re

import torch

from torchkeras_lite.base import naming
from torchkeras_lite.engine.variable import Variable as KerasVariable
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter, Weight
from torchkeras_lite.tf.conversion import convert, sizes
from torchkeras_lite.tf.shapes import TensorShape
from torchkeras_lite.tf.tensor import Reference, wrap
from torchkeras_lite.tf.text import is_text


class _AnyVariable(type(KerasVariable)):  # type: ignore[misc]
    """Lets `isinstance(weight, tf.Variable)` hold for the weights of layers too."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, KerasVariable)


class Variable(KerasVariable, metaclass=_AnyVariable):
    """A tensor that can be changed in place and trained.

    It is a Keras variable, so layers and optimizers take it; kept in a layer's attribute it is one of the
    layer's weights.

    Args:
        initial_value: A number, array, tensor or nested lists; or a function without arguments that returns
            one.
        trainable: Whether tapes watch it without being told, and optimizers train it; `None`: yes.
        validate_shape: Accepted; shapes are always checked.
        caching_device, variable_def, import_scope: Accepted as in TensorFlow; nothing depends on them.
        name: Name.
        dtype: Dtype; `None`: that of the values.
        constraint: Projection that optimizers apply after every update.
        synchronization, aggregation: Accepted as in TensorFlow.
        shape: The shape that the values must have; a shape with `None` is not checked.

    Raises:
        ValueError: no values, another shape.
        TypeError: text.

    Source: `tf.Variable`. Differs: `value` is Keras's property and not a method; `dtype` is a torch dtype's
    Keras name, which `tf.cast` and the like take; text stays in tensors.
    """

    def __init__(
        self,
        initial_value=None,
        trainable=None,
        validate_shape=True,
        caching_device=None,
        name=None,
        variable_def=None,
        dtype=None,
        import_scope=None,
        constraint=None,
        synchronization=None,
        aggregation=None,
        shape=None,
    ):
        if initial_value is None:
            raise ValueError("tf.Variable: `initial_value` is needed: a number, an array or a tensor.")
        if callable(initial_value) and not isinstance(initial_value, (torch.Tensor, Weight)):
            initial_value = initial_value()
        if is_text(initial_value):
            raise TypeError("tf.Variable cannot hold text. Keep it in tf.constant.")
        tensor = convert(initial_value, dtype)
        if shape is not None and None not in TensorShape(shape) and tuple(tensor.shape) != sizes(shape):
            raise ValueError(
                f"tf.Variable: expected values of shape {sizes(shape)}, got {tuple(tensor.shape)}."
            )
        name = None if name is None else re.sub(r":\d+$", "", name).replace("/", "_")
        super().__init__(tensor, trainable=trainable is None or bool(trainable), name=name)
        self.constraint = constraint

    @property
    def value(self):
        """The values, a `Tensor` that is differentiable with respect to the variable."""
        if torch.compiler.is_compiling():
            return self.tensor
        return wrap(self.tensor.as_subclass(torch.Tensor))

    @property
    def shape(self):
        """Shape with TensorFlow's methods."""
        return TensorShape(super().shape)

    def get_shape(self):
        """Return the shape."""
        return self.shape

    def read_value(self):
        """Return a copy of the values."""
        return self.value.clone()

    def numpy(self):
        """Return a copy of the values as a NumPy array, or as a NumPy number where there are no axes."""
        return super().numpy()[()]

    def initialized_value(self):
        """Return the values."""
        return self.value

    def assign(self, value, use_locking=False, name=None, read_value=True):
        """Overwrite the values in place; the shape must be the same."""
        return super().assign(convert(value))

    def assign_add(self, delta, use_locking=False, name=None, read_value=True):
        """Add `delta` in place."""
        return super().assign_add(convert(delta))

    def assign_sub(self, delta, use_locking=False, name=None, read_value=True):
        """Subtract `delta` in place."""
        return super().assign_sub(convert(delta))

    def scatter_nd_update(self, indices, updates, name=None):
        """Overwrite values or slices at index tuples, in place."""
        return self._put(indices, updates, accumulate=False)

    def scatter_nd_add(self, indices, updates, name=None):
        """Add to values or slices at index tuples, in place."""
        return self._put(indices, updates, accumulate=True)

    def _put(self, indices, updates, accumulate):
        places = tuple(convert(indices).long().unbind(-1))
        updates = convert(updates).to(self.tensor.dtype)
        with torch.no_grad():
            self.tensor.index_put_(places, updates, accumulate=accumulate)
        return self

    def ref(self):
        """Return a hashable stand-in, whose `deref()` is the variable."""
        return Reference(self)

    def __repr__(self):
        return f"<tf.Variable '{self.path}:0' shape={self.shape} dtype={self.dtype}, numpy={self.numpy()!r}>"


class Module:
    """Base of classes that keep variables, layers and other modules in their attributes.

    Args:
        name: Name; the class's in snake case when not given.

    Source: `tf.Module`. It is no torch module; Keras layers and models are.
    """

    def __init__(self, name=None):
        self._name = name or naming.to_snake_case(type(self).__name__)

    @property
    def name(self):
        """The name."""
        return getattr(self, "_name", naming.to_snake_case(type(self).__name__))

    @property
    def name_scope(self):
        """A context manager; names of variables inside begin with the module's."""
        return name_scope(self.name)

    @property
    def variables(self):
        """All variables of this module and those in its attributes, each once."""
        return tuple(_found(self, _is_variable))

    @property
    def trainable_variables(self):
        """The variables that are trained."""
        return tuple(variable for variable in self.variables if variable.trainable)

    @property
    def non_trainable_variables(self):
        """The variables that are not trained."""
        return tuple(variable for variable in self.variables if not variable.trainable)

    @property
    def submodules(self):
        """The modules and layers in its attributes, and in theirs."""
        return tuple(_found(self, lambda value: _is_module(value) and value is not self))

    @classmethod
    def with_name_scope(cls, method):
        """Return a method that runs inside `name_scope`."""

        def scoped(self, *args, **kwargs):
            with self.name_scope:
                return method(self, *args, **kwargs)

        return scoped


def _is_variable(value):
    return isinstance(value, (Weight, LayerParameter, LayerBuffer))


def _is_module(value):
    return isinstance(value, (Module, torch.nn.Module))


def _found(root, wanted):
    """Return what satisfies `wanted` among all that is reached from `root`'s attributes, each once."""
    found, seen, ahead = [], set(), [root]
    while ahead:
        value = ahead.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if wanted(value):
            found.append(value)
        ahead = [*_parts(value), *ahead]
    return found


def _parts(value):
    if isinstance(value, Module):
        return [part for name, part in sorted(vars(value).items())]
    if hasattr(value, "weights") and isinstance(value, torch.nn.Module):
        return [*value.weights, *value.modules()]
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


@contextlib.contextmanager
def name_scope(name, *args):
    """Let names of variables inside begin with `name`."""
    with naming.name_scope(re.sub("/+", "_", str(name).strip("/"))):
        yield name


__all__ = ["Module", "Variable", "name_scope"]
