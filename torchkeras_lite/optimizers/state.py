"""What an optimizer holds: its options, learning rate, step count and slots, and how they are saved."""

import inspect
import re
import warnings

import torch

from torchkeras_lite.base import dtypes, naming, serialization
from torchkeras_lite.engine.weights import leaf
from torchkeras_lite.optimizers.arguments import check_options, full_signature, refuse_unknown, take_old
from torchkeras_lite.optimizers.host_variable import HostVariable, host_number
from torchkeras_lite.optimizers.schedules import LearningRateSchedule
from torchkeras_lite.optimizers.slots import (
    Slot,
    initial_values,
    slot_name,
    to_keras,
    variable_name,
)


class OptimizerState:
    """Options, learning rate, step count and slots. See `Optimizer` for the arguments."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__signature__ = full_signature(cls)

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        **kwargs,
    ):
        learning_rate, self.decay = take_old(self, learning_rate, kwargs)
        refuse_unknown(self, kwargs)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        check_options(self)
        self.name = name or naming.auto_name(self)
        self.built = False
        self._calls = 0
        self._iterations = HostVariable(self, "_calls", "iteration", f"{self.name}/iteration", "int32")
        self._rate_variable = HostVariable(self, "_rate", "learning_rate", f"{self.name}/learning_rate")
        self._rate = self._read_rate(learning_rate)
        self._added = []
        self._trainable_variables = []
        self._slot_table = {}
        self._batches = None
        self._excluded = ([], [])
        self._warned = False

    # Learning rate and iteration count

    def _read_rate(self, value):
        if callable(value):
            return value
        if isinstance(value, (str, bool)) or value is None:
            raise ValueError(
                f"{type(self).__name__}: Argument `learning_rate` should be float, or an instance of "
                f"LearningRateSchedule, or a callable without arguments, got learning_rate={value!r}. Pass "
                "a number such "
                "as 0.001."
            )
        return host_number(value, "float32", self._rate_variable.path)

    @property
    def learning_rate(self):
        """The learning rate: assignable; with a schedule, its value at the present step."""
        if callable(self._rate):
            return torch.tensor(self.current_rate(), dtype=torch.float32)
        return self._rate_variable

    @learning_rate.setter
    def learning_rate(self, value):
        if isinstance(self._rate, LearningRateSchedule) and not isinstance(value, LearningRateSchedule):
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` "
                "constructor "
                "argument, hence its learning rate is not settable. If you need the learning rate to be "
                "settable, "
                "you should instantiate the optimizer with a float `learning_rate` argument."
            )
        self._rate = self._read_rate(value)

    lr = learning_rate

    def current_rate(self):
        """Return the learning rate of the step to come as a Python number."""
        rate = self._rate
        if not callable(rate):
            return rate / (1.0 + self.decay * self._updates()) if self.decay else rate
        return rate.at(self._calls) if isinstance(rate, LearningRateSchedule) else float(rate())

    @property
    def iterations(self):
        """Number of updates made."""
        if self.gradient_accumulation_steps:
            return torch.tensor(self._updates(), dtype=torch.int32)
        return self._iterations

    def _updates(self):
        return self._calls // (self.gradient_accumulation_steps or 1)

    # Variables

    @property
    def variables(self):
        """What is saved, in Keras's order: iteration, learning rate (unless scheduled), averages, slots."""
        rate = [] if callable(self._rate) else [self._rate_variable]
        return [self._iterations, *rate, *self._added]

    weights = variables

    def build(self, variables):
        """Make the slots of `variables`: weights of this package or plain torch parameters."""
        if self.built:
            return
        self._trainable_variables = list(variables)
        self.built = True
        if self.use_ema:
            self._model_variables_moving_average = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = self.add_optimizer_variables(variables, "gradient_accumulator")
        self.create_slots(self._trainable_variables)

    def shard_slots(self):
        """Shard the slots as the weights they belong to are sharded."""
        for slot in self.slots():
            slot.shard()
        self._batches = None

    def create_slots(self, variables):
        """Make what the update rule keeps for each weight, by `add_optimizer_variables`, in Keras's order."""

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """Return a new slot of the shape, dtype, device and memory format of a weight.

        Args:
            reference_variable: The weight.
            name: What the slot holds, `"momentum"`.
            initializer: `"zeros"`, `"ones"`, a number, or a function of shape and dtype.
        """
        full_name = slot_name(reference_variable, name or "slot")
        values = initial_values(initializer, leaf(reference_variable))
        slot = Slot(full_name, f"{self.name}/{full_name}", values, reference_variable)
        if callable(initializer):
            slot.assign(initializer(slot.shape, dtype=slot.dtype))
        self._added.append(slot)
        return slot

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """Return new slots, one a weight; for a list of names a tuple of lists, made weight by weight."""
        names = [name] if isinstance(name, str) else list(name)
        initializers = initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        rows = [
            [
                self.add_variable_from_reference(variable, part, start)
                for part, start in zip(names, initializers, strict=True)
            ]
            for variable in trainable_variables
        ]
        columns = [[row[position] for row in rows] for position in range(len(names))]
        self._slot_table.update(zip(names, columns, strict=True))
        self._batches = None
        return columns[0] if isinstance(name, str) else tuple(columns)

    def add_variable(
        self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None
    ):
        """Return a new variable of the optimizer that belongs to no weight."""
        device = leaf(self._trainable_variables[0]).device if self._trainable_variables else None
        like = torch.empty(shape, dtype=dtypes.torch_dtype(dtype), device=device)
        slot = Slot(
            name or "variable", f"{self.name}/{name or 'variable'}", initial_values(initializer, like)
        )
        if callable(initializer):
            slot.assign(initializer(slot.shape, dtype=slot.dtype))
        self._added.append(slot)
        return slot

    def assign(self, variable, value):
        """Overwrite a variable (for `update_step`)."""
        self._write(variable, value)

    def assign_add(self, variable, value):
        """Add to a variable (for `update_step`)."""
        self._write(variable, to_keras(variable, leaf(variable)) + value)

    def assign_sub(self, variable, value):
        """Subtract from a variable (for `update_step`)."""
        self._write(variable, to_keras(variable, leaf(variable)) - value)

    def _write(self, variable, value):
        if hasattr(variable, "assign"):
            variable.assign(value)
        else:
            with torch.no_grad():
                variable.copy_(value)

    def _get_variable_index(self, variable):
        if self._batches is None:
            self.prepare()
        position = self._index.get(id(leaf(variable)))
        if position is None:
            raise ValueError(
                f"Unknown variable: {getattr(variable, 'path', tuple(variable.shape))}. This optimizer can "
                "only be called "
                "for the variables it was originally built with. When working with a new set of variables, "
                "you "
                "should recreate a new optimizer instance."
            )
        return position

    # What an optimizer does beside its steps

    def scale_loss(self, loss):
        """Return `loss`, scaled up by `loss_scale_factor` where there is one."""
        return loss * self.loss_scale_factor if self.loss_scale_factor else loss

    def finalize_variable_values(self, var_list):
        """Write the averages of `use_ema` into the weights `var_list`."""
        if self.use_ema and self.built:
            self._overwrite_model_variables_with_average_value(var_list)

    def _overwrite_model_variables_with_average_value(self, var_list):
        for variable in var_list:
            average = self._model_variables_moving_average[self._get_variable_index(variable)]
            with torch.no_grad():
                leaf(variable).copy_(leaf(average))

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Leave weights out of the weight decay.

        Args:
            var_list: Weights.
            var_names: Regular expressions; a weight whose name has a match is left out.
        """
        self._excluded = (list(var_list or ()), list(var_names or ()))
        self._batches = None

    def _decay_of(self, variable):
        return 0.0 if self._is_excluded(variable) else self.weight_decay or 0.0

    def _is_excluded(self, variable):
        excluded, patterns = self._excluded
        return any(leaf(variable) is leaf(other) for other in excluded) or any(
            re.search(p, variable_name(variable)) for p in patterns
        )

    # Configs and files

    def get_config(self):
        """Return the constructor's arguments, with the learning rate of now."""
        names = [name for name in inspect.signature(type(self)).parameters if name not in ("args", "kwargs")]
        config = {
            name: getattr(self, name) for name in names if name != "learning_rate" and hasattr(self, name)
        }
        for name in inspect.signature(OptimizerState.__init__).parameters:
            if name not in ("self", "learning_rate", "kwargs"):
                config[name] = getattr(self, name)
        if self.decay:
            config["decay"] = self.decay
        rate = self._rate
        config["learning_rate"] = serialization.serialize_keras_object(rate) if callable(rate) else rate
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return an optimizer from what `get_config` (or Keras's) returned."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = serialization.deserialize_keras_object(
                config["learning_rate"], custom_objects=custom_objects
            )
        return cls(**config)

    def save_own_variables(self, store):
        """Write all variables into `store`, a mapping, under the keys "0", "1", ..."""
        for position, variable in enumerate(self.variables):
            store[str(position)] = variable.numpy()

    def load_own_variables(self, store):
        """Read all variables from `store`; where their number differs, warn and read nothing.

        Raises:
            ValueError: a stored shape is another one; nothing has been read then.
        """
        variables = self.variables
        if len(store.keys()) != len(variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(variables)} "
                f"variables whereas the saved optimizer has {len(store.keys())} variables.",
                stacklevel=2,
            )
            return
        self._assign_all([store[str(position)][()] for position in range(len(variables))])

    def get_weights(self):
        """Return the values of all variables as NumPy arrays."""
        return [variable.numpy() for variable in self.variables]

    def set_weights(self, weights):
        """Overwrite all variables with `weights`, in the order of `variables`.

        Raises:
            ValueError: the optimizer is not built, or number or shapes differ; nothing is written then.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. Call "
                "`optimizer.build(trainable_variables)` first."
            )
        if len(weights) != len(self.variables):
            raise ValueError(
                f"Optimizer '{self.name}' has {len(self.variables)} variables, got {len(weights)} values. "
                "Pass one a "
                "variable, in the order of `optimizer.variables`."
            )
        self._assign_all(weights)

    def _assign_all(self, values):
        for variable, value in zip(self.variables, values, strict=True):
            if tuple(value.shape) != tuple(variable.shape):
                raise ValueError(
                    f"The shape of variable '{variable.path}' is {tuple(variable.shape)}, and a value of "
                    "shape "
                    f"{tuple(value.shape)} cannot be assigned to it. Load the optimizer of the same model."
                )
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def __getstate__(self):
        # What `prepare` makes refers to tensors by identity, which copies don't share.
        made = (
            "_leaves",
            "_local_leaves",
            "_index",
            "_partial_batches",
            "_before",
            "_after",
            "_constrained",
            "_averages",
            "_accumulators",
        )
        return {**{key: value for key, value in vars(self).items() if key not in made}, "_batches": None}

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"
