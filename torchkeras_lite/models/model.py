"""`Model`: a layer that can be trained, from symbolic inputs and outputs or by subclassing."""

import inspect

from torch import nn

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe, suggestion
from torchkeras_lite.base.old_names import takes_old
from torchkeras_lite.base.registry import CustomObjectScope
from torchkeras_lite.base.serialization import outermost
from torchkeras_lite.engine import collecting, shapes, sharding
from torchkeras_lite.engine.keras_tensor import Call, KerasTensor, any_symbolic
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.engine.shapes import TensorSpec
from torchkeras_lite.export.formats import export_model
from torchkeras_lite.export.source import to_source, to_torch
from torchkeras_lite.models import graph_model, state_tree
from torchkeras_lite.models.graph_config import GRAPH_KEYS, graph_config, tensors_from_config
from torchkeras_lite.models.old_methods import OldModelMethods
from torchkeras_lite.models.quantizing import quantize_model
from torchkeras_lite.models.wrapped_module import ModuleCalls
from torchkeras_lite.saving.model_files import save_model
from torchkeras_lite.saving.model_json import model_to_json
from torchkeras_lite.saving.once import written_once
from torchkeras_lite.saving.torch_weights import export_torch_weights, load_torch_weights
from torchkeras_lite.saving.weight_files import load_weights, save_weights
from torchkeras_lite.training import old_arguments
from torchkeras_lite.training.trainer import Trainer
from torchkeras_lite.utils.summary import print_summary


class Model(OldModelMethods, Trainer, Layer):
    """Layers with a training loop.

    `Model(inputs, outputs)` makes a model from symbolic tensors; a subclass defines `call` (and keeps its
    layers as attributes), or keeps the graph and overrides `train_step` and others. `compile`, `fit`,
    `evaluate` and `predict` work on both, and the model is an `nn.Module` whose layers are its modules.

    Args:
        inputs: Symbolic inputs (`Input`, or any intermediate tensor), alone or nested.
        outputs: Symbolic outputs, alone or nested.
        name: Name, an automatic one when not given.
        trainable: Whether gradients train the weights.

    Raises:
        ValueError: the outputs do not depend on the inputs alone (the text names the tensor), two layers of
            one name.

    Source: Keras 3 `keras.Model`. Differs: the graph is a `torch.fx` graph, see `graph_module`.
    """

    watches_mode = False
    clears_losses = True
    computes_itself = False
    fixes_shapes = True  # whether inputs must have the shapes of the graph's inputs
    follows_graph = True  # a call does what the graph says, where there is one
    passes_config_on = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        names = inspect.signature(cls.__init__).parameters
        cls.takes_tensors = cls.__init__ is Model.__init__ or {"inputs", "outputs"} <= {*names}
        cls.keeps_arguments = cls.keeps_arguments and not cls.takes_tensors

    def __new__(cls, *args, **kwargs):
        """Return a `Functional` where `Model` itself is given inputs and outputs."""
        is_graph = _is_graph(args, kwargs)
        model = super().__new__(Functional if is_graph and cls is Model else cls)
        if is_graph and _hands_tensors_on(cls, args, kwargs):
            model.__dict__.update(takes_tensors=True, keeps_arguments=False)
        return model

    takes_tensors = False  # whether the model is made from symbolic inputs and outputs, as `Model` itself is
    _recording = None
    _keys: dict = {}
    _takes_one = False
    _output_names = None

    def __init__(self, *args, **kwargs):
        if "_keras" in self.__dict__:
            return
        graph = _graph_arguments(args, kwargs) if _is_graph(args, kwargs) else None
        if graph is None and args:
            raise TypeError(
                f"{type(self).__name__}: expected `inputs` and `outputs`, or neither (a subclass with "
                "`call`), got "
                f"{len(args)} positional argument(s). Write Model(inputs=..., outputs=...)."
            )
        super().__init__(**kwargs)
        if graph is not None:
            graph_model.install(self, *graph)

    def call(self, inputs, training=None, mask=None):
        """Compute the outputs; a subclass without inputs and outputs overrides this."""
        if self._recording is None:
            raise NotImplementedError(
                f"{describe(self)} has neither a graph nor a `call` method. Define `call(self, inputs)`, or "
                "make the model from "
                "symbolic tensors: Model(inputs, outputs)."
            )
        return graph_model.run(self, inputs)

    def build(self, input_shape):
        """Make the weights of all layers for inputs of this shape (or nested shapes)."""
        if self._recording is not None:
            return
        tensors = _tensors_of(input_shape, self.compute_dtype)
        self.built = True
        with shapes.probing():
            self._try_out((tensors,), {})

    def build_from_config(self, config):
        """Build with the shapes that `get_build_config` returned."""
        if config and "shapes_dict" in config and type(self).build is Model.build:
            shapes_of = {key.removesuffix("_shape"): shape for key, shape in config["shapes_dict"].items()}
            tensors = {key: _tensors_of(shape, self.compute_dtype) for key, shape in shapes_of.items()}
            self.built = True
            with shapes.probing():
                self._try_out((), tensors)
            self.__dict__["_build_arguments"] = ((), dict(config["shapes_dict"]))
        else:
            super().build_from_config(config)

    def _build_for(self, args, kwargs):
        if type(self).build is Model.build:
            self.built = True  # its layers build themselves
            self._note_shapes(args, kwargs)
        else:
            super()._build_for(args, kwargs)

    def _output_specs(self, args, kwargs):
        known = self._recorded_specs(*args)
        return super()._output_specs(args, kwargs) if known is None else known

    def _recorded_specs(self, inputs=None, *others):
        """Return what the graph says of the outputs for `inputs` like those that it was made with."""
        recording = self._recording
        if recording is None or others or not self.follows_graph:
            return None
        if not nested.same_structure(recording.inputs, inputs):
            return None
        fits = nested.map_structure(
            lambda known, given: isinstance(given, KerasTensor) and given.spec == known.spec,
            recording.inputs,
            inputs,
        )
        if not all(nested.flatten(fits)):
            return None
        return nested.map_structure(lambda tensor: tensor.spec, recording.outputs)

    def _input_place(self, index):
        if self._recording is None:
            return ""
        path, tensor = nested.flatten_with_path(self._recording.inputs)[index]
        return f" (the input with name '{tensor.name}' and path '{'.'.join(map(str, path))}')"

    def _note_shapes(self, args, kwargs):
        """Remember the shapes of the first call, with which a file has the model built, and its dtypes."""
        given = {
            f"{name}_shape": value
            for name, value in self._call_signature.bind(args, kwargs).items()
            if all(hasattr(leaf, "shape") for leaf in nested.flatten(value)) and nested.flatten(value)
        }
        if given:
            found = nested.map_structure(lambda leaf: tuple(leaf.shape), given)
            self.__dict__["_build_arguments"] = ((), found)
            self.__dict__["_build_dtypes"] = nested.map_structure(lambda leaf: leaf.dtype, given)

    def _standardize(self, args, kwargs):
        args, kwargs, training = super()._standardize(args, kwargs)
        if self._recording is not None and args and isinstance(args[0], dict):
            matched = graph_model.match_inputs(self, args[0])
            args = (nested.pack_like(self._recording.inputs, matched), *args[1:])
        return args, kwargs, training

    @property
    def graph_module(self):
        """The `torch.fx.GraphModule` of a model made from symbolic tensors.

        `print(model.graph_module.code)` shows PyTorch.
        """
        if self._recording is None:
            raise AttributeError(
                f"{describe(self)} is no graph: it was made by subclassing, or is not built yet."
            )
        return self._graph_module

    @property
    def inputs(self):
        """The symbolic inputs as a flat list; `None` for a model without a graph."""
        return None if self._recording is None else nested.flatten(self._recording.inputs)

    @property
    def outputs(self):
        """The symbolic outputs as a flat list; `None` for a model without a graph."""
        return None if self._recording is None else nested.flatten(self._recording.outputs)

    @property
    def input(self):
        """The symbolic inputs as they were given."""
        self._need_graph("input")
        return self._recording.inputs

    @property
    def output(self):
        """The symbolic outputs as they were given."""
        self._need_graph("output")
        return self._recording.outputs

    @property
    def input_shape(self):
        """Shape of the input; a flat list of shapes for several inputs."""
        self._need_graph("input shape")
        return nested.unpack_single([t.shape for t in self.inputs])

    @property
    def output_shape(self):
        """Shape of the output; a flat list of shapes for several outputs."""
        self._need_graph("output shape")
        return nested.unpack_single([t.shape for t in self.outputs])

    @property
    def output_names(self):
        """Names of the outputs in logs: those of the layers that make them, unless set."""
        if self._output_names is not None:
            return self._output_names
        self._need_graph("output names")
        return graph_model.output_names(self)

    @output_names.setter
    def output_names(self, names):
        self.__dict__["_output_names"] = list(names)

    @property
    def input_names(self):
        """Names of the inputs."""
        self._need_graph("input names")
        return [tensor.name for tensor in self.inputs]

    def _need_graph(self, what):
        if self._recording is None:
            raise AttributeError(
                f"{describe(self)} has no defined {what}: it is no graph, or is not built yet."
            )

    @property
    def layers(self):
        """The layers (and plain torch modules) of the model, in Keras's order."""
        if self._recording is not None:
            return list(self._recording.modules)
        return _own_layers(self)

    @layers.setter
    def layers(self, value):
        raise AttributeError(
            "`Model.layers` attribute is reserved and should not be used. Please use another name."
        )

    @property
    def _layers(self):
        """The layers of the graph, then others in attributes, under the name that packages for Keras read."""
        in_graph = self._recording.modules if self._recording is not None else ()
        return list(dict.fromkeys([*filter(collecting.is_layer, in_graph), *collecting.direct_layers(self)]))

    @property
    def operations(self):
        """The layers, operations and calls of functions of the graph, in Keras's order."""
        self._need_graph("operations")
        return list(self._recording.operations)

    def get_layer(self, name=None, index=None):
        """Return a layer by its name or its place in `layers`.

        Raises:
            ValueError: no such layer, or neither or both arguments.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ValueError("get_layer: provide either a layer name or a layer index, and not both.")
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers."
                )
            return layers[index]
        names = self._names_of(layers)
        if name in names:
            return layers[names.index(name)]
        raise ValueError(f"No such layer: {name}{suggestion(name, names)} Existing layers are: {names}.")

    def _names_of(self, layers):
        return graph_model.unique_module_names(layers)

    def summary(
        self,
        line_length=None,
        positions=None,
        print_fn=None,
        expand_nested=False,
        show_trainable=False,
        layer_range=None,
        show_flops=False,
    ):
        """Print the layers, their output shapes and their numbers of weights as a table.

        Args:
            line_length: Width of the table in characters.
            positions: Where the columns end, as fractions of the width or as numbers of characters.
            print_fn: Function that gets the text instead of `print`.
            expand_nested: Whether the layers of models inside are listed too.
            show_trainable: Whether a column tells what is trained.
            layer_range: Names of the first and the last layer to list (regular expressions).
            show_flops: Whether to count floating-point operations for one sample (not in Keras).

        Source: Keras 3 `Model.summary`.
        """
        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range, show_flops
        )

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Write the model to a `.keras` file; see `saving.save_model`."""
        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    @takes_old(old_arguments.SAVE_WEIGHTS)
    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """Write the weights alone to a `.weights.h5` file; see `saving.save_weights`."""
        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Read the weights from a file, all or none; see `saving.load_weights`."""
        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def load_torch_weights(self, source, mapping=None):
        """Read the weights of another PyTorch model, in torch's layouts.

        Tensors are matched by `mapping` first, then by names (those of `state_dict()`, with or without the
        torch module inside a layer, or with Keras's name: `dense.linear.weight`, `dense.weight` and
        `dense.kernel` are one), then, for what no name decides, module by module in their order, where the
        shapes agree. Matrices that are the other way round are transposed; the two biases of recurrent
        modules
        are put together. What matched, and what was left on either side, is printed and returned.

        Args:
            source: A `state_dict`, a torch module, or a path of a `.pt`, `.pth` or `.safetensors` file.
            mapping: Dict of foreign names, of tensors or of modules, to names here (`None`: leave out); or a
                function of a foreign name. Only what is to be matched otherwise needs an entry.

        Raises:
            ValueError: nothing fits, several ways to match what has no names, a damaged file, names in
                `mapping` that are not there. Nothing is changed then.
        """
        return load_torch_weights(self, source, mapping)

    def export_torch_weights(self, target, mapping=None):
        """Put the weights into another PyTorch model: the reverse of `load_torch_weights`.

        Args:
            target: A torch module, which gets the values; or its `state_dict` or the path of its checkpoint.
            mapping: As in `load_torch_weights`.

        Returns:
            A `state_dict` with the names of `target` and the values of this model.
        """
        return export_torch_weights(self, target, mapping)

    def quantize(self, mode=None, config=None, filters=None, **kwargs):
        """Make the matrices of all layers that can do it integers of few bits; see `Dense.quantize`.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"` (through torchao, for training), or `"gptq"` or `"awq"`,
                which choose the integers by data that flow through the model.
            config: A `keras.quantizers.QuantizationConfig` with more settings; needed for the last two.
            filters: Which layers: a regular expression, or a list of them, that is searched in their
                names; or
                a function of a layer.
            **kwargs: `type_check=False` also quantizes subclasses of layers.

        Raises:
            ValueError: a model that is not built, an unknown or contradictory mode, unknown arguments; for
                `"gptq"` and `"awq"`, no data, no tokenizer, no blocks. Data that GPTQ cannot use raise at
                the block concerned; those before it are quantized then.

        Source: Keras 3 `Model.quantize`. Differs from Keras: layers without `quantize` are passed over in
        silence, subclasses of those that have it with a warning. `"gptq"` and `"awq"` see the data, which
        never reach the layers in Keras 3.15.1, and leave layers outside the blocks as they are, where Keras
        gives them integers that mean nothing.
        """
        quantize_model(self, mode, config, filters, **kwargs)

    def get_quantization_layer_structure(self, mode):
        """Return the blocks that `quantize("gptq")` and `quantize("awq")` go through; subclasses tell.

        Args:
            mode: `"gptq"` or `"awq"`.

        Returns:
            `None`, or a dict as `GPTQConfig(quantization_layer_structure=)` takes it.

        Source: Keras 3 `Model.get_quantization_layer_structure`.
        """
        return None

    def to_json(self, **kwargs):
        """Return layers and training configuration as JSON, for `models.model_from_json`.

        Args:
            **kwargs: Passed on to `json.dumps`.
        """
        return model_to_json(self, **kwargs)

    def get_state_tree(self, value_format="backend_tensor"):
        """Return the values of weights, optimizer and metrics as dicts nested by their paths.

        Args:
            value_format: `"backend_tensor"` for torch tensors, `"numpy_array"` for copies.

        Raises:
            ValueError: an unknown format; two variables of one path.

        Source: Keras 3 `Model.get_state_tree`.
        """
        return state_tree.state_tree(self, value_format)

    def set_state_tree(self, state_tree_values):
        """Give weights, optimizer and metrics the values in what `get_state_tree` returned, or in a part
        of it.

        Raises:
            ValueError: a part or path there is not; nothing is changed then.
        """
        state_tree.set_state_tree(self, state_tree_values)

    @classmethod
    def from_module(cls, module, outputs=None, name=None):
        """Return a model that is any torch module: `compile`, `fit`, `evaluate`, `predict`, `summary`.

        The module stays what it is. Its parameters and modules are the model's, under the module's own keys
        in `state_dict`, and its mode follows the model's.

        Args:
            module: The module. A dict of inputs goes to the parameters of `forward` by name (as it is, where
                there is one parameter alone), a list or tuple by position.
            outputs: Which outputs of the module are the model's: the name of a field or key, an index, or a
                function of what it returns. `None`: all of them; of a dataclass, as transformers' models
                return, a dict of its tensors.
            name: Name of the model; by default that of the module's class.

        Raises:
            TypeError: `module` is no torch module, or is a Keras layer already.
        """
        return ModuleModel(module, outputs, name)

    def to_torch(self, input_signature=None):
        """Return an `nn.Module` of torch's classes alone with the same numbers; see `export.to_torch`."""
        return to_torch(self, input_signature)

    def to_source(self, path, weights="pt", keys="short", input_signature=None):
        """Write the model as a Python file that imports torch alone; see `export.to_source`."""
        to_source(self, path, weights, keys, input_signature)

    def export(self, filepath, format=None, verbose=None, input_signature=None, verify=False, **kwargs):
        """Write the model for running without Python or training; see `export.export_model`."""
        sharding.refuse(self, "export")
        written_once(export_model)(self, filepath, format, verbose, input_signature, verify, **kwargs)

    def get_config(self):
        """Return the layers and their calls as plain values; of a subclass with a constructor of its own,
        the arguments.

        Raises:
            TypeError: a graph with calls of plain torch functions or modules; an argument that cannot be
                written.
        """
        if self._recording is None or not self.takes_tensors:
            return super().get_config()
        return graph_config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the model that `get_config` described, with new weights.

        Args:
            config: What `get_config` returned.
            custom_objects: Mapping of names to classes that are not public and not registered.
        """
        with CustomObjectScope(custom_objects), outermost(config, custom_objects):
            if "input_layers" not in config:
                return super().from_config(config)
            inputs, outputs = tensors_from_config(config)
        given = {key: value for key, value in config.items() if key not in GRAPH_KEYS}
        if not config.get("trainable", True):
            given["trainable"] = False
        return cls(inputs=inputs, outputs=outputs, name=config.get("name"), **given)

    def __getstate__(self):
        state = super().__getstate__()
        for key in ("_graph_module", "_generated", "_batch_step", "_compiled_steps", "_direct"):
            state.pop(key, None)
        state["_keys"] = [(self._modules[key], key) for key in self._keys.values()]
        if self._recording is not None:
            state["_recording"] = graph_model.flatten_recording(self._recording)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__["_keys"] = keys = {id(module): key for module, key in self._keys}
        flat = self.__dict__.get("_recording")
        if flat is not None:
            graph_model.restore(self, *graph_model.restore_recording(flat), keys)


class Functional(Model):
    """A model made from symbolic inputs and outputs (what `Model(inputs, outputs)` returns)."""

    keeps_arguments = False
    takes_tensors = True


class ModuleModel(ModuleCalls, Model):  # type: ignore[misc]
    """A model that is a torch module (what `Model.from_module` returns)."""


def _is_graph(args, kwargs):
    return (
        len(args) >= 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


def _hands_tensors_on(cls, args, kwargs):
    """Whether the constructor of `cls` takes inputs and outputs among `*args, **kwargs`."""
    kinds = [one.kind for one in inspect.signature(cls.__init__).parameters.values()][1:]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        return False
    if not args:
        return True
    return kinds[0] is inspect.Parameter.VAR_POSITIONAL and any_symbolic(args[:2])


def _graph_arguments(args, kwargs):
    args = list(args)
    inputs = args.pop(0) if args else kwargs.pop("inputs")
    outputs = args.pop(0) if args else kwargs.pop("outputs")
    if args:
        kwargs["name"] = args.pop(0)
    return inputs, outputs


def _own_layers(model):
    collecting.weights(model)  # brings members of lists up to date
    return list({id(child): child for child in model._modules.values() if child is not None}.values())


def _tensors_of(shape, dtype):
    if isinstance(shape, dict):
        return {key: _tensors_of(value, dtype) for key, value in shape.items()}
    if shape and not isinstance(shape[0], (int, type(None))):
        return type(shape)(_tensors_of(part, dtype) for part in shape)
    spec = TensorSpec(tuple(shape), dtype)
    tensor = KerasTensor(spec.shape, spec.dtype)
    tensor.call = Call(nn.Identity(), (), {}, tensor.name, is_input=True)
    return tensor
