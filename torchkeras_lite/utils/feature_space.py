"""FeatureSpace: how each column of structured data becomes numbers, in one object."""

import torch

from torchkeras_lite import layers
from torchkeras_lite.base import dtypes, naming, nested, registry, text
from torchkeras_lite.base.checks import describe, one_of, suggestion
from torchkeras_lite.base.serialization import deserialize_keras_object, serialize_keras_object
from torchkeras_lite.engine.keras_tensor import KerasTensor, any_symbolic
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.layers.preprocessing import read_array
from torchkeras_lite.saving.model_files import save_model

KERAS_FILE = "keras.src.layers.preprocessing.feature_space"


class TFDIdentity(layers.Identity):
    """The preprocessor of floats that stay as they are, under the name that Keras writes into files."""


class TFDConcat(layers.Concatenate):
    """What puts encoded columns beside each other, under the name that Keras writes into files."""


class Feature:
    """How one column is read, preprocessed and encoded.

    Args:
        dtype: Dtype of the column, `"string"` for text.
        preprocessor: Layer that makes numbers of it.
        output_mode: `"int"`: what the preprocessor gives, integers; `"one_hot"`: these as one-hot rows;
            `"float"`: what the preprocessor gives, floats.
    """

    def __init__(self, dtype, preprocessor, output_mode):
        one_of("FeatureSpace.feature", "output_mode", output_mode, ("int", "one_hot", "float"))
        self.dtype = dtype
        self.preprocessor = (
            deserialize_keras_object(preprocessor) if isinstance(preprocessor, dict) else preprocessor
        )
        self.output_mode = output_mode

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "dtype": self.dtype,
            "preprocessor": serialize_keras_object(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config):
        """Return the feature that `get_config` described."""
        return cls(**config)


class Cross:
    """A combination of features, hashed into a fixed number of buckets.

    Args:
        feature_names: Names of the features.
        crossing_dim: Number of buckets.
        output_mode: `"int"` or `"one_hot"`.
    """

    def __init__(self, feature_names, crossing_dim, output_mode="one_hot"):
        one_of("FeatureSpace.cross", "output_mode", output_mode, ("int", "one_hot"))
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self):
        """The names of the features, joined by `_X_`."""
        return "_X_".join(self.feature_names)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config):
        """Return the cross that `get_config` described."""
        return cls(**config)


class FeatureSpace(Layer):
    """Preprocesses and encodes the columns of structured data.

    Called on a dict of columns (arrays, tensors, lists, or the single values of one sample), it returns one
    matrix, or a dict of encoded columns. What preprocessors must learn, `adapt` learns in one pass.

    Args:
        features: Dict of names to features: `FeatureSpace.float_normalized()` and the other static methods,
            or their names as strings: `"float"`, `"float_rescaled"`, `"float_normalized"`,
            `"float_discretized"`, `"integer_categorical"`, `"integer_hashed"`, `"string_categorical"`,
            `"string_hashed"`.
        output_mode: `"concat"`: one matrix, the columns in the order of their names, then the crosses;
            `"dict"`.
        crosses: List of tuples of names, or of `FeatureSpace.cross(...)`.
        crossing_dim: Number of buckets of crosses given as tuples.
        hashing_dim: Number of buckets of `"integer_hashed"` and `"string_hashed"`.
        num_discretization_bins: Number of bins of `"float_discretized"`.
        name: Name, an automatic one when not given.

    Raises:
        ValueError: no features, an unknown kind or mode, a cross of unknown features; a call before `adapt`;
            a column that is missing, or not encoded in `"concat"` mode.

    Source: Keras 3 `keras.utils.FeatureSpace`. Differs: `adapt` and calls also take lists, arrays,
    `DataLoader`s and generators of dicts.
    """

    def __init__(
        self,
        features,
        output_mode="concat",
        crosses=None,
        crossing_dim=32,
        hashing_dim=32,
        num_discretization_bins=32,
        name=None,
    ):
        super().__init__(name=name)
        if not features:
            raise ValueError(f"{describe(self)}: the `features` argument cannot be None or empty.")
        if output_mode not in ("concat", "dict"):
            raise ValueError(
                f"{describe(self)}: Invalid value for argument `output_mode`. Expected one of 'concat', "
                f"'dict', got output_mode={output_mode!r}."
            )
        self.output_mode = output_mode
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {name: self._feature(name, value) for name, value in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name) for cross in self.crosses
        }
        self.concat = TFDConcat(axis=-1)
        self.__dict__.update(_encoders={}, _symbols=None, _is_adapted=not self._learners())

    def _feature(self, name, value):
        if isinstance(value, dict):
            return deserialize_keras_object(value)
        if isinstance(value, Feature):
            return value
        kinds = {
            "float": {},
            "float_rescaled": {},
            "float_normalized": {},
            "float_discretized": {"num_bins": self.num_discretization_bins},
            "integer_categorical": {},
            "string_categorical": {},
            "integer_hashed": {"num_bins": self.hashing_dim},
            "string_hashed": {"num_bins": self.hashing_dim},
        }
        if not isinstance(value, str) or value not in kinds:
            raise ValueError(
                f"{describe(self)}: Invalid feature type: {value!r} for '{name}'{suggestion(value, kinds)} "
                f"Known: {', '.join(kinds)}."
            )
        return getattr(type(self), value)(name=name, **kinds[value])

    def _cross(self, value):
        if isinstance(value, dict):
            cross = deserialize_keras_object(value)
        elif isinstance(value, Cross):
            cross = value
        else:
            if not self.crossing_dim:
                raise ValueError(
                    f"{describe(self)}: When specifying `crosses`, the argument `crossing_dim` (number of "
                    "buckets) must be specified as well."
                )
            cross = Cross(value, self.crossing_dim)
        unknown = [name for name in cross.feature_names if name not in self.features]
        if unknown:
            raise ValueError(
                f"{describe(self)}: All features referenced in the `crosses` argument should be present in "
                f"the `features` dict. Received unknown features: {', '.join(unknown)}"
                f"{suggestion(unknown[0], self.features)}"
            )
        return cross

    @classmethod
    def cross(cls, feature_names, crossing_dim, output_mode="one_hot"):
        """Return the combination of the features `feature_names`, in `crossing_dim` buckets."""
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype, preprocessor, output_mode):
        """Return a feature with a layer of one's own; see `Feature` for the arguments."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name=None):
        """Return a feature of floats that stay as they are."""
        return Feature("float32", TFDIdentity(name=_layer_name(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale=1.0, offset=0.0, name=None):
        """Return a feature of floats, multiplied by `scale` and shifted by `offset`."""
        layer = layers.Rescaling(scale=scale, offset=offset, name=_layer_name(name, "float_rescaled"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name=None):
        """Return a feature of floats, brought to mean 0 and variance 1."""
        layer = layers.Normalization(axis=-1, name=_layer_name(name, "float_normalized"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_discretized(cls, num_bins, bin_boundaries=None, output_mode="one_hot", name=None):
        """Return a feature of floats by the bins they lie in, given or learned; see `Discretization`."""
        layer = layers.Discretization(
            num_bins=num_bins if bin_boundaries is None else None,
            bin_boundaries=bin_boundaries,
            name=_layer_name(name, "float_discretized"),
        )
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None):
        """Return a feature of integers by their numbers in a learned vocabulary; see `IntegerLookup`."""
        layer = layers.IntegerLookup(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            name=_layer_name(name, "integer_categorical"),
        )
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None):
        """Return a feature of strings by their numbers in a learned vocabulary; see `StringLookup`."""
        layer = layers.StringLookup(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            name=_layer_name(name, "string_categorical"),
        )
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Return a feature of strings in `num_bins` buckets; see `Hashing`."""
        return Feature(
            "string", layers.Hashing(num_bins, name=_layer_name(name, "string_hashed")), output_mode
        )

    @classmethod
    def integer_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Return a feature of integers in `num_bins` buckets; see `Hashing`."""
        return Feature(
            "int32", layers.Hashing(num_bins, name=_layer_name(name, "integer_hashed")), output_mode
        )

    def _learners(self):
        """Return the preprocessors that learn from data, by name; a given state is not learned."""
        return {
            name: layer
            for name, layer in self.preprocessors.items()
            if hasattr(layer, "update_state") and getattr(layer, "learns", True)
        }

    def adapt(self, dataset):
        """Let the preprocessors learn what they must, in one pass over the data.

        Args:
            dataset: A dict of columns, or an iterable of such dicts, single samples or batches; of `(x, y)`
                only `x` counts.

        Raises:
            ValueError: something else.
        """
        learners = self._learners()
        for layer in learners.values():
            layer.reset_state()
        for data in self._dicts(dataset):
            for name, layer in learners.items():
                self._refuse_missing(data)
                layer.update_state(self._column(name, data[name])[0])
        for layer in learners.values():
            layer.finalize_state()
        self.__dict__.update(_encoders={}, _symbols=None, _is_adapted=True)
        self.built = True

    def _dicts(self, dataset):
        if isinstance(dataset, dict):
            return [dataset]
        if hasattr(dataset, "as_numpy_iterator"):
            dataset = dataset.as_numpy_iterator()
        elif not hasattr(dataset, "__iter__") and hasattr(dataset, "__getitem__"):
            dataset = (dataset[index] for index in range(len(dataset)))
        elements = dataset if hasattr(dataset, "__iter__") else [dataset]
        return (self._checked(one[0] if isinstance(one, (list, tuple)) else one) for one in elements)

    def _checked(self, data):
        if not isinstance(data, dict):
            raise ValueError(
                f"{describe(self)}: expected a dict of columns, or an iterable of such dicts; got {data!r} "
                f"of type {type(data).__name__}."
            )
        return data

    def _refuse_missing(self, data):
        missing = [name for name in self.features if name not in data]
        if missing:
            raise ValueError(
                f"{describe(self)}: the data lacks the features {missing}; it has {sorted(map(str, data))}. "
                "Pass a column for each feature."
            )

    def _column(self, name, value):
        """Return a column with an axis for its values, in its dtype, and whether it is one value."""
        feature = self.features[name]
        value = read_array(self, value, self._own_device())
        if isinstance(value, torch.Tensor) and feature.dtype != "string":
            value = value.to(dtypes.torch_dtype(feature.dtype))
        is_sample = value.ndim == 0
        if is_sample:
            return value.reshape(1, 1), True
        return value[:, None] if value.ndim == 1 else value, False

    def _require_adapted(self):
        if not self._is_adapted:
            raise ValueError(
                f"{describe(self)}: You need to call `.adapt(dataset)` on the FeatureSpace before you can "
                "start using it."
            )

    def __call__(self, data):
        """Preprocess and encode a dict of columns, or of the values of one sample."""
        self._require_adapted()
        self._refuse_missing(self._checked(data))
        if any_symbolic(data):
            return super().__call__(data)
        columns = {name: self._column(name, data[name]) for name in self.features}
        outputs = super().__call__({name: value for name, (value, _) in columns.items()})
        if not all(is_sample for _, is_sample in columns.values()):
            return outputs
        return nested.map_structure(lambda tensor: tensor[0], outputs)

    def call(self, data):
        """Preprocess, cross, encode, and put together."""
        found = {name: self.preprocessors[name](data[name]) for name in sorted(self.features)}
        crossed = {
            cross.name: self.crossers[cross.name]([found[name] for name in cross.feature_names])
            for cross in sorted(self.crosses, key=lambda cross: cross.name)
        }
        modes = {name: feature.output_mode for name, feature in self.features.items()}
        modes |= {cross.name: cross.output_mode for cross in self.crosses}
        encoded = {
            name: self._encoder(name)(value) if modes[name] == "one_hot" else value
            for name, value in (found | crossed).items()
        }
        if self.output_mode == "dict":
            return encoded
        for name, value in encoded.items():
            dtype = "string" if text.is_text(value) else dtypes.standardize_dtype(value.dtype)
            if dtype == "string" or not dtypes.is_float(dtype):
                raise ValueError(
                    f"{describe(self)}: Cannot concatenate features because feature '{name}' has not been "
                    f"encoded (it has dtype {dtype}). Consider using `output_mode='dict'`."
                )
        parts = list(encoded.values())
        return parts[0] if len(parts) == 1 else self.concat(parts)

    def _encoder(self, name):
        """Return the layer that makes one-hot rows of a feature or cross."""
        if name not in self._encoders:
            layer = self.preprocessors.get(name) or self.crossers[name]
            if hasattr(layer, "vocabulary_size"):
                depth = layer.vocabulary_size()
            elif isinstance(layer, layers.Discretization):
                depth = layer.num_bins or len(layer.bin_boundaries) + 1
            elif hasattr(layer, "num_bins"):
                depth = layer.num_bins
            else:
                raise ValueError(
                    f"{describe(self)}: feature '{name}' cannot be one-hot encoded, because the number of "
                    f"values that {type(layer).__name__} gives is not known. Use output_mode='float' or "
                    "'int'."
                )
            self._encoders[name] = layers.CategoryEncoding(depth, output_mode="multi_hot")
        return self._encoders[name]

    def get_inputs(self):
        """Return the symbolic inputs of a model that takes raw columns, a dict by name."""
        self._require_adapted()
        return self._symbolic()[0]

    def get_encoded_features(self):
        """Return the symbolic outputs for `get_inputs()`: what a model goes on with."""
        self._require_adapted()
        return self._symbolic()[1]

    def _symbolic(self):
        if self._symbols is None:
            inputs = {
                name: layers.Input((1,), dtype=feature.dtype, name=name)
                for name, feature in self.features.items()
            }
            self.__dict__["_symbols"] = inputs, self.call(inputs)
        return self._symbols

    def compute_output_spec(self, data):
        """Return the symbolic outputs for a dict of symbolic inputs."""
        outputs = self.call(data)
        return nested.map_structure(lambda t: KerasTensor(t.shape, t.dtype), outputs)

    def get_config(self):
        """Return the constructor's arguments; what was learned is kept in files."""
        return {
            "features": serialize_keras_object(self.features),
            "output_mode": self.output_mode,
            "crosses": serialize_keras_object(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config):
        """Return the feature space that `get_config` described."""
        return cls(**config)

    def get_build_config(self):
        """Return the build configs of the preprocessors by name; `None` before `adapt`."""
        if not self._is_adapted:
            return None
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config):
        """Build the preprocessors of a feature space that was adapted when it was written."""
        for name, layer in self.preprocessors.items():
            layer.build_from_config(config.get(name))
        self.__dict__["_is_adapted"] = True
        self.built = True

    def save(self, filepath):
        """Write the feature space, with what it learned, to a `.keras` file; see `saving.save_model`."""
        save_model(self, filepath)

    def __getstate__(self):
        return {**super().__getstate__(), "_symbols": None}


def _layer_name(name, kind):
    return f"{name or naming.unique_name(kind)}_preprocessor"


for _class in (Feature, Cross, TFDIdentity, TFDConcat):
    registry.publish_as(KERAS_FILE, _class)
registry.publish("utils", {"FeatureSpace": FeatureSpace})
