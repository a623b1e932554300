"""Mixed precision: the global dtype policy and the loss scaling that float16 needs."""

from torchkeras_lite.base.old_names import old_members
from torchkeras_lite.engine.precision import DTypePolicy, dtype_policy, set_dtype_policy
from torchkeras_lite.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

__getattr__ = old_members(__name__)
