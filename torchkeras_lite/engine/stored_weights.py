"""What a layer keeps in a file: its own weights, numbered, in Keras's order and layouts."""

import torch

from torchkeras_lite.engine import collecting


def check_stored(layer, weights, shapes):
    """Raise where what is stored for a layer does not fit its own weights.

    Args:
        layer: The layer.
        weights: Its own weights, or whatever else has a path and a shape.
        shapes: The stored shapes by key.

    Raises:
        ValueError: another number of weights, or another shape; the text names the layer and both.
    """
    if len(shapes) != len(weights):
        if not weights and not layer.built:
            raise ValueError(
                f"Layer '{layer.name}' was never built and thus it doesn't have any variables. However the "
                f"weights file lists {len(shapes)} variables for this layer. Its parent's `build()` "
                "must build "
                "it, or the layer must have a `build_from_config(config)` that does."
            )
        names = [getattr(weight, "name", "?") for weight in weights]
        raise ValueError(
            f"Layer '{layer.name}' expected {len(weights)} variables, but received {len(shapes)} variables "
            f"during loading. Expected: {names}"
        )
    for number, weight in enumerate(weights):
        stored = shapes.get(str(number))
        if stored is None:
            raise ValueError(
                f"Layer '{layer.name}': the file has no variable {number}; it has {sorted(shapes)}."
            )
        if tuple(stored) != tuple(weight.shape):
            raise ValueError(
                f"Layer '{layer.name}': weight '{weight.name}' has shape {tuple(weight.shape)} in the model "
                f"and shape {tuple(stored)} in the file; they must match."
            )


def compared_by(check):
    """Mark a `load_own_variables` whose values can be compared with what is stored before they are read.

    Args:
        check: Function of the thing and the stored shapes by key, which raises a ValueError.
    """

    def mark(method):
        method.compare = check
        return method

    return mark


# Of a `load_own_variables` that reads `stored_weights()` by their numbers, in these shapes.
by_number = compared_by(lambda layer, shapes: check_stored(layer, layer.stored_weights(), shapes))


class StoredWeights:
    """The file side of a layer. See `Layer`."""

    stored_modules: tuple[str, ...] = ()  # torch modules that the layer's own variables include

    def stored_weights(self):
        """Return the weights that a file has as the layer's own variables, in this order."""
        return collecting.own_weights(self)

    def save_own_variables(self, store):
        """Write the layer's own weights into `store`, a mapping of text to arrays; may be overridden."""
        for number, weight in enumerate(self.stored_weights()):
            store[str(number)] = weight

    @by_number
    def load_own_variables(self, store):
        """Read the layer's own weights from `store`; nothing is assigned unless all of them fit.

        Raises:
            ValueError: another number of weights, or another shape.
        """
        weights = self.stored_weights()
        values = {key: store[key] for key in store.keys()}  # noqa: SIM118 - a store need not be a dict
        check_stored(self, weights, {key: value.shape for key, value in values.items()})
        for number, weight in enumerate(weights):
            weight.assign(values[str(number)])


def read_state_dict(module, store):
    """Read the `state_dict` of a torch module from `store`, all of it or nothing.

    Raises:
        ValueError: missing or unknown keys, or another shape.
    """
    values = {key: torch.as_tensor(store[key]) for key in store.keys()}  # noqa: SIM118
    check_state_dict(module, module.state_dict(), {key: value.shape for key, value in values.items()})
    module.load_state_dict(values)


def check_state_dict(module, state, shapes):
    """Raise where stored shapes are not those of `state`, the `state_dict` of `module` or a part of it.

    Raises:
        ValueError: missing or unknown keys, or another shape.
    """
    wrong = [key for key in state if key in shapes and tuple(state[key].shape) != tuple(shapes[key])]
    missing, unknown = [*state.keys() - shapes.keys()], [*shapes.keys() - state.keys()]
    if missing or unknown or wrong:
        listed = [f"'{key}' {tuple(state[key].shape)}, stored {tuple(shapes[key])}" for key in wrong]
        raise ValueError(
            f"{type(module).__name__}: the file does not fit the torch module. Missing: {sorted(missing)}; "
            f"unknown: {sorted(unknown)}; of other shapes: {listed}."
        )
