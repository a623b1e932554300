"""Methods of layers that Keras 2 had: `get_output_at(0)` and its like."""

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.old_names import tell


class OldLayerMethods:
    """What `Layer` had in Keras 2. Each tells, once, what to write today."""

    def get_input_at(self, node_index):
        """Return the symbolic input of the call number `node_index`."""
        return self._call_at("get_input_at", "input", node_index).inputs_structure

    def get_output_at(self, node_index):
        """Return the symbolic output of the call number `node_index`."""
        return self._call_at("get_output_at", "output", node_index).outputs

    def get_input_shape_at(self, node_index):
        """Return the shape of the input of the call number `node_index`."""
        call = self._call_at("get_input_shape_at", "input_shape", node_index)
        return nested.map_structure(lambda tensor: tensor.shape, call.inputs_structure)

    def get_output_shape_at(self, node_index):
        """Return the shape of the output of the call number `node_index`."""
        call = self._call_at("get_output_shape_at", "output_shape", node_index)
        return nested.map_structure(lambda tensor: tensor.shape, call.outputs)

    def add_variable(self, *args, **kwargs):
        """Make a weight: `add_weight`."""
        tell("`Layer.add_variable`", "write `add_weight`")
        return self.add_weight(*args, **kwargs)

    def add_update(self, *args, **kwargs):
        """Do nothing: assignments in `call` happen there and then."""
        tell("`Layer.add_update`", "leave it out, assignments in `call` happen at once")

    def add_metric(self, value, *args, **kwargs):
        """Raise an error that tells how metrics of a layer are made.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"{describe(self)}: `add_metric` is of Keras 2. Instead, make a `metrics.Mean(name=...)` in "
            "`__init__`, keep it as an attribute, and call its `update_state(value)` in `call`."
        )

    def _call_at(self, method, attribute, index):
        tell(f"`Layer.{method}`", f"write `layer.{attribute}`, or keep the tensor that the call returned")
        if not 0 <= index < len(self._calls):
            raise ValueError(
                f"{describe(self)}: `{method}({index})` asks for a symbolic call that was not made; there "
                f"are {len(self._calls)}."
            )
        return self._calls[index]
