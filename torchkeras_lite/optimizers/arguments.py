"""Constructor arguments of optimizers: the shared ones, those of tf.keras, and what signatures show."""

import inspect

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import refuse_unknown as _refuse_unknown
from torchkeras_lite.base.checks import unit_interval
from torchkeras_lite.base.old_names import Dropped, tell

IGNORED = ("jit_compile", "is_legacy_optimizer")
OLD = {
    "schedule_decay": Dropped(only=(None, 0.004), remedy="leave it out, momentum has a schedule of its own"),
}


def take_old(owner, learning_rate, kwargs):
    """Take tf.keras's arguments out of `kwargs`; return the learning rate and the decay they leave.

    With `decay` the learning rate of update number `t`, from 0, is `learning_rate / (1 + decay * t)`.

    Raises:
        ValueError: `decay` is negative, or there is a schedule beside it.
    """
    kind = type(owner).__name__
    for name in IGNORED:
        kwargs.pop(name, None)
    for name in OLD.keys() & kwargs.keys():
        OLD[name].read(kind, name, kwargs.pop(name), ())
    if "lr" in kwargs:
        tell("An optimizer's argument `lr`", "write `learning_rate`")
        learning_rate = kwargs.pop("lr")
    decay = kwargs.pop("decay", None) or 0.0
    if decay:
        if decay < 0 or callable(learning_rate):
            raise ValueError(
                f"{kind}: `decay` must be a number of 0 or more, beside a learning rate that is a number, "
                f"got decay={decay!r}, learning_rate={learning_rate!r}. Pass a schedule alone."
            )
        tell(
            "An optimizer's argument `decay`",
            "write `learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)`",
        )
    return learning_rate, float(decay)


def epsilon_of(value):
    """Return `epsilon`; `None` means the one of the configuration, as in Keras 2."""
    return config.epsilon() if value is None else value


def refuse_unknown(owner, kwargs):
    """Raise for keyword arguments that the class of `owner` doesn't have."""
    if kwargs:
        known = [name for name in inspect.signature(type(owner)).parameters if name != "kwargs"]
        try:
            _refuse_unknown(owner, kwargs, known)
        except TypeError as error:
            # Keras's type for this one, ValueError, is what scripts catch.
            raise ValueError(f"Argument(s) not recognized: {kwargs}. {error}") from None


def check_options(optimizer):
    """Check the arguments that all optimizers share.

    Raises:
        ValueError: more than one clipping option, or a value out of its range.
    """
    kind = type(optimizer).__name__
    clips = {name: getattr(optimizer, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
    if sum(value is not None for value in clips.values()) > 1:
        raise ValueError(
            f"{kind}: Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
            + ", ".join(f"{name}={value}" for name, value in clips.items())
        )
    if optimizer.use_ema:
        if not 0 <= optimizer.ema_momentum <= 1:
            raise ValueError(
                f"{kind}: `ema_momentum` must be in the range [0, 1]. Received: "
                f"ema_momentum={optimizer.ema_momentum}"
            )
        frequency = optimizer.ema_overwrite_frequency
        if frequency and (not isinstance(frequency, int) or frequency < 1):
            raise ValueError(
                f"{kind}: `ema_overwrite_frequency` must be an integer >= 1 or None. Received: "
                f"ema_overwrite_frequency={frequency}"
            )
    steps = optimizer.gradient_accumulation_steps
    if steps and (not isinstance(steps, int) or steps < 2):
        raise ValueError(
            f"{kind}: `gradient_accumulation_steps` must be an integer >= 2. Received: "
            f"gradient_accumulation_steps={steps}"
        )


def check_momentum(owner, momentum):
    """Return `momentum`, which must be in [0, 1]."""
    try:
        return unit_interval(owner, "momentum", momentum)
    except ValueError as error:
        raise ValueError(f"`momentum` must be a float between [0, 1]. {error}") from None


def full_signature(cls):
    """Return the signature of `cls` with the parameters that its `**kwargs` hands on to its base class.

    Where the constructor also takes `*options`, these can be given by position, as in Keras.
    """
    own = list(inspect.signature(cls.__init__).parameters.values())[1:]
    named = {parameter.name for parameter in own}
    if "learning_rate" not in named or not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
        return inspect.Signature(own)
    by_position = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in own)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if by_position else inspect.Parameter.KEYWORD_ONLY
    inherited = [
        parameter.replace(kind=kind)
        for parameter in inspect.signature(cls.__base__).parameters.values()
        if parameter.name not in named and parameter.kind is not parameter.VAR_KEYWORD
    ]
    kept = [parameter for parameter in own[:-1] if parameter.kind is not parameter.VAR_POSITIONAL]
    return inspect.Signature([*kept, *inherited, own[-1]])
