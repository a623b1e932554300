"""The base of optimizers: Keras's options around one update rule on lists of tensors."""

import dataclasses
import warnings

import numpy as np
import torch

from torchkeras_lite.engine import sharding
from torchkeras_lite.engine.weights import Weight, leaf, leaf_gradient
from torchkeras_lite.optimizers import functional
from torchkeras_lite.optimizers import gradients as clipping
from torchkeras_lite.optimizers.slots import Slot, leaves_of, make_batches, to_keras, variable_name
from torchkeras_lite.optimizers.state import OptimizerState


class Optimizer(OptimizerState):
    """Base of all optimizers.

    One step: gradients are divided by `loss_scale_factor`, accumulated, clipped; weights decay, are
    updated, are averaged, are constrained. What is not asked for costs nothing. The learning rate and the
    number of steps are numbers on the host, so a step never waits for the device.

    An optimizer of ours overrides `create_slots` and `update_batch` (lists of tensors in torch's layout). A
    user's own one may override `build` and `update_step(gradient, variable, learning_rate)` (one weight in
    Keras's layout), as in Keras.

    Args:
        learning_rate: A number, a schedule, or a function without arguments that returns a number. Later
            readable and assignable as `optimizer.learning_rate`.
        weight_decay: Decoupled decay: before the update every weight loses `weight_decay * learning_rate`
            of itself.
        clipnorm: Largest Euclidean norm of each gradient.
        clipvalue: Largest absolute value in a gradient.
        global_clipnorm: Largest Euclidean norm of all gradients together. Only one of the three may be given.
        use_ema: Whether to keep an exponential moving average of the weights; `finalize_variable_values`
            (which `fit` calls at its end) writes it into them.
        ema_momentum: Share of the old average in the new one, in [0, 1].
        ema_overwrite_frequency: Write the averages into the weights every that many steps, an integer >= 1.
        loss_scale_factor: Factor by which the loss was scaled up (see `scale_loss`); gradients are divided
            by it.
        gradient_accumulation_steps: Update once in that many calls, an integer >= 2, with the mean gradient.
        name: A name; an automatic one by default.
        **kwargs: tf.keras's `lr` is taken as the learning rate. With its `decay` the rate of update number
            `t`, from 0, is `learning_rate / (1 + decay * t)`, and `learning_rate` stays assignable.

    Raises:
        ValueError: an option out of its range, more than one clipping option, an unknown argument.

    Source: Keras 3 `keras.optimizers.Optimizer`. Differs from `torch.optim`: weight decay is always
    decoupled (Loshchilov and Hutter 2017, arXiv:1711.05101), clipping and averaging are built in, and
    epsilon is 1e-7.
    """

    applies_weight_decay = False
    elementwise = True  # each element of a weight is updated by itself, so shards can be
    rate_scheduler = None  # a `TorchScheduler`, which puts itself here
    reducer = None  # `f(gradients, positions)` that adds up those of several processes, once an update

    def update_batch(self, batch, gradients, learning_rate, step):
        """Update the weights of `batch` and its slots in place.

        Args:
            batch: A `Batch`: weights of one device and dtype as parallel lists.
            gradients: Their gradients, in torch's layout.
            learning_rate: A number (or a tensor without axes, where a step is traced).
            step: Number of this update, from 1; a number or a tensor as well.
        """
        if type(self).update_step is Optimizer.update_step:
            raise NotImplementedError(
                f"{type(self).__name__} must override `update_step(self, gradient, variable, learning_rate)`."
            )
        for variable, gradient in zip(batch.variables, gradients, strict=True):
            self.update_step(to_keras(variable, gradient), variable, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """Update one weight, without decay, by a gradient in Keras's layout; for custom optimizers."""
        position = self._get_variable_index(variable)
        with torch.no_grad():
            (batch,) = self._some_batches((position,))
            batch = dataclasses.replace(batch, weight_decay=0.0)
            gradient = self._as_leaf_gradient(position, gradient)
            self.update_batch(batch, [gradient], learning_rate, self._updates() + 1)

    # Steps

    def prepare(self):
        """Read the weights' tensors again and bring the slots to their device, dtype and memory format.

        To be called when a training begins or goes on: models may have been moved meanwhile.
        """
        self._leaves = leaves_of(self._trainable_variables)
        self._shards = [sharding.is_sharded(tensor) for tensor in self._leaves]
        self._local_leaves = (
            [sharding.local(tensor.detach()) for tensor in self._leaves]
            if any(self._shards)
            else self._leaves
        )
        self._index = {id(tensor): position for position, tensor in enumerate(self._leaves)}
        for slot in self.slots():
            slot.follow()
        self._partial_batches = {}
        self._strides_differ = None  # found out in the first step
        self._keys = [
            (self._decay_of(variable), tensor.device, tensor.dtype, *self.batch_key(variable))
            for variable, tensor in zip(self._trainable_variables, self._leaves, strict=True)
        ]
        self._batches = self._make_batches(self._local_leaves)
        self._constrained = [
            v for v in self._trainable_variables if getattr(v, "constraint", None) is not None
        ]
        self._overwritten = [
            position
            for position, pair in enumerate(zip(self._trainable_variables, self._leaves, strict=True))
            if any(getattr(one, "overwrite_with_gradient", False) for one in pair)
        ]
        if self.use_ema:
            self._averages = [sharding.local(t) for t in leaves_of(self._model_variables_moving_average)]
        if self.gradient_accumulation_steps:
            self._accumulators = [sharding.local(t) for t in leaves_of(self._accumulated_gradients)]
        clip = (self.clipnorm and self.clipnorm > 0) or self.clipvalue or self.global_clipnorm
        before = [
            (lambda gradients, positions: [sharding.local(g) for g in gradients], any(self._shards)),
            (self._unscale, self.loss_scale_factor),
            (self._accumulate, self.gradient_accumulation_steps),
            (self.reducer, self.reducer is not None),
            (self._clip_stage, clip and clip > 0),
        ]
        scheduler = self.rate_scheduler
        if scheduler is not None:
            scheduler.start()
        after = [
            (self._average, self.use_ema),
            (self._constrain, self._constrained),
            (self._schedule, scheduler is not None and scheduler.per_step),
        ]
        self._before = [stage for stage, wanted in before if wanted]
        self._after = [stage for stage, wanted in after if wanted]
        base, own = Optimizer, type(self)
        self._overridden = (own.apply, own.apply_gradients) != (base.apply, base.apply_gradients)

    def _make_batches(self, leaves, tensors=None):
        slots = {
            name: [
                None
                if slot is None
                else (sharding.local(slot.tensor) if tensors is None else tensors[id(slot)])
                for slot in column
            ]
            for name, column in self._slot_table.items()
        }
        return make_batches(self._trainable_variables, leaves, slots, self._keys)

    def batch_key(self, variable):
        """Return what else, besides device and dtype, must be equal in one batch."""
        return ()

    def _some_batches(self, positions):
        """Return batches of the weights at `positions` alone."""
        if self._batches is None:
            self.prepare()
        if positions not in self._partial_batches:
            keep = {position: place for place, position in enumerate(positions)}
            self._partial_batches[positions] = [
                part for part in (batch.select(keep) for batch in self._batches) if part.positions
            ]
        return self._partial_batches[positions]

    def update(self, leaves=None):
        """Make one step with the gradients that a backward pass left in the tensors' `grad`.

        The fast path of training loops: no check of what `build` knows, nothing waits for the device,
        `grad` is left as it is.

        Args:
            leaves: The tensors that `build` was given, in its order, where the caller has them at hand.

        Raises:
            ValueError: no tensor has a gradient.
        """
        if self._batches is None:
            self.prepare()
        gradients = [tensor.grad for tensor in (self._leaves if leaves is None else leaves)]
        if self._overridden:
            variables = self._trainable_variables
            gradients = [
                None if g is None else to_keras(v, g) for v, g in zip(variables, gradients, strict=True)
            ]
            self.apply_gradients(zip(gradients, variables, strict=True))
            return
        present = [gradient for gradient in gradients if gradient is not None]
        positions = None
        if len(present) != len(gradients):
            positions = tuple(i for i, gradient in enumerate(gradients) if gradient is not None)
            self._report_missing(
                [v for v, g in zip(self._trainable_variables, gradients, strict=True) if g is None]
            )
        if self._strides_differ is None:
            self._strides_differ = not any(self._shards) and any(
                tensor.grad is not None and tensor.grad.stride() != tensor.stride() for tensor in self._leaves
            )
        if self._strides_differ:
            places = range(len(present)) if positions is None else positions
            present = [
                self._in_memory_order(g, self._leaves[i]) for i, g in zip(places, present, strict=True)
            ]
        with torch.no_grad():
            self._step(present, positions)

    def _step(self, gradients, positions=None):
        """Make one step with `gradients`, in torch's layout, of all weights or of those at `positions`."""
        if self._overwritten:
            gradients, positions = self._overwrite(gradients, positions)
        for stage in self._before if gradients else ():
            gradients = stage(gradients, positions)
        if gradients:
            batches = self._batches if positions is None else self._some_batches(positions)
            self._update_batches(batches, gradients, self.current_rate(), self._updates() + 1)
        self._calls += 1
        for stage in self._after:
            stage()

    def _update_batches(self, batches, gradients, learning_rate, step):
        for batch in batches:
            chosen = gradients if len(batches) == 1 else [gradients[place] for place in batch.positions]
            if batch.weight_decay and not self.applies_weight_decay:
                torch._foreach_mul_(batch.leaves, 1 - batch.weight_decay * learning_rate)
            self.update_batch(batch, chosen, learning_rate, step)

    def _report_missing(self, variables):
        if len(variables) == len(self._trainable_variables):
            raise ValueError(
                "No gradients provided for any variable. Call `backward()` on a loss that depends on the "
                "weights first."
            )
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Gradients do not exist for variables {[variable_name(v) for v in variables]} when "
                "minimizing the loss. If using `model.compile()`, did you forget to provide a `loss` "
                "argument?",
                stacklevel=3,
            )

    # Stages

    def _overwrite(self, gradients, positions):
        """Give the weights that take their gradients as new values theirs; return what is left.

        While gradients are accumulated, the largest of them is kept.
        """
        positions = tuple(range(len(gradients))) if positions is None else positions
        given = dict(zip(positions, gradients, strict=True))
        steps = self.gradient_accumulation_steps
        for position in [place for place in self._overwritten if place in given]:
            value = given.pop(position)
            if steps:
                kept = self._accumulators[position]
                value = torch.maximum(kept, value)
                complete = (self._calls + 1) % steps == 0
                kept.copy_(torch.zeros_like(kept) if complete else value)
                if not complete:
                    continue
            self._leaves[position].copy_(value)
        return list(given.values()), tuple(given)

    def _unscale(self, gradients, positions):
        return torch._foreach_div(gradients, self.loss_scale_factor)

    def _accumulate(self, gradients, positions):
        sums = self._accumulators
        sums = sums if positions is None else [sums[position] for position in positions]
        torch._foreach_add_(sums, gradients)
        if (self._calls + 1) % self.gradient_accumulation_steps:
            return None
        gradients = torch._foreach_div(sums, self.gradient_accumulation_steps)
        torch._foreach_zero_(sums)
        return gradients

    def _clip_stage(self, gradients, positions):
        if gradients is None or not any(self._shards):
            return None if gradients is None else self._clip_gradients(gradients)
        places = range(len(gradients)) if positions is None else positions
        shards = [self._shards[place] for place in places]
        if self.clipnorm or self.global_clipnorm:
            return clipping.clip_shards(gradients, shards, self.clipnorm, self.global_clipnorm)
        return clipping.clip_by_value(gradients, self.clipvalue)

    def _clip_gradients(self, gradients):
        gradients = [torch.as_tensor(gradient) for gradient in gradients]
        if self.clipnorm and self.clipnorm > 0:
            return clipping.clip_by_norm(gradients, self.clipnorm)
        if self.global_clipnorm and self.global_clipnorm > 0:
            return clipping.clip_by_global_norm(gradients, self.global_clipnorm)
        if self.clipvalue and self.clipvalue > 0:
            return clipping.clip_by_value(gradients, self.clipvalue)
        return gradients

    def _average(self):
        # Keras averages in every call, and counts by the updates made before it.
        updates = (self._calls - 1) // (self.gradient_accumulation_steps or 1)
        torch._foreach_lerp_(self._averages, self._local_leaves, 1 - self.ema_momentum if updates else 1.0)
        if self.ema_overwrite_frequency and (updates + 1) % self.ema_overwrite_frequency == 0:
            torch._foreach_copy_(self._local_leaves, self._averages)

    def _constrain(self):
        for variable in self._constrained:
            tensor = leaf(variable)
            projected = variable.constraint(to_keras(variable, tensor))
            tensor.copy_(leaf_gradient(variable, projected))

    def _schedule(self):
        self.rate_scheduler.after_update(self._updates())

    # Keras's way in

    def apply(self, grads, trainable_variables=None):
        """Make one step with the gradients given.

        Args:
            grads: One gradient a weight, in its layout (tensor, array or `None`).
            trainable_variables: The weights; those of `build` by default. The first call builds.

        Raises:
            ValueError: not built and no weights given, an unknown weight, another number of gradients than of
                weights, or no gradient at all.
        """
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
        if not self.built:
            if trainable_variables is None:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built on a "
                    "list of variables. Call `optimizer.build(trainable_variables)` first."
                )
            self.build(trainable_variables)
        if self._batches is None or self._moved():
            self.prepare()
        given = self._trainable_variables if trainable_variables is None else trainable_variables
        if len(grads) != len(given):
            raise ValueError(
                "When passing `grads` as a list of gradient tensors, the gradients must match the variables "
                f"one-to-one. Received a list of {len(grads)} gradients for {len(given)} variables."
            )
        missing = [variable for variable, gradient in zip(given, grads, strict=True) if gradient is None]
        positions = {
            self._get_variable_index(v): g for v, g in zip(given, grads, strict=True) if g is not None
        }
        if missing or not grads:
            self._report_missing(self._trainable_variables if not positions else missing)
        order = tuple(sorted(positions))
        with torch.no_grad():
            gradients = [self._as_leaf_gradient(position, positions[position]) for position in order]
            self._step(gradients, None if len(order) == len(self._leaves) else order)
        return self._iterations

    def apply_gradients(self, grads_and_vars, **kwargs):
        """Make one step with `(gradient, weight)` pairs; see `apply`. Other arguments are ignored."""
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("No gradients provided for any variable. Pass (gradient, variable) pairs.")
        grads, variables = zip(*pairs, strict=True)
        return self.apply(grads, variables)

    def _moved(self):
        return any(
            leaf(variable) is not tensor or (tensor.device, tensor.dtype) != key[1:3]
            for variable, tensor, key in zip(self._trainable_variables, self._leaves, self._keys, strict=True)
        )

    def _as_leaf_gradient(self, position, gradient):
        variable, tensor = self._trainable_variables[position], self._leaves[position]
        if isinstance(gradient, Weight) or not isinstance(gradient, torch.Tensor):
            gradient = torch.as_tensor(np.asarray(gradient))
        gradient = leaf_gradient(variable, gradient.detach())
        if gradient.is_sparse:
            gradient = gradient.to_dense()
        if (gradient.dtype, gradient.device) != (tensor.dtype, tensor.device):
            gradient = gradient.to(tensor.device, tensor.dtype)
        return self._in_memory_order(gradient, tensor)

    def _in_memory_order(self, gradient, tensor):
        # torch's fused kernels walk through memory and don't check that the strides agree.
        return gradient if gradient.stride() == tensor.stride() else torch.empty_like(tensor).copy_(gradient)

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """Return what one step would make of the values given: `(trainable_variables, optimizer_variables)`.

        Args:
            optimizer_variables: Values of `variables`, in its order.
            grads: Gradients in Keras's layout.
            trainable_variables: Values of the weights in Keras's layout.

        Raises:
            ValueError: not built, or another number of values than of variables.
        """
        return functional.stateless_apply(self, optimizer_variables, grads, trainable_variables)

    # Traced steps

    @property
    def traceable(self):
        """Whether a step is nothing but clipping, decay and update, which `traced_update` does all of."""
        if self._batches is None:
            self.prepare()
        return not (self._after or self._overwritten or self.gradient_accumulation_steps)

    def state_tensors(self):
        """Return the tensors of all slots, in torch's layout."""
        return leaves_of(self.slots())

    def slots(self):
        """Return what is kept for each weight, and other tensors of the optimizer."""
        return [variable for variable in self._added if isinstance(variable, Slot)]

    def traced_update(self, leaves, gradients, state, learning_rate, step):
        """Make one update, in place, of tensors given from outside: for compiled steps and CUDA graphs.

        Args:
            leaves: Tensors in place of the weights', in torch's layout.
            gradients: Their gradients.
            state: Tensors in place of `state_tensors()`.
            learning_rate: A tensor without axes, the value of `current_rate()`.
            step: A float tensor without axes, the number of this update from 1. `advance()` counts it
                afterwards.
        """
        tensors = {id(slot): tensor for slot, tensor in zip(self.slots(), state, strict=True)}
        if self.loss_scale_factor:
            gradients = self._unscale(gradients, None)
        gradients = self._clip_gradients(gradients)
        self._update_batches(self._make_batches(leaves, tensors), gradients, learning_rate, step)

    def advance(self):
        """Return `(learning_rate, step)` of the update to come as numbers, and count it."""
        numbers = self.current_rate(), self._calls + 1
        self._calls += 1
        return numbers
