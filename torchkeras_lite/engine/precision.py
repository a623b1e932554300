"""Dtype policies: the dtype that weights are kept in and the one that is computed in, by Keras's names."""

from torchkeras_lite.base import config, dtypes, registry
from torchkeras_lite.base.checks import suggestion

_POLICIES = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
_global = {"policy": None}


class DTypePolicy:
    """Names the dtypes of a layer.

    Args:
        name: A dtype (`"float32"`: weights and computation) or `"mixed_float16"`, `"mixed_bfloat16"`
            (float32 weights, computation in the half type, through `torch.autocast`). `None`: the global
            policy.

    Source: Keras 3 `keras.DTypePolicy`.
    """

    def __init__(self, name=None, source_name=None):
        name = name if name is not None else dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(f"DTypePolicy: `name` must be a string such as 'mixed_float16', got {name!r}.")
        self._name = name
        self._source_name = source_name
        if name.startswith("mixed_"):
            if name not in _POLICIES:
                raise ValueError(
                    f"Cannot convert '{name}' to a mixed precision DTypePolicy{suggestion(name, _POLICIES)} "
                    "Valid names: 'mixed_float16', 'mixed_bfloat16'."
                )
            self._variable_dtype, self._compute_dtype = "float32", name.removeprefix("mixed_")
        else:
            try:
                self._compute_dtype = self._variable_dtype = dtypes.standardize_dtype(name)
            except ValueError:
                raise ValueError(
                    f"Cannot convert '{name}' to a DTypePolicy{suggestion(name, _POLICIES)} Valid names: a "
                    "dtype "
                    "such as 'float32', or 'mixed_float16', 'mixed_bfloat16'."
                ) from None

    @property
    def name(self):
        """The policy's name."""
        return self._name

    @property
    def variable_dtype(self):
        """Dtype of weights."""
        return self._variable_dtype

    @property
    def compute_dtype(self):
        """Dtype of computations and outputs."""
        return self._compute_dtype

    def get_config(self):
        """Return the constructor's arguments."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config):
        """Return the policy that `get_config` described."""
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self):
        return hash(self._name)

    def __repr__(self):
        return f'<DTypePolicy "{self._name}">'


def dtype_policy():
    """Return the policy of layers that are given no `dtype`."""
    return _global["policy"] or DTypePolicy(config.floatx())


def set_dtype_policy(policy):
    """Set the policy (or its name) of layers that are made from now on without a `dtype`."""
    _global["policy"] = get(policy)


def get(identifier):
    """Return the policy for a name, dtype, config or policy; the global one for `None`.

    Raises:
        ValueError: no policy has that name.
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy.from_config(identifier["config"])
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(dtypes.standardize_dtype(identifier))
    except (TypeError, ValueError):
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a dtype, a policy name or a DTypePolicy, got "
            f"{identifier!r}."
        ) from None


registry.publish("", {"DTypePolicy": DTypePolicy}, aliases=("dtype_policies",))
