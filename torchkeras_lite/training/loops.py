"""The loops: `fit`, `evaluate` and `predict`, as plain code over batches."""

import contextlib
import operator
import warnings
from time import perf_counter

import torch

from torchkeras_lite.base import switches
from torchkeras_lite.callbacks import CallbackList
from torchkeras_lite.callbacks.progress import announce
from torchkeras_lite.metrics.epoch_metric import EpochValue
from torchkeras_lite.training import data as batching
from torchkeras_lite.training import failures, steps, waiting
from torchkeras_lite.training.arguments import check_training, optional_count, verbosity
from torchkeras_lite.training.collected import Collected
from torchkeras_lite.training.compilation import OneBatch
from torchkeras_lite.training.inspection import FirstLook
from torchkeras_lite.training.iterables import explain_dead_worker
from torchkeras_lite.training.micro_batches import MicroBatchStep
from torchkeras_lite.training.precision import float32_products
from torchkeras_lite.training.steps import to_floats


@contextlib.contextmanager
def mode(model, training):
    """Put `model` in a mode, and every module back in its own afterwards."""
    changed = [module for module in model.modules() if module.training is not training]
    if changed:
        model.train(training)
    try:
        with float32_products(model.precision):
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
    own, base = type(model), model.trainer_base
    if own.train_step is base.train_step and own.make_train_function is base.make_train_function:
        return MicroBatchStep(model) if model.auto_micro_batch else steps.TrainStep(model)
    if model.auto_micro_batch:
        raise ValueError(
            "compile: `auto_micro_batch=True` does not reach into a `train_step` of your own. Leave it out."
        )
    return own_step(model, "train")


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
    return own_step(model, "test") or (lambda *batch: steps.test_step(model, *batch))


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
    logs = returned if returned is not None else model.get_metrics_result()
    if running:
        logs = {key: value for key, value in logs.items() if not isinstance(value, EpochValue)}
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
    workers=None,
):
    """Train `model`; see `Trainer.fit` for the arguments. Returns the `History`.

    `workers` is the dict of `workers`, `use_multiprocessing` and `max_queue_size` that were given.
    """
    check_training(
        epochs, initial_epoch, validation_split, validation_steps, validation_batch_size, validation_freq
    )
    optional_count("fit", "steps_per_epoch", steps_per_epoch)
    verbose = verbosity(verbose)
    if class_weight is not None and sample_weight is not None:
        raise ValueError(
            "You cannot `class_weight` and `sample_weight` at the same time. Multiply them into "
            "`sample_weight`."
        )
    epochs = at_most(epochs, switches.max_epochs())
    steps_per_epoch = at_most(steps_per_epoch, switches.max_steps_per_epoch())
    if validation_split and validation_data is None:
        x, y = batching.read_frames(model, x, y)
        (x, y, sample_weight), validation_data = batching.split((x, y, sample_weight), validation_split)
    batches = batching.make_batches(
        model,
        x,
        y,
        sample_weight,
        batch_size=batch_size,
        shuffle=shuffle,
        steps=steps_per_epoch,
        class_weight=class_weight,
        workers=workers,
    )
    validation = None
    if validation_data is not None:
        size = validation_batch_size or batch_size
        validation = Validation(model, validation_data, size, validation_steps, validation_freq)
    model.stop_training = False
    try:
        ensure_built(model, batches)
        prepare_optimizer(model)
        drop_gradients(model)
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
        model._initial_epoch = initial_epoch
        run_epochs(model, batches, validation, callbacks, epochs, steps_per_epoch, verbose)
    except RuntimeError as error:
        explain_dead_worker(error)
        raise
    finally:
        if isinstance(callbacks, CallbackList):
            callbacks.close()
        batches.close()
        if validation is not None:
            validation.close()
    return model.history


def run_epochs(model, batches, validation, callbacks, epochs, most, verbose):
    """Run the epochs of `fit`, with validation and callbacks."""
    logs, hinted = {}, not verbose
    look = FirstLook(model)
    callbacks.on_train_begin()
    for epoch in range(model._initial_epoch, epochs):  # `BackupAndRestore` may have moved it
        started, waited = perf_counter(), batches.waited
        callbacks.on_epoch_begin(epoch)
        model.reset_metrics()
        batches.begin_epoch()
        with mode(model, True):
            found = train_epoch(model, batches, callbacks, most, look)
        batches.end_epoch()
        if found is None:
            if look is not None:
                raise ValueError(
                    "The training data gave no batch. Check that it is not empty, and that a generator is "
                    "not used up."
                )
            warn_of_the_end("training", most or len(model.history.epoch) + 1)
            break
        logs, look = found, None
        hint = None if hinted else waiting.hint(batches, batches.waited - waited, perf_counter() - started)
        if validation is not None and validation.is_due(epoch):
            logs |= {f"val_{key}": value for key, value in validation.run(callbacks).items()}
            logs = {key: logs[key] for key in sorted(logs)}
        callbacks.on_epoch_end(epoch, logs)
        if hint:
            hinted = True
            announce(hint)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def drop_gradients(model):
    """Forget gradients that an interrupted step, or somebody else, left behind."""
    for parameter in model.parameters():
        parameter.grad = None


def train_epoch(model, batches, callbacks, most=None, look=None):
    """Run one epoch and return its logs, `None` where there was no batch.

    Args:
        model: A compiled, built model in training mode.
        batches: The batches.
        callbacks: A `CallbackList`.
        most: Steps at the most.
        look: A `FirstLook` for the first step.
    """
    step = training_step(model)
    run = step if look is None else look.around(step)
    per_call = model.steps_per_execution
    batch, returned, count, open_call = None, None, 0, False
    with contextlib.closing(iter(batches)) as stream:
        try:
            for batch in stream:
                hooks = callbacks.has_train_batch_hooks
                if hooks and not open_call:
                    callbacks.on_train_batch_begin(count)
                returned = run(*batch)
                run = step
                count += 1
                open_call = count % per_call != 0
                if hooks and not open_call:
                    logs = lambda returned=returned: read_logs(model, returned, running=True)
                    callbacks.on_train_batch_end(count - 1, logs)
                if model.stop_training or count == most:
                    break
        except (IndexError, RuntimeError) as error:
            failures.explain(model, batch, error)
            raise
    if open_call and callbacks.has_train_batch_hooks:
        callbacks.on_train_batch_end(count - 1, lambda: read_logs(model, returned, running=True))
    if count == 0:
        return None
    if most is not None and count < most and not model.stop_training:
        warn_of_the_end("epoch", most)
    return read_logs(model, returned)


def warn_of_the_end(what, least):
    """Warn that the data ended inside a training or an epoch."""
    warnings.warn(
        f"Your input ran out of data; interrupting {what}. Make sure that your dataset or generator can "
        f"generate at least {least} batches per epoch. You may need to use the `.repeat()` function when "
        "building your dataset.",
        stacklevel=6 if what == "epoch" else 5,
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
    """

    def __init__(self, model, data, batch_size, steps, frequency):
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
            warnings.warn(
                "The validation data is used up, so this epoch has no validation. A generator can be read "
                "once: let it go on for all epochs, or pass arrays, a `PyDataset` or a DataLoader.",
                stacklevel=5,
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
    batch, returned, count = None, None, 0
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
                if hooks:
                    logs = lambda returned=returned: read_logs(model, returned, running=True)
                    callbacks.on_test_batch_end(count - 1, logs)
                if count == most or getattr(model, "stop_evaluating", False):
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
    logs = read_logs(model, returned)
    callbacks.on_test_end(logs)
    return logs


def callbacks_for(model, callbacks, verbose, batches, most):
    """Return the `CallbackList` of an evaluation or a prediction."""
    if isinstance(callbacks, CallbackList):
        return callbacks
    return CallbackList(
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
    except RuntimeError as error:
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
    except RuntimeError as error:
        explain_dead_worker(error)
        raise
    finally:
        if isinstance(callbacks, CallbackList):
            callbacks.close()
        batches.close()
    return results.arrays()


def predict_batches(model, batches, callbacks, most=None):
    """Run `predict` on batches and return what was `Collected`."""
    own = own_step(model, "predict")
    batch, results, count = None, None, 0
    callbacks.on_predict_begin()
    hooks = callbacks.has_predict_batch_hooks
    batches.begin_epoch()
    with mode(model, False), torch.no_grad(), contextlib.closing(iter(batches)) as stream:
        try:
            for batch in stream:
                if hooks:
                    callbacks.on_predict_batch_begin(count)
                outputs = model(batch[0]) if own is None else own(*batch)
                results = Collected(outputs, batches) if results is None else results
                results.add(outputs)
                count += 1
                if hooks:
                    callbacks.on_predict_batch_end(count - 1, {"outputs": outputs})
                if count == most or getattr(model, "stop_predicting", False):
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
    callbacks.on_predict_end()
    return results
