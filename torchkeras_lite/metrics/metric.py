"""The base of all metrics: named state, updated batch by batch, read when asked."""

import contextlib
import types

import numpy as np
import torch

from torchkeras_lite.base import config as settings
from torchkeras_lite.base import dtypes, naming, registry
from torchkeras_lite.metrics.state import MetricVariable
from torchkeras_lite.metrics.tensors import as_tensor


class Metric:
    """State that batches are added to, and a result that is computed from it when asked.

    A subclass makes its state with `add_variable` in `__init__`, changes it in `update_state` and reads it in
    `result`. The state lives on the device of the data; nothing waits for the device before a result is
    printed.

    Args:
        dtype: Dtype of the computations and the result, a name, a torch dtype or a dtype policy. `None`:
            `floatx()`.
        name: Name in logs. `None`: snake case of the class name, numbered from the second on.

    Every metric of this room takes these two, and in `update_state`:

    - `y_true`, `y_pred`: Targets and predictions, tensors, arrays or lists.
    - `sample_weight`: One weight a sample, or one a value; `None` counts all alike.

    A mask that a layer left on `y_pred` counts as weights in the metrics that are means of a function.

    >>> import torch
    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")
    ...
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(torch.maximum(self.largest, y_pred.max()))
    ...
    ...     def result(self):
    ...         return self.largest
    >>> metric = Largest()
    >>> float(metric(None, torch.tensor([1.0, 3.0])))
    3.0

    Source: Keras 3 `keras.metrics.Metric`.
    """

    # Constructor arguments, besides the name and the dtype, that `get_config` reads from attributes of the
    # same name.
    config_arguments: tuple[str, ...] = ()

    def __init__(self, dtype=None, name=None):
        self.name = name or naming.auto_name(self)
        self._dtype = _compute_dtype(dtype)
        self.torch_dtype = dtypes.torch_dtype(self._dtype)
        self._variables = []

    @property
    def dtype(self):
        """Name of the dtype of the result."""
        return self._dtype

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="sum", name=None):
        """Make a state variable.

        Args:
            shape: Tuple of integers, `()` for a scalar.
            initializer: `"zeros"`, `"ones"`, the name of another initializer, a callable `f(shape,
                dtype=...)`, or the values. `reset_state` gives zeros whatever the initial values were.
            dtype: Dtype; `None`: `floatx()`.
            aggregation: How copies of several processes are joined.
            name: Name inside the metric.

        Raises:
            RuntimeError: the subclass did not call `super().__init__()` first.
        """
        self._require_init()
        dtype = dtypes.standardize_dtype(dtype, settings.floatx())
        name = name or naming.unique_name("variable")
        path = f"{self.name.replace('/', '>')}/{name}"
        shape = tuple(shape) if isinstance(shape, (list, tuple, torch.Size)) else (shape,)
        values = _initial_value(initializer, shape, dtype)
        variable = MetricVariable(values, shape, dtype, name, path, aggregation)
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape=(), initializer="zeros", dtype=None, aggregation="sum", name=None, synchronization=None
    ):
        """Make a state variable: the older name of `add_variable`, which also takes the name first."""
        if isinstance(shape, str):
            name, shape = shape, ()
        return self.add_variable(shape, initializer, dtype, aggregation, name)

    @property
    def variables(self):
        """All state variables: those of this metric, then those of the metrics it holds."""
        own, inner = list(self._variables), []
        _collect([value for key, value in vars(self).items() if key != "_variables"], own, inner)
        return own + [variable for metric in inner for variable in metric.variables]

    def update_state(self, *args, **kwargs):
        """Add a batch to the state."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `update_state()`. Write one that adds a batch to the variables."
        )

    def result(self):
        """Return the value so far: a scalar tensor, or a dict of them."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `result()`. Write one that computes the value from the variables."
        )

    def reset_state(self):
        """Set all state variables to zero, where they are."""
        if type(self).reset_states is not Metric.reset_states:  # a class written for the older name
            self.reset_states()
        else:
            self._zero()

    def reset_states(self):
        """Set all state variables to zero: the older name of `reset_state`."""
        if type(self).reset_state is not Metric.reset_state:
            self.reset_state()
        else:
            self._zero()

    def _zero(self):
        for variable in self.variables:
            if isinstance(variable, MetricVariable):
                variable.assign(0)
            else:
                variable.assign(torch.zeros(tuple(variable.shape)))

    def __call__(self, *args, **kwargs):
        """Add a batch to the state and return the value so far."""
        self._require_init()
        self.update_state(*args, **kwargs)
        return _value(self.result())

    def stateless_update_state(self, metric_variables, *args, **kwargs):
        """Return the state after `metric_variables` and a batch; the metric itself stays as it is.

        Args:
            metric_variables: One tensor for each of `variables`.
            *args: What `update_state` takes.
            **kwargs: What `update_state` takes.
        """
        with self.lent_state(metric_variables):
            self.update_state(*args, **kwargs)
            return [_value(variable) for variable in self.variables]

    def stateless_result(self, metric_variables):
        """Return the result for the state `metric_variables`; the metric itself stays as it is."""
        with self.lent_state(metric_variables):
            return _value(self.result())

    def stateless_reset_state(self):
        """Return the state after a reset; the metric itself stays as it is."""
        with self.lent_state(self.variables):
            self.reset_state()
            return [_value(variable) for variable in self.variables]

    @contextlib.contextmanager
    def lent_state(self, values):
        """Give the metric the state `values`, one tensor for each of `variables`, inside; its own after."""
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(
                "Argument `metric_variables` must be a list of tensors, one for each of the "
                f"{len(variables)} variables of {type(self).__name__} '{self.name}'; got {len(values)}. "
                "Pass as many as `variables` has."
            )
        kept = [vars(v).copy() if isinstance(v, MetricVariable) else v.value for v in variables]
        values = [_value(value) for value in values]
        try:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            yield
        finally:
            for variable, state in zip(variables, kept, strict=True):
                if isinstance(variable, MetricVariable):
                    vars(variable).update(state)
                else:
                    variable.assign(state)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = {"name": self.name, "dtype": self.dtype}
        return config | {argument: getattr(self, argument) for argument in self.config_arguments}

    @classmethod
    def from_config(cls, config):
        """Make a metric from what `get_config` returned."""
        return cls(**config)

    def _require_init(self):
        if "_variables" not in vars(self):
            raise RuntimeError(
                "You forgot to call `super().__init__()` in the `__init__()` method of "
                f"{type(self).__name__}. Call it before the first variable is made."
            )

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


def _compute_dtype(dtype):
    if isinstance(dtype, dict):
        dtype = dtype["config"]["name"]
    dtype = getattr(dtype, "compute_dtype", dtype)
    if isinstance(dtype, str):
        dtype = dtype.removeprefix("mixed_")
    return dtypes.standardize_dtype(dtype, settings.floatx())


def _initial_value(initializer, shape, dtype):
    """Return the initial values as a tensor, `None` for zeros."""
    if isinstance(initializer, type):
        initializer = initializer()
    name = initializer if isinstance(initializer, str) else type(initializer).__name__
    if initializer is None or name.lower() in ("zeros", "zero"):
        return None
    torch_dtype = dtypes.torch_dtype(dtype)
    if name.lower() in ("ones", "one"):
        return torch.ones(shape, dtype=torch_dtype)
    if isinstance(initializer, str):
        initializer = _named_initializer(initializer)
    value = initializer(shape, dtype=dtype) if callable(initializer) else initializer
    return as_tensor(value, torch_dtype).broadcast_to(shape).clone()


def _named_initializer(name):
    members = registry.public_members("keras.initializers")
    found = members.get(name) or members.get("".join(part.title() for part in name.split("_")))
    if found is None:
        raise ValueError(
            f"add_variable: unknown initializer {name!r}. Pass 'zeros', 'ones', a callable or the values."
        )
    return found() if isinstance(found, type) else found


PLAIN = {type(None), bool, int, float, str, torch.dtype, types.FunctionType}


def _is_variable(value):
    if isinstance(value, MetricVariable):
        return True
    return hasattr(value, "assign") and hasattr(value, "value") and not isinstance(value, (type, np.ndarray))


def _collect(values, variables, metrics):
    """Append the variables and metrics inside `values`, each once, to `variables` and `metrics`."""
    for value in values:
        if type(value) in PLAIN:
            continue
        if isinstance(value, Metric):
            if not any(value is known for known in metrics):
                metrics.append(value)
        elif isinstance(value, dict):
            _collect(value.values(), variables, metrics)
        elif isinstance(value, (list, tuple, set)):
            _collect(value, variables, metrics)
        elif _is_variable(value) and not any(value is known for known in variables):
            variables.append(value)


def _value(variable):
    """Return the tensor of a variable, which later updates do not change; anything else as it is."""
    return variable.value if _is_variable(variable) else variable
