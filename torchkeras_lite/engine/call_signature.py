"""What a layer's `call` takes: which arguments are tensors, and whether it wants `training` and masks."""

import functools
import inspect

_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CallSignature:
    """The parameters of a `call` function, read once a class.

    Args:
        function: The unbound `call`.
    """

    def __init__(self, function):
        parameters = list(inspect.signature(function).parameters.values())[1:]
        self.names = [p.name for p in parameters if p.kind in _KINDS]
        self.keywords = {p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL}
        self.takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        self.defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
        self.has_training = "training" in self.keywords
        self.training_index = self.names.index("training") if "training" in self.names else None
        self.training_default = self.defaults.get("training")
        tensors = [
            name for name in self.names if name not in ("training", "mask") and not name.endswith("_mask")
        ]
        self.first = tensors[0] if tensors else None
        self.masks = {}
        for name in tensors:
            mask = "mask" if name == self.first and "mask" in self.keywords else f"{name}_mask"
            if mask in self.keywords:
                self.masks[name] = mask

    def bind(self, args, kwargs):
        """Return the arguments by name, as far as they have names."""
        return {**dict(zip(self.names, args, strict=False)), **kwargs}

    def first_argument(self, args, kwargs):
        """Return the value of the first argument, or `None`."""
        if args:
            return args[0]
        return kwargs.get(self.first)


@functools.lru_cache(maxsize=256)
def signature_of(function):
    """Return the `CallSignature` of a method such as `build`, read once."""
    return CallSignature(function)
