"""`compile`: its arguments checked, resolved and put on the model, all or none of them."""

import torch
from torch import nn

from torchkeras_lite import metrics as metrics_room
from torchkeras_lite import optimizers
from torchkeras_lite.base import nested, processes
from torchkeras_lite.base.checks import suggestion
from torchkeras_lite.base.serialization import serialize_keras_object, with_marks
from torchkeras_lite.base.warning import warn_user
from torchkeras_lite.callbacks import Callback, CallbackList
from torchkeras_lite.optimizers import LossScaleOptimizer, TorchScheduler
from torchkeras_lite.training import compiled, precision
from torchkeras_lite.training.distributed_weights import checked_kind
from torchkeras_lite.training.loss_places import as_lists, as_tuples

JIT_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
JIT_OPTIONS = ("fullgraph", "dynamic", "backend", "mode", "options")
CAPTURING_MODES = ("reduce-overhead", "max-autotune")
OWN_STEPS = [
    form.format(kind) for kind in ("train", "test", "predict") for form in ("{}_step", "make_{}_function")
]
# Arguments that Keras does not have are written into configs only where they were given.
OURS = {"lr_scheduler": None, "precision": None, "auto_micro_batch": False, "distribute": None}


def compile_model(model, arguments):
    """Put what `compile` was given on `model`; see `Trainer.compile` for the arguments.

    Everything is checked first: a call that fails leaves an earlier one in force.
    """
    given = dict(arguments)
    steps = steps_per_execution(given["steps_per_execution"])
    jit = jit_options(given["jit_compile"], given["run_eagerly"])
    captures = captures_graphs(model, given["cuda_graphs"], given["run_eagerly"], jit)
    kind = precision.standardize(given["precision"])
    half = model.dtype_policy.name == "mixed_float16" or kind == "float16"
    optimizer = make_optimizer(given["optimizer"], half and given["auto_scale_loss"])
    loss, dtype = given["loss"], "float64" if kind == "float64" else None
    compiled_loss = None if loss is None else compiled.CompiledLoss(loss, given["loss_weights"], dtype)
    compiled_metrics = compiled.CompiledMetrics(given["metrics"], given["weighted_metrics"], compiled_loss)
    if not isinstance(given["auto_micro_batch"], bool):
        raise TypeError(
            f"compile: `auto_micro_batch` must be True or False, got {given['auto_micro_batch']!r}."
        )
    kind_of_team = checked_kind(given["distribute"], given["auto_micro_batch"])
    scheduler = make_scheduler(given["lr_scheduler"], optimizer)
    model.__dict__.update(
        optimizer=optimizer,
        loss=loss,
        compiled=True,
        compiled_loss=compiled_loss,
        compiled_metrics=compiled_metrics,
        loss_tracker=metrics_room.Mean(name="loss"),
        lr_scheduler=scheduler,
        precision=kind,
        auto_micro_batch=given["auto_micro_batch"],
        distribute=kind_of_team,
        micro_batch_rows=None,
        steps_per_execution=steps,
        run_eagerly=bool(given["run_eagerly"]),
        jit_compile=jit is not None,
        cuda_graphs=given["cuda_graphs"],
        step_options=({"backend": "eager"} if captures else None) if jit is None else jit,
        step_captures=captures,
        stop_training=False,
        train_function=None,
        test_function=None,
        predict_function=None,
        _compile_arguments={**given, "optimizer": optimizer, "lr_scheduler": scheduler},
        _compiled_call_impl=None,
        _batch_step=((), None),
        _compiled_steps={},
    )
    if jit is not None and compiles_calls(model):
        model.__dict__["step_options"] = None
        nn.Module.compile(model, **jit)
    precision.apply(model, kind)


def compiles_calls(model):
    """Whether only the calls of the model can be compiled, because its steps are not ours."""
    own, base = type(model), model.trainer_base
    steps_of_the_user = any(getattr(own, name) is not getattr(base, name) for name in OWN_STEPS)
    several = model.distribute is not False and processes.several()
    return steps_of_the_user or several or model.auto_micro_batch


def steps_per_execution(value):
    """Return the number of steps between two calls of batch hooks; `"auto"` is 1.

    Raises:
        ValueError: no positive integer.
    """
    if value == "auto":
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"compile: `steps_per_execution` must be a positive integer, got {value!r}. Or pass 'auto'."
        )
    return value


def jit_options(value, run_eagerly):
    """Return the arguments for `torch.compile`, or `None` where nothing is compiled.

    Raises:
        ValueError: an unknown mode or option, or compilation together with `run_eagerly`.
    """
    if value in (False, None) or (isinstance(value, str) and value == "auto"):
        return None
    if run_eagerly:
        raise ValueError(
            f"compile: `run_eagerly=True` and `jit_compile={value!r}` exclude each other. Pass one of them."
        )
    if value is True:
        return {}
    if isinstance(value, str) and value in JIT_MODES:
        return {"mode": value}
    if isinstance(value, dict):
        for name in value:
            if name not in JIT_OPTIONS:
                raise ValueError(
                    f"compile: `jit_compile` has no option {name!r}{suggestion(name, JIT_OPTIONS)} Known are "
                    f"those of torch.compile: {', '.join(JIT_OPTIONS)}."
                )
        return dict(value)
    raise ValueError(
        f"compile: `jit_compile` must be True, False or 'auto', got {value!r}. Or pass a mode of "
        f"torch.compile ({', '.join(map(repr, JIT_MODES))}) or a dict of its options."
    )


def captures_graphs(model, value, run_eagerly, jit):
    """Return whether steps of `model` are captured in CUDA graphs.

    Args:
        model: The model.
        value: `compile(cuda_graphs=...)`.
        run_eagerly: `compile(run_eagerly=...)`.
        jit: The options for `torch.compile`, or `None`.

    Raises:
        TypeError: `value` is no boolean and not `None`.
        ValueError: `True` together with `run_eagerly`, or for a model that is not on a CUDA device.
    """
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"compile: `cuda_graphs` must be True, False or None, got {value!r}.")
    if value is None:
        return bool(jit) and jit.get("mode") in CAPTURING_MODES and model.data_device.type == "cuda"
    if value and run_eagerly:
        raise ValueError(
            "compile: `run_eagerly=True` and `cuda_graphs=True` exclude each other. Pass one of them."
        )
    if value and model.data_device.type != "cuda":
        raise ValueError(
            f"compile: `cuda_graphs=True` needs a CUDA device, and '{model.name}' is on "
            f"'{model.data_device}'. Move it there first (`model.to('cuda')`), or leave `cuda_graphs` out."
        )
    return value


def make_optimizer(given, scale_loss):
    """Return the optimizer, with scaling of the loss around it where asked for; `None` for `None`.

    Raises:
        ValueError: an unknown name.
    """
    optimizer = optimizers.get(given)
    if scale_loss and optimizer is not None and not isinstance(optimizer, LossScaleOptimizer):
        optimizer = LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
    return optimizer


def make_scheduler(given, optimizer):
    """Return the `TorchScheduler` of `compile(lr_scheduler=...)`, or `None`; an earlier one lets go."""
    if given is not None and optimizer is None:
        raise ValueError(
            "compile: `lr_scheduler` was given with optimizer=None. Pass the optimizer that it is for."
        )
    if given is not None:
        return TorchScheduler(given, optimizer)
    while isinstance(optimizer, LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if optimizer is not None and optimizer.rate_scheduler is not None:
        optimizer.rate_scheduler = optimizer._batches = None
    return None


def compile_config(model):
    """Return the arguments of `compile` as plain values.

    A metric, loss or scheduler that cannot be written is left out, with a warning.
    """
    written = {}
    for key, value in model._compile_arguments.items():
        if key in ("auto_scale_loss", "cuda_graphs") or (key in OURS and value == OURS[key]):
            # The optimizer that `auto_scale_loss` chose is written; a model may be loaded where no CUDA is.
            continue
        try:
            # Named tuples stay what they are, which tell losses of structures of outputs apart.
            of_losses = key == "loss" and nested.is_nested(value)
            write = serialize_keras_object
            written[key] = nested.map_structure(write, value) if of_losses else write(value)
        except TypeError as error:
            written[key] = None
            _warn_of(key, error)
    return written


def _warn_of(key, why):
    warn_user(f"The argument `{key}` of compile() is not saved: {why} Call `compile()` again after loading.")


def compile_forms(model, config):
    """Return what tells a file, which has no tuples, where losses of structures of outputs stand.

    `None` where lists tell it as well, which is for nearly all models.

    Args:
        model: The model.
        config: What its `get_config` returned.
    """
    loss = model.compiled_loss
    outputs = config.get("output_layers") if model._recording is not None else None
    if loss is None or loss.survives(model, as_lists, outputs is not None):
        return None
    if not loss.survives(model, as_tuples, outputs is not None):
        _warn_of("loss", "a file has no named tuples, and this loss means something else then.")
        return {"loss": None}
    written = compile_config(model)["loss"]
    return {"loss": with_marks(written), **({} if outputs is None else {"outputs": with_marks(outputs)})}


class SchedulerCallback(Callback):
    """Lets a scheduler of torch step at the end of an epoch, and writes the learning rate into the logs.

    Args:
        scheduler: A `TorchScheduler`.
    """

    def __init__(self, scheduler):
        super().__init__()
        self.scheduler = scheduler

    def on_epoch_end(self, epoch, logs=None):
        """Log the rate of the epoch, and step."""
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.scheduler.optimizer.current_rate())
        self.scheduler.after_epoch(logs)


def with_scheduler(model, callbacks):
    """Return `callbacks` with the one that drives the model's scheduler in front, where it has one."""
    if model.lr_scheduler is None:
        return callbacks
    driver = SchedulerCallback(model.lr_scheduler)
    if isinstance(callbacks, CallbackList):
        callbacks.callbacks[:] = [c for c in callbacks.callbacks if not isinstance(c, SchedulerCallback)]
        callbacks.callbacks.insert(0, driver)
        return callbacks
    if callbacks is None:
        return [driver]
    return [driver, callbacks]


class OneBatch(list):
    """A batch as the functions of `make_train_function` and its like are given it: a list that holds the
    batch, and an iterator over it."""

    def __next__(self):
        return self.pop(0)


def function_of(model, step):
    """Return a function of an iterator over batches that runs the model's `train_step` (or another step).

    Args:
        model: The model.
        step: `"train_step"`, `"test_step"` or `"predict_step"`.
    """

    def function(iterator):
        data = next(iterator) if hasattr(iterator, "__next__") else next(iter(iterator))
        if step == "train_step":
            return model.train_step(data)
        with torch.no_grad():
            return getattr(model, step)(data)

    return function
