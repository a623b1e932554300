"""What happens before a loop: modes, building, the optimizer's slots, the step; and how logs are read."""

import contextlib
import operator

import torch

from torchkeras_lite.engine import collecting
from torchkeras_lite.metrics.epoch_metric import EpochValue
from torchkeras_lite.training import data as batching
from torchkeras_lite.training import steps
from torchkeras_lite.training.compilation import OneBatch
from torchkeras_lite.training.compiled_step import compiled_step
from torchkeras_lite.training.micro_batches import MicroBatchStep
from torchkeras_lite.training.precision import float32_products
from torchkeras_lite.training.steps import to_floats


@contextlib.contextmanager
def mode(model, training):
    """Put `model` in a mode, and every module back in its own afterwards."""
    changed = [module for module in collecting.modules_in(model) if module.training is not training]
    if changed:
        model.train(training)
    try:
        with float32_products(model.precision):
            yield
    finally:
        for module in changed:
            if collecting.is_layer(module) or "training" not in module.__dict__:
                module.training = not training
            else:  # past torch's `__setattr__`, which costs more than a small layer
                module.__dict__["training"] = not training


def at_most(value, limit):
    """Return `value`, or `limit` where that is less; `None` is no limit."""
    if limit is None:
        return value
    return limit if value is None else min(value, limit)


def ensure_built(model, batches):
    """Make the weights of a model that was never called, by its first batch, and the optimizer's slots."""
    if not model.is_built:
        x, _, _ = batches.first()
        with mode(model, False), torch.no_grad():
            model(x)
        if batches.device != model.data_device:
            batches.device = model.data_device


def prepare_optimizer(model):
    """Make the optimizer's slots for the weights that are trained, or check that they are the ones it knows.

    Raises:
        ValueError: weights became trainable after `compile`; there is no optimizer, and no `train_step` of
            the user's that may do without one.
    """
    weights = model.trainable_weights
    optimizer = model.optimizer
    if optimizer is None:
        if type(model).train_step is not model.trainer_base.train_step:
            return
        raise ValueError(
            f"'{model.name}' was compiled with optimizer=None, which lets it evaluate and predict. To train "
            "it, call compile() with an optimizer, for example 'adam', or one of torch."
        )
    if not optimizer.built:
        optimizer.build(weights)
    else:
        known = {id(w.tensor if hasattr(w, "tensor") else w) for w in optimizer._trainable_variables}
        new = [w.path for w in weights if id(w.tensor) not in known]
        if new:
            raise ValueError(
                f"The optimizer does not know the weights {new[:3]}{'...' if len(new) > 3 else ''}: they "
                "became trainable, or were "
                "made, after training began. Call `compile()` again."
            )
    optimizer.prepare()


def number_of_steps(batches, most=None):
    """Return the number of batches an epoch, `most` at the most, or `None` where it is not known."""
    try:
        length = len(batches)
    except TypeError:
        return most
    return length if most is None else min(length, most)


def training_step(model):
    """Return a function of a batch: the model's own `train_step` where it has one, else ours.

    A step of the user's returns logs; ours returns `None`, and the logs are read from the metrics when
    somebody looks.
    """
    own, base = type(model), model.trainer_base
    if model.team is not None:
        return model.team.training_step(own_step(model, "train"))
    if own.train_step is base.train_step and own.make_train_function is base.make_train_function:
        if model.auto_micro_batch:
            return MicroBatchStep(model)
        return compiled_step(model, "train") or steps.TrainStep(model)
    if model.auto_micro_batch:
        raise ValueError(
            "compile: `auto_micro_batch=True` does not reach into a `train_step` of your own. Leave it out."
        )
    return own_step(model, "train")


def step_on_batch(model):
    """Return the training step for single batches, the same one as long as the same tensors are trained."""
    parameters = [p for p in collecting.parameters(model) if p.requires_grad]
    known, step = model.__dict__.get("_batch_step", ((), None))
    if step is None or len(known) != len(parameters) or any(map(operator.is_not, known, parameters)):
        if model.team is not None:
            model.team.prepare_weights()
        prepare_optimizer(model)
        step = training_step(model)
        model.__dict__["_batch_step"] = (parameters, step)
    elif isinstance(step, steps.Step):
        step.look()
    return step


def testing_step(model):
    """Return a function of a batch for `evaluate`, likewise."""
    step = own_step(model, "test")
    if step is None and model.team is None:
        step = compiled_step(model, "test")
    step = step or steps.TestStep(model)
    return step if model.team is None else model.team.testing_step(step)


def own_step(model, kind):
    """Return a function of a batch that runs what a class has instead of ours, `None` where it has nothing.

    Args:
        model: The model.
        kind: `"train"`, `"test"` or `"predict"`: its `train_step` or `make_train_function`, and so on.
    """
    own, base = type(model), model.trainer_base
    maker, step = f"make_{kind}_function", f"{kind}_step"
    if getattr(own, maker) is not getattr(base, maker):
        made = getattr(model, maker)()
        function = getattr(model, f"{kind}_function") or made
        return lambda *batch: function(OneBatch([batching.pack_x_y_sample_weight(*batch)]))
    if getattr(own, step) is not getattr(base, step):
        return lambda *batch: getattr(model, step)(batching.pack_x_y_sample_weight(*batch))
    return None


def read_logs(model, returned, running=False):
    """Return the logs as floats, in alphabetical order.

    What a step returned, else the results of the metrics. While an epoch is `running`, those are left out
    that are computed over a whole epoch.
    """
    if model.team is not None:
        logs = model.team.results(returned, running)
    else:
        logs = returned if returned is not None else model.get_metrics_result()
    if running:
        logs = {key: value for key, value in logs.items() if not isinstance(value, EpochValue)}
    floats = to_floats(logs)
    return {key: floats[key] for key in sorted(floats)}


def drop_gradients(model):
    """Forget gradients that an interrupted step, or somebody else, left behind."""
    for parameter in model.parameters():
        parameter.grad = None
