"""What a symbolic tensor is computed from."""

from torchkeras_lite.engine.keras_tensor import is_symbolic


def get_source_inputs(tensor):
    """Return the inputs from which a symbolic tensor is computed, in the order of their making.

    What is no symbolic tensor comes back as it is.

    Source: Keras 3 `keras.utils.get_source_inputs`.
    """
    if not is_symbolic(tensor):
        return tensor
    found, waiting, seen = [], [tensor], set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current.call is None or current.call.is_input:
            found.append(current)
        else:
            waiting.extend(reversed(current.call.inputs))
    return sorted(found, key=lambda source: -1 if source.call is None else source.call.number)
