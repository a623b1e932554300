"""`Layer`: an `nn.Module` that speaks Keras outside and torch inside."""

import contextlib
import functools
import inspect
import itertools
from abc import ABCMeta

import torch
from torch import nn

from torchkeras_lite import constraints, initializers, regularizers
from torchkeras_lite.base import dtypes, naming
from torchkeras_lite.base.checks import describe, suggestion
from torchkeras_lite.base.device import build_on, default_device
from torchkeras_lite.engine import (
    auto_config,
    building,
    old_arguments,
    precision,
    rematerialization,
    stateless,
    tracking,
)
from torchkeras_lite.engine.call_signature import CallSignature
from torchkeras_lite.engine.layer_calls import LayerCalls
from torchkeras_lite.engine.old_methods import OldLayerMethods
from torchkeras_lite.engine.weights import LayerBuffer, LayerParameter, WeightInfo

SHAPE_ARGUMENTS = (
    "input_shape",
    "batch_input_shape",
    "input_dim",
    "batch_size",
    "input_dtype",
    "input_length",
)

_creation = itertools.count()
_SHORT_CUTS = ("direct_call", "torch_layout_call")  # methods of `LayerCalls` for one `call`, and for no other


class LayerMeta(ABCMeta):
    """Keeps what a layer's constructor was given, and finishes the layer when its constructor is done."""

    def __call__(cls, *args, **kwargs):
        """Make a layer."""
        if not old_arguments.NAMES.isdisjoint(kwargs):
            args, kwargs = old_arguments.modern_call(cls, args, kwargs)
        layer = super().__call__(*args, **kwargs)
        if "_keras" not in layer.__dict__:
            raise RuntimeError(
                f"{cls.__name__}: its `__init__` did not call `super().__init__()`. Call it first in "
                "`__init__`."
            )
        if layer.keeps_arguments:
            layer.__dict__["_arguments"] = (args, kwargs)
        if cls.build is Layer.build:
            layer.__dict__["built"] = layer.built or cls.stateless
            layer._choose_policy()
        tracking.register_members(layer, layer._containers)
        tracking.share_mode(layer)
        return layer

    @property
    def __signature__(cls):
        """The constructor's, which `help`, editors and `inspect.signature` show."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())
        return inspect.Signature(parameters[1:])

    def __setattr__(cls, attribute, value):
        super().__setattr__(attribute, value)
        if attribute == "call" and "_call_signature" in vars(cls):  # a `call` put into a finished class
            for name in _SHORT_CUTS:
                setattr(cls, name, getattr(LayerCalls, name))
            cls._follow_call()


def _finishing(build):
    """Wrap a class's `build`: right device and names, declared weights made, everything recorded, once."""

    @functools.wraps(build)
    def wrapped(self, *args, **kwargs):
        if self._building:  # `super().build(...)` from a subclass
            return build(self, *args, **kwargs)
        if self.built and not self.rebuilds:
            return None
        device = self._device or default_device()
        self.__dict__["_building"] = True
        try:
            with build_on(device), naming.name_scope(self.name):
                self.__dict__["_path"] = naming.current_path()
                self._choose_policy()
                with torch.device("meta") if self.weight_specs else contextlib.nullcontext():
                    build(self, *args, **kwargs)
                self._finish_build(args, kwargs, device)
        finally:
            self.__dict__["_building"] = False
        return None

    return wrapped


def _with_mode(call):
    """Return a `forward` of the signature of `call` that fills in `training` from the layer's mode."""
    signature = CallSignature(call)
    index = signature.training_index

    @functools.wraps(call)
    def forward(self, *args, **kwargs):
        if "training" not in kwargs and (index is None or len(args) <= index):
            unset = not self._mode_was_set and signature.training_default is not None
            kwargs["training"] = signature.training_default if unset else self.training
        return self.call(*args, **kwargs)

    return forward


def _name_first(add_weight):
    """Let `add_weight` also take tf.keras's order, `add_weight(name, shape, dtype, initializer, ...)`."""

    @functools.wraps(add_weight)
    def wrapped(self, *args, **kwargs):
        if args and (isinstance(args[0], str) or (args[0] is None and len(args) > 1)):
            kwargs |= dict(zip(("name", "shape", "dtype", "initializer"), args, strict=False))
            args = ()
        return add_weight(self, *args, **kwargs)

    return wrapped


class Layer(OldLayerMethods, LayerCalls, metaclass=LayerMeta):
    """Base of all layers: state, made when the first input is seen, and a computation.

    Subclasses keep their configuration in `__init__`, make weights in `build(input_shape)` and compute in
    `call(inputs, ...)`, in which torch is used freely. `call` may also take `training` and `mask`. A layer
    is a plain `nn.Module`: `state_dict`, hooks, `.to(...)`, `train()` and `eval()`, `torch.compile` and
    `torch.export` work on it.

    Args:
        activity_regularizer: Penalty on the outputs, a name, config or callable; divided by the batch size.
        trainable: Whether gradients train the weights.
        dtype: Dtype or policy name of weights and computation; `None`: the global policy.
        autocast: Whether floating-point inputs are cast to the dtype of the computation.
        name: Name, without `/`; an automatic one (`dense`, `dense_1`) when not given.
        **kwargs: `input_shape` or `input_dim` (the first layer of a `Sequential`), as in older scripts.

    Mode: `layer.training` is the one switch. A new layer is in inference mode, because Keras's `layer(x)`
    means inference; `train()`, `eval()` and `fit` set it, and `training=` in a call overrides it for that
    call.

    Source: Keras 3 `keras.layers.Layer`. Differs from torch: built at the first call, and in inference mode
    at first.
    """

    rebuilds = False
    keeps_arguments = True
    config_omits_none: tuple[str, ...] = ()
    config_adds: tuple[str, ...] = ()  # attributes in the config that some constructors take in `**kwargs`
    config_names_activity_regularizer = False

    def __init__(
        self, activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None, **kwargs
    ):
        if "_keras" in self.__dict__:  # a second `super().__init__()` keeps what is there
            return
        early = dict(self.__dict__)  # what a class keeps before it calls this
        nn.Module.__init__(self)
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"{type(self).__name__}: `name` must be a string without `/`, got name={name!r}."
            )
        if not isinstance(trainable, bool):
            raise ValueError(
                f"{type(self).__name__}: expected `trainable` to be a boolean, got trainable={trainable!r}."
            )
        policy = precision.get(dtype)
        self.__dict__.update(
            _keras=True,
            training=False,
            built=False,
            input_spec=None,
            supports_masking=False,
            autocast=autocast,
            activity_regularizer=regularizers.get(activity_regularizer),
            _name=name or naming.auto_name(self),
            _path=None,
            _created=next(_creation),
            _trainable=bool(trainable),
            _dtype_policy=policy,
            _compute=self._call_dtype(policy),
            _remat=rematerialization.current_scope(),
            _device=None,
            _building=False,
            _called=False,
            _fast=False,
            _mode_was_set=False,
            _watches_mode=self.watches_mode and self._call_signature.has_training,
            _build_arguments=None,
            _declared={},
            _added={},
            _views={},
            _containers={},
            _metric_attributes={},
            _call_losses=[],
            _adds_losses=False,
            _holds_losses=False,
            _loss_version=0,
            _calls=[],
            _shape_arguments=self._take_shape_arguments(kwargs),
        )
        if kwargs:
            known = [*auto_config.constructor_arguments(type(self)), "name", "dtype", "trainable"]
            unknown = next(iter(kwargs))
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
                f"{suggestion(unknown, known)}"
            )
        for key, value in early.items():
            setattr(self, key, value)

    @classmethod
    def _follow_call(cls):
        """Let `forward` and what is known of the arguments follow the class's `call`."""
        cls._call_signature = CallSignature(cls.call)
        cls._forget_promises()
        if getattr(cls.forward, "__wrapped__", cls.forward) is not cls.call:
            cls.forward = _with_mode(cls.call) if cls._call_signature.has_training else cls.call

    @classmethod
    def _forget_promises(cls):
        """Let what is known of a `call`, its shapes and short cuts, not hold for another `call`."""
        shapes_too = ("compute_output_shape", "compute_output_spec")
        for promise, of in (("keeps_shape", ()), ("keeps_batch", ()), ("follows_graph", shapes_too)):
            if any(name in vars(cls) for name in ("call", *of)) and promise not in vars(cls):
                setattr(cls, promise, False)
        for name in _SHORT_CUTS:
            if "call" in vars(cls) and name not in vars(cls):
                setattr(cls, name, getattr(LayerCalls, name))

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _finishing(cls.__dict__["build"])
        if "forward" in cls.__dict__ and "call" not in cls.__dict__:  # written the torch way
            cls.call = cls.__dict__["forward"]
        if "forward" in cls.__dict__:
            cls._call_signature = CallSignature(cls.call)
        else:
            cls._follow_call()
        cls.keeps_arguments = (
            cls.keeps_arguments and auto_config.configured_class(cls, "get_config", Layer) is not Layer
        )

    def build(self, *input_shapes, **named_shapes):
        """Make the weights for input shapes: tuples with `None`, nested as the inputs are."""
        self.built = True

    def call(self, *args, **kwargs):
        """Compute the outputs from torch tensors."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `call` method implemented. Define "
            "`call(self, inputs)` with what the layer computes."
        )

    def get_config(self):
        """Return the constructor's arguments as plain values, from which `from_config` makes an equal layer.

        Arguments are read from the attributes of the same name. Override it where that does not hold.
        """
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": auto_config.serialize_argument(self._policy_map or self.dtype_policy),
        }
        if self.activity_regularizer is not None or self.config_names_activity_regularizer:
            config["activity_regularizer"] = auto_config.serialize_argument(self.activity_regularizer)
        configured = auto_config.configured_class(type(self), "get_config", Layer)
        given = auto_config.given_arguments(self, self.__dict__.get("_arguments", ((), {})))
        for key, value in auto_config.read_config(self, configured, given).items():
            if value is not None or key not in self.config_omits_none:
                config[key] = value
        for key in self.config_adds:
            config[key] = auto_config.serialize_argument(getattr(self, key))
        return config

    @classmethod
    def from_config(cls, config):
        """Return a new layer from what `get_config` returned.

        Raises:
            TypeError: the constructor refuses the arguments, whatever it raises.
        """
        try:
            arguments = auto_config.read_arguments(config, left=auto_config.own_arguments(cls, Layer))
            if type(arguments.get("dtype")) is precision.DTypePolicy:  # they get the name, as in Keras
                arguments["dtype"] = arguments["dtype"].name
            return cls(**arguments)
        except Exception as error:
            raise TypeError(
                f"Error when deserializing class '{cls.__name__}' using config={config}.\n\n"
                f"Exception encountered: {error}"
            ) from error

    @_name_first
    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        aggregation="none",
        overwrite_with_gradient=False,
        name=None,
    ):
        """Make a weight of this layer and return it: a torch parameter (a buffer with `trainable=False`).

        Args:
            shape: Sizes; `()` or `None` for a scalar. The older order `add_weight("kernel", shape=...)`
                works too.
            initializer: Name or callable; `None`: Glorot uniform for floats, zeros for others.
            dtype: Dtype; `None`: the layer's.
            trainable: Whether gradients train it.
            autocast, aggregation: Accepted as in Keras; nothing depends on them here.
            overwrite_with_gradient: Whether an optimizer's update makes the gradient the new value.
            regularizer: Penalty on the values, added to the losses.
            constraint: Projection of the values after every update.
            name: Name; also the key in `state_dict` until the weight is kept in an attribute, whose name it
                then takes.

        Raises:
            ValueError: a shape with unknown sizes; in `call` of a layer that is built.
        """
        tracking.refuse_in_call(self)
        shape = (shape,) if isinstance(shape, int) else tuple(shape or ())
        if any(size is None for size in shape):
            raise ValueError(
                f"{describe(self)}: the shape {shape} of a weight has unknown sizes. Make the weight in "
                "`build`, from the sizes "
                "of the input that are known."
            )
        dtype = dtypes.standardize_dtype(dtype, self.variable_dtype)
        trainable = trainable and dtypes.is_float(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        initializer = initializers.get(initializer)
        name = name or naming.unique_name("variable")
        path = "/".join(filter(None, (self._path or naming.current_path() or self.name, name)))
        info = WeightInfo(
            name,
            path,
            initializer,
            regularizers.get(regularizer),
            constraints.get(constraint),
            bool(trainable),
        )
        values = building.draw(initializer, shape, dtype, self._device or default_device())
        weight = (LayerParameter if trainable else LayerBuffer)(values, info)
        if not self._trainable:
            weight.requires_grad_(False)
        if overwrite_with_gradient:
            weight.overwrite_with_gradient = True
        key = tracking.free_key(self, name)
        self._added[key] = info
        (self._parameters if trainable else self._buffers)[key] = weight
        return weight

    def stateless_call(
        self, trainable_variables, non_trainable_variables, *args, return_losses=False, **kwargs
    ):
        """Call the layer with other values in its weights, which keep their own.

        Args:
            trainable_variables: Values for `trainable_variables`, tensors in Keras's layouts; gradients reach
                them.
            non_trainable_variables: Values for `non_trainable_variables`.
            *args, **kwargs: Arguments of the call.
            return_losses: Whether the losses of the call are returned too.

        Returns:
            `(outputs, non_trainable_variables)` with the values after the call, and the list of losses.

        Raises:
            ValueError: the layer is not built, or another number of values.

        Source: Keras 3 `Layer.stateless_call`; `torch.func.functional_call`. Differs from Keras: states of
        seed generators are not among the variables.
        """
        outputs, after, losses = stateless.lent_call(
            self, self, trainable_variables, non_trainable_variables, args, kwargs
        )
        return (outputs, after, losses) if return_losses else (outputs, after)

    def quantize(self, mode=None, type_check=True, config=None):
        """Make the weights integers of few bits; layers that can do it override this.

        Raises:
            NotImplementedError: this one cannot.
        """
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `quantize` method implemented."
        )

    def _take_shape_arguments(self, kwargs):
        return {key: kwargs.pop(key) for key in SHAPE_ARGUMENTS if key in kwargs}


Layer._call_signature = CallSignature(Layer.call)
Layer.forward = _with_mode(Layer.call)
