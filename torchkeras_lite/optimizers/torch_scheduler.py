"""Learning rate schedulers of `torch.optim.lr_scheduler`, for optimizers of torch and of this package."""

import functools

import torch
from torch.optim import lr_scheduler

from torchkeras_lite.base.checks import refuse_unknown, suggestion
from torchkeras_lite.optimizers.loss_scale import LossScaleOptimizer
from torchkeras_lite.optimizers.multi import MultiOptimizer
from torchkeras_lite.optimizers.schedules import LearningRateSchedule
from torchkeras_lite.optimizers.torch_optimizer import TorchOptimizer, bytes_array, read_bytes

PER_STEP = (lr_scheduler.OneCycleLR, lr_scheduler.CyclicLR, lr_scheduler.CosineAnnealingWarmRestarts)
INTERVALS = ("step", "epoch")


class TorchScheduler:
    """A scheduler of torch that drives the learning rate of a compiled optimizer.

    `compile(lr_scheduler=...)` makes one. `OneCycleLR`, `CyclicLR` and `CosineAnnealingWarmRestarts` (alone
    or inside a `SequentialLR` or `ChainedScheduler`) step after every update of the weights, all others at
    the end of every epoch of `fit`. `ReduceLROnPlateau` is given `val_loss`, or `loss` where nothing is
    validated.

    Args:
        given: A class such as `lr_scheduler.CosineAnnealingLR`, a `functools.partial` of one, or a function;
            each is called with the optimizer when training begins. Or an instance, made with the very
            optimizer that is compiled. Or a dict `{"scheduler": any of these, "interval": "step" or
            "epoch", "monitor": name in the logs}` to say when it steps and what it watches.
        optimizer: The compiled optimizer. One of this package stands behind a torch optimizer without
            weights, whose `lr` (and `momentum` or `betas`, which some schedulers cycle) it takes over.

    Raises:
        TypeError: something that is no scheduler; an unknown key in the dict.
        ValueError: an instance made for another optimizer; an optimizer without a rate of its own, or with
            a schedule of Keras.

    Source: `torch.optim.lr_scheduler`; the dict is PyTorch Lightning's.
    """

    saved_elsewhere = ("optimizer",)  # by the model

    def __init__(self, given, optimizer):
        self.interval = self.monitor = None
        if isinstance(given, dict):
            known = ("scheduler", "interval", "monitor")
            refuse_unknown("lr_scheduler", {key: given[key] for key in given if key not in known}, known)
            self.interval, self.monitor = given.get("interval"), given.get("monitor")
            given = given.get("scheduler")
        if self.interval not in (None, *INTERVALS):
            raise ValueError(
                f"lr_scheduler: `interval` must be 'step' or 'epoch', got {self.interval!r}"
                f"{suggestion(self.interval, INTERVALS)}"
            )
        while isinstance(optimizer, LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        _check(given, optimizer)
        self.given = given
        self.optimizer = optimizer
        self.scheduler = given if is_scheduler(given) else None
        self._stand_in = self._loaded = None
        self._seen = 0
        optimizer.rate_scheduler = self
        optimizer._batches = None  # prepared anew, with this scheduler

    def start(self):
        """Make the scheduler, once the optimizer has its weights."""
        if self.scheduler is None:
            torch_optimizer = getattr(self.optimizer, "torch_optimizer", None)
            if torch_optimizer is None:
                torch_optimizer = self._stand_in = _StandIn(self.optimizer)
            groups = torch_optimizer.param_groups
            loaded = [dict(group) for group in groups]
            self.scheduler = self.given(torch_optimizer)
            if not is_scheduler(self.scheduler):
                raise TypeError(
                    f"lr_scheduler: {self.given!r} made {self.scheduler!r}, which is no scheduler. Return "
                    "one of `torch.optim.lr_scheduler`."
                )
            if self._loaded is None:
                self._take_over()
            else:  # a new scheduler sets the rates of a beginning
                for group, values in zip(groups, loaded, strict=True):
                    group.update(values)
                self.load_state_dict(self._loaded)
                self._loaded = None
        if self.interval is None:
            self.interval = "step" if _steps_often(self.scheduler) else "epoch"

    @property
    def per_step(self):
        """Whether it steps after every update, once it has started."""
        return self.interval == "step"

    def after_update(self, updates):
        """Step if the number of updates of the weights has grown."""
        if self.per_step and updates != self._seen:
            self._seen = updates
            self._advance()

    def after_epoch(self, logs):
        """Step at the end of an epoch with the logs `logs`.

        Raises:
            ValueError: the logs lack the name that is monitored.
        """
        if self.per_step or self.scheduler is None or not self.optimizer._calls:
            return
        if not isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self._advance()
            return
        monitor = self.monitor or ("val_loss" if "val_loss" in logs else "loss")
        if monitor not in logs:
            raise ValueError(
                f"lr_scheduler: ReduceLROnPlateau monitors {monitor!r}, which is not in the logs: "
                f"{sorted(logs)}{suggestion(monitor, logs)}"
            )
        self._advance(float(logs[monitor]))

    def _advance(self, *metric):
        if self._stand_in is not None:
            self._stand_in.follow(self.optimizer)
        self.scheduler.step(*metric)
        self._take_over()

    def _take_over(self):
        if self._stand_in is not None:
            self._stand_in.write_to(self.optimizer)

    def state_dict(self):
        """Return the scheduler's state.

        Raises:
            RuntimeError: training has not begun, so there is none.
        """
        if self.scheduler is None:
            raise RuntimeError(
                "lr_scheduler: state_dict() needs the scheduler, which is made when training begins. Train "
                "first, or build the optimizer and call `start()`."
            )
        state = {"scheduler": self.scheduler.state_dict(), "updates": self._seen}
        if self._stand_in is not None:
            (group,) = self._stand_in.param_groups
            state["group"] = {key: value for key, value in group.items() if key != "params"}
        return state

    def load_state_dict(self, state_dict):
        """Take the state that `state_dict` returned, now or when training begins."""
        if self.scheduler is None:
            self._loaded = state_dict
            return
        self.scheduler.load_state_dict(state_dict["scheduler"])
        self._seen = state_dict["updates"]
        if self._stand_in is not None:
            self._stand_in.param_groups[0].update(state_dict.get("group", {}))
            self._take_over()

    def save_own_variables(self, store):
        """Write the state, where there is one, into `store`, a mapping, as bytes of a `torch.save` file."""
        if self.scheduler is not None:
            store["torch_state"] = bytes_array(self.state_dict())

    def load_own_variables(self, store):
        """Read what `save_own_variables` wrote. Never runs code that the file holds."""
        if "torch_state" in store:
            self.load_state_dict(read_bytes(store["torch_state"]))

    def get_config(self):
        """Return class, options, interval and what is monitored.

        Raises:
            TypeError: a function or an instance, which cannot be written.
        """
        cls, options = self.given, {}
        while isinstance(cls, functools.partial):
            cls, options = cls.func, {**cls.keywords, **options}
        if getattr(lr_scheduler, getattr(cls, "__name__", ""), None) is not cls:
            raise TypeError(
                f"lr_scheduler: {self.given!r} cannot be written into a config. Pass a class of "
                "`torch.optim.lr_scheduler` or a functools.partial of one."
            )
        return {
            "class": cls.__name__,
            "options": options,
            "interval": self.interval,
            "monitor": self.monitor,
        }

    @classmethod
    def from_config(cls, config):
        """Return what `compile(lr_scheduler=...)` takes for what `get_config` returned, a dict.

        Raises:
            ValueError: a class that `torch.optim.lr_scheduler` does not have.
        """
        found = vars(lr_scheduler).get(config["class"])
        if not (isinstance(found, type) and issubclass(found, lr_scheduler.LRScheduler)):
            known = [name for name, value in vars(lr_scheduler).items() if isinstance(value, type)]
            raise ValueError(
                f"lr_scheduler: unknown class {config['class']!r}{suggestion(config['class'], known)} Pass "
                "one of `torch.optim.lr_scheduler`."
            )
        return {
            "scheduler": functools.partial(found, **config["options"]),
            "interval": config["interval"],
            "monitor": config["monitor"],
        }


def is_scheduler(value):
    """Whether `value` is an instance of a scheduler of torch."""
    return isinstance(value, lr_scheduler.LRScheduler)


def _check(given, optimizer):
    if isinstance(optimizer, MultiOptimizer):
        raise ValueError(
            "lr_scheduler: a MultiOptimizer has no learning rate of its own. Give its optimizers schedules."
        )
    if isinstance(optimizer._rate, LearningRateSchedule):
        raise ValueError(
            "lr_scheduler: the optimizer already follows a schedule, its `learning_rate`. Pass a number as "
            "`learning_rate`, or leave `lr_scheduler` out."
        )
    if is_scheduler(given):
        made_for = given.optimizer
        if not isinstance(optimizer, TorchOptimizer) or optimizer.torch_optimizer is not made_for:
            raise ValueError(
                f"lr_scheduler: the {type(given).__name__} was made for another optimizer than the compiled "
                "one. Compile with the optimizer it was made with, or pass the class or a functools.partial "
                "of it."
            )
    elif isinstance(given, LearningRateSchedule) or not callable(given):
        raise TypeError(
            "lr_scheduler: expected a class of `torch.optim.lr_scheduler`, a functools.partial or a function "
            f"that makes one, or an instance, got {given!r}. A schedule of Keras is the optimizer's "
            "`learning_rate`."
        )


def _steps_often(scheduler):
    inner = getattr(scheduler, "_schedulers", ())  # of SequentialLR and ChainedScheduler
    return isinstance(scheduler, PER_STEP) or any(map(_steps_often, inner))


class _StandIn(torch.optim.Optimizer):
    """What a scheduler of torch sees of an optimizer of this package: rates and momenta, no weights."""

    def __init__(self, optimizer):
        options = {"lr": optimizer.current_rate()}
        if getattr(optimizer, "momentum", None):
            options["momentum"] = optimizer.momentum
        elif hasattr(optimizer, "beta_1"):
            options["betas"] = (optimizer.beta_1, getattr(optimizer, "beta_2", 0.999))
        super().__init__([torch.zeros(())], options)

    def step(self, closure=None):
        """Do nothing: the other optimizer makes the steps."""

    def follow(self, optimizer):
        """Take the rate that something else, such as a callback, has given to the optimizer meanwhile."""
        self.step()
        (group,) = self.param_groups
        rate = optimizer.current_rate()
        if torch.tensor(group["lr"], dtype=torch.float32).item() != rate:
            group["lr"] = rate

    def write_to(self, optimizer):
        """Give the optimizer the rate and the momenta of now."""
        (group,) = self.param_groups
        optimizer.learning_rate = float(group["lr"])
        if "momentum" in group:
            optimizer.momentum = float(group["momentum"])
        elif "betas" in group:
            optimizer.beta_1 = float(group["betas"][0])
