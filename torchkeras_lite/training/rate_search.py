"""`model.find_lr`: a learning rate that grows from step to step, and the loss it leads to."""

import copy
import math

import numpy as np
import torch

from torchkeras_lite.base.checks import positive_int
from torchkeras_lite.callbacks.extras import extra
from torchkeras_lite.optimizers import LossScaleOptimizer
from torchkeras_lite.training import data as batching
from torchkeras_lite.training import preparation

DIVERGED = 4.0  # times the smallest loss, both as running means, where the search ends
MOMENTUM = 0.9  # of those running means
WINDOW = 0.1  # share of the steps that one smoothed loss is the mean of, and that the start is
LEAST_FALL = 0.02  # share of the loss at the start that it must fall by


class LearningRateCurve:
    """The losses that a range of learning rates led to.

    Attributes:
        learning_rates: Learning rate of each step.
        losses: Loss of each step.
        smoothed: The losses as means over neighbouring steps.
        suggestion: The learning rate at which the smoothed loss has fallen half way from its start to its
            lowest value, or `None` where it does not fall.
    """

    def __init__(self, learning_rates, losses):
        self.learning_rates = list(learning_rates)
        self.losses = list(losses)
        self.smoothed = smooth(self.losses)

    @property
    def suggestion(self):
        """The learning rate at which the loss has fallen half way to its lowest value, or `None`."""
        values = np.asarray(self.smoothed)
        if np.isfinite(values).sum() < 3:
            return None
        start = np.nanmean(values[: max(int(len(values) * WINDOW), 1)])
        lowest = int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
        fall = start - values[lowest]
        if not fall > LEAST_FALL * abs(start):
            return None
        above = np.flatnonzero(values[: lowest + 1] > start - fall / 2)
        return self.learning_rates[int(above[-1]) + 1 if len(above) else lowest]

    def plot(self, to_file=None):
        """Draw the losses over the learning rate; return the matplotlib figure.

        Args:
            to_file: File to write the picture to, instead of showing it.

        Raises:
            ImportError: matplotlib is not installed.
        """
        pyplot = extra("matplotlib.pyplot", "matplotlib", "find_lr().plot()")
        figure = pyplot.figure(figsize=(6, 4), layout="constrained", facecolor="white")
        axis = figure.subplots()
        axis.plot(self.learning_rates, self.losses, color="#c9d6df", linewidth=1)
        axis.plot(self.learning_rates, self.smoothed, color="#2a6f97", linewidth=1.8)
        axis.set_xscale("log")
        axis.set_xlabel("learning rate")
        axis.set_ylabel("loss")
        if self.suggestion is not None:
            axis.axvline(self.suggestion, color="#e07a2f", linestyle="--")
            axis.set_title(f"suggestion: {self.suggestion:.2g}", loc="left", fontsize=10)
        if to_file is not None:
            figure.savefig(to_file, dpi=150)
            pyplot.close(figure)
        return figure

    def __repr__(self):
        found = "None" if self.suggestion is None else f"{self.suggestion:.3g}"
        return f"<LearningRateCurve steps={len(self.losses)} suggestion={found}>"


def smooth(losses):
    """Return means over neighbouring steps, fewer of them towards the ends."""
    half = max(int(len(losses) * WINDOW) // 2, 1)
    return [float(np.mean(losses[max(i - half, 0) : i + half + 1])) for i in range(len(losses))]


def find_lr(model, x, y, sample_weight, batch_size, low, high, steps):
    """Train a copy of `model` with a growing learning rate; see `Trainer.find_lr` for the arguments."""
    if not 0 < low < high:
        raise ValueError(
            f"find_lr: expected 0 < min_lr < max_lr, got min_lr={low!r}, max_lr={high!r}. Pass for example "
            "1e-7 and 10.0."
        )
    if positive_int("find_lr", "steps", steps) < 10:
        raise ValueError(f"find_lr: `steps` must be 10 or more, got {steps}. 100 gives a smooth curve.")
    batches = batching.make_batches(
        model, x, y, sample_weight, batch_size=batch_size, shuffle=True, steps=steps
    )
    try:
        preparation.ensure_built(model, batches)
        with torch.random.fork_rng():
            return _search(copy.deepcopy(model), batches, low, high, steps)
    finally:
        batches.close()


def _search(model, batches, low, high, steps):
    optimizer = with_plain_rate(model.optimizer, low)
    model.__dict__["optimizer"] = optimizer
    preparation.prepare_optimizer(model)
    rates, losses, mean, best = [], [], 0.0, math.inf
    step = preparation.training_step(model)
    with preparation.mode(model, True):
        while len(losses) < steps:
            before = len(losses)
            for batch in batches:
                rate = low * (high / low) ** (len(losses) / (steps - 1))
                rated(optimizer).learning_rate = rate
                model.reset_metrics()
                loss = preparation.read_logs(model, step(*batch))["loss"]
                rates.append(rate)
                losses.append(loss)
                mean = MOMENTUM * mean + (1 - MOMENTUM) * loss
                running = mean / (1 - MOMENTUM ** len(losses))
                best = min(best, running)
                if len(losses) == steps or not math.isfinite(loss) or running > DIVERGED * best > 0:
                    return LearningRateCurve(rates, losses)
            if len(losses) == before:
                break
    return LearningRateCurve(rates, losses)


def rated(optimizer):
    """Return the optimizer whose learning rate counts."""
    return optimizer.inner_optimizer if isinstance(optimizer, LossScaleOptimizer) else optimizer


def with_plain_rate(optimizer, rate):
    """Return `optimizer`, made anew where a schedule would overwrite its learning rate.

    Raises:
        ValueError: several optimizers in one.
    """
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(
            f"find_lr: {type(optimizer).__name__} has no learning rate of its own. Search with a model that "
            "is compiled with a single optimizer."
        )
    inner = rated(optimizer)
    try:
        inner.learning_rate = rate
        return optimizer
    except TypeError:
        made = type(inner).from_config({**inner.get_config(), "learning_rate": rate})
    return made if inner is optimizer else type(optimizer)(made)
