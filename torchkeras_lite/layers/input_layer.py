"""`Input` and `InputLayer`: where a symbolic model begins."""

import warnings

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
        if "input_shape" in kwargs:
            warnings.warn("Argument `input_shape` is deprecated. Use `shape` instead.", stacklevel=2)
            shape = kwargs.pop("input_shape")
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        if kwargs:
            unknown = next(iter(kwargs))
            known = ("shape", "batch_size", "dtype", "batch_shape", "input_tensor", "optional", "name")
            raise ValueError(
                f"Unrecognized keyword arguments passed to InputLayer: {kwargs}{suggestion(unknown, known)}"
            )
        super().__init__(name=name)
        if input_tensor is not None:
            given = {"shape": shape, "batch_shape": batch_shape, "batch_size": batch_size, "dtype": dtype}
            self._check_tensor(input_tensor, {**given, "sparse": sparse, "ragged": ragged})
            shape, batch_size, batch_shape, dtype = None, None, input_tensor.shape, input_tensor.dtype
        for kind, wanted in (("sparse", sparse), ("ragged", ragged)):
            if wanted:
                raise ValueError(f"Input '{self.name}': `{kind}=True` is not supported; pass dense arrays.")
        for argument, value in (("shape", shape), ("batch_size", batch_size)):
            if value is not None and batch_shape is not None:
                raise ValueError(
                    f"Input '{self.name}': you cannot pass both `{argument}` and `batch_shape`, got "
                    f"{argument}={value} and batch_shape={batch_shape}. Leave one out."
                )
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

    def _check_tensor(self, tensor, given):
        """Raise where `input_tensor` is none, or another argument says something else."""
        if not isinstance(tensor, KerasTensor):
            raise ValueError(
                f"Input '{self.name}': Argument `input_tensor` must be a KerasTensor, got {tensor!r} of type "
                f"{type(tensor).__name__}."
            )
        known = {
            "shape": tensor.shape[1:],
            "batch_shape": tensor.shape,
            "batch_size": tensor.shape[0] if tensor.shape else None,
            "dtype": tensor.dtype,
            "sparse": False,
            "ragged": False,
        }
        given = {key: value for key, value in given.items() if value is not None}
        for key in {"shape", "batch_shape"} & given.keys():
            given[key] = standardize_shape(given[key])
        if "dtype" in given:
            given["dtype"] = dtypes.standardize_dtype(given["dtype"])
        for key, value in given.items():
            if value != known[key]:
                raise ValueError(
                    f"Input '{self.name}': with `input_tensor`, you cannot provide an incompatible `{key}`: "
                    f"got {key}={value!r}, and the tensor has {known[key]!r}. Leave `{key}` out."
                )

    def call(self, inputs=None):
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
