"""Members of rooms that Keras 1, Keras 2 and tf.keras had: where what does the same is, or what to do.

`RENAMED` gives places in this package: `"layers.LSTM"`, or a whole room. What is in `GONE` can be imported,
and raises an error when it is used. `GONE_ATTRIBUTES` are those of layers and models. `MODULES` are the
modules inside of rooms, with the room that has what was in them; `""` is the package.
"""

_COUNTED = "write `metrics.{0}()` in `compile(metrics=[...])`"
_LOCAL = (
    "cut windows out with `ops.image.extract_patches`, and multiply them with a weight that has a kernel for "
    "every place (`ops.einsum`); or use a convolution"
)
_READERS = "pass the `utils.PyDataset`, a generator or a torch `Dataset` to `fit`"

RENAMED = {
    "": {
        "experimental": "legacy.experimental",
        "initializations": "initializers",
        "objectives": "losses",
        "premade": "legacy.experimental",
        "premade_models": "legacy.experimental",
    },
    "backend": {"common": "backend", "load_backend": "backend", "tensorflow_backend": "backend"},
    "callbacks": {"experimental": "callbacks"},
    "constraints": {
        "maxnorm": "constraints.MaxNorm",
        "nonneg": "constraints.NonNeg",
        "unitnorm": "constraints.UnitNorm",
    },
    "initializers": {
        "normal": "initializers.RandomNormal",
        "one": "initializers.Ones",
        "uniform": "initializers.RandomUniform",
        "zero": "initializers.Zeros",
    },
    "layers": {
        "AbstractRNNCell": "layers.Layer",
        "AtrousConvolution1D": "layers.Conv1D",
        "AtrousConvolution2D": "legacy.layers.AtrousConvolution2D",
        "CuDNNGRU": "layers.GRU",
        "CuDNNLSTM": "layers.LSTM",
        "Deconvolution2D": "legacy.layers.Deconvolution2D",
        "Deconvolution3D": "legacy.layers.Deconvolution3D",
        "SyncBatchNormalization": "legacy.layers.SyncBatchNormalization",
        "ThresholdedReLU": "legacy.layers.ThresholdedReLU",
        "PreprocessingLayer": "layers.Layer",
        "TimeDistributedDense": "layers.Dense",
        "experimental": "legacy.experimental_layers",
        "merge": "legacy.layers.merge",
    },
    "legacy.experimental": {
        "CosineDecay": "optimizers.schedules.CosineDecay",
        "CosineDecayRestarts": "optimizers.schedules.CosineDecayRestarts",
    },
    "legacy.experimental_layers": {"preprocessing": "layers"},
    "layers.core": {
        "Activation": "layers.Activation",
        "ActivityRegularization": "layers.ActivityRegularization",
        "Dropout": "layers.Dropout",
        "Flatten": "layers.Flatten",
        "Permute": "layers.Permute",
        "RepeatVector": "layers.RepeatVector",
        "Reshape": "layers.Reshape",
        "SpatialDropout1D": "layers.SpatialDropout1D",
        "SpatialDropout2D": "layers.SpatialDropout2D",
        "SpatialDropout3D": "layers.SpatialDropout3D",
        "TimeDistributedDense": "layers.Dense",
    },
    "layers.pooling": {
        "GlobalAveragePooling1D": "layers.GlobalAveragePooling1D",
        "GlobalAveragePooling2D": "layers.GlobalAveragePooling2D",
        "GlobalAveragePooling3D": "layers.GlobalAveragePooling3D",
        "GlobalMaxPooling1D": "layers.GlobalMaxPooling1D",
        "GlobalMaxPooling2D": "layers.GlobalMaxPooling2D",
        "GlobalMaxPooling3D": "layers.GlobalMaxPooling3D",
    },
    "layers.recurrent": {
        "GRU": "layers.GRU",
        "GRUCell": "layers.GRUCell",
        "LSTM": "layers.LSTM",
        "LSTMCell": "layers.LSTMCell",
        "SimpleRNN": "layers.SimpleRNN",
        "SimpleRNNCell": "layers.SimpleRNNCell",
    },
    "losses": {"cosine": "losses.cosine_similarity", "cosine_proximity": "losses.cosine_similarity"},
    "metrics": {
        "KLD": "losses.kl_divergence",
        "MAE": "losses.mean_absolute_error",
        "MAPE": "losses.mean_absolute_percentage_error",
        "MSE": "losses.mean_squared_error",
        "MSLE": "losses.mean_squared_logarithmic_error",
        "cosine": "losses.cosine_similarity",
        "cosine_proximity": "losses.cosine_similarity",
        "kld": "losses.kl_divergence",
        "kullback_leibler_divergence": "losses.kl_divergence",
        "logcosh": "losses.log_cosh",
        "mae": "losses.mean_absolute_error",
        "mape": "losses.mean_absolute_percentage_error",
        "mse": "losses.mean_squared_error",
        "msle": "losses.mean_squared_logarithmic_error",
    },
    "mixed_precision": {"experimental": "mixed_precision", "set_policy": "mixed_precision.set_dtype_policy"},
    "models": {"experimental": "models", "model_from_config": "layers.deserialize"},
    "optimizers": {
        "adadelta_v2": "optimizers",
        "adagrad_v2": "optimizers",
        "adam_v2": "optimizers",
        "adamax_v2": "optimizers",
        "experimental": "optimizers",
        "ftrl_v2": "optimizers",
        "gradient_descent_v2": "optimizers",
        "nadam_v2": "optimizers",
        "rmsprop_v2": "optimizers",
    },
    "optimizers.legacy": {
        "Adadelta": "optimizers.Adadelta",
        "Adamax": "optimizers.Adamax",
        "Nadam": "optimizers.Nadam",
    },
    "regularizers": {
        "WeightRegularizer": "regularizers.L1L2",
        "activity_l1": "regularizers.L1",
        "activity_l1l2": "regularizers.L1L2",
        "activity_l2": "regularizers.L2",
        "l1l2": "regularizers.L1L2",
    },
    "utils": {
        "data_utils": "utils",
        "generic_utils": "utils",
        "layer_utils": "utils",
        "np_utils": "utils",
        "vis_utils": "utils",
    },
    "wrappers": {"scikit_learn": "legacy.scikit_learn"},
}
_REGNET_SIZES = ["002", "004", "006", "008", "016", "032", "040", "064", "080", "120", "160", "320"]
GONE = {
    "": {"estimator": "train with `keras.Model`: `compile` and `fit`"},
    "applications": dict.fromkeys(
        [
            *(f"RegNet{kind}{size}" for kind in "XY" for size in _REGNET_SIZES),
            *(f"ResNetRS{size}" for size in (50, 101, 152, 200, 270, 350, 420)),
        ],
        "take the model of torchvision or timm, with its weights: `Model.from_module` trains it",
    ),
    "callbacks": {"BaseLogger": "leave it out, the logs are averages already"},
    "layers": {
        "CategoryCrossing": "use `layers.HashedCrossing`",
        "ConvRNN2D": "use `layers.ConvLSTM2D`",
        "DenseFeatures": "use `utils.FeatureSpace`",
        "Highway": "write `t * Dense(n, activation='relu')(x) + (1 - t) * x` with `t = Dense(n, "
        "activation='sigmoid', bias_initializer=Constant(-2))(x)`",
        "LocallyConnected1D": _LOCAL,
        "LocallyConnected2D": _LOCAL,
        "MaxoutDense": "write `ops.max(Reshape((k, n))(Dense(k * n)(x)), axis=1)`",
        "Merge": "call `layers.Concatenate()` or `Add()` on symbolic tensors, and make a `Model`",
        "RandomFourierFeatures": "project on random directions with a `Dense(trainable=False)` and take "
        "`ops.cos`",
        "RandomHeight": "use `layers.RandomZoom(height_factor, width_factor=0.0)`, which keeps the size",
        "RandomWidth": "use `layers.RandomZoom(0.0, width_factor=factor)`, which keeps the size",
    },
    "legacy.experimental": {
        "LinearModel": "make a `Model` of a `Dense(1)`",
        "PeepholeLSTMCell": "write a cell as a `Layer` for `layers.RNN`",
        "SequenceFeatures": "use `utils.FeatureSpace`",
        "WideDeepModel": "add the outputs of a linear and a deep `Model`",
    },
    "metrics": {
        "MeanRelativeError": "write a `metrics.MeanMetricWrapper` around a function",
        "MeanTensor": "keep a `metrics.Mean` an element, or average with torch",
        "f1score": _COUNTED.format("F1Score"),
        "fbeta_score": _COUNTED.format("FBetaScore"),
        "fmeasure": _COUNTED.format("F1Score"),
        "precision": _COUNTED.format("Precision"),
        "recall": _COUNTED.format("Recall"),
    },
    "models": {
        "Graph": "make a `Model` of symbolic tensors",
        "SharpnessAwareMinimization": "write a `train_step` that steps to the worse weights first",
        "model_from_yaml": "use `model_from_json` or `load_model`",
    },
    "optimizers": {"TFOptimizer": "pass a torch optimizer to `compile`"},
    "utils": {
        "GeneratorEnqueuer": _READERS,
        "HDF5Matrix": "open the file with h5py: its datasets go into `fit`",
        "OrderedEnqueuer": _READERS,
        "SequenceEnqueuer": _READERS,
        "SidecarEvaluator": "evaluate in a callback, or load the files of `ModelCheckpoint` in another "
        "process",
        "convert_all_kernels_in_model": "leave it out, files of Theano are turned when they are read",
        "multi_gpu_model": "start the script with `torchrun --nproc_per_node=N`: `fit` uses all GPUs",
        "print_summary": "call `model.summary()`",
        "warmstart_embedding_matrix": "copy the rows of the words that stay into a new matrix for "
        "`Embedding(weights=[matrix])`",
        "to_ordinal": "write `(np.arange(num_classes - 1) < y[..., None]).astype('float32')`",
    },
}
MODULES = {
    "applications": {"regnet": "applications", "resnet_rs": "applications"},
    "engine": {
        "base_layer": "layers",
        "input_layer": "layers",
        "sequential": "models",
        "topology": "layers",
        "training": "models",
    },
    "layers": {
        "advanced_activations": "layers",
        "convolutional": "layers",
        "convolutional_recurrent": "layers",
        "cudnn_recurrent": "layers",
        "embeddings": "layers",
        "experimental": "layers",
        "local": "layers",
        "merge": "layers",
        "noise": "layers",
        "normalization": "layers",
        "wrappers": "layers",
    },
    "layers.experimental": {"preprocessing": "layers"},
    "utils": {
        "io_utils": "utils",
        "sidecar_evaluator": "utils",
        "multi_gpu_utils": "utils",
        "training_utils": "utils",
    },
}
GONE_ATTRIBUTES = {
    "W": "read `kernel`",
    "b": "read `bias`",
    "get_losses_for": "read `losses`",
    "get_updates_for": "leave it out, assignments in `call` happen at once",
    "inbound_nodes": "look at `layer.input` and `layer.output`, or at `model.graph_module`",
    "outbound_nodes": "look at `layer.input` and `layer.output`, or at `model.graph_module`",
    "state_updates": "leave it out, assignments in `call` happen at once",
    "total_loss": "use the loss that `fit` logs or `compute_loss` returns",
    "updates": "leave it out, assignments in `call` happen at once",
    "uses_learning_phase": "pass `training=` in the call",
}
