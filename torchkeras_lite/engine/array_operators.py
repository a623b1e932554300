"""Operators between a tensor of a layer and what is NumPy's: `self.scale * positions` in a `call`.

torch leaves an operator whose other side is an array or a scalar of NumPy to NumPy, which would read the
values of the tensor, without its gradient.
"""

import numpy as np
import torch

_OPERATORS = {
    np.add: torch.add,
    np.subtract: torch.sub,
    np.multiply: torch.mul,
    np.true_divide: torch.true_divide,
    np.floor_divide: torch.floor_divide,
    np.remainder: torch.remainder,
    np.power: torch.pow,
    np.matmul: torch.matmul,
}


class MeetsArrays:
    """Mixin for tensors: with an array behind the operator, or a scalar, torch computes and keeps gradients.

    With an array before the operator the result is an array, as in Keras. So are those of all other
    functions of NumPy.
    """

    def __array_ufunc__(self, function, method, *inputs, **kwargs):
        if function in _OPERATORS and method == "__call__" and not kwargs:
            first, second = inputs
            if isinstance(first, np.generic) or (
                first is self and isinstance(second, (np.ndarray, np.generic))
            ):
                first, second = (_operand(value, self, function) for value in inputs)
                return _OPERATORS[function](first, second)
        inputs = [value.numpy() if isinstance(value, MeetsArrays) else value for value in inputs]
        return getattr(function, method)(*inputs, **kwargs)


def _operand(value, tensor, function):
    """Return `value` as an operand beside `tensor`: a Python number, or a tensor on its device."""
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        return value
    made = torch.as_tensor(value, device=tensor.device)
    return made.to(tensor.dtype) if function is np.matmul else made
