"""What a layer accepts: rank, sizes and dtype of each input, checked on shapes before anything runs."""

from torchkeras_lite.base import dtypes, nested
from torchkeras_lite.base.checks import describe


class InputSpec:
    """Rank, shape, sizes of axes and dtype that an input must have.

    Args:
        dtype: Dtype name, or `None` for any.
        shape: Tuple with `None` for any size.
        ndim: Exact rank.
        max_ndim: Greatest rank.
        min_ndim: Least rank.
        axes: Mapping of axis to the size it must have; `None` as a size allows any.
        allow_last_axis_squeeze: Also accept an input that lacks (or has in addition) a last axis of size 1.
        name: Key of the input when a layer takes a dict.
        optional: Whether `None` may be passed.

    Source: Keras 3 `keras.InputSpec`.
    """

    def __init__(
        self,
        dtype=None,
        shape=None,
        ndim=None,
        max_ndim=None,
        min_ndim=None,
        axes=None,
        allow_last_axis_squeeze=False,
        name=None,
        optional=False,
    ):
        self.dtype = None if dtype is None else dtypes.standardize_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        rank = self.ndim if self.ndim is not None else self.max_ndim
        if self.axes and rank is not None and max(self.axes) > rank - 1:
            raise ValueError(
                f"InputSpec: axis {max(self.axes)} is greater than the rank allows ({rank} axes)."
            )
        self._sizes = [(axis, size) for axis, size in self.axes.items() if size is not None]
        if self.shape is not None:
            self._sizes += [(axis, size) for axis, size in enumerate(self.shape) if size is not None]
        self._least = self.ndim if self.ndim is not None else (min_ndim or 0)
        self._most = self.ndim if self.ndim is not None else (max_ndim if max_ndim is not None else 1 << 30)

    def accepts(self, shape):
        """Whether a tensor of `shape` fits; sizes of `None` fit everything. Says nothing of the dtype."""
        if not self._least <= len(shape) <= self._most:
            return False
        for axis, size in self._sizes:  # noqa: SIM110 - a plain loop is faster here, in every call
            if shape[axis] != size and shape[axis] is not None:
                return False
        return True

    def complaint(self, shape, dtype=None):
        """Return what is wrong with an input, in Keras's words, or `None`."""
        ndim = len(shape)
        expected = self.shape
        if self.allow_last_axis_squeeze and expected:
            if shape and shape[-1] == 1 and ndim == len(expected) + 1:
                shape = shape[:-1]
            elif expected[-1] == 1 and ndim == len(expected) - 1:
                shape = (*shape, 1)
            ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={ndim}"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={ndim}"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={ndim}"
        if self.dtype is not None and dtype is not None and dtypes.standardize_dtype(dtype) != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtypes.standardize_dtype(dtype)}"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return (
                    f"expected axis {axis} of input shape to have value {size}, "
                    f"but received input with shape {shape}"
                )
        if expected is not None and any(
            size is not None and found not in (size, None)
            for size, found in zip(expected, shape, strict=True)
        ):
            return f"expected shape={expected}, found shape={tuple(shape)}"
        return None

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": None if self.shape is not None else self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
            "allow_last_axis_squeeze": self.allow_last_axis_squeeze,
            "name": self.name,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config):
        """Return the spec that `get_config` described."""
        return cls(**config)

    def __repr__(self):
        parts = [
            f"{key}={value}" for key, value in self.get_config().items() if value not in (None, False, {})
        ]
        return f"InputSpec({', '.join(parts)})"


def check_inputs(layer, spec, inputs):
    """Raise when `inputs` (tensors, real or symbolic, of one structure) do not fit `spec` (specs, likewise
    nested).

    Raises:
        ValueError: a wrong number of inputs, rank, size or dtype; the text names the layer, the input and
            both sides.
    """
    specs = nested.flatten(spec)
    flat = isinstance(inputs, dict) and not any(map(nested.is_nested, inputs.values()))
    if flat and all(s.name is not None for s in specs):
        tensors = [inputs.get(s.name) for s in specs]
    else:
        tensors = nested.flatten(inputs)
    if len(tensors) != len(specs):
        names = [one.name for one in specs if one.name is not None]
        keys = f"named input(s) with keys {names}" if len(names) == len(specs) else "input(s)"
        raise ValueError(
            f"Layer '{layer.name}' expects {len(specs)} {keys}, but it received {len(tensors)} input "
            f"tensors. Pass {'one tensor' if len(specs) == 1 else f'a list of {len(specs)} tensors'}"
            f"{', or a dict with these keys' if names else ''}."
        )
    for index, (tensor, one) in enumerate(zip(tensors, specs, strict=True)):
        if tensor is None:
            if one.optional:
                continue
            raise ValueError(
                f"{describe(layer)}: input {index} is missing (None), and it is not optional. Pass a tensor, "
                "or declare it with `Input(..., optional=True)`."
            )
        shape = tuple(tensor.shape)
        complaint = one.complaint(shape, tensor.dtype if one.dtype else None)
        if complaint:
            raise ValueError(
                f"Input {index} of layer '{layer.name}' is incompatible with the layer: {complaint}"
                f"{layer._input_place(index)}. Full shape received: {shape}. {_remedy(layer, one)}"
            )


def _remedy(layer, spec):
    wanted = spec.shape
    if wanted is None and spec.ndim is not None:
        wanted = tuple(spec.axes.get(axis, spec.axes.get(axis - spec.ndim)) for axis in range(spec.ndim))
        if all(size is None for size in wanted):
            return f"Pass inputs with {spec.ndim} axes, the batch first."
    if wanted is not None:
        return f"Pass inputs of shape {wanted}."
    if -1 in spec.axes:
        return f"Pass inputs of shape (batch, ..., {spec.axes[-1]}), or make a new layer for this input."
    return f"Reshape the input, or check the layer before '{layer.name}'."
