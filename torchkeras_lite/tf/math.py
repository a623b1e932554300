"""`tf.math`: the functions on values and over axes, under TensorFlow's names."""

from torchkeras_lite.tf import elementwise, reductions
from torchkeras_lite.tf.elementwise import *  # noqa: F403
from torchkeras_lite.tf.indexing import invert_permutation
from torchkeras_lite.tf.nn import l2_normalize, log_softmax, softmax, zero_fraction
from torchkeras_lite.tf.reductions import *  # noqa: F403
from torchkeras_lite.tf.unknown import missing

globals().update(elementwise.FUNCTIONS)
mod = elementwise.FUNCTIONS["floormod"]

__all__ = [
    *elementwise.FUNCTIONS,
    *(name for name in elementwise.__all__ if name != "FUNCTIONS"),
    *reductions.__all__,
    "invert_permutation",
    "l2_normalize",
    "log_softmax",
    "mod",
    "softmax",
    "zero_fraction",
]
__getattr__ = missing(
    "tf.math",
    {"betainc": "scipy.special.betainc", "lbeta": "tf.math.lgamma", "erfcinv": "torch.special.ndtri"},
)
