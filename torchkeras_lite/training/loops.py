"""The loop of `fit`, as plain code over batches."""

import contextlib
from time import perf_counter

from torchkeras_lite.base import switches
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.callbacks import CallbackList
from torchkeras_lite.callbacks.old_logs import NamedValues
from torchkeras_lite.callbacks.progress import announce
from torchkeras_lite.training import data as batching
from torchkeras_lite.training import failures, waiting
from torchkeras_lite.training.arguments import check_training, optional_count, verbosity
from torchkeras_lite.training.evaluation import Validation
from torchkeras_lite.training.inspection import FirstLook
from torchkeras_lite.training.iterables import explain_dead_worker
from torchkeras_lite.training.preparation import (
    at_most,
    drop_gradients,
    ensure_built,
    mode,
    number_of_steps,
    prepare_optimizer,
    read_logs,
    training_step,
)
from torchkeras_lite.training.resume import TrainingPoint


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
        if model.team is not None:
            model.team.prepare_weights()
        prepare_optimizer(model)
        drop_gradients(model)
        if model.team is not None or not isinstance(callbacks, CallbackList):
            make = CallbackList if model.team is None else model.team.callbacks
            callbacks = make(
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
        point = None
        taking = sum(getattr(callback, "takes_points", False) for callback in callbacks)
        team = model.team if model.team is None or model.team.alike(taking) else None
        if taking:
            point = model.__dict__["training_point"] = TrainingPoint(model, batches, callbacks, team)
            batches = point.batches
        run_epochs(model, batches, validation, callbacks, epochs, steps_per_epoch, verbose, point)
    except Exception as error:
        explain_dead_worker(error)
        raise
    finally:
        if isinstance(callbacks, CallbackList):
            callbacks.close()
        model.__dict__.pop("training_point", None)
        batches.close()
        if validation is not None:
            validation.close()
    return model.history


def run_epochs(model, batches, validation, callbacks, epochs, most, verbose, point=None):
    """Run the epochs of `fit`, with validation and callbacks; `point` is the `TrainingPoint` of callbacks."""
    logs, hinted = {}, not verbose
    look = FirstLook(model)
    callbacks.on_train_begin()
    if point is not None and point.begin():  # it was interrupted behind its last epoch
        epochs = 0
    for epoch in range(model._initial_epoch, epochs):  # `BackupAndRestore` may have moved it
        started, waited = perf_counter(), batches.waited
        callbacks.on_epoch_begin(epoch)
        model.reset_metrics()
        if point is not None:
            point.before_epoch()
        batches.begin_epoch()
        first = 0 if point is None else point.begin_epoch()
        with mode(model, True):
            found = train_epoch(model, batches, callbacks, most, look, first)
        batches.end_epoch()
        if model.team is not None:
            model.team.end_epoch()
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
        logs = NamedValues(logs)
        callbacks.on_epoch_end(epoch, logs)
        if hint:
            hinted = True
            announce(hint)
        if model.stop_training:
            break
    if model.optimizer is not None:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def train_epoch(model, batches, callbacks, most=None, look=None, first=0):
    """Run one epoch and return its logs, `None` where there was no batch.

    Args:
        model: A compiled, built model in training mode.
        batches: The batches.
        callbacks: A `CallbackList`.
        most: Steps at the most.
        look: A `FirstLook` for the first step.
        first: Steps that were done before an interruption.
    """
    step = training_step(model)
    run = step if look is None else look.around(step)
    per_call = model.steps_per_execution
    batch, returned, count, told, open_call = None, None, first, first, False
    with contextlib.closing(iter(batches)) as stream:
        try:
            for batch in stream if count != most else ():
                hooks = callbacks.has_train_batch_hooks
                if hooks and not open_call:
                    callbacks.on_train_batch_begin(count)
                returned = run(*batch)
                run = step
                count += 1
                open_call = count % per_call != 0
                if hooks and not open_call and not callbacks.can_wait("train"):
                    told = count
                    logs = lambda returned=returned: read_logs(model, returned, running=True)
                    callbacks.on_train_batch_end(count - 1, logs)
                if model.stop_training or count == most:
                    break
        except (IndexError, RuntimeError) as error:
            failures.explain(model, batch, error)
            raise
    if told != count and callbacks.has_train_batch_hooks:
        callbacks.on_train_batch_end(count - 1, lambda: read_logs(model, returned, running=True))
    if count == 0:
        return None
    if most is not None and count < most and not model.stop_training:
        warn_of_the_end("epoch", most)
    return read_logs(model, returned)


def warn_of_the_end(what, least):
    """Warn that the data ended inside a training or an epoch."""
    warn_user(
        f"Your input ran out of data; interrupting {what}. Make sure that your dataset or generator can "
        f"generate at least {least} batches per epoch. You may need to use the `.repeat()` function when "
        "building your dataset."
    )
