"""Learning-rate schedules: the rate as a function of the step, computed on the host.

A schedule of ours says `rate(step)` on plain numbers, which is what an optimizer asks for, so a step never
waits for the device. Calling it, as Keras's users do, gives tensors. A user's own schedule overrides
`__call__`, as in Keras.
"""

import bisect
import inspect
import math

import torch

from torchkeras_lite.base import registry, serialization
from torchkeras_lite.optimizers.host_variable import HostVariable


class LearningRateSchedule:
    """Base of schedules: `schedule(step)` is the learning rate of the step, counted from 0.

    Override `__call__(self, step)`, where `step` is an integer tensor without axes, and `get_config`.

    Source: Keras 3 `keras.optimizers.schedules.LearningRateSchedule`. Differs from
    `torch.optim.lr_scheduler`: a pure function of the step, with no state and no `step()` to call.
    """

    def at(self, step):
        """Return the learning rate at the integer `step` as a Python number: what an optimizer asks for."""
        if type(self).__call__ is LearningRateSchedule.__call__:
            return self.rate(step)
        return float(self(torch.tensor(step, dtype=torch.int32)))

    def rate(self, step):
        """Return the learning rate at `step`, both Python numbers."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def __call__(self, step):
        """Return the learning rate at `step`, a number or an array of them, as a float32 tensor."""
        steps = torch.as_tensor(getattr(step, "value", step))
        rates = [self.rate(value) for value in steps.reshape(-1).tolist()]
        return torch.tensor(rates, dtype=torch.float32).reshape(steps.shape)

    def get_config(self):
        """Return the constructor's arguments.

        Raises:
            NotImplementedError: a schedule of the user's own without `get_config`.
        """
        if type(self).rate is LearningRateSchedule.rate:
            raise NotImplementedError(
                f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be "
                "serializable."
            )
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {name: _plain(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config):
        """Return a schedule from what `get_config` returned."""
        return cls(**config)

    def _check_name(self, name):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"{type(self).__name__}: `name` must be a string without '/', got name={name!r}."
            )
        return name

    def _check_steps(self, argument, value):
        if value <= 0:
            raise ValueError(
                f"{type(self).__name__}: Argument `{argument}` must be > 0. Received: {argument}={value}. "
                "Pass the number of steps that the decay takes."
            )
        return value


def _detached(rate):
    # An optimizer's own learning rate would read the schedule that is taking its place.
    return rate.number if isinstance(rate, HostVariable) else rate


def _plain(value):
    return value if value is None or isinstance(value, (str, bool, int, list, tuple)) else float(value)


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps after which the rate is multiplied by `decay_rate`, > 0.
        decay_rate: The factor.
        staircase: Whether to change the rate only every `decay_steps` steps.
        name: A name.

    Raises:
        ValueError: `decay_steps` is not > 0.

    Source: Keras 3 `keras.optimizers.schedules.ExponentialDecay`.
    """

    def __init__(
        self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"
    ):
        self.initial_learning_rate = _detached(initial_learning_rate)
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = self._check_name(name)

    def rate(self, step):
        """Return the learning rate at `step`."""
        periods = step / self.decay_steps
        if self.staircase:
            periods = math.floor(periods)
        return float(self.initial_learning_rate) * float(self.decay_rate) ** periods


class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Length of one decay period in steps, > 0.
        decay_rate: What each period adds to the divisor.
        staircase: Whether to change the rate only every `decay_steps` steps.
        name: A name.

    Raises:
        ValueError: `decay_steps` is not > 0.

    Source: Keras 3 `keras.optimizers.schedules.InverseTimeDecay`.
    """

    def __init__(
        self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"
    ):
        self.initial_learning_rate = _detached(initial_learning_rate)
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = self._check_name(name)

    def rate(self, step):
        """Return the learning rate at `step`."""
        periods = step / self.decay_steps
        if self.staircase:
            periods = math.floor(periods)
        return float(self.initial_learning_rate) / (1 + float(self.decay_rate) * periods)


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to and including step `boundaries[0]`, then `values[1]`, and so on.

    Args:
        boundaries: Increasing step numbers.
        values: Rates, one more than there are boundaries.
        name: A name.

    Raises:
        ValueError: the lengths don't fit.

    Source: Keras 3 `keras.optimizers.schedules.PiecewiseConstantDecay`.
    """

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay: The length of boundaries should be 1 less than the length of "
                "values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of length "
                f"{len(values)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = self._check_name(name)

    def rate(self, step):
        """Return the learning rate at `step`."""
        return float(self.values[bisect.bisect_left([float(b) for b in self.boundaries], step)])


class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` to `end_learning_rate` in `decay_steps`, along a power of the time left.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps until the end rate is reached, > 0.
        end_learning_rate: The last rate.
        power: The exponent; 1 is a straight line.
        cycle: Whether to start again at a higher multiple of `decay_steps` whenever the end is passed.
        name: A name.

    Raises:
        ValueError: `decay_steps` is not > 0.

    Source: Keras 3 `keras.optimizers.schedules.PolynomialDecay`.
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        end_learning_rate=0.0001,
        power=1.0,
        cycle=False,
        name="PolynomialDecay",
    ):
        self.initial_learning_rate = _detached(initial_learning_rate)
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = self._check_name(name)

    def rate(self, step):
        """Return the learning rate at `step`."""
        start, end, length = (
            float(self.initial_learning_rate),
            float(self.end_learning_rate),
            self.decay_steps,
        )
        if self.cycle:
            length *= max(1, math.ceil(step / length))
        else:
            step = min(step, length)
        return (start - end) * (1 - step / length) ** float(self.power) + end


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate down to `alpha` times it, after an optional linear warmup.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Length of the decay in steps, > 0; it starts where the warmup ends.
        alpha: The last rate as a fraction of the highest.
        name: A name.
        warmup_target: The rate that the warmup climbs to from `initial_learning_rate`; `None`: no warmup.
        warmup_steps: Length of the warmup in steps.

    Raises:
        ValueError: `decay_steps` is not > 0.

    Source: Keras 3 `keras.optimizers.schedules.CosineDecay`; Loshchilov and Hutter 2016, arXiv:1608.03983.
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        alpha=0.0,
        name="CosineDecay",
        warmup_target=None,
        warmup_steps=0,
    ):
        self.initial_learning_rate = _detached(initial_learning_rate)
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.alpha = alpha
        self.name = self._check_name(name)
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def rate(self, step):
        """Return the learning rate at `step`."""
        top = start = float(self.initial_learning_rate)
        if self.warmup_target is not None:
            top = float(self.warmup_target)
            if step < self.warmup_steps:
                return start + (top - start) * step / self.warmup_steps
            step = step - self.warmup_steps
        fraction = min(step, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1 + math.cos(math.pi * fraction))
        return top * ((1 - float(self.alpha)) * cosine + float(self.alpha))


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decays one after another, each `t_mul` times as long and starting `m_mul` times as high.

    Args:
        initial_learning_rate: The rate at step 0.
        first_decay_steps: Length of the first decay in steps, > 0.
        t_mul: Factor of the length of each next decay.
        m_mul: Factor of the starting rate of each next decay.
        alpha: The lowest rate as a fraction of `initial_learning_rate`.
        name: A name.

    Raises:
        ValueError: `first_decay_steps` is not > 0.

    Source: Keras 3 `keras.optimizers.schedules.CosineDecayRestarts`; Loshchilov and Hutter 2016,
    arXiv:1608.03983.
    """

    def __init__(
        self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"
    ):
        self.initial_learning_rate = _detached(initial_learning_rate)
        self.first_decay_steps = self._check_steps("first_decay_steps", first_decay_steps)
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = self._check_name(name)

    def rate(self, step):
        """Return the learning rate at `step`."""
        completed, growth = step / self.first_decay_steps, float(self.t_mul)
        if growth == 1.0:
            restarts = math.floor(completed)
            fraction = completed - restarts
        else:
            restarts = math.floor(math.log(1 - completed * (1 - growth)) / math.log(growth) + 1e-9)
            before = (1 - growth**restarts) / (1 - growth)
            fraction = (completed - before) / growth**restarts
        cosine = 0.5 * float(self.m_mul) ** restarts * (1 + math.cos(math.pi * fraction))
        return float(self.initial_learning_rate) * ((1 - float(self.alpha)) * cosine + float(self.alpha))


_PUBLIC = {
    cls.__name__: cls
    for cls in (
        LearningRateSchedule,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
        CosineDecay,
        CosineDecayRestarts,
    )
}
registry.publish("optimizers.schedules", _PUBLIC)


def serialize(learning_rate_schedule):
    """Return the config of a schedule."""
    return serialization.serialize_keras_object(learning_rate_schedule)


def deserialize(config, custom_objects=None):
    """Return the schedule that `config` describes."""
    return serialization.deserialize_keras_object(config, custom_objects=custom_objects)


__all__ = [*_PUBLIC, "deserialize", "serialize"]
