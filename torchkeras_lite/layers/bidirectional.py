"""`Bidirectional`: a recurrent layer and its mirror image."""

import torch

from torchkeras_lite.base.checks import describe
from torchkeras_lite.base.nested import flatten
from torchkeras_lite.engine.auto_config import serialize_argument
from torchkeras_lite.engine.layer import Layer

__all__ = ["Bidirectional"]

MERGES = {
    "concat": lambda forward, backward: torch.cat((forward, backward), -1),
    "sum": torch.add,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "mul": torch.mul,
}
SHARED = ("stateful", "return_sequences", "return_state")


class Bidirectional(Layer):
    """Runs a recurrent layer over the sequences in both directions and joins the outputs.

    Args:
        layer: A recurrent layer (`RNN`, `LSTM`, ...). It is made anew from its config as `forward_<name>`,
            kept as `self.forward_layer`.
        merge_mode: `"concat"`, `"sum"`, `"ave"` (mean), `"mul"`, or `None`: both outputs are returned.
        weights: Initial values of all weights, a list of arrays in the order of `get_weights()`.
        backward_layer: The layer for the other direction, with the other `go_backwards`; by default made
            from the config of `layer` as `backward_<name>`. Kept as `self.backward_layer`.

    Called as `layer(sequences, initial_state=None, mask=None, training=None)`; the first half of
    `initial_state` is the forward layer's. With `return_sequences`, outputs of masked steps are 0.

    Shapes:
        input `(batch, steps, features)` -> the layer's output, twice its size when concatenated; with
            `return_state` followed by the forward and then the backward states

    Raises:
        TypeError: `layer` is no recurrent layer.
        ValueError: an unknown `merge_mode`; layers of the same direction, or that return different things;
            an odd number of initial states.

    Source: Keras 3 `keras.layers.Bidirectional`; Schuster and Paliwal 1997. Differs from torch: two layers
    with weights of their own names, where `nn.LSTM(bidirectional=True)` has one module for both.
    """

    creates_masks = False

    watches_mode = False

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        super().__init__(**kwargs)
        for one in (layer, backward_layer):
            if one is not None:
                self._check_layer(one)
        if merge_mode is not None and merge_mode not in MERGES:
            raise ValueError(
                f"{describe(self)}: Invalid merge mode. Received: {merge_mode}. Merge mode should be one of "
                '{"sum", "mul", "ave", "concat", None}'
            )
        self.merge_mode = merge_mode
        name = layer.name.removeprefix("forward_")
        self.forward_layer = remade(layer, f"forward_{name}")
        if backward_layer is None:
            backward_layer = remade(layer, f"backward_{name}", go_backwards=True)
        self.backward_layer = backward_layer
        self._check_pair()
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        self.supports_masking = True
        self._initial_weights = weights
        for one in (self.forward_layer, self.backward_layer):
            if self.return_sequences and hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = True

    def _check_layer(self, layer):
        if not isinstance(layer, Layer) or not all(hasattr(layer, n) for n in (*SHARED, "go_backwards")):
            raise TypeError(
                f"{describe(self)}: expected a recurrent layer with `go_backwards`, `return_sequences`, "
                f"`return_state` and `stateful`, got {layer!r}. Pass a layer such as `LSTM(units)`."
            )

    def _check_pair(self):
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"{describe(self)}: Forward layer and backward layer should have different `go_backwards` "
                f"value. Received: forward_layer.go_backwards {forward.go_backwards}, "
                f"backward_layer.go_backwards={backward.go_backwards}"
            )
        for name in SHARED:
            mine, other = getattr(forward, name), getattr(backward, name)
            if mine != other:
                raise ValueError(
                    f"{describe(self)}: Forward layer and backward layer are expected to have the same "
                    f'value for attribute "{name}", got "{mine}" for forward layer and "{other}" for '
                    "backward layer"
                )

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        config["merge_mode"] = self.merge_mode
        config["layer"] = serialize_argument(self.forward_layer)
        config["backward_layer"] = serialize_argument(self.backward_layer)
        return config

    @property
    def states(self):
        """The states kept for the next batch, with `stateful`: the forward layer's first; else `None`."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self):
        """Set the states that `stateful` keeps to 0."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self):
        """Alias of `reset_state`."""
        self.reset_state()

    def build(self, sequences_shape, initial_state_shape=None):
        """Build both layers."""
        for one in (self.forward_layer, self.backward_layer):
            if not one.built:
                one.build(sequences_shape)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """Return the shapes of the outputs and states for that of the sequences."""
        forward, *forward_states = _as_list(self.forward_layer.compute_output_shape(sequences_shape), self)
        backward, *backward_states = _as_list(self.backward_layer.compute_output_shape(sequences_shape), self)
        if self.merge_mode is None:
            outputs = (forward, backward)
        elif self.merge_mode == "concat":
            outputs = ((*forward[:-1], forward[-1] + backward[-1]),)
        else:
            outputs = (forward,)
        outputs = (*outputs, *forward_states, *backward_states)
        return outputs if len(outputs) > 1 else outputs[0]

    def compute_mask(self, sequences, previous_mask):
        """Return the masks of the outputs: the input's with `return_sequences`, none for states."""
        mask = flatten(previous_mask)[0] if self.return_sequences else None
        masks = (mask,) if self.merge_mode is not None else (mask, mask)
        if self.return_state:
            states = 2 * len(self.forward_layer.state_size)
            return (*masks, *(None,) * states)
        return masks if self.merge_mode is None else mask

    def call(self, sequences, initial_state=None, mask=None, training=None):
        """Run both layers and join what they return."""
        first, second = self._halves(initial_state)
        mask = flatten(mask)[0]
        forward, *forward_states = _as_list(self._run_one(self.forward_layer, sequences, first, mask), self)
        backward, *backward_states = _as_list(
            self._run_one(self.backward_layer, sequences, second, mask), self
        )
        if self.return_sequences:
            backward = backward.flip(1)
        if self.merge_mode is None:
            outputs = (forward, backward)
        else:
            outputs = (MERGES[self.merge_mode](forward, backward),)
        outputs = (*outputs, *forward_states, *backward_states)
        return outputs if len(outputs) > 1 else outputs[0]

    def _halves(self, initial_state):
        if initial_state is None:
            return None, None
        states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        if len(states) % 2:
            raise ValueError(
                f"{describe(self)}: expected an even number of initial states, the forward layer's and then "
                f"the backward layer's, got {len(states)}."
            )
        half = len(states) // 2
        return states[:half], states[half:]

    def _run_one(self, layer, sequences, states, mask):
        kwargs = {} if mask is None else {"mask": mask}
        if states is not None:
            kwargs["initial_state"] = states
        return layer(sequences, **kwargs)


def remade(layer, name, **changes):
    """Return a new layer from the config of `layer`, under another name and with `changes`."""
    made = type(layer).from_config({**layer.get_config(), "name": name, **changes})
    if hasattr(layer, "use_cudnn"):  # not in the config: it belongs to the machine
        made.use_cudnn = layer.use_cudnn
    return made


def _as_list(outputs, owner):
    """Return what a layer returned as a list, output first, also where it returns no states."""
    return list(outputs) if owner.return_state else [outputs]
