"""What every layer has besides its computation.

Name, dtype, weights, losses, shapes, and torch's own hooks.
"""

import torch
from torch import nn

from torchkeras_lite.base import dtypes, nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.old_names import Dropped, takes_old
from torchkeras_lite.base.old_rooms import GONE_ATTRIBUTES
from torchkeras_lite.engine import collecting, precision, sharding, tracking
from torchkeras_lite.engine.stored_weights import StoredWeights
from torchkeras_lite.engine.variable import adopt, is_free_variable
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter


class LayerState(StoredWeights, nn.Module):
    """The attributes of a layer. See `Layer`."""

    _policy_map = None  # the `DTypePolicyMap` that the layer was made with

    def __setattr__(self, name, value):
        if name == "training":  # set in code that torch compiles
            self.__dict__[name] = value
            return
        if "_containers" in self.__dict__:
            if name in self._containers:
                tracking.forget_members(self, name)
            if isinstance(value, (list, tuple, dict)) and not isinstance(
                getattr(type(self), name, None), property
            ):
                object.__setattr__(self, name, value)
                if not isinstance(value, tuple) or tracking.has_modules(value):
                    self._containers[name] = {}
                return
            if isinstance(value, nn.Module):
                tracking.refuse_in_call(self, value)
                tracking.register_members(self, self._containers)  # they come before it
            tracking.make_room(self, name)
            if isinstance(value, (LayerParameter, LayerBuffer)):
                self.__dict__.pop(name, None)  # `None` until it was made
                tracking.rename_weight(self, name, value)
            elif is_free_variable(value):
                self.__dict__.pop(name, None)
                self._modules.pop(name, None)
                adopt(self, name, value)
                return
        nn.Module.__setattr__(self, name, value)
        if hasattr(value, "update_state") and "_metric_attributes" in self.__dict__:
            self._metric_attributes[name] = None
        if isinstance(value, nn.Module):
            tracking.share_mode(self)

    def __getattr__(self, name):
        modules = self.__dict__.get("_modules", ())
        if name in modules:  # first, because every call asks for modules; torch looks for them last
            return modules[name]
        try:
            return nn.Module.__getattr__(self, name)
        except AttributeError:
            attribute = getattr(type(self), name, None)
            if isinstance(attribute, property):  # its own message, which torch's would hide
                return attribute.fget(self)
            if name in GONE_ATTRIBUTES:
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute {name!r}, which is of an older Keras. "
                    f"Instead, {GONE_ATTRIBUTES[name]}."
                ) from None
            raise

    @property
    def _inbound_nodes(self):
        """The recorded calls, under the name that packages made for Keras read."""
        return self._calls

    @property
    def _layers(self):
        """The layers that are kept in attributes, under the name that packages made for Keras read."""
        return collecting.direct_layers(self)

    def _flatten_layers(self, include_self=True, recursive=True):
        """Return this layer and those inside, under the name that packages made for Keras call.

        Args:
            include_self: Whether this layer comes first.
            recursive: Whether layers inside the inner ones follow them; those come last to first, as in
                Keras.
        """
        return [*([self] if include_self else []), *collecting.flat_layers(self, recursive)]

    def __delattr__(self, name):
        if name in self.__dict__.get("_containers", ()):
            tracking.forget_members(self, name)
            object.__delattr__(self, name)
        else:
            nn.Module.__delattr__(self, name)

    def __getstate__(self):
        state = self.__dict__.copy()
        state["_calls"] = []  # the graphs around a layer are not part of it
        state["_views"] = {}
        return state

    @property
    def name(self):
        """Name, unique in a model."""
        return self._name

    @name.setter
    def name(self, value):
        self.__dict__["_name"] = value

    @property
    def path(self):
        """Name with those of the layers around it, known once built."""
        return self._path or self.name

    @property
    def trainable(self):
        """Whether gradients train the weights.

        Setting it sets it in all layers inside, and `requires_grad`.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        value = bool(value)
        self.__dict__["_trainable"] = value
        collecting.set_trainable(self, value)

    def requires_grad_(self, requires_grad=True):
        """As in torch; `trainable` follows."""
        self.trainable = requires_grad
        return self

    def _call_dtype(self, policy):
        """Return the torch dtype that floating-point arguments of calls are cast to."""
        name = policy.compute_dtype if self.computes_itself else policy.variable_dtype
        return None if name == "string" else dtypes.torch_dtype(name)

    @property
    def dtype_policy(self):
        """The layer's `DTypePolicy`."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value):
        policy = precision.get(value)
        if self._policy_map is not None and policy != self._policy_map[self.path]:
            if self.path in self._policy_map:
                del self._policy_map[self.path]
            self._policy_map[self.path] = policy
        self.__dict__["_dtype_policy"] = policy
        self.__dict__["_compute"] = self._call_dtype(policy)
        self._choose_path()

    def _choose_policy(self):
        """Take the policy that a `DTypePolicyMap` has for the path of this layer."""
        if isinstance(self._dtype_policy, precision.DTypePolicyMap):
            self.__dict__["_policy_map"] = self._dtype_policy
            self.dtype_policy = self._dtype_policy[self.path]

    @property
    def dtype(self):
        """Dtype name of the weights (alias of `variable_dtype`)."""
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self):
        """Dtype name of the weights."""
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self):
        """Dtype name of the computation."""
        return self._dtype_policy.compute_dtype

    @property
    def quantization_mode(self):
        """Mode of a quantized layer's policy, else `None`."""
        return self._dtype_policy.quantization_mode

    @property
    def input_dtype(self):
        """Dtype name that floating-point inputs are cast to."""
        return self.compute_dtype

    @property
    def weights(self):
        """All weights, Keras's views in Keras's order.

        Own ones (trainable first), then those of the layers inside.
        """
        return collecting.weights(self)

    @property
    def trainable_weights(self):
        """The weights that gradients train."""
        return [weight for weight in collecting.weights(self) if weight.trainable]

    @property
    def non_trainable_weights(self):
        """The weights that gradients do not train."""
        return [weight for weight in collecting.weights(self) if not weight.trainable]

    @property
    def variables(self):
        """Alias of `weights`."""
        return self.weights

    @property
    def trainable_variables(self):
        """Alias of `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self):
        """Alias of `non_trainable_weights`."""
        return self.non_trainable_weights

    def get_weights(self):
        """Return the values of all weights as NumPy arrays, in Keras's order and layouts."""
        with sharding.whole_weights(self):
            return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights):
        """Overwrite all weights from arrays in Keras's order and layouts.

        Raises:
            ValueError: another number of arrays, or another shape; nothing is changed then.
        """
        with sharding.whole_weights(self, writes=True):
            collecting.set_weights(self, weights)

    def count_params(self):
        """Return the number of values in all weights.

        Raises:
            ValueError: the layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. Build "
                "it first: "
                "call it on data, or `build(input_shape)`."
            )
        return sum(weight.tensor.numel() for weight in self.weights)

    @takes_old({"inputs": Dropped()})
    def add_loss(self, loss):
        """Add a scalar tensor (or a list of them), computed in `call`, to the losses of this forward pass."""
        collecting.add_losses(self, loss)

    @property
    def losses(self):
        """Scalar tensors to add to the training loss.

        From `add_loss` in the last call, and from regularizers.
        """
        return collecting.losses(self)

    @property
    def metrics(self):
        """The metrics that the layer and the layers inside keep in attributes."""
        return collecting.metrics(self)

    @property
    def metrics_variables(self):
        """State of these metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def input(self):
        """The symbolic input of the layer's first symbolic call."""
        return collecting.only_call(self, "input").inputs_structure

    @property
    def output(self):
        """The symbolic output of the layer's first symbolic call."""
        return collecting.only_call(self, "output").outputs

    @property
    def input_shape(self):
        """Shape of the input in the first symbolic call, else the one the layer was built with."""
        if self._calls:
            return nested.map_structure(lambda t: t.shape, self.input)
        return collecting.built_shape(self)

    @property
    def output_shape(self):
        """Shape of the output in the first symbolic call, else for the shape the layer was built with."""
        if self._calls:
            return nested.map_structure(lambda t: t.shape, self.output)
        shape = self.input_shape
        try:
            return self.compute_output_shape(shape)
        except (TypeError, ValueError) as error:  # it takes more than one input, as cells do
            raise AttributeError(f"{describe(self)} has no defined output shape: {error}") from error

    def train(self, mode=True):
        """Set the mode of this layer and all modules inside, as in torch."""
        if not isinstance(mode, bool):
            raise ValueError(f"{describe(self)}: expected `mode` to be True or False, got {mode!r}.")
        self.training = mode
        for child in self._modules.values():  # `children()` takes longer than a small layer
            if child is not None:
                child.train(mode)
        if not self._mode_was_set:
            self.__dict__["_mode_was_set"] = True
            self._choose_path()
        return self

    def _apply(self, function, recurse=True):
        """Move or cast, as in torch; the dtype policy and the device to build on follow."""
        nn.Module._apply(self, function, recurse)
        probe = function(torch.zeros(1, dtype=dtypes.torch_dtype(self.variable_dtype)))
        if _moves(function):
            self.__dict__["_device"] = probe.device
        if probe.is_floating_point() and dtypes.standardize_dtype(probe.dtype) != self.variable_dtype:
            self.dtype_policy = dtypes.standardize_dtype(probe.dtype)
        tracking.rewrap_weights(self)
        return self

    def _load_from_state_dict(self, *args, **kwargs):
        nn.Module._load_from_state_dict(self, *args, **kwargs)
        tracking.rewrap_weights(self)

    def extra_repr(self):
        """Name and state, for `repr`."""
        return f"name={self.name!r}" + ("" if self.built else ", built=False")


def _moves(function):
    """Whether a function given to `_apply` puts tensors on a device, and does not only cast them."""
    try:
        stays = function(torch.zeros(1, device="meta")).is_meta
    except (NotImplementedError, RuntimeError):  # values cannot leave the meta device
        return True
    return not stays or function(torch.zeros(1, device="cpu")).is_meta
