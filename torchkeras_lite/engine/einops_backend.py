"""einops on symbolic tensors: `rearrange(x, "b h w c -> b (h w) c")` records the torch calls that it makes.

einops asks for a backend by the type of a tensor. Where it has been imported, it is given one for symbolic
tensors: torch's, in which a size that is unknown becomes `-1` where shapes are made of it.
"""

import sys

__all__ = ["offer"]


class Unknown:
    """An unknown size in einops's arithmetic: whatever is made of it is unknown too."""

    def _unknown(self, other):
        return self

    __mul__ = __rmul__ = __floordiv__ = _unknown

    def __hash__(self):
        return hash(Unknown)

    def __eq__(self, other):
        return isinstance(other, Unknown)


UNKNOWN = Unknown()


def offer(kind):
    """Let einops take symbolic tensors of class `kind`, if it has been imported."""
    backends = sys.modules.get("einops._backends")
    if backends is None or kind in backends._type2backend:
        return
    backends._type2backend[kind] = _make(backends.TorchBackend, kind)()


def _reshaped(x, old, new):
    """Return `x` of shape `old` in the shape `new`; axes at both ends that stay may be unknown."""
    sizes = tuple(-1 if isinstance(size, Unknown) else size for size in new)
    if sizes.count(-1) <= 1:
        return x.reshape(sizes)
    shared = min(len(old), len(new))
    first = next((i for i in range(shared) if old[i] != new[i]), shared)
    last = next((i for i in range(shared - first) if old[-1 - i] != new[-1 - i]), shared - first)
    between, wanted = len(old) - last - first, sizes[first : len(sizes) - last]
    if between > 1:
        x = x.flatten(first, first + between - 1)
    return x.unsqueeze(first) if not between else x.unflatten(first, wanted) if len(wanted) > 1 else x


def _make(base, kind):
    class SymbolicBackend(base):
        framework_name = "torchkeras_lite"

        def is_appropriate_type(self, tensor):
            return isinstance(tensor, kind)

        def is_float_type(self, x):
            return "float" in str(x.dtype)

        def shape(self, x):
            return tuple(UNKNOWN if size is None else size for size in x.shape)

        def reshape(self, x, shape):
            return _reshaped(x, self.shape(x), tuple(shape))

        def add_axes(self, x, n_axes, pos2len):
            if any(isinstance(size, Unknown) for size in pos2len.values()):
                raise ValueError("einops: a symbolic tensor cannot be repeated an unknown number of times.")
            sizes = [-1] * n_axes
            for position, size in pos2len.items():
                x, sizes[position] = x.unsqueeze(position), size
            return x.expand(sizes)

    return SymbolicBackend
