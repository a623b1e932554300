"""`evaluate`, `predict` and the validation inside of `fit`."""

import contextlib

import torch

from torchkeras_lite.base import switches
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.callbacks import CallbackList
from torchkeras_lite.engine.direct import forward_of
from torchkeras_lite.training import data as batching
from torchkeras_lite.training import failures
from torchkeras_lite.training.arguments import optional_count, verbosity
from torchkeras_lite.training.collected import Collected
from torchkeras_lite.training.compiled_step import compiled_step
from torchkeras_lite.training.iterables import explain_dead_worker
from torchkeras_lite.training.preparation import (
    at_most,
    ensure_built,
    mode,
    number_of_steps,
    own_step,
    read_logs,
    testing_step,
)


class NoBatchError(ValueError):
    """There is no data."""


class Validation:
    """What `fit` evaluates after its epochs.

    Args:
        model: The model.
        data: `(x, y)`, `(x, y, sample_weight)`, or an iterable of batches.
        batch_size: Rows a batch.
        steps: Batches at the most.
        frequency: Evaluate after every that many epochs, or after the epochs listed, counted from 1.

    Raises:
        ValueError: a tuple of arrays that is neither of the two.
    """

    def __init__(self, model, data, batch_size, steps, frequency):
        if isinstance(data, tuple) and len(data) > 3 and batching.is_arrays(data[0]):
            raise ValueError(
                "fit: `validation_data` must be `(x, y)` or `(x, y, sample_weight)`, got a tuple of "
                f"{len(data)}. Put several inputs into a list: ([x1, x2], y)."
            )
        self.model = model
        self.data = data
        self.batch_size = batch_size
        self.steps = steps
        self.frequency = frequency
        self.batches = None

    def is_due(self, epoch):
        """Whether the epoch number `epoch`, from 0, is followed by an evaluation."""
        if isinstance(self.frequency, int):
            return (epoch + 1) % self.frequency == 0
        return epoch + 1 in self.frequency

    def run(self, callbacks):
        """Evaluate and return the logs. The batches are made at the first time."""
        first = self.batches is None
        if first:
            self.batches = self._make()
        try:
            return evaluate_batches(self.model, self.batches, callbacks, self.steps)
        except NoBatchError:
            if first:
                raise
            warn_user(
                "The validation data is used up, so this epoch has no validation. A generator can be read "
                "once: let it go on for all epochs, or pass arrays, a `PyDataset` or a DataLoader."
            )
            return {}

    def _make(self):
        data = self.data
        if isinstance(data, (list, tuple)) and len(data) in (2, 3) and batching.is_arrays(data[0]):
            x, y, sample_weight = batching.unpack_x_y_sample_weight(tuple(data))
            return batching.make_batches(self.model, x, y, sample_weight, batch_size=self.batch_size)
        return batching.make_batches(self.model, data, batch_size=self.batch_size)

    def close(self):
        """Let go of the batches."""
        if self.batches is not None:
            self.batches.close()


def evaluate_batches(model, batches, callbacks, most=None):
    """Run `evaluate` on batches and return its logs."""
    step = testing_step(model)
    batch, returned, count, told = None, None, 0, 0
    model.__dict__["stop_evaluating"] = False
    callbacks.on_test_begin()
    model.reset_metrics()  # after the hooks, which may still read the logs of the last training batch
    hooks = callbacks.has_test_batch_hooks
    batches.begin_epoch()
    with mode(model, False), torch.no_grad(), contextlib.closing(iter(batches)) as stream:
        try:
            for batch in stream:
                if hooks:
                    callbacks.on_test_batch_begin(count)
                returned = step(*batch)
                count += 1
                if hooks and not callbacks.can_wait("test"):
                    told = count
                    logs = lambda returned=returned: read_logs(model, returned, running=True)
                    callbacks.on_test_batch_end(count - 1, logs)
                if count == most or model.stop_evaluating:
                    break
        except (IndexError, RuntimeError) as error:
            failures.explain(model, batch, error)
            raise
    batches.end_epoch()
    if count == 0:
        raise NoBatchError(
            "The data gave no batch to evaluate. Check that it is not empty, and that a generator is not "
            "used up."
        )
    if hooks and told != count:
        callbacks.on_test_batch_end(count - 1, lambda: read_logs(model, returned, running=True))
    logs = read_logs(model, returned)
    callbacks.on_test_end(logs)
    return logs


def callbacks_for(model, callbacks, verbose, batches, most):
    """Return the `CallbackList` of an evaluation or a prediction."""
    if isinstance(callbacks, CallbackList) and model.team is None:
        return callbacks
    make = CallbackList if model.team is None else model.team.callbacks
    return make(
        callbacks,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=1,
        steps=number_of_steps(batches, most),
    )


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
    workers=None,
):
    """Evaluate `model`; see `Trainer.evaluate` for the arguments."""
    optional_count("evaluate", "steps", steps)
    verbose = verbosity(verbose)
    steps = at_most(steps, switches.max_steps_per_epoch())
    batches = batching.make_batches(
        model, x, y, sample_weight, batch_size=batch_size, steps=steps, workers=workers
    )
    try:
        ensure_built(model, batches)
        callbacks = callbacks_for(model, callbacks, verbose, batches, steps)
        logs = evaluate_batches(model, batches, callbacks, steps)
    except Exception as error:
        explain_dead_worker(error)
        raise
    finally:
        if isinstance(callbacks, CallbackList):
            callbacks.close()
        batches.close()
    return logs if return_dict else in_order(model, logs)


def in_order(model, logs):
    """Return logs as Keras's list: the loss first, then losses of outputs and metrics.

    A single number alone.
    """
    order = [key for key in model.log_names() if key in logs]
    values = [logs[key] for key in [*order, *(key for key in logs if key not in order)]]
    return values[0] if len(values) == 1 else values


def predict(model, x, batch_size=None, verbose="auto", steps=None, callbacks=None, workers=None):
    """Compute outputs; see `Trainer.predict` for the arguments."""
    optional_count("predict", "steps", steps)
    verbose = verbosity(verbose)
    steps = at_most(steps, switches.max_steps_per_epoch())
    batches = batching.make_batches(model, x, batch_size=batch_size, steps=steps, workers=workers)
    try:
        ensure_built(model, batches)
        callbacks = callbacks_for(model, callbacks, verbose, batches, steps)
        results = predict_batches(model, batches, callbacks, steps)
    except Exception as error:
        explain_dead_worker(error)
        raise
    finally:
        if isinstance(callbacks, CallbackList):
            callbacks.close()
        batches.close()
    return results.arrays()


def predict_batches(model, batches, callbacks, most=None):
    """Run `predict` on batches and return what was `Collected`."""
    own = own_step(model, "predict") or (compiled_step(model, "predict") if model.team is None else None)
    forward = forward_of(model) if own is None else None
    collected = Collected if model.team is None else model.team.collected
    batch, outputs, results, count, told = None, None, None, 0, 0
    model.__dict__["stop_predicting"] = False  # torch looks at what is set: a tenth of a row's time
    callbacks.on_predict_begin()
    hooks = callbacks.has_predict_batch_hooks
    batches.begin_epoch()
    with mode(model, False), torch.no_grad(), contextlib.closing(iter(batches)) as stream:
        try:
            for batch in stream:
                if hooks:
                    callbacks.on_predict_batch_begin(count)
                outputs = forward(batch[0]) if own is None else own(*batch)
                results = collected(outputs, batches) if results is None else results
                results.add(outputs)
                count += 1
                if hooks and not callbacks.can_wait("predict"):
                    told = count
                    callbacks.on_predict_batch_end(count - 1, {"outputs": outputs})
                if count == most or model.stop_predicting:
                    break
        except (IndexError, RuntimeError) as error:
            failures.explain(model, batch, error)
            raise
    batches.end_epoch()
    if results is None:
        raise ValueError(
            "The data gave no batch to predict. Check that it is not empty, and that a generator is not "
            "used up."
        )
    if hooks and told != count:
        callbacks.on_predict_batch_end(count - 1, {"outputs": outputs})
    callbacks.on_predict_end()
    return results
