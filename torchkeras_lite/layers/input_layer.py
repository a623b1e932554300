"""`Input` and `InputLayer`: where a symbolic model begins."""

from torchkeras_lite.base import config, dtypes
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.engine.input_spec import InputSpec
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor
from torchkeras_lite.engine.layer import Layer


def standardize_shape(shape, owner="Input"):
    """Return `shape` as a tuple of positive integers and `None`s.

    Raises:
        ValueError: it is no sequence of sizes.
    """
    if shape is None or isinstance(shape, (int, str)):
        remedy = f" A single size is written `({shape},)`." if isinstance(shape, int) else ""
        raise ValueError(f"{owner}: cannot convert {shape!r} to a shape; expected a tuple of sizes.{remedy}")
    sizes = []
    for size in tuple(shape):
        if size is not None and (isinstance(size, (bool, float, str)) or int(size) < 0):
            raise ValueError(f"{owner}: cannot convert {tuple(shape)} to a shape: {size!r} is not a size.")
        sizes.append(None if size is None else int(size))
    return tuple(sizes)


class InputLayer(Layer):
    """The layer behind an `Input`: it gives shape and dtype and computes nothing.

    Args:
        shape: Shape of one sample, without the batch.
        batch_size: Batch size, `None` for any.
        dtype: Dtype name; `None`: the default float type.
        sparse, ragged: Must be false; torch models take dense tensors.
        batch_shape: Shape with the batch, instead of `shape` and `batch_size`.
        input_tensor: A `KerasTensor` to use instead of a new one.
        optional: Whether `None` may be passed for this input.
        name: Name of the input.
        input_shape, batch_input_shape: tf.keras's words for `shape` and `batch_shape`.

    Source: Keras 3 `keras.layers.InputLayer`.
    """

    fixes_dtype = True  # whether data is cast to `dtype`; not where the first data gave it

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        sparse=None,
        ragged=None,
        batch_shape=None,
        input_tensor=None,
        optional=False,
        name=None,
        **kwargs,
    ):
        shape = kwargs.pop("input_shape", shape)
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        if kwargs:
            unknown = next(iter(kwargs))
            known = ("shape", "batch_size", "dtype", "batch_shape", "input_tensor", "optional", "name")
            raise ValueError(
                f"Unrecognized keyword arguments passed to InputLayer: {kwargs}{suggestion(unknown, known)}"
            )
        super().__init__(name=name)
        if sparse or ragged:
            raise ValueError(
                f"Input '{self.name}': sparse and ragged inputs are not supported; pass dense arrays."
            )
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(
                    f"Input '{self.name}': argument `input_tensor` must be a KerasTensor, got "
                    f"{type(input_tensor).__name__}."
                )
            batch_shape = batch_shape or input_tensor.shape
            dtype = dtype or input_tensor.dtype
        if shape is not None and batch_shape is not None and input_tensor is None:
            raise ValueError(f"Input '{self.name}': pass `shape` or `batch_shape`, not both.")
        if batch_shape is None:
            if shape is None:
                raise ValueError(f"Input '{self.name}': you must pass a `shape` argument.")
            batch_shape = (batch_size, *standardize_shape(shape))
        self.batch_shape = standardize_shape(batch_shape)
        self._input_dtype = dtypes.standardize_dtype(dtype, config.floatx())
        self.sparse, self.ragged, self.optional = bool(sparse), bool(ragged), bool(optional)
        self.built = True
        self.input_spec = InputSpec(
            shape=self.batch_shape, dtype=None, name=self.name, optional=self.optional
        )
        call = Call(self, (), {}, self.name, is_input=True)
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor(self.batch_shape, self._input_dtype, name=self.name)
        tensor.call, tensor.path = call, ()
        call.outputs = tensor
        self.__dict__["_calls"] = [call]

    def call(self, inputs):
        """Return the inputs."""
        return inputs

    @property
    def dtype(self):
        """Dtype name of the input."""
        return self._input_dtype

    @property
    def tensor(self):
        """The symbolic tensor."""
        return self._calls[0].outputs

    @property
    def input(self):
        """The symbolic tensor."""
        return self.tensor

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape=None,
    batch_size=None,
    dtype=None,
    sparse=None,
    ragged=None,
    batch_shape=None,
    name=None,
    tensor=None,
    optional=False,
):
    """Return a symbolic tensor that stands for what a model is given.

    Args:
        shape: Shape of one sample, without the batch; `None` for unknown sizes: `(None, 8)`.
        batch_size: Batch size, `None` for any.
        dtype: Dtype name; `None`: the default float type.
        sparse, ragged: Must be false; torch models take dense tensors.
        batch_shape: Shape with the batch, instead of `shape` and `batch_size`.
        name: Name of the input, under which a dict of inputs is read.
        tensor: A `KerasTensor` to start from instead of a new one.
        optional: Whether `None` may be passed for this input.

    Returns:
        A `KerasTensor`.

    Raises:
        ValueError: no shape, or something that is none.

    Source: Keras 3 `keras.Input`.
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer.tensor
