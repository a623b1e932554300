"""`keras.ops`: functions on tensors, arrays and symbolic tensors, each a short call of torch's function.

An operation is a plain function, marked with `engine.operation.operation`; files hold one family each.
"""

from torchkeras_lite.ops import image, linalg, nn, numpy
from torchkeras_lite.ops.core_control import (
    associative_scan,
    cond,
    fori_loop,
    map,
    scan,
    switch,
    vectorized_map,
    while_loop,
)
from torchkeras_lite.ops.core_slices import slice, slice_update
from torchkeras_lite.ops.core_tensors import (
    cast,
    convert_to_numpy,
    convert_to_tensor,
    custom_gradient,
    dtype,
    is_tensor,
    saturate_cast,
    scatter,
    scatter_update,
    shape,
    stop_gradient,
    unstack,
)
from torchkeras_lite.ops.linalg import *  # noqa: F403
from torchkeras_lite.ops.linalg_equations import logdet
from torchkeras_lite.ops.math_fourier import (
    extract_sequences,
    fft,
    fft2,
    ifft2,
    irfft,
    istft,
    rfft,
    stft,
    view_as_complex,
    view_as_real,
)
from torchkeras_lite.ops.math_segments import (
    cdist,
    erf,
    erfc,
    erfinv,
    in_top_k,
    logsumexp,
    rsqrt,
    segment_max,
    segment_min,
    segment_prod,
    segment_sum,
    top_k,
)
from torchkeras_lite.ops.nn import *  # noqa: F403
from torchkeras_lite.ops.numpy import *  # noqa: F403
from torchkeras_lite.ops.rearrange import rearrange

__all__ = [
    "numpy",
    *numpy.__all__,
    "image",
    "linalg",
    "nn",
    *linalg.__all__,
    *nn.__all__,
    "associative_scan",
    "cast",
    "cdist",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "dtype",
    "erf",
    "erfc",
    "erfinv",
    "extract_sequences",
    "fft",
    "fft2",
    "fori_loop",
    "ifft2",
    "in_top_k",
    "irfft",
    "is_tensor",
    "istft",
    "logdet",
    "logsumexp",
    "map",
    "rearrange",
    "rfft",
    "rsqrt",
    "saturate_cast",
    "scan",
    "scatter",
    "scatter_update",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "shape",
    "slice",
    "slice_update",
    "stft",
    "stop_gradient",
    "switch",
    "top_k",
    "unstack",
    "vectorized_map",
    "view_as_complex",
    "view_as_real",
    "while_loop",
]
