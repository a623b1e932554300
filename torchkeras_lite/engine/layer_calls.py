"""How a layer is called: built when need be, inputs checked, masks and mode handed on.

And how symbolic calls are recorded.
"""

import contextlib
import copy
import threading
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.fx import _symbolic_trace

from torchkeras_lite.base import arrays, naming, nested, text
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.device import build_on, default_device
from torchkeras_lite.engine import building, collecting, rematerialization, shapes, tracking
from torchkeras_lite.engine.call_signature import CallSignature, signature_of
from torchkeras_lite.engine.input_spec import InputSpec, check_inputs
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor, any_symbolic, record_inside_module
from torchkeras_lite.engine.layer_state import LayerState
from torchkeras_lite.engine.masking import attach_mask, get_mask
from torchkeras_lite.engine.shapes import TensorSpec
from torchkeras_lite.engine.symbolic_tracing import call_traced

_depth = threading.local()
HALF = (torch.float16, torch.bfloat16)


class LayerCalls(LayerState):
    """Calling and building. See `Layer`."""

    _call_signature: CallSignature
    watches_mode = True
    clears_losses = False
    computes_itself = True  # a model only has its layers compute, which have policies of their own
    casts_integers = False
    _convert_input_args = (
        True  # Keras's name: packages set False for layers of texts, lists and anything else
    )
    keeps_precision = False  # a mixed policy leaves float32 inputs as they are, and halves the outputs only
    stateless = False  # nothing is made from the shapes of inputs, so it is built as soon as it is made
    # What is known of the outputs' shapes of a class, and of its subclasses without a `call` of their own:
    keeps_shape = False  # they are the shape of the one input
    keeps_batch = False  # axis 0 is the batch, and no other axis depends on its size
    # Of a class with its own `compute_mask`: whether it makes masks where there was none.
    creates_masks = True
    weight_specs: Any = ()  # a tuple of `WeightSpec`, or a property that gives one

    def compute_mask(self, inputs, previous_mask):
        """Return the mask of the outputs; by default the one of the inputs."""
        return previous_mask

    def compute_output_shape(self, *args, **kwargs):
        """Return the output shape for input shapes: tuples with `None`, nested as the inputs are."""
        specs = self._infer_from_shapes(args, kwargs)
        return nested.map_structure(lambda spec: getattr(spec, "shape", spec), specs)

    def compute_output_spec(self, *args, **kwargs):
        """Return symbolic outputs (`KerasTensor`) for symbolic inputs, without recording a call."""
        specs = self._output_specs(args, kwargs)
        return nested.map_structure(
            lambda spec: KerasTensor(spec.shape, spec.dtype) if isinstance(spec, TensorSpec) else spec, specs
        )

    def __call__(self, *args, **kwargs):
        """Build the layer if need be, check the inputs, and compute.

        Args:
            *args, **kwargs: Those of `call`: torch tensors, NumPy arrays or symbolic tensors, alone or
                nested. `training` and `mask` are taken by every layer.

        Raises:
            ValueError: inputs of a rank, size or structure that the layer does not accept.
        """
        if self._fast and not kwargs and len(args) == 1:
            inputs, spec = args[0], self.input_spec
            if (  # the first lines are `_is_plain`, written out because this is the hottest line of all
                type(inputs) is torch.Tensor
                and (
                    inputs.dtype is self._compute
                    or not (self.casts_integers or inputs.dtype.is_floating_point)
                )
                and not hasattr(inputs, "_keras_mask")
                and (spec is None or (type(spec) is InputSpec and spec.accepts(inputs.shape)))
                and self._loss_version == collecting._adders["version"]
            ) or (type(inputs) is list and self._are_plain(inputs, spec)):
                return nn.Module._wrapped_call_impl(self, inputs)
        return self._call_generally(args, kwargs)

    def _is_plain(self, tensor):
        """Whether nothing has to be done to an argument: a torch tensor of the right dtype without a mask."""
        return (
            type(tensor) is torch.Tensor
            and (tensor.dtype is self._compute or not (self.casts_integers or tensor.dtype.is_floating_point))
            and not hasattr(tensor, "_keras_mask")
        )

    def _are_plain(self, tensors, specs):
        """Whether nothing has to be done to a list of arguments."""
        if not all(map(self._is_plain, tensors)) or self._loss_version != collecting._adders["version"]:
            return False
        if specs is None:
            return True
        return (
            type(specs) is list
            and len(specs) == len(tensors)
            and all(spec.accepts(t.shape) for spec, t in zip(specs, tensors, strict=True))
        )

    def _call_generally(self, args, kwargs):
        if any_symbolic((args, kwargs)):
            return self._call_symbolically(args, kwargs)
        if _symbolic_trace._is_fx_tracing_flag and not torch.compiler.is_compiling():
            return call_traced(self, self._call_on_values, args, kwargs)
        return self._call_on_values(args, kwargs)

    def _call_on_values(self, args, kwargs):
        args, kwargs, training = self._standardize(args, kwargs)
        if torch.compiler.is_compiling() and self._called:
            if self.clears_losses and self._holds_losses:
                collecting.clear_call_losses(self)
            with self._autocast_scope(args):
                return self._call_plainly(args, kwargs, training)
        outermost = not getattr(_depth, "value", 0)
        _depth.value = getattr(_depth, "value", 0) + 1
        try:
            self.notice_losses()
            if outermost and self._holds_losses:
                collecting.clear_call_losses(self)
            first = not self._called
            if first:
                tracking.share_mode(self)
            if not self.built:
                self._build_for(args, kwargs)
            scope = naming.name_scope(self.name) if first and not self._building else contextlib.nullcontext()
            with scope, self._autocast_scope(args):
                outputs = self._call_plainly(args, kwargs, training)
            if first:
                self._finish_first_call()
            if training is None and self._watches_mode and not self._mode_was_set:
                self._watch_backward(outputs)
            return outputs
        finally:
            _depth.value -= 1

    def notice_losses(self):
        """Look for layers inside that add losses, where some layer began to do so meanwhile."""
        version = collecting.loss_version()
        if self._loss_version != version:
            self.__dict__.update(_loss_version=version, _holds_losses=collecting.adds_losses(self))
            self._choose_path()

    def _call_plainly(self, args, kwargs, training):
        """Check the inputs and compute.

        What is left of a call once the layer is built, and all that torch compiles.
        """
        self._check_inputs(args, kwargs)
        masks = self._fill_masks(args, kwargs)
        unset = training is not None and not self._mode_was_set
        # A `call` with a default of its own, as of layers that augment, has it again in the next call.
        returns = unset and self._call_signature.training_default is not None
        if training is None or (bool(training) == self.training and not returns):
            if unset:
                self.train(bool(training))  # tells the layers inside, too
            outputs = self._run(args, kwargs)
        else:
            before = self._set_mode(bool(training))
            try:
                outputs = self._run(args, kwargs)
            finally:
                for module, mode in before:
                    module.training = mode
                    if returns and "_mode_was_set" in module.__dict__:
                        module.__dict__["_mode_was_set"] = False
        if self.activity_regularizer is not None and not shapes.is_probing():
            for output in nested.flatten(outputs):
                self.add_loss(self.activity_regularizer(output) / max(output.shape[0], 1))
        self._leave_masks(args, kwargs, masks, outputs)
        return outputs

    def _set_mode(self, training):
        """Put the whole layer in a mode, and return the modules with the modes they had."""
        before = [(module, module.training) for module in self.modules()]
        self.train(training)
        return before

    def _run(self, args, kwargs):
        if shapes.is_probing():
            if _on_meta(args) and not self._is_on_meta():
                return shapes.run_on_meta(self, args, kwargs, super().__call__)
        elif self._remat is not None:
            return self.rematerialized_call(super().__call__, *args, **kwargs)
        return super().__call__(*args, **kwargs)

    def direct_call(self):
        """Return what computes this layer, for graphs that call it with plain tensors: see `direct`."""
        return self.forward

    def torch_layout_call(self):
        """Return the `TorchLayoutCall` of this layer, `None` where it has none: see `torch_layout`."""
        return None

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """Call `layer_call`, which computes this layer, as the `RematScope` says in which it was made."""
        return rematerialization.call_layer(self, self._remat, layer_call, args, kwargs)

    def _is_on_meta(self):
        tensor = collecting.first_tensor(self)
        return tensor is None or tensor.is_meta

    def _standardize(self, args, kwargs):
        """Make arrays tensors on the layer's device, cast floats, and take `training` out."""
        signature = self._call_signature
        training = None
        if "training" in kwargs:
            training = kwargs["training"]
            kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        elif signature.training_index is not None and len(args) > signature.training_index:
            training = args[signature.training_index]
            args = args[: signature.training_index] + (None,) * (len(args) > signature.training_index + 1)
        if "mask" in kwargs and not (signature.takes_any or "mask" in signature.keywords):
            mask = kwargs["mask"]
            kwargs = {key: value for key, value in kwargs.items() if key != "mask"}
            if mask is not None:
                nested.map_structure(attach_mask, args[0], mask)
        if not self._convert_input_args:
            return tuple(args), kwargs, training
        first = signature.first_argument(args, kwargs)
        if text.is_text_list(first):
            first = text.text_array(describe(self), first)
            args = (first, *args[1:])
        if isinstance(first, (str, LayerCalls)) or (first is None and (args or kwargs)):
            raise ValueError(
                f"{describe(self)}: inputs to a layer should be tensors, got {first!r} of type "
                f"{type(first).__name__}. "
                "Call it on a tensor, an array or the result of another layer."
            )
        args, kwargs = nested.map_structure(self._standardize_leaf, (tuple(args), kwargs))
        if not self._called:
            self._need_tensors(args, kwargs)
        return args, kwargs, training

    def _need_tensors(self, args, kwargs):
        """Raise where a layer that is to be built got no input, or Python numbers."""
        signature = self._call_signature
        first = signature.first_argument(args, kwargs)
        if first is None and signature.first is not None and signature.first not in signature.defaults:
            raise TypeError(f"{describe(self)}: missing a required argument: '{signature.first}'.")
        leaves = nested.flatten(first)
        if leaves and all(isinstance(leaf, (int, float)) for leaf in leaves):
            raise ValueError(
                f"{describe(self)}: inputs to a layer should be tensors, got {first!r} of type "
                f"{type(first).__name__}. Make it an array: `np.array(...)` or `torch.tensor(...)`."
            )

    def _standardize_leaf(self, leaf):
        if isinstance(leaf, np.ndarray):
            if text.is_text(leaf):
                self._accept_text(leaf)
                return leaf
            leaf = arrays.as_tensor(leaf, self._own_device())
        if (
            isinstance(leaf, torch.Tensor)
            and self.autocast
            and leaf.dtype is not self._compute
            and (leaf.dtype.is_floating_point or (self.casts_integers and leaf.dtype is not torch.bool))
            and not (self.keeps_precision and leaf.dtype is torch.float32 and self._is_mixed())
            and not (leaf.dtype in HALF and not leaf.is_meta and torch.is_autocast_enabled(leaf.device.type))
        ):
            cast = leaf.to(self._compute)
            return attach_mask(cast, get_mask(leaf))
        return leaf

    def _is_mixed(self):
        return self.computes_itself and self._dtype_policy.name.startswith("mixed_")

    def _accept_text(self, array):
        """Raise where a layer that declares torch weights, and so computes with numbers, got strings."""
        if type(self).weight_specs:
            raise TypeError(
                f"{describe(self)}: expected numbers, got an array of strings of shape {array.shape}. Encode "
                "them first, with StringLookup, TextVectorization or Hashing."
            )

    def _own_device(self):
        tensor = collecting.first_tensor(self)
        return tensor.device if tensor is not None else self._device or default_device()

    def _build_for(self, args, kwargs):
        """Build from the arguments of a call. A layer built by a real tensor takes that tensor's device."""
        self._check_inputs(args, kwargs)
        given = self._call_signature.bind(args, kwargs)
        tensor = next((t for t in nested.flatten((args, kwargs)) if isinstance(t, torch.Tensor)), None)
        device = default_device() if tensor is None or tensor.is_meta else tensor.device
        with build_on(self._device or device):
            self.build(**building.build_shapes(self, given)) if self._wants_shapes else self.build()

    @property
    def _wants_shapes(self):
        return bool(signature_of(type(self).build).keywords)

    def _input_place(self, index):
        """Return words that say which input one of several is, for messages."""
        return ""

    def _check_inputs(self, args, kwargs):
        if self.input_spec is not None:
            first = self._call_signature.first_argument(args, kwargs)
            tensors = nested.flatten(first)
            if all(isinstance(t, (torch.Tensor, KerasTensor, type(None))) for t in tensors):
                check_inputs(self, self.input_spec, first)

    def _fill_masks(self, args, kwargs):
        """Hand the masks that travel with the arguments to `call`, where it takes them.

        Return the first argument's.
        """
        signature = self._call_signature
        given = signature.bind(args, kwargs)
        for name, mask_name in signature.masks.items():
            value = given.get(name)
            if value is not None and given.get(mask_name) is None:
                mask = _masks_of(value)
                if mask is not None:
                    kwargs[mask_name] = mask
        mask_name = signature.masks.get(signature.first)
        if mask_name in kwargs:
            return kwargs[mask_name]
        if mask_name and given.get(mask_name) is not None:  # by position: Keras lets it go no further
            return None
        return _masks_of(signature.first_argument(args, kwargs))

    def _leave_masks(self, args, kwargs, masks, outputs):
        """Let the mask of the outputs travel with them, or tell that it ends here."""
        makes_masks = type(self).compute_mask is not LayerCalls.compute_mask
        if self.supports_masking and (masks is not None or makes_masks):
            computed = self.compute_mask(self._call_signature.first_argument(args, kwargs), masks)
            flat = nested.flatten(outputs)
            found = (
                nested.flatten(computed) if isinstance(computed, (list, tuple)) else [computed] * len(flat)
            )
            for output, mask in zip(flat, found, strict=False):
                if mask is not None and getattr(output, "_keras_mask", None) is None:
                    attach_mask(output, mask)
        elif masks is not None and not makes_masks and self._masks_end_here():
            warnings.warn(
                f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask "
                "attached to it. "
                "However, this layer does not support masking and will therefore destroy the mask "
                "information. "
                "Downstream layers will not see the mask.",
                stacklevel=2,
            )

    def _masks_end_here(self):
        return True

    def _autocast_scope(self, args):
        if not self._is_mixed():
            return contextlib.nullcontext()
        tensor = next((t for t in nested.flatten(args) if isinstance(t, torch.Tensor)), None)
        device = tensor.device.type if tensor is not None else "cpu"
        return torch.autocast("cpu" if device == "meta" else device, dtype=self._compute)

    def _finish_first_call(self):
        self.__dict__["_called"] = True
        tracking.register_members(self, self._containers)
        if not self._watches_mode:
            self.__dict__["_watches_mode"] = building.depends_on_mode(self)
        self._choose_path()

    def _choose_path(self):
        """Whether calls with one plain tensor can go straight to torch's own `__call__`."""
        self.__dict__["_fast"] = (
            self.built
            and self._called
            and self.activity_regularizer is None
            and not self._holds_losses
            and self._remat is None
            and not self._is_mixed()
            and not (
                self.creates_masks
                and self.supports_masking
                and type(self).compute_mask is not LayerCalls.compute_mask
            )
            and (self._mode_was_set or not self._watches_mode)
        )

    def _watch_backward(self, outputs):
        """Warn, once, when gradients flow through a layer whose mode matters and was never set."""
        if (
            torch.compiler.is_compiling()
            or shapes.is_probing()
            or self.training
            or not torch.is_grad_enabled()
        ):
            return
        output = next(
            (t for t in nested.flatten(outputs) if isinstance(t, torch.Tensor) and t.requires_grad), None
        )
        if output is None:
            return

        def warn(gradient):
            if not self._mode_was_set:
                self.__dict__["_mode_was_set"] = True
                warnings.warn(
                    "Gradients flow through a layer in inference mode: its mode was never set, and a new "
                    "layer is in "
                    "inference mode, as in Keras. Call `model.train()` before training (and `model.eval()` "
                    "after), "
                    "or pass `training=True`.",
                    stacklevel=2,
                )

        output.register_hook(warn)

    def _call_symbolically(self, args, kwargs):
        recorded = record_inside_module(self, args, kwargs)
        if recorded is not None:
            return recorded
        kwargs = {key: value for key, value in kwargs.items() if key != "training" or value is not None}
        if not self.built:
            self._build_for(args, kwargs)
        self._check_inputs(args, kwargs)
        masks = self._fill_masks(args, kwargs)
        specs = self._output_specs(args, kwargs)
        if not self._called and not all(one.built for one in collecting.all_layers(self)):
            # The shapes came from a formula, so the layers inside have not been called yet.
            with contextlib.suppress(Exception):
                self._try_out(args, kwargs)
        call = Call(self, tuple(args), kwargs, self.name)
        outputs = call.emit(specs)
        self._calls.append(call)
        if not self._called and all(one.built for one in collecting.all_layers(self)):
            self._finish_first_call()  # nothing is left to be made, and torch can compile the first real call
        self._leave_masks(args, kwargs, masks, outputs)
        return outputs

    def _output_specs(self, args, kwargs):
        cls = type(self)
        if cls.compute_output_spec is not LayerCalls.compute_output_spec:
            with naming.name_scope(self.name) if not self._called else contextlib.nullcontext():
                outputs = self.compute_output_spec(*args, **kwargs)
            return nested.map_structure(lambda t: t.spec if isinstance(t, KerasTensor) else t, outputs)
        if cls.compute_output_shape is not LayerCalls.compute_output_shape:
            given = self._call_signature.bind(args, kwargs)
            wanted = signature_of(cls.compute_output_shape)
            first = nested.map_structure(building.shape_of, self._call_signature.first_argument(args, kwargs))
            rest = {
                name: nested.map_structure(building.shape_of, given[name.removesuffix("_shape")])
                for name in wanted.names[1:]
                if given.get(name.removesuffix("_shape")) is not None
            }
            shape = self.compute_output_shape(first, **rest)
            return _specs_from_shapes(shape, self.compute_dtype)
        if self.keeps_shape and self.built and self._is_one_as_computed(args, kwargs):
            if not self._called:
                self._finish_first_call()
            return args[0].spec
        try:
            specs = self._try_out(args, kwargs)
            return nested.map_structure(self._as_computed, specs)
        except Exception as error:
            found = [(t.shape, t.dtype) for t in nested.flatten((args, kwargs)) if isinstance(t, KerasTensor)]
            if describe(self) in str(error) and type(error) in (TypeError, ValueError):
                raise
            kind = type(error) if type(error) in (TypeError, ValueError) else ValueError
            inputs = ", ".join(f"{shape} {dtype}" for shape, dtype in found)
            raise kind(f"{describe(self)} cannot be called on inputs of shape {inputs}: {error}") from error

    def _try_out(self, args, kwargs):
        """Return the specs of the outputs for symbolic inputs, learnt from runs whose draws do not count."""
        kept = [(source, source.random_state()) for source in collecting.random_sources(self)]
        try:
            return shapes.infer(self, args, kwargs, lambda leaf: isinstance(leaf, KerasTensor))
        finally:
            for source, state in kept:
                source.restore_random_state(state)

    def _is_one_as_computed(self, args, kwargs):
        """Whether the one argument with a shape is the first, of the dtype that the layer computes in."""
        return (
            len(args) == 1
            and isinstance(args[0], KerasTensor)
            and args[0].dtype == self.compute_dtype
            and kwargs.keys() <= {"training", "mask"}
        )

    def _as_computed(self, spec):
        """Return the spec of an output under a mixed policy: autocasting does nothing on the meta device."""
        if self._is_mixed() and isinstance(spec, TensorSpec) and spec.dtype == "float32":
            return TensorSpec(spec.shape, self.compute_dtype)
        return spec

    def _infer_from_shapes(self, args, kwargs):
        dtype = self.compute_dtype

        def stand_in(shape):
            return _specs_from_shapes(shape, dtype)

        args = tuple(None if shape is None else stand_in(shape) for shape in args)
        signature = self._call_signature
        kwargs = {
            (signature.first if k == "input_shape" else k.removesuffix("_shape")): stand_in(v)
            for k, v in kwargs.items()
            if v is not None
        }
        layer = self
        if not self.built:
            layer = copy.deepcopy(self)
            for one in collecting.all_layers(layer):
                one.__dict__["_device"] = torch.device("meta")
        tensors = nested.map_structure(
            lambda spec: spec if spec is None else KerasTensor(spec.shape, spec.dtype), (args, kwargs)
        )
        if not layer.built:
            layer._build_for(*tensors)
        return layer._try_out(*tensors)

    def _finish_build(self, args, kwargs, device):
        if self.weight_specs:
            building.make_declared_weights(self, device)
        self.built = True
        if shapes.is_probing():  # the number of samples is one that was tried
            args, kwargs = tuple(map(collecting.without_batch, args)), collecting.without_batch(kwargs)
        self.__dict__["_build_arguments"] = (args, kwargs)
        tracking.register_members(self, self._containers)
        tracking.share_mode(self)
        if not self._trainable:
            self.trainable = False

    def declare(self, weight):
        """Make `weight`, a `Weight`, known as one of the layer's own and as the attribute of its name."""
        self._declared[weight.name] = weight
        self.__dict__[weight.name] = weight

    def get_build_config(self):
        """Return the shapes the layer was built with, or `None`."""
        if self._build_arguments is None:
            return None
        args, kwargs = self._build_arguments
        names = signature_of(type(self).build).names
        named = {**dict(zip(names, args, strict=False)), **kwargs}
        if set(named) == {"input_shape"} or len(named) == 1:
            return {"input_shape": next(iter(named.values()))}
        return {"shapes_dict": named}

    def build_from_config(self, config):
        """Build with the shapes that `get_build_config` returned."""
        if config:
            if "input_shape" in config:
                self.build(_tuples(config["input_shape"]))
            elif "shapes_dict" in config:
                self.build(**{key: _tuples(shape) for key, shape in config["shapes_dict"].items()})
            self.built = True


def _on_meta(structure):
    return any(isinstance(leaf, torch.Tensor) and leaf.is_meta for leaf in nested.flatten(structure))


def _masks_of(value):
    """Return the masks that travel with the tensors in `value`, in its form; `None` when there are none."""
    masks = nested.map_structure(get_mask, value)
    return masks if any(mask is not None for mask in nested.flatten(masks)) else None


def _is_shape(value):
    return isinstance(value, (tuple, list)) and all(isinstance(size, (int, type(None))) for size in value)


def _specs_from_shapes(shape, dtype):
    """Return `TensorSpec`s for a shape or a nested structure of shapes."""
    if _is_shape(shape):
        return TensorSpec(tuple(shape), dtype)
    if isinstance(shape, dict):
        return {key: _specs_from_shapes(value, dtype) for key, value in shape.items()}
    return type(shape)(_specs_from_shapes(value, dtype) for value in shape)


def _tuples(shape):
    """Return a shape from a file, where tuples became lists, as tuples; what else `build` was given stays."""
    if _is_shape(shape):
        return tuple(shape)
    if isinstance(shape, dict):
        return {key: _tuples(value) for key, value in shape.items()}
    return [_tuples(value) for value in shape] if isinstance(shape, (list, tuple)) else shape
