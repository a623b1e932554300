"""Dtype policies: the dtype that weights are kept in and the one that is computed in, by Keras's names."""

import re
from collections.abc import MutableMapping

import torch

from torchkeras_lite.base import config, dtypes, registry
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.base.serialization import serialize_keras_object

_POLICIES = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
_global = {"policy": None}
_quantized: dict = {"by_name": None, "classes": {}}


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
            raise TypeError(f"DTypePolicy: 'name' must be a string such as 'mixed_float16', got {name!r}.")
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

    @property
    def quantization_mode(self):
        """Mode of a quantized layer's policy, else `None`."""
        return None

    def convert_input(self, x, autocast, dtype):
        """Return `x` as a tensor: floats in `dtype` where `autocast` is asked for, others as they are.

        Arrays and numbers become tensors first.
        """
        wanted = dtypes.torch_dtype(dtype)
        if not isinstance(x, torch.Tensor):
            if not hasattr(x, "__array__"):
                return x
            x = torch.as_tensor(x)
        return x.to(wanted) if autocast and x.is_floating_point() else x

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


class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Policies by the paths of layers; a layer that is given the map as `dtype` takes the one for its path.

    A key is a path, or a regular expression that must match all of one.

    Args:
        default_policy: Policy (or its name) for other paths; `None`: the global one.
        policy_map: Dict of paths to policies or their names.

    Raises:
        TypeError: `policy_map` is no dict.
        ValueError: a path that is there already, or that several expressions match.

    Source: Keras 3 `keras.dtype_policies.DTypePolicyMap`.
    """

    def __init__(self, default_policy=None, policy_map=None):
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                f"DTypePolicyMap: If specified, `policy_map` must be a dict, got {policy_map!r} of type "
                f"{type(policy_map).__name__}."
            )
        self._given_default = default_policy
        self.default_policy = get(default_policy)
        super().__init__(self.default_policy.name)
        self._policies = {}
        for path, policy in (policy_map or {}).items():
            self[path] = policy

    @property
    def name(self):
        """`"map_"` and the name of the default policy."""
        return f"map_{self.default_policy.name}"

    def __getitem__(self, path):
        if path in self._policies:
            return self._policies[path]
        matching = [key for key in self._policies if re.fullmatch(key, path)]
        if len(matching) > 1:
            raise ValueError(
                f"DTypePolicyMap: Path '{path}' matches multiple dtype policy keys: {matching}. Make the "
                "expressions exclude each other."
            )
        return self._policies[matching[0]] if matching else self.default_policy

    def __setitem__(self, path, policy):
        if path in self._policies:
            raise ValueError(
                f"{path} already exist in the DTypePolicyMap with value {self._policies[path]}. Delete it "
                "first, or use another key."
            )
        self._policies[path] = get(policy)

    def __delitem__(self, path):
        del self._policies[path]

    def __contains__(self, path):
        return path in self._policies

    def __len__(self):
        return len(self._policies)

    def __iter__(self):
        return iter(self._policies)

    def get_config(self):
        """Return the constructor's arguments."""
        default = self._given_default
        named = default is None or isinstance(default, str)
        return {
            "default_policy": default if named else serialize_keras_object(default),
            "policy_map": {path: serialize_keras_object(policy) for path, policy in self.items()},
        }

    @classmethod
    def from_config(cls, config):
        """Return the map that `get_config` described."""
        policies = {path: _of_config(policy) for path, policy in (config["policy_map"] or {}).items()}
        return cls(_of_config(config["default_policy"]), policies)

    def __eq__(self, other):
        if not isinstance(other, DTypePolicyMap):
            return False
        return self.default_policy == other.default_policy and self._policies == other._policies

    __hash__ = object.__hash__

    def __repr__(self):
        names = [(path, policy.name) for path, policy in self.items()]
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={names}>"


def _of_config(policy):
    return get(policy) if isinstance(policy, dict) else policy


def add_kinds(by_name, classes):
    """Let `get` know the policies of quantized layers: by names with `_from_`, and by classes in configs."""
    _quantized.update(by_name=by_name, classes=classes)


def dtype_policy():
    """Return the policy of layers that are given no `dtype`."""
    return _global["policy"] or DTypePolicy(config.floatx())


def set_dtype_policy(policy):
    """Set the policy (or its name) of layers that are made from now on without a `dtype`.

    Raises:
        ValueError: neither.
    """
    if not isinstance(policy, (DTypePolicy, str)):
        raise ValueError(
            "Invalid `policy` argument. Expected the string name of a policy (such as 'mixed_float16') or a "
            f"DTypePolicy, got {policy!r} of type {type(policy).__name__}."
        )
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
        name = identifier.get("class_name")
        kinds = {"DTypePolicyMap": DTypePolicyMap, **_quantized["classes"]}
        return kinds.get(name, DTypePolicy).from_config(identifier["config"])
    if isinstance(identifier, str):
        quantized = "_from_" in identifier and _quantized["by_name"]
        return (quantized or DTypePolicy)(identifier)
    try:
        return DTypePolicy(dtypes.standardize_dtype(identifier))
    except (TypeError, ValueError):
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a dtype, a policy name or a DTypePolicy, got "
            f"{identifier!r}."
        ) from None


registry.publish("", {"DTypePolicy": DTypePolicy}, aliases=("dtype_policies",))
registry.publish("dtype_policies", {"DTypePolicyMap": DTypePolicyMap})
