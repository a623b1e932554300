"""`Trainer`: the methods with which a model is compiled, trained, evaluated and asked for predictions."""

import warnings

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.old_names import takes_old
from torchkeras_lite.base.serialization import deserialize_keras_object
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.stateless import lent_call
from torchkeras_lite.training import (
    compilation,
    distributed,
    evaluation,
    loops,
    old_arguments,
    preparation,
    rate_search,
    steps,
)
from torchkeras_lite.training import data as batching
from torchkeras_lite.training.arguments import worker_options


class Trainer:
    """What a model can be told about training. Everything is done by functions of this room."""

    optimizer = None
    loss = None
    history = None
    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    compiled = False
    compiled_loss = None
    compiled_metrics = None
    loss_tracker = None
    steps_per_execution = 1
    run_eagerly = False
    jit_compile = False
    cuda_graphs = None
    step_options = None
    step_captures = False
    lr_scheduler = None
    precision = None
    auto_micro_batch = False
    micro_batch_rows = None
    train_function = None
    test_function = None
    predict_function = None
    distribute = None
    team = None
    _compile_arguments = None
    _initial_epoch = 0

    @property
    def trainer_base(self):
        """The class whose steps are ours, to tell a user's own."""
        return Trainer

    @takes_old(old_arguments.COMPILE)
    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
        lr_scheduler=None,
        precision=None,
        auto_micro_batch=False,
        distribute=None,
        cuda_graphs=None,
    ):
        """Say how the model is trained.

        A call that fails leaves an earlier one in force.

        Args:
            optimizer: Name, config or `Optimizer`; or an optimizer of torch: an instance made with the
                model's parameters, a class such as `torch.optim.AdamW`, or a `functools.partial` of one.
            loss: Name, function `f(y_true, y_pred)`, `Loss`; or a loss of torch (`nn.CrossEntropyLoss()`, or
                a function of `torch.nn.functional`), called in torch's order. With several outputs a
                structure in the form of the outputs, a flat list, a dict by names of outputs, or one for
                all; `None` for an output without a loss. In a structure, one loss in the place of several
                outputs is given them together, and a list that has not the form of its outputs is several
                losses of them.
            loss_weights: Factor of each output's loss, in the same forms.
            metrics: List of names, functions and `Metric`s, metrics of torchmetrics and functions of
                scikit-learn (see `metrics.TorchMetric` and `metrics.EpochMetric`); with several outputs a
                list of lists, or a structure or dict as for `loss`. `"accuracy"` is read by the shapes of
                targets and outputs.
            weighted_metrics: Likewise, for metrics that also see the sample and class weights.
            run_eagerly: Steps are eager unless `jit_compile` says otherwise, so `True` only forbids that.
            steps_per_execution: Steps between two calls of the batch hooks of callbacks, an integer >= 1;
                `"auto"` is 1.
            jit_compile: `True` compiles whole steps: forward, loss, backward, the optimizer's update and the
                metrics become one graph for inductor, the compiler of `torch.compile`; so do `evaluate` and
                `predict`. So do a mode of `torch.compile` such as `"max-autotune"`, and a dict of its options
                `mode`, `options`, `backend` and `fullgraph`. `"auto"` and `False` do not. The graph is
                compiled at the second batch, takes turns with eager steps over some batches and stays only
                where it is faster; batches of other shapes (a smaller last one) stay eager. An update or a
                metric that cannot be traced runs behind the graph; what else cannot be traced runs eagerly,
                with a warning that says why, or with `{"fullgraph": True}` raises a RuntimeError. Python code
                of layers runs when the graph is traced, not in every step: call `compile` again after
                changing an attribute such as a dropout rate. Random numbers are those of eager steps. Of
                models with a `train_step` (or another step) of their own, of those with `auto_micro_batch`
                and of several processes, the calls are compiled, by `torch.compile` with all its options.
            auto_scale_loss: Whether the loss is scaled under `mixed_float16` and `precision="fp16"`.
            lr_scheduler: A scheduler of torch for any optimizer (see `optimizers.TorchScheduler`): a class, a
                `functools.partial`, an instance made with the very optimizer, or a dict
                `{"scheduler": ..., "interval": "step" or "epoch", "monitor": ...}`. History gets a
                `learning_rate`.
            precision: `"bf16"` or `"fp16"`: every call of the model runs under autocast and gives float32
                outputs, weights stay float32. `"float64"`: weights and computation. `"tf32"`: float32
                matrices are multiplied on tensor cores while a loop runs; `"float32"`: in full. `None`
                leaves layers' policies and torch's settings alone.
            auto_micro_batch: Whether a batch that does not fit into the accelerator's memory is trained in
                halves, whose gradients are summed.
            distribute: How the processes that `torchrun` starts train together. `"ddp"`, and `None`: each
                has all weights and computes its part of every batch (`batch_size` counts the rows of all
                parts). `"fsdp"`: weights, gradients and the optimizer's state are sharded as well (FSDP2).
                `False`: each trains for itself. A process alone is not affected.
            cuda_graphs: `True` captures steps in a CUDA graph, which removes the time of launching kernels
                one by one: after a few batches of a shape one is recorded, and replayed where that is faster.
                Works with `jit_compile`, too. Batches of other shapes stay eager, and what torch cannot
                trace as under `jit_compile`. `None`: only for the modes `"reduce-overhead"` and
                `"max-autotune"` of `jit_compile`; `False`: not for those either.

        Raises:
            ValueError: an unknown name of an optimizer, loss or metric (with the nearest known one), weights
                of another number than losses, a value that an argument does not have, `cuda_graphs=True` for
                a model that is not on a CUDA device.
            TypeError: an argument of a wrong kind.

        Source: Keras 3 `Model.compile`; the last five arguments are ours.
        """
        arguments = {key: value for key, value in locals().items() if key != "self"}
        compilation.compile_model(self, arguments)

    @takes_old(old_arguments.FIT, shows_kwargs=False)
    def fit(
        self,
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
        **kwargs,
    ):
        """Train for a number of epochs.

        Args:
            x: Inputs: an array or tensor, a list of them, a dict by names of inputs, or a data frame (whose
                columns are the inputs of a model with several, by their names); or an iterable of batches
                (a `DataLoader`, a generator, something with `as_numpy_iterator`), a `PyDataset`, or a torch
                `Dataset` of samples.
            y: Targets, in the form of the outputs; left out when `x` gives batches.
            batch_size: Rows a batch, 32 by default; the last batch may be smaller. Several processes divide
                it among them.
            epochs: Number of the last epoch.
            verbose: 0 silent, 1 a bar, 2 a line an epoch; `"auto"` is 1. Where the output is no terminal, a
                line an epoch.
            callbacks: List of callbacks.
            validation_split: Fraction of the rows, the last ones, that is held out and evaluated after every
                epoch.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or an iterable of batches, evaluated after
                every epoch.
            shuffle: Whether arrays are taken in a new order every epoch; `"batch"` shuffles whole batches.
            class_weight: Mapping of class numbers to weights in the loss; classes that are not named weigh 1.
                Not together with `sample_weight`.
            sample_weight: A weight in the loss for every row.
            initial_epoch: Number of epochs already done.
            steps_per_epoch: Batches an epoch; `None`: all there are.
            validation_steps: Batches of validation; `None`: all there are.
            validation_batch_size: Rows a batch of validation; `None`: `batch_size`.
            validation_freq: Evaluate after every that many epochs, or after the epochs listed, counted from
                1.
            **kwargs: tf.keras's `workers`, `use_multiprocessing` and `max_queue_size`: for a `PyDataset`
                instead of its own, for a torch `Dataset` the worker processes that read it.

        Returns:
            The `History`: `.history` maps names to a value an epoch, `.epoch` has the numbers of the epochs.

        Raises:
            ValueError: `compile` was not called; arrays of different lengths; shapes that do not fit.

        Source: Keras 3 `Model.fit`.
        """
        self._require_compiled("fit")
        return distributed.call(
            loops.fit,
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=compilation.with_scheduler(self, callbacks),
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
            workers=worker_options(self.fit, kwargs),
        )

    @takes_old(old_arguments.EVALUATE, shows_kwargs=False)
    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """Return the loss and the metrics on data.

        Args:
            x, y, batch_size, verbose, sample_weight, callbacks: As in `fit`.
            steps: Batches to look at; `None`: all.
            return_dict: Whether to return a dict by names instead of a list.
            **kwargs: As in `fit`.

        Returns:
            The loss alone, or a list of the loss and the metrics in the order of `compile`, or a dict.

        Source: Keras 3 `Model.evaluate`.
        """
        self._require_compiled("evaluate")
        workers = worker_options(self.evaluate, kwargs)
        return distributed.call(
            evaluation.evaluate,
            self,
            x,
            y,
            batch_size,
            verbose,
            sample_weight,
            steps,
            callbacks,
            return_dict,
            workers,
        )

    @takes_old(old_arguments.EVALUATE, shows_kwargs=False)
    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None, **kwargs):
        """Return the outputs for data as NumPy arrays, in the form of the model's outputs.

        Args:
            x, batch_size, verbose, callbacks, **kwargs: As in `fit`.
            steps: Batches to compute; `None`: all.

        Source: Keras 3 `Model.predict`.
        """
        workers = worker_options(self.predict, kwargs)
        return distributed.call(evaluation.predict, self, x, batch_size, verbose, steps, callbacks, workers)

    def find_lr(self, x, y=None, sample_weight=None, batch_size=None, min_lr=1e-7, max_lr=10.0, steps=100):
        """Train a copy of the model with a learning rate that grows from step to step, to find a good one.

        The model, its optimizer and torch's random numbers stay as they are.

        Args:
            x, y, sample_weight, batch_size: As in `fit`.
            min_lr: Learning rate of the first step.
            max_lr: Learning rate of the last step; between them it grows by a constant factor. The search
                ends before where the loss grows to 4 times its smallest value.
            steps: Number of steps, 10 or more; data that has fewer batches is read again.

        Returns:
            A `LearningRateCurve` with `learning_rates`, `losses`, `suggestion` (a number or `None`) and
            `plot(to_file=None)`.

        Raises:
            ValueError: `compile` was not called; rates that are not in order; too few steps.

        Source: an addition; Smith 2017, arXiv:1506.01186.
        """
        self._require_compiled("find_lr")
        return rate_search.find_lr(self, x, y, sample_weight, batch_size, min_lr, max_lr, steps)

    @takes_old(old_arguments.ON_BATCH)
    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Make one training step on one batch.

        Returns:
            The loss and the metrics of this batch: a number, a list or (with `return_dict`) a dict.

        Source: Keras 3 `Model.train_on_batch`. Differs from Keras 3: `class_weight` multiplies
        `sample_weight`, as in tf.keras, where Keras refuses to have both.
        """
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            sample_weight = batching.weights_of_classes(y, class_weight, sample_weight)
        with distributed.together(self, for_a_batch=True):
            batch = self._one_batch(x, y, sample_weight)
            step = preparation.step_on_batch(self)
            self.reset_metrics()
            with preparation.mode(self, True):
                logs = preparation.read_logs(self, step(*batch))
        return logs if return_dict else evaluation.in_order(self, logs)

    @takes_old(old_arguments.ON_BATCH)
    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Compute the loss and the metrics of one batch, without training.

        Returns:
            As `train_on_batch`.

        Source: Keras 3 `Model.test_on_batch`.
        """
        self._require_compiled("test_on_batch")
        with distributed.together(self, for_a_batch=True):
            batch = self._one_batch(x, y, sample_weight)
            self.reset_metrics()
            with preparation.mode(self, False), torch.no_grad():
                logs = preparation.read_logs(self, preparation.testing_step(self)(*batch))
        return logs if return_dict else evaluation.in_order(self, logs)

    def predict_on_batch(self, x):
        """Return the outputs for one batch as NumPy arrays.

        Source: Keras 3 `Model.predict_on_batch`.
        """
        x, _, _ = self._one_batch(x)
        with preparation.mode(self, False), torch.no_grad():
            outputs = self.predict_step((x,))
        return nested.map_structure(lambda t: t.cpu().numpy(), outputs)

    def _one_batch(self, x, y=None, sample_weight=None):
        ready = batching.ready_batch(self, x, y, sample_weight)
        if ready is not None:
            return ready
        rows = nested.flatten(batching.map_arrays(batching.as_array, x))[0]
        batches = batching.make_batches(self, x, y, sample_weight, batch_size=max(len(rows), 1))
        preparation.ensure_built(self, batches)
        return batches.only()

    def train_step(self, data):
        """Make one training step on a batch and return the logs, a dict of names to values; override for an
        own one.

        Args:
            data: The batch: `x`, `(x, y)` or `(x, y, sample_weight)` of tensors on the model's device.
        """
        x, y, sample_weight = batching.unpack_x_y_sample_weight(data)
        steps.TrainStep(self)(x, y, sample_weight)
        return self.get_metrics_result()

    def test_step(self, data):
        """Add a batch to the loss and the metrics and return the logs; override for an own one."""
        steps.test_step(self, *batching.unpack_x_y_sample_weight(data))
        return self.get_metrics_result()

    def predict_step(self, data):
        """Return the outputs for a batch; override for an own one."""
        x, _, _ = batching.unpack_x_y_sample_weight(data)
        return self(x)

    def make_train_function(self, force=False):
        """Return, and keep as `train_function`, what `fit` calls for a batch; override for an own one.

        It takes an iterator over batches (which also is a list of them) and returns the logs. `fit` calls it
        only where this method is overridden.

        Args:
            force: Whether to make it anew where there is one.
        """
        if self.train_function is None or force:
            self.train_function = compilation.function_of(self, "train_step")
        return self.train_function

    def make_test_function(self, force=False):
        """Return, and keep as `test_function`, what `evaluate` calls; see `make_train_function`."""
        if self.test_function is None or force:
            self.test_function = compilation.function_of(self, "test_step")
        return self.test_function

    def make_predict_function(self, force=False):
        """Return, and keep as `predict_function`, what `predict` calls; see `make_train_function`.

        It returns the outputs.
        """
        if self.predict_function is None or force:
            self.predict_function = compilation.function_of(self, "predict_step")
        return self.predict_function

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss of a batch, a scalar tensor: the compiled one plus those of layers and
        regularizers.

        Args:
            x: The inputs.
            y: The targets.
            y_pred: The outputs.
            sample_weight: Weights, or `None`.
            training: Whether the batch is trained on.

        Raises:
            ValueError: there is nothing to compute.
        """
        return steps.compute_loss(self, y, y_pred, sample_weight)

    def stateless_compute_loss(
        self,
        trainable_variables,
        non_trainable_variables,
        metrics_variables,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """Return the loss as it is with other values in weights and metrics, which keep their own.

        Args:
            trainable_variables, non_trainable_variables, metrics_variables: Values for the attributes of
                these
                names.
            x, y, y_pred, sample_weight, training: See `compute_loss`.

        Returns:
            The loss and a tuple `(trainable_variables, non_trainable_variables, metrics_variables)` with the
            values after it.

        Source: Keras 3 `Model.stateless_compute_loss`.
        """
        variables = self.metrics_variables
        kept = [variable.value.clone() for variable in variables]
        for variable, value in zip(variables, metrics_variables, strict=True):
            variable.assign(value)
        try:
            loss, after, _ = lent_call(
                self,
                self.compute_loss,
                trainable_variables,
                non_trainable_variables,
                (x, y, y_pred, sample_weight, training),
                {},
            )
            values = [variable.value.clone() for variable in variables]
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)
        return loss, (trainable_variables, after, values)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Add a batch to the compiled metrics and return all results by name."""
        if y is not None:
            self.compiled_metrics.update(self, y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self):
        """Return the results of all metrics by name, tensors on the device."""
        found = {}
        for metric in self.metrics:
            value = metric.result()
            if isinstance(value, dict):
                found |= value
            else:
                found[metric.name] = (
                    value if isinstance(value, torch.Tensor) else getattr(value, "value", value)
                )
        return found

    def reset_metrics(self):
        """Start all metrics again."""
        for metric in self.metrics:
            metric.reset_state()

    @property
    def metrics(self):
        """All metrics: the loss's, those that layers hold, the compiled ones, losses of outputs."""
        found = [self.loss_tracker] if self.compiled and self.loss_tracker is not None else []
        found += [metric for metric in collecting.metrics(self) if metric not in found]
        if self.compiled:
            found += [one for one in (self.compiled_metrics,) if one.asked_for]
            if self.compiled_loss is not None:
                found += self.compiled_loss.trackers
        return found

    @property
    def metrics_names(self):
        """Names of all metrics."""
        return [metric.name for metric in self.metrics]

    @property
    def metrics_variables(self):
        """State of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def log_names(self):
        """Return the names in logs in Keras's order for lists: that of `metrics`; compiled metrics that are
        logged under more than their own name follow at the end, in alphabetical order."""
        names = []
        for metric in self.metrics:
            names += (
                [one.name for one in metric.metrics] if metric is self.compiled_metrics else [metric.name]
            )
        keys = self.compiled_metrics.keys
        others = sorted(key for key in keys if key not in names)
        return list(dict.fromkeys([*names, *others]))

    @property
    def is_built(self):
        """Whether the weights of the model and of all layers in it exist."""
        if self._recording is not None or (self.built and self._called):
            return True
        inner = collecting.all_layers(self)[1:]
        return bool(inner) and all(layer.built for layer in inner)

    @property
    def compute_torch_dtype(self):
        """Torch dtype that floating-point data is given in."""
        return self._compute

    @property
    def data_device(self):
        """Device that data is moved to: the one of the weights."""
        tensor = collecting.first_tensor(self)
        return tensor.device if tensor is not None else self._device or default_device()

    def input_torch_dtypes(self, x):
        """Return the torch dtypes of the graph's inputs where `x` is given in their order, else `None`."""
        if self._recording is None or isinstance(x, dict):
            return None
        return self._input_dtypes

    def _require_compiled(self, method):
        if not self.compiled:
            raise ValueError(
                f"{describe(self)}: {method}() needs a loss and an optimizer. You must call `compile()` "
                "before using the model: "
                "model.compile(optimizer=..., loss=...)."
            )

    def get_compile_config(self):
        """Return what `compile` was given as plain values, or `None` when it was not called."""
        if not self.compiled:
            return None
        return compilation.compile_config(self)

    def get_compile_forms(self, config):
        """Return what a file keeps beside `get_compile_config`, for losses that need tuples, or `None`.

        Args:
            config: What `get_config` returned.
        """
        return compilation.compile_forms(self, config) if self.compiled else None

    def compile_from_config(self, config):
        """Compile with what `get_compile_config` returned, and make the optimizer's variables."""
        own = type(self)
        if own.compile is not Trainer.compile and own.compile_from_config is Trainer.compile_from_config:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's `compile()` method "
                "is custom. All subclassed Models that have `compile()` overridden should also override "
                "`get_compile_config()` and `compile_from_config(config)`. Alternatively, you can call "
                "`compile()` manually after loading.",
                stacklevel=2,
            )
            return
        self.compile(**deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)
