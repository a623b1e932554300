"""Stand-ins for what a model computes while it is written as PyTorch: tensors and sizes without values.

Everything is computed twice on the meta device, with two sizes for every unknown axis, so what differs is
unknown. Beside its two meta tensors, a stand-in knows the text that will give its value in generated code.
"""

import operator

import torch

__all__ = ["CannotWrite", "Size", "Traced"]


class CannotWrite(Exception):
    """Something that generated code cannot say; the text tells what."""


class Traced(torch.Tensor):
    """A tensor of the model that is being traced.

    Where `base` is given, it is `base.permute(order)`, and that is not written down until somebody needs it:
    permutations that undo one another then leave no trace, and pointwise functions go below them.

    Args:
        probes: Two meta tensors.
        text: What gives the value in generated code; `None` for a permutation that is not written yet.
        base: The tensor that is permuted.
        order: The axes of `base`, in their new order.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, probes, text=None, base=None, order=None):
        """Make a tensor subclass, so that layers that ask for a tensor get one."""
        return torch.Tensor._make_subclass(cls, probes[0])

    def __init__(self, probes, text=None, base=None, order=None):
        self.probes = probes
        self.text = text
        self.base = base
        self.order = order

    def __deepcopy__(self, memo):
        return self

    @property
    def sizes(self):
        """The known sizes as integers, the unknown ones as `Size`."""
        with torch._C.DisableTorchFunction():
            pairs = list(zip(*(tuple(probe.shape) for probe in self.probes), strict=True))
        return tuple(
            first if first == second else Size((first, second), f"{SIZE_OF}{axis}", (self, axis))
            for axis, (first, second) in enumerate(pairs)
        )

    @property
    def comment(self):
        """The shape, as comments in generated code have it."""
        sizes = self.sizes
        names = ["batch" if axis == 0 else "?" for axis in range(len(sizes))]
        known = [str(size) if type(size) is int else name for size, name in zip(sizes, names, strict=True)]
        return f"({', '.join(known)}{',' if len(known) == 1 else ''})"


SIZE_OF = "size of axis "


class Size(torch.SymInt):
    """A size that is known when the model runs: what arithmetic makes of the sizes of unknown axes.

    Of torch's symbolic integers it has the type alone, which lets torch's functions accept it.

    Args:
        values: Its two values.
        text: An expression; see `source`.
        source: For the size of an axis, the `Traced` and the axis. Its text is made when it is needed.
    """

    def __init__(self, values, text, source=None):
        self.values = values
        self.text = text
        self.source = source

    def _number(self, *args):
        raise CannotWrite(
            "it computes with a size that is unknown (a loop over it, for example). Give the input that "
            "size: Input(shape) without None"
        )

    __index__ = __int__ = __float__ = _number

    def __hash__(self):
        return hash(self.values)

    def __repr__(self):
        return self.text

    def __bool__(self):
        return self.same(bool(value) for value in self.values)

    def same(self, truths):
        """Return what both runs say of the size.

        Raises:
            CannotWrite: they differ, or a third might: remainders are the same for some sizes by chance.
        """
        found = set(truths)
        if len(found) > 1 or self.has_remainder:
            raise CannotWrite("it branches on a size that is unknown")
        return found.pop()

    @property
    def has_remainder(self):
        """Whether a division that leaves something is in the expression."""
        operation = self.text
        if not isinstance(operation, Operation):
            return False
        inner = (one for one in operation.operands if isinstance(one, Size))
        return "%" in operation.pattern or "//" in operation.pattern or any(s.has_remainder for s in inner)

    def __neg__(self):
        return Size(tuple(-value for value in self.values), Operation("-{}", (self,)))


class Operation:
    """An expression of sizes and numbers: a pattern and what stands in its places."""

    def __init__(self, pattern, operands):
        self.pattern = pattern
        self.operands = operands


def combined(function, pattern, operands):
    """Return the `Size` that `function` makes of sizes and numbers."""
    values = tuple(
        function(*(one.values[run] if isinstance(one, Size) else one for one in operands)) for run in (0, 1)
    )
    return Size(values, Operation(pattern, operands))


def _arithmetic(function, sign, reflected):
    def method(self, other):
        if not isinstance(other, (int, float, Size)):
            return NotImplemented
        return combined(function, f"({{}} {sign} {{}})", (other, self) if reflected else (self, other))

    return method


def _comparison(function):
    def method(self, other):
        if not isinstance(other, (int, float, Size)):
            return NotImplemented
        others = other.values if isinstance(other, Size) else (other, other)
        return self.same(function(mine, his) for mine, his in zip(self.values, others, strict=True))

    return method


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("floordiv", "//"), ("mod", "%")):
    setattr(Size, f"__{_name}__", _arithmetic(getattr(operator, _name), _sign, False))
    setattr(Size, f"__r{_name}__", _arithmetic(getattr(operator, _name), _sign, True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Size, f"__{_name}__", _comparison(getattr(operator, _name)))
