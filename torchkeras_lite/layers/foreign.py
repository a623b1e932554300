"""Layers that stand for another framework in Keras: they say what to use here."""

from torchkeras_lite.engine.layer import Layer


class JaxLayer(Layer):
    """Keras's wrapper of JAX functions, which needs JAX: making one raises an error.

    Args:
        call_fn, init_fn, params, state, seed, native_serialization_platforms, **kwargs: As in Keras.

    Raises:
        NotImplementedError: always.

    Source: Keras 3 `keras.layers.JaxLayer`. Differs from Keras: torch cannot run it.
    """

    def __init__(
        self,
        call_fn,
        init_fn=None,
        params=None,
        state=None,
        seed=None,
        native_serialization_platforms=None,
        **kwargs,
    ):
        raise NotImplementedError(
            "JaxLayer: a JAX function cannot run inside torch. Write the function with torch or `keras.ops`, "
            "and put it in the `call` of a `Layer` (weights: `add_weight`) or in a `Lambda`."
        )


class FlaxLayer(JaxLayer):
    """Keras's wrapper of Flax modules, which needs JAX: making one raises an error.

    Args:
        module, method, variables, **kwargs: As in Keras.

    Raises:
        NotImplementedError: always.

    Source: Keras 3 `keras.layers.FlaxLayer`. Differs from Keras: torch cannot run it.
    """

    def __init__(self, module, method=None, variables=None, **kwargs):
        raise NotImplementedError(
            "FlaxLayer: a Flax module cannot run inside torch. Use the same architecture as a torch module "
            "(any `nn.Module` is a layer here, or wrap it as `layers.TorchModuleWrapper(module)`), and copy "
            "its arrays into the module's `state_dict()`."
        )


class TFSMLayer(Layer):
    """Keras's reader of TensorFlow SavedModels, which needs TensorFlow: making one raises an error.

    Args:
        filepath, call_endpoint, call_training_endpoint, trainable, name, dtype: As in Keras.

    Raises:
        NotImplementedError: always.

    Source: Keras 3 `keras.layers.TFSMLayer`. Differs from Keras: torch cannot run it.
    """

    def __init__(
        self,
        filepath,
        call_endpoint="serve",
        call_training_endpoint=None,
        trainable=True,
        name=None,
        dtype=None,
    ):
        raise NotImplementedError(
            f"TFSMLayer: the SavedModel {filepath!r} holds TensorFlow graphs, which torch cannot run. "
            "Where the "
            "model was made, save it with `model.save('model.keras')` or `.h5` and read that with "
            "`saving.load_model`; or convert it to ONNX (`tf2onnx`) and run it with `onnxruntime`."
        )
