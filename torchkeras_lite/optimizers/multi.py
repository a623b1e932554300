"""Several optimizers for one model, chosen weight by weight."""

import re
from collections.abc import MutableMapping

from torchkeras_lite.base import serialization
from torchkeras_lite.engine.weights import leaf
from torchkeras_lite.optimizers.loss_scale import LossScaleOptimizer
from torchkeras_lite.optimizers.optimizer import Optimizer


class OptimizerMap(MutableMapping):
    """Which optimizer trains which weight: regular expressions over the weights' whole paths.

    Args:
        default_optimizer: The optimizer of weights that no expression matches.
        optimizer_map: Expressions to optimizers.

    Raises:
        TypeError: `default_optimizer` is no optimizer.
        ValueError: an entry that is no optimizer, a wrapper of optimizers, or an expression given twice.

    Source: Keras 3 `keras.optimizers.OptimizerMap`.
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                "OptimizerMap: default_optimizer must be an Optimizer instance. Received: "
                f"{default_optimizer}"
            )
        self._default_optimizer = default_optimizer
        self._optimizer_map = {}
        self.update(optimizer_map or {})

    @property
    def default_optimizer(self):
        """The optimizer of weights that no expression matches."""
        return self._default_optimizer

    def __getitem__(self, key):
        return self._optimizer_map.get(key, self._default_optimizer)

    def __setitem__(self, key, optimizer):
        if not isinstance(key, str):
            raise ValueError(f"OptimizerMap: key must be a string. Received: {key}")
        if key in self._optimizer_map:
            raise ValueError(
                f"OptimizerMap: '{key}' already exists in the OptimizerMap with value "
                f"{self._optimizer_map[key]}. Delete it "
                "first, or use another expression."
            )
        if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
            raise ValueError(
                f"OptimizerMap: optimizer cannot be {type(optimizer).__name__}. Wrap the MultiOptimizer as "
                "a whole."
            )
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"OptimizerMap: optimizer must be an Optimizer instance. Received: {optimizer}")
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key):
        del self._optimizer_map[key]

    def __len__(self):
        return len(self._optimizer_map)

    def __iter__(self):
        return iter(self._optimizer_map)

    def __call__(self, variable):
        """Return the optimizer of a weight.

        Raises:
            ValueError: several expressions match its path.
        """
        path = getattr(variable, "path", "")
        matches = [key for key in self._optimizer_map if re.fullmatch(key, path)]
        if len(matches) > 1:
            raise ValueError(
                f"OptimizerMap: path '{path}' matches several expressions: {matches}. Make them exclude one "
                "another."
            )
        return self._optimizer_map[matches[0]] if matches else self._default_optimizer

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "default_optimizer": serialization.serialize_keras_object(self._default_optimizer),
            "optimizer_map": {
                key: serialization.serialize_keras_object(value) for key, value in self._optimizer_map.items()
            },
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return a map from what `get_config` returned."""
        return cls(**serialization.deserialize_keras_object(config, custom_objects=custom_objects))


class MultiOptimizer(Optimizer):
    """One optimizer made of several, each with its own weights and options.

    Args:
        optimizer_map: An `OptimizerMap`, or a function from a weight to its optimizer.
        loss_scale_factor: Factor by which the loss was scaled up; takes the place of the inner optimizers'
            own.
        name: A name.

    Raises:
        ValueError: at `build`, where a weight has no optimizer, or a wrapper of optimizers.

    Source: Keras 3 `keras.optimizers.MultiOptimizer`.
    """

    elementwise = False

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self.optimizers = []
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._place_of(optimizer)
        self._var_to_optimizer_idx = {}

    def _place_of(self, optimizer):
        for place, known in enumerate(self.optimizers):
            if known is optimizer:
                return place
        self.optimizers.append(optimizer)
        return len(self.optimizers) - 1

    def _index_variables(self):
        keys = map(self._var_key, self._trainable_variables)
        self._var_to_optimizer_idx = dict(zip(keys, self._chosen, strict=True))

    def _var_key(self, variable):
        return id(leaf(variable))

    def create_slots(self, variables):
        """Give every weight to its optimizer, and build those."""
        chosen = []
        for variable in variables:
            optimizer = self._optimizer_map(variable)
            if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
                raise ValueError(f"{type(optimizer).__name__} cannot be used inside an MultiOptimizer.")
            if not isinstance(optimizer, Optimizer):
                raise ValueError(
                    f"Optimizer for variable {variable!r} is not an Optimizer instance: {optimizer!r}."
                )
            chosen.append(self._place_of(optimizer))
        self._chosen = chosen
        self._index_variables()
        self._places = [
            [position for position, place in enumerate(chosen) if place == mine]
            for mine in range(len(self.optimizers))
        ]
        for optimizer, positions in zip(self.optimizers, self._places, strict=True):
            optimizer.loss_scale_factor = None
            if positions:
                optimizer.build([variables[position] for position in positions])

    def build(self, variables):
        """See `Optimizer.build`."""
        try:
            super().build(variables)
        except ValueError:
            self.built = False
            raise

    @property
    def variables(self):
        """Iteration, learning rate (unused), and the variables of all optimizers."""
        inner = [variable for optimizer in self.optimizers for variable in optimizer.variables]
        return [self._iterations, self._rate_variable, *inner]

    @property
    def learning_rate(self):
        """Not there: each optimizer has its own."""
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer. Access the learning rate on the "
            "individual "
            "sub-optimizers instead."
        )

    @learning_rate.setter
    def learning_rate(self, value):
        raise AttributeError(
            "Learning rate cannot be set on a MultiOptimizer. Set the learning rate on the individual "
            "sub-optimizers "
            "instead."
        )

    lr = learning_rate

    @property
    def traceable(self):
        """`False`: each optimizer has its own learning rate."""
        return False

    def prepare(self):
        """Prepare all optimizers; see `Optimizer.prepare`."""
        super().prepare()
        self._index_variables()
        for optimizer, _ in self._parts():
            optimizer.prepare()

    def _parts(self):
        return [(optimizer, own) for optimizer, own in zip(self.optimizers, self._places, strict=True) if own]

    def _moved(self):
        return super()._moved() or any(part._batches is None or part._moved() for part, _ in self._parts())

    def _step(self, gradients, positions=None):
        if self._overwritten:
            gradients, positions = self._overwrite(gradients, positions)
        if self.loss_scale_factor and gradients:
            gradients = self._unscale(gradients, positions)
        given = dict(zip(range(len(gradients)) if positions is None else positions, gradients, strict=True))
        for optimizer, own in self._parts():
            present = tuple(place for place, position in enumerate(own) if position in given)
            chosen = [given[own[place]] for place in present]
            if chosen:
                optimizer._step(chosen, None if len(present) == len(own) else present)
        self._calls += 1

    def finalize_variable_values(self, var_list):
        """See `Optimizer.finalize_variable_values`."""
        if self.built and self._batches is None:
            self.prepare()
        for place, optimizer in enumerate(self.optimizers):
            own = [v for v in var_list if self._var_to_optimizer_idx.get(self._var_key(v)) == place]
            optimizer.finalize_variable_values(own)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """See `Optimizer.exclude_from_weight_decay`."""
        for optimizer in self.optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "optimizer_map": serialization.serialize_keras_object(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return an optimizer from what `get_config` returned."""
        return cls(**serialization.deserialize_keras_object(config, custom_objects=custom_objects))
