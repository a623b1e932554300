"""Optimizers of `torch.optim` under the methods that training loops and callbacks of Keras use."""

import functools
import inspect
import io

import numpy as np
import torch

from torchkeras_lite.base import registry
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.engine.weights import leaf
from torchkeras_lite.optimizers.optimizer import Optimizer


class TorchOptimizer(Optimizer):
    """An optimizer of `torch.optim`, or of its kind, in the place of one of Keras's.

    `compile(optimizer=torch.optim.AdamW)` makes one. Arithmetic, options and parameter groups are torch's;
    the weights' constraints still hold. `torch_optimizer` is the optimizer itself.

    Args:
        optimizer: A class such as `torch.optim.AdamW`, a `functools.partial` of one (both are called with
            the model's parameters when training begins), or an instance, made with parameters of the model.
        name: A name.

    `learning_rate` reads the rate of the first parameter group. Assigning to it scales the rates of all
    groups alike, so groups keep their proportions.

    Raises:
        TypeError: something that is no optimizer of torch's kind.
        ValueError: when training begins, an instance that holds none of the model's trainable parameters.

    Source: `torch.optim`. Differs from the other optimizers of this package: `clipnorm`, `use_ema` and the
    like do not exist here.
    """

    def __init__(self, optimizer, name=None):
        if not is_torch_optimizer(optimizer):
            raise TypeError(
                f"TorchOptimizer: expected a torch.optim optimizer, a class or a functools.partial of one, "
                f"got {optimizer!r}. Pass for example torch.optim.AdamW."
            )
        made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else None
        self.torch_optimizer = made
        self._factory = None if made is not None else optimizer
        self._groups = None
        super().__init__(_first_rate(optimizer), name=name or type_of(optimizer).__name__.lower())

    # Learning rate

    @property
    def _rate(self):
        if self.torch_optimizer is None:
            return self._early_rate
        return float(self.torch_optimizer.param_groups[0]["lr"])

    @_rate.setter
    def _rate(self, value):
        if self.torch_optimizer is None:
            self._early_rate = value
            return
        groups = self.torch_optimizer.param_groups
        first = float(groups[0]["lr"])
        if value == first:
            return
        for group in groups:
            _set_rate(group, value * float(group["lr"]) / first if first else value)

    def _read_rate(self, value):
        if callable(value):
            raise TypeError(
                f"{self.name}: an optimizer of torch takes no Keras schedule as its learning rate. Pass a "
                "scheduler of torch as `compile(lr_scheduler=...)`."
            )
        super()._read_rate(value)
        return float(value)  # torch's rates are not rounded to float32

    # Weights

    def create_slots(self, variables):
        """Make the optimizer of torch for the weights, or check that the one given holds some of them."""
        leaves = [leaf(variable) for variable in variables]
        if self.torch_optimizer is None:
            groups = leaves
            if self._groups is not None:
                groups = [
                    {**group, "params": [leaves[position] for position in group["params"]]}
                    for group in self._groups
                ]
            rate = self._early_rate
            self.torch_optimizer = self._factory(groups)
            if rate is not None and self._groups is None:
                self._rate = rate
        elif not {id(tensor) for tensor in leaves} & self._held():
            self.built = False
            raise ValueError(
                f"The optimizer {type(self.torch_optimizer).__name__} holds none of the model's trainable "
                "parameters, so training would change nothing. Make it with `model.parameters()` once the "
                "model is built, or pass the class (or a functools.partial of it) and it is made for you."
            )
        self.needs_closure = _needs_closure(self.torch_optimizer)

    def _held(self):
        return {id(tensor) for group in self.torch_optimizer.param_groups for tensor in group["params"]}

    # Steps

    needs_closure = False

    def update(self, leaves=None):
        """Make one step with the gradients that a backward pass left in the tensors' `grad`."""
        if self._batches is None:
            self.prepare()
        if all(tensor.grad is None for tensor in self._leaves):
            self._report_missing(self._trainable_variables)
        self._advance()

    def update_with(self, closure):
        """Make one step of an optimizer that evaluates the loss several times, such as LBFGS.

        Args:
            closure: Function that clears the gradients, computes the loss and its gradients and returns it.
        """
        if self._batches is None:
            self.prepare()
        self._advance(closure)

    def _advance(self, closure=None):
        if self.needs_closure and closure is None:
            raise RuntimeError(
                f"{type(self.torch_optimizer).__name__} evaluates the loss several times a step, so "
                "gradients alone are not enough. Train with `fit` or `train_on_batch`, or call "
                "`optimizer.update_with(closure)` in a loop of your own."
            )
        self.torch_optimizer.step() if closure is None else self.torch_optimizer.step(closure)
        self._calls += 1
        if self._after:
            with torch.no_grad():
                for stage in self._after:
                    stage()

    def _step(self, gradients, positions=None):
        places = range(len(self._leaves)) if positions is None else positions
        kept = [tensor.grad for tensor in self._leaves]
        try:
            for tensor in self._leaves:
                tensor.grad = None
            for place, gradient in zip(places, gradients, strict=True):
                self._leaves[place].grad = gradient
            with torch.enable_grad():
                self._advance()
        finally:
            for tensor, gradient in zip(self._leaves, kept, strict=True):
                tensor.grad = gradient

    @property
    def traceable(self):
        """`False`: the step is torch's own."""
        return False

    # State

    def state_dict(self):
        """Return the state, as that of any optimizer of torch: `state`, `param_groups`, and `iterations`."""
        self._require_built("state_dict")
        return {**self.torch_optimizer.state_dict(), "iterations": self._calls}

    def load_state_dict(self, state_dict):
        """Take the state that `state_dict` returned.

        Raises:
            RuntimeError: not built yet.
            ValueError: parameter groups of other sizes; nothing has changed then.
        """
        self._require_built("load_state_dict")
        state = {key: value for key, value in state_dict.items() if key != "iterations"}
        self.torch_optimizer.load_state_dict(state)
        self._calls = int(state_dict.get("iterations", self._calls))

    def _require_built(self, method):
        if not self.built:
            raise RuntimeError(
                f"{self.name}: {method}() needs the optimizer to be built. Call "
                "`optimizer.build(model.trainable_weights)` first."
            )

    def save_own_variables(self, store):
        """Write the state into `store`, a mapping, as the bytes of a `torch.save` file."""
        store["torch_state"] = bytes_array(self.state_dict())

    def load_own_variables(self, store):
        """Read what `save_own_variables` wrote. Never runs code that the file holds.

        Raises:
            ValueError: the state of an optimizer of another kind.
        """
        if "torch_state" not in store:
            raise ValueError(
                f"{self.name}: the file holds the state of an optimizer that is not torch's. Compile with "
                "the optimizer that was saved."
            )
        self.load_state_dict(read_bytes(store["torch_state"]))

    def get_config(self):
        """Return the class and its options; with several parameter groups, also the place of each weight.

        Raises:
            TypeError: options that are no plain values.
        """
        cls = type_of(self.torch_optimizer if self._factory is None else self._factory)
        config = {"name": self.name, "class": _class_name(cls), "options": self._options()}
        groups = self._groups if self.torch_optimizer is None else self._placed_groups()
        return config if groups is None else {**config, "groups": groups}

    def _options(self):
        if self.torch_optimizer is not None:
            rate = {"lr": self._rate} if self._placed_groups() is None else {}
            return _plain({**self.torch_optimizer.defaults, **rate})
        keywords = getattr(self._factory, "keywords", {})
        return _plain({**keywords, **({} if self._early_rate is None else {"lr": self._early_rate})})

    def _placed_groups(self):
        groups = self.torch_optimizer.param_groups
        if len(groups) == 1 or not self.built:
            return None
        places = {id(leaf(variable)): place for place, variable in enumerate(self._trainable_variables)}
        return [
            {**_plain(group), "params": [places[id(t)] for t in group["params"] if id(t) in places]}
            for group in groups
        ]

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return an optimizer from what `get_config` returned.

        Raises:
            ValueError: a class that is neither one of `torch.optim` nor registered.
        """
        found = _find_class(config["class"], custom_objects or {})
        accepted = inspect.signature(found).parameters
        options = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in config["options"].items()
            if key in accepted
        }
        optimizer = cls(functools.partial(found, **options), name=config.get("name"))
        optimizer._groups = config.get("groups")
        return optimizer


def is_torch_optimizer(value):
    """Whether `value` is an optimizer of torch's kind, its class, or a `functools.partial` of it."""
    if isinstance(value, functools.partial):
        return isinstance(value.func, (type, functools.partial)) and is_torch_optimizer(value.func)
    if isinstance(value, type):
        return issubclass(value, torch.optim.Optimizer)
    return isinstance(value, torch.optim.Optimizer)


def type_of(optimizer):
    """Return the class of an optimizer that was given as an instance, a class or a partial."""
    while isinstance(optimizer, functools.partial):
        optimizer = optimizer.func
    return optimizer if isinstance(optimizer, type) else type(optimizer)


def bytes_array(state):
    """Return `state` as the bytes of a `torch.save` file, in a NumPy array."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return np.frombuffer(buffer.getvalue(), dtype="uint8")


def read_bytes(stored):
    """Return what `bytes_array` made bytes of. Only plain values and tensors are read."""
    content = np.asarray(stored[()] if hasattr(stored, "shape") else stored, dtype="uint8").tobytes()
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _first_rate(optimizer):
    """Return the learning rate that `optimizer` has, or will have when it is made."""
    if isinstance(optimizer, torch.optim.Optimizer):
        return float(optimizer.param_groups[0]["lr"])
    while isinstance(optimizer, functools.partial):
        if "lr" in optimizer.keywords:
            return float(optimizer.keywords["lr"])
        optimizer = optimizer.func
    parameter = inspect.signature(optimizer).parameters.get("lr")
    if parameter is None or not isinstance(parameter.default, (int, float, torch.Tensor)):
        raise ValueError(
            f"{optimizer.__name__} has no default learning rate. Pass "
            f"functools.partial({optimizer.__name__}, lr=...)."
        )
    return float(parameter.default)


def _set_rate(group, value):
    if isinstance(group["lr"], torch.Tensor):  # a graph or a compiled step may hold on to the tensor
        group["lr"].fill_(value)
    else:
        group["lr"] = value


def _needs_closure(optimizer):
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def _plain(options):
    """Return the options that a config can hold; lists stand for tuples."""
    found = {}
    for key, value in options.items():
        if isinstance(value, torch.Tensor) and value.ndim == 0:
            value = value.item()
        if isinstance(value, (tuple, list)) and key != "params":
            value = list(value)
        if key != "params" and isinstance(value, (int, float, str, bool, type(None), list)):
            found[key] = value
    return found


def _class_name(cls):
    if getattr(torch.optim, cls.__name__, None) is cls:
        return f"torch.optim.{cls.__name__}"
    return registry.get_registered_name(cls)


def _find_class(name, custom_objects):
    found = registry.get_registered_object(name, custom_objects)
    if found is None and name.startswith("torch.optim."):
        found = vars(torch.optim).get(name.removeprefix("torch.optim."))
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        known = [f"torch.optim.{key}" for key, value in vars(torch.optim).items() if isinstance(value, type)]
        raise ValueError(
            f"TorchOptimizer: unknown optimizer class {name!r}{suggestion(name, known)} Pass it in "
            f"`custom_objects={{{name!r}: ...}}`."
        )
    return found
