"""Dtype policies of quantized layers: `"int8_from_float32"` and the like."""

from torchkeras_lite.base import registry
from torchkeras_lite.engine import precision
from torchkeras_lite.engine.precision import DTypePolicy

MODES = ("int8", "float8", "int4", "gptq", "awq")


class QuantizedDTypePolicy(DTypePolicy):
    """Names the mode of a quantized layer and the policy that the layer had before.

    Args:
        mode: `"int8"`, `"int4"` or `"float8"`.
        source_name: Name of the policy before; `None`: that of the global one.

    Raises:
        ValueError: an unknown mode, or one that the compute dtype does not go with.

    Source: Keras 3 `keras.dtype_policies.QuantizedDTypePolicy`.
    """

    def __init__(self, mode, source_name=None):
        source_name = precision.dtype_policy().name if source_name is None else source_name
        super().__init__(source_name)
        self._name = f"{mode}_from_{source_name}"
        self._source_name = source_name
        self.mode = mode.partition("/")[0]
        if self.mode not in MODES:
            raise ValueError(f"Invalid quantization mode. Expected one of {MODES}. Received: mode={mode}")
        if self.compute_dtype == "float16" and self.mode in ("int8", "int4"):
            raise ValueError(
                f"Quantization mode='{mode}' doesn't work well with compute_dtype='float16'. Use a policy of "
                "float32 or bfloat16."
            )

    @property
    def quantization_mode(self):
        """The mode's name."""
        return self.mode

    def _mode_name(self):
        return self.mode

    def get_config(self):
        """Return the constructor's arguments."""
        return {"mode": self._mode_name(), "source_name": self._source_name}

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash(self._name)

    def __repr__(self):
        return f'<{type(self).__name__} "{self._name}">'


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """The policy of float8 layers.

    Args:
        mode: `"float8"`.
        source_name: See `QuantizedDTypePolicy`.
        amax_history_length: Steps over which the largest values are remembered.

    Raises:
        TypeError: `amax_history_length` is no integer.

    Source: Keras 3 `keras.dtype_policies.QuantizedFloat8DTypePolicy`.
    """

    default_amax_history_length = 1024

    def __init__(self, mode, source_name=None, amax_history_length=1024):
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(f"`amax_history_length` must be an integer, got {amax_history_length!r}.")
        self._amax_history_length = amax_history_length

    @property
    def amax_history_length(self):
        """Steps over which the largest values are remembered."""
        return self._amax_history_length

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class _WithNumbers(QuantizedDTypePolicy):
    """Policies whose mode has numbers: `"int4/128"`, `"gptq/4/128"`."""

    kind = ""
    numbers: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()

    def __init__(self, mode, source_name=None):
        expected = f"'{self.kind}/{'/'.join(f'<{name}>' for name in self.numbers)}'"
        parts = mode.split("/")
        if len(parts) != len(self.numbers) + 1 or parts[0] != self.kind:
            raise ValueError(
                f"Invalid mode for {type(self).__name__}. Expected format {expected}, but got '{mode}'."
            )
        try:
            found = [int(part) for part in parts[1:]]
        except ValueError:
            raise ValueError(
                f"Invalid mode for {type(self).__name__}. {' and '.join(self.numbers)} must be "
                "integers. Expected "
                f"format {expected}, but got '{mode}'."
            ) from None
        for name, number in zip(self.numbers, found, strict=True):
            if name == "weight_bits" and number not in self.bits:
                raise ValueError(
                    f"Invalid weight_bits. Expected one of {self.bits}, but got {number} from '{mode}'."
                )
            if name != "weight_bits" and (number < -1 or number == 0):
                raise ValueError(
                    f"Invalid {name}. Expected -1 or a positive integer, but got {number} from '{mode}'."
                )
            setattr(self, name, number)
        super().__init__(mode, source_name)

    def _mode_name(self):
        return "/".join([self.mode, *(str(getattr(self, name)) for name in self.numbers)])


class Int4DTypePolicy(_WithNumbers):
    """The policy of int4 layers, with the number of inputs that share a scale (-1: all): `"int4/128"`.

    Args:
        mode: `"int4/<block size>"`.
        source_name: See `QuantizedDTypePolicy`.

    Source: Keras 3 `keras.dtype_policies.Int4DTypePolicy`.
    """

    kind, numbers = "int4", ("block_size",)


class GPTQDTypePolicy(_WithNumbers):
    """The policy of GPTQ layers: `"gptq/<bits>/<group size>"`.

    Args:
        mode: See above.
        source_name: See `QuantizedDTypePolicy`.

    Source: Keras 3 `keras.dtype_policies.GPTQDTypePolicy`.
    """

    kind, numbers, bits = "gptq", ("weight_bits", "group_size"), (2, 3, 4, 8)


class AWQDTypePolicy(_WithNumbers):
    """The policy of AWQ layers: `"awq/4/<group size>"`.

    Args:
        mode: See above.
        source_name: See `QuantizedDTypePolicy`.

    Source: Keras 3 `keras.dtype_policies.AWQDTypePolicy`.
    """

    kind, numbers, bits = "awq", ("weight_bits", "group_size"), (4,)


def policy_of_name(name):
    """Return the policy called `name`, such as `"int8_from_float32"`.

    Raises:
        ValueError: no policy has that name.
    """
    mode, _, source = name.partition("_from_")
    kind = mode.partition("/")[0]
    if kind not in MODES:
        raise ValueError(
            f"Cannot convert '{name}' to a QuantizedDTypePolicy. The name before '_from_' must be one "
            f"of {MODES}, "
            "with numbers for the last three: 'int8_from_float32', 'int4/128_from_float32'."
        )
    if kind == "gptq":
        return GPTQDTypePolicy(mode, source)
    if kind == "awq":
        return AWQDTypePolicy(mode, source)
    if kind == "int4" and "/" in mode:
        return Int4DTypePolicy(mode, source)
    if kind == "float8":
        return QuantizedFloat8DTypePolicy(mode, source)
    return QuantizedDTypePolicy(mode, source)


CLASSES = {
    cls.__name__: cls
    for cls in (
        QuantizedDTypePolicy,
        QuantizedFloat8DTypePolicy,
        Int4DTypePolicy,
        GPTQDTypePolicy,
        AWQDTypePolicy,
    )
}
precision.add_kinds(policy_of_name, CLASSES)
registry.publish("dtype_policies", CLASSES)
