"""The loops: `fit`, `evaluate` and `predict`, as plain code over batches."""

import contextlib
import operator
import warnings

import numpy as np
import torch

from torchkeras_lite.base import nested, switches
from torchkeras_lite.callbacks import CallbackList
from torchkeras_lite.training import data as batching
from torchkeras_lite.training import steps
from torchkeras_lite.training.steps import to_floats


@contextlib.contextmanager
def mode(model, training):
    """Put `model` in a mode, and every module back in its own afterwards."""
    changed = [module for module in model.modules() if module.training is not training]
    if changed:
        model.train(training)
    try:
        yield
    finally:
        for module in changed:
            module.training = not training


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
        ValueError: weights became trainable after `compile`.
    """
    weights = model.trainable_weights
    optimizer = model.optimizer
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
    if type(model).train_step is not model.trainer_base.train_step:
        return lambda *batch: model.train_step(batching.pack_x_y_sample_weight(*batch))
    return steps.TrainStep(model)


def step_on_batch(model):
    """Return the training step for single batches, the same one as long as the same tensors are trained."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    known, step = model.__dict__.get("_batch_step", ((), None))
    if step is None or len(known) != len(parameters) or any(map(operator.is_not, known, parameters)):
        prepare_optimizer(model)
        step = training_step(model)
        model.__dict__["_batch_step"] = (parameters, step)
    return step


def testing_step(model):
    """Return a function of a batch for `evaluate`, likewise."""
    if type(model).test_step is not model.trainer_base.test_step:
        return lambda *batch: model.test_step(batching.pack_x_y_sample_weight(*batch))
    return lambda *batch: steps.test_step(model, *batch)


def read_logs(model, returned):
    """Return the logs as floats, in alphabetical order.

    What a step returned, else the results of the metrics.
    """
    logs = returned if returned is not None else model.get_metrics_result()
    floats = to_floats(logs)
    return {key: floats[key] for key in sorted(floats)}


def fit(
    model,
    x=None,
    y=None,
    batch_size=None,
    epochs=1,
    verbose="auto",
    callbacks=None,
    validation_split=0.0,
    validation_data=None,
    shuffle=True,
    class_weight=None,
    sample_weight=None,
    initial_epoch=0,
    steps_per_epoch=None,
    validation_steps=None,
    validation_batch_size=None,
    validation_freq=1,
):
    """Train `model`; see `Trainer.fit` for the arguments. Returns the `History`."""
    if class_weight is not None and sample_weight is not None:
        raise ValueError(
            "You cannot `class_weight` and `sample_weight` at the same time. Multiply them into "
            "`sample_weight`."
        )
    epochs = at_most(epochs, switches.max_epochs())
    steps_per_epoch = at_most(steps_per_epoch, switches.max_steps_per_epoch())
    if validation_split and validation_data is None:
        (x, y, sample_weight), held_out = batching.split((x, y, sample_weight), validation_split)
        validation_data = held_out
    batches = batching.make_batches(
        model,
        x,
        y,
        sample_weight,
        batch_size=batch_size,
        shuffle=shuffle,
        steps=steps_per_epoch,
        class_weight=class_weight,
    )
    model.stop_training = False
    ensure_built(model, batches)
    prepare_optimizer(model)
    verbose = 1 if verbose == "auto" else verbose
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=number_of_steps(batches, steps_per_epoch),
        )
    model.history = callbacks.history
    validation = None
    logs = {}
    try:
        model._initial_epoch = initial_epoch
        callbacks.on_train_begin()
        for epoch in range(model._initial_epoch, epochs):  # `BackupAndRestore` may have moved it
            callbacks.on_epoch_begin(epoch)
            model.reset_metrics()
            with mode(model, True):
                logs = train_epoch(model, batches, callbacks, steps_per_epoch)
            if validation_data is not None and is_validation_epoch(epoch, validation_freq):
                if validation is None:
                    validation = make_validation(
                        model, validation_data, validation_batch_size or batch_size, validation_steps
                    )
                found = evaluate_batches(model, validation, callbacks, validation_steps)
                logs |= {f"val_{key}": value for key, value in found.items()}
                logs = {key: logs[key] for key in sorted(logs)}
            callbacks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)
    finally:
        callbacks.close()
    return model.history


def train_epoch(model, batches, callbacks, most=None):
    """Run one epoch and return its logs."""
    step = training_step(model)
    per_call = model.steps_per_execution
    returned, count, open_call = None, 0, False
    for batch in batches:
        hooks = callbacks.has_train_batch_hooks
        if hooks and not open_call:
            callbacks.on_train_batch_begin(count)
        returned = step(*batch)
        count += 1
        open_call = count % per_call != 0
        if hooks and not open_call:
            callbacks.on_train_batch_end(count - 1, lambda returned=returned: read_logs(model, returned))
        if model.stop_training or count == most:
            break
    if open_call and callbacks.has_train_batch_hooks:
        callbacks.on_train_batch_end(count - 1, lambda: read_logs(model, returned))
    if count == 0:
        raise ValueError(
            "The training data gave no batch. Check that it is not empty, and that a generator is not used "
            "up."
        )
    if most is not None and count < most and not model.stop_training:
        warnings.warn(
            "Your input ran out of data; interrupting epoch. Make sure that your dataset or generator can "
            "generate at least "
            f"{most} batches per epoch. You may need to use the `.repeat()` function when building your "
            "dataset.",
            stacklevel=4,
        )
    return read_logs(model, returned)


def is_validation_epoch(epoch, frequency):
    """Whether the epoch number `epoch`, from 0, is followed by validation.

    Every `frequency`-th, or the ones listed (from 1).
    """
    if isinstance(frequency, (list, tuple, set)):
        return epoch + 1 in frequency
    if not isinstance(frequency, int) or frequency < 1:
        raise ValueError(
            f"`validation_freq` must be a positive integer or a list of epochs, got {frequency!r}."
        )
    return (epoch + 1) % frequency == 0


def make_validation(model, data, batch_size, steps):
    """Return the batches of `validation_data`.

    `(x, y)`, `(x, y, sample_weight)`, or an iterable of batches.
    """
    if isinstance(data, (list, tuple)) and len(data) in (2, 3) and batching.is_arrays(data[0]):
        x, y, sample_weight = batching.unpack_x_y_sample_weight(tuple(data))
        return batching.make_batches(model, x, y, sample_weight, batch_size=batch_size)
    return batching.make_batches(model, data, batch_size=batch_size, steps=None)


def evaluate_batches(model, batches, callbacks, most=None):
    """Run `evaluate` on batches and return its logs."""
    step = testing_step(model)
    returned, count = None, 0
    callbacks.on_test_begin()
    model.reset_metrics()  # after the hooks, which may still read the logs of the last training batch
    hooks = callbacks.has_test_batch_hooks
    with mode(model, False), torch.no_grad():
        for batch in batches:
            if hooks:
                callbacks.on_test_batch_begin(count)
            returned = step(*batch)
            count += 1
            if hooks:
                callbacks.on_test_batch_end(count - 1, lambda returned=returned: read_logs(model, returned))
            if count == most or getattr(model, "stop_evaluating", False):
                break
    if count == 0:
        raise ValueError(
            "The data gave no batch to evaluate. Check that it is not empty, and that a generator is not "
            "used up."
        )
    logs = read_logs(model, returned)
    callbacks.on_test_end(logs)
    return logs


def evaluate(
    model,
    x=None,
    y=None,
    batch_size=None,
    verbose="auto",
    sample_weight=None,
    steps=None,
    callbacks=None,
    return_dict=False,
):
    """Evaluate `model`; see `Trainer.evaluate` for the arguments."""
    steps = at_most(steps, switches.max_steps_per_epoch())
    batches = batching.make_batches(model, x, y, sample_weight, batch_size=batch_size, steps=steps)
    ensure_built(model, batches)
    verbose = 1 if verbose == "auto" else verbose
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=1,
            steps=number_of_steps(batches, steps),
        )
    try:
        logs = evaluate_batches(model, batches, callbacks, steps)
    finally:
        callbacks.close()
    return logs if return_dict else in_order(model, logs)


def in_order(model, logs):
    """Return logs as Keras's list: the loss first, then losses of outputs and metrics.

    A single number alone.
    """
    order = [key for key in model.log_names() if key in logs]
    values = [logs[key] for key in [*order, *(key for key in logs if key not in order)]]
    return values[0] if len(values) == 1 else values


def predict(model, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
    """Compute outputs; see `Trainer.predict` for the arguments."""
    steps = at_most(steps, switches.max_steps_per_epoch())
    batches = batching.make_batches(model, x, batch_size=batch_size, steps=steps)
    ensure_built(model, batches)
    verbose = 1 if verbose == "auto" else verbose
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=1,
            steps=number_of_steps(batches, steps),
        )
    custom = type(model).predict_step is not model.trainer_base.predict_step
    results, count = None, 0
    try:
        callbacks.on_predict_begin()
        hooks = callbacks.has_predict_batch_hooks
        with mode(model, False), torch.no_grad():
            for batch in batches:
                if hooks:
                    callbacks.on_predict_batch_begin(count)
                outputs = (
                    model.predict_step(batching.pack_x_y_sample_weight(*batch)) if custom else model(batch[0])
                )
                results = Collected(outputs, batches) if results is None else results
                results.add(outputs)
                count += 1
                if hooks:
                    callbacks.on_predict_batch_end(count - 1, {"outputs": outputs})
                if count == steps or getattr(model, "stop_predicting", False):
                    break
        if results is None:
            raise ValueError(
                "The data gave no batch to predict. Check that it is not empty, and that a generator is not "
                "used up."
            )
        callbacks.on_predict_end()
    finally:
        callbacks.close()
    return results.arrays()


class Collected:
    """The outputs of all batches as NumPy arrays. Where the number of rows is known, they are written in
    place.

    Args:
        outputs: Outputs of the first batch.
        batches: The batches.
    """

    def __init__(self, outputs, batches):
        self.template = outputs
        self.rows = getattr(batches, "num_rows", None)  # unknown where batches are counted
        self.parts = [self._start(t) for t in nested.flatten(outputs)]
        self.position = 0

    def _start(self, tensor):
        if self.rows is None or not isinstance(tensor, torch.Tensor) or not tensor.ndim:
            return []
        dtype = torch.float32 if tensor.dtype == torch.bfloat16 else tensor.dtype
        return torch.empty((self.rows, *tensor.shape[1:]), dtype=dtype)

    def add(self, outputs):
        """Take the outputs of one batch."""
        flat = nested.flatten(outputs)
        start = self.position
        stop = start + steps.batch_length(outputs)
        for index, tensor in enumerate(flat):
            place = self.parts[index]
            fits = isinstance(place, torch.Tensor) and isinstance(tensor, torch.Tensor)
            if (
                fits
                and tensor.shape[1:] == place.shape[1:]
                and stop <= len(place)
                and len(tensor) == stop - start
            ):
                place[start:stop].copy_(tensor)
                continue
            if isinstance(place, torch.Tensor):  # sizes that change from batch to batch
                place = self.parts[index] = [place[:start].numpy().copy()] if start else []
            tensor = tensor.detach() if isinstance(tensor, torch.Tensor) else torch.as_tensor(tensor)
            place.append((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy())
        self.position = stop

    def arrays(self):
        """Return the arrays in the form of the outputs."""
        flat = []
        for part in self.parts:
            if isinstance(part, torch.Tensor):
                flat.append(part[: self.position].numpy())
            else:
                flat.append(np.concatenate([np.atleast_1d(p) for p in part]))
        return nested.pack_like(self.template, flat)
