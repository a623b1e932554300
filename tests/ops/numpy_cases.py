"""One line a case of the operations that NumPy has too: `(name, arguments, keyword arguments)`.

Strings of the form `"f:2,3"` stand for an array of that shape: `f` floats, `p` positive ones, `i` integers,
`b` booleans, `n` floats with NaN, `z` integers from 0 on, `s` sorted floats.
"""

UNARY = ["absolute", "arctan", "arcsinh", "cbrt", "ceil", "conjugate", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fabs", "floor", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "logical_not", "nan_to_num", "negative", "rad2deg", "ravel", "real", "round", "sign", "signbit", "sin", "sinc", "sinh", "square", "tan", "tanh", "trunc", "copy", "zeros_like", "ones_like", "i0", "angle"]
POSITIVE = ["sqrt", "log", "log10", "log1p", "log2", "reciprocal"]
BINARY = ["add", "subtract", "multiply", "divide", "true_divide", "divide_no_nan", "floor_divide", "mod", "fmod", "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot", "logaddexp", "logaddexp2", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor", "heaviside", "isclose"]
REDUCED = ["sum", "mean", "prod", "max", "min", "amax", "amin", "std", "var", "all", "any", "median"]
NAN_REDUCED = ["nansum", "nanmean", "nanprod", "nanmax", "nanmin", "nanstd", "nanvar", "nanmedian"]

CASES = [
    *((name, ("f:2,3",), {}) for name in UNARY),
    *((name, ("p:2,3",), {}) for name in POSITIVE),
    *(
        (name, args, {})
        for name in BINARY
        for args in (("f:2,3", "f:2,3"), ("f:2,1,3", "f:4,1"), ("f:3", 2.0))
    ),
    *(
        (name, ("f:2,3,4",), {"axis": a, "keepdims": k})
        for name in REDUCED
        for a, k in ((None, False), (1, True), ((0, 2), False))
    ),
    *(
        (name, ("n:2,3,4",), {"axis": a, "keepdims": k})
        for name in NAN_REDUCED
        for a, k in ((None, False), (1, True))
    ),
    *((name, ("i:4", "i:4"), {}) for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")),
    *(
        (name, ("z:4", "z:4"), {})
        for name in ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")
    ),
    *((name, (7,), {}) for name in ("bartlett", "blackman", "hamming", "hanning")),
    *(
        (name, ("f:2,5",), {"axis": a, "keepdims": k})
        for name in ("argmax", "argmin")
        for a, k in ((None, False), (1, True))
    ),
    *((name, ("n:2,5",), {"axis": 1}) for name in ("nanargmax", "nanargmin")),
    *((name, ("f:3,4",), {"axis": a}) for name in ("cumsum", "cumprod", "sort", "argsort") for a in (0, 1)),
    *((name, ("n:3,4",), {"axis": a}) for name in ("nancumsum", "nancumprod") for a in (None, 1)),
    ("arccos", ("u:4",), {}),
    ("arcsin", ("u:4",), {}),
    ("arctanh", ("u:4",), {}),
    ("arccosh", ([1.5, 2.5],), {}),
    ("power", ("p:3", 2.5), {}),
    ("power", (2.0, "f:3"), {}),
    ("ldexp", ("f:3", "z:3"), {}),
    ("nextafter", ("f:3", "f:3"), {}),
    ("clip", ("f:3,4", -0.5, 0.5), {}),
    ("round", ("f:3,4",), {"decimals": 1}),
    ("bitwise_not", ("i:4",), {}),
    ("bitwise_invert", ("b:4",), {}),
    ("ptp", ("f:3,4",), {"axis": 1, "keepdims": True}),
    ("count_nonzero", ("i:3,4",), {}),
    ("average", ("f:3,4",), {"axis": 1}),
    ("average", ("f:3,4",), {"axis": 1, "weights": [1.0, 2.0, 3.0, 4.0]}),
    ("allclose", ("f:3", "f:3"), {}),
    ("isin", ("i:3,4", [1, 2]), {"invert": True}),
    ("diff", ("f:3,4",), {"n": 2, "axis": 1}),
    ("trapezoid", ("f:3,4",), {"dx": 0.5, "axis": 0}),
    ("quantile", ("f:3,4", 0.3), {"axis": 1}),
    ("quantile", ("f:3,4", [0.1, 0.7]), {"axis": 0, "keepdims": True, "method": "nearest"}),
    ("percentile", ("f:3,4", 30.0), {"method": "midpoint"}),
    ("nanquantile", ("n:3,4", 0.3), {"axis": 1}),
    ("nanpercentile", ("n:3,4", 30.0), {}),
    ("searchsorted", ("s:6", "f:2,3"), {"side": "right"}),
    ("digitize", ("f:2,3", [-0.5, 0.0, 0.5]), {}),
    ("histogram", ("f:20",), {"bins": 5}),
    ("histogram", ("f:20",), {"bins": 4, "range": (-1.0, 1.0)}),
    ("bincount", ("z:9",), {"minlength": 12}),
    ("bincount", ("z:4", [0.5, 1.0, 2.0, 3.0]), {}),
    ("unique", ("z:9",), {}),
    ("unique", ("z:9",), {"return_inverse": True, "return_counts": True, "return_index": True}),
    ("unique", ("z:9",), {"size": 12, "fill_value": -1}),
    ("unique", ("z:9,2",), {"axis": 0}),
    ("vander", ("f:3",), {"N": 4, "increasing": True}),
    ("corrcoef", ("f:3,5",), {}),
    ("correlate", ("f:6", "f:3"), {"mode": "full"}),
    ("correlate", ("f:6", "f:3"), {"mode": "same"}),
    ("correlate", ("f:6", "f:3"), {}),
    ("kaiser", (6, 2.5), {}),
    ("reshape", ("f:3,4", (2, -1)), {}),
    ("transpose", ("f:2,3,4",), {}),
    ("transpose", ("f:2,3,4", (1, 0, 2)), {}),
    ("moveaxis", ("f:2,3,4", 0, 2), {}),
    ("swapaxes", ("f:2,3,4", 0, 2), {}),
    ("expand_dims", ("f:2,3", (0, -1)), {}),
    ("squeeze", ("f:2,1,3",), {"axis": 1}),
    ("broadcast_to", ("f:3", (2, 3)), {}),
    ("repeat", ("f:2,3", 2), {"axis": 1}),
    ("repeat", ("f:2,3", [1, 3]), {"axis": 0}),
    ("tile", ("f:2,3", (2, 1)), {}),
    ("flip", ("f:2,3",), {"axis": 1}),
    ("fliplr", ("f:2,3",), {}),
    ("flipud", ("f:2,3",), {}),
    ("roll", ("f:2,3", 1), {"axis": 1}),
    ("rot90", ("f:2,3",), {"k": 3}),
    ("size", ("f:2,3",), {}),
    ("ndim", ("f:2,3",), {}),
    ("view", ("f:2,3", "int32"), {}),
    ("concatenate", (["f:2,3", "i:2,1"],), {"axis": 1}),
    ("stack", (["f:2,3", "f:2,3"],), {"axis": -1}),
    ("hstack", (["f:3", "f:2"],), {}),
    ("vstack", (["f:3", "f:3"],), {}),
    ("dstack", (["f:3", "f:3"],), {}),
    ("append", ("f:2,3", "f:2"), {}),
    ("split", ("f:4,3", 2), {}),
    ("split", ("f:4,3", [1, 3]), {"axis": 0}),
    ("array_split", ("f:5,3", 2), {}),
    ("hsplit", ("f:4,2", 2), {}),
    ("vsplit", ("f:4,2", 2), {}),
    ("dsplit", ("f:4,2,2", 2), {}),
    ("meshgrid", ("f:2", "f:3"), {"indexing": "ij"}),
    ("take", ("f:4,3", [0, -1]), {"axis": 0}),
    ("take", ("f:4,3", [[0, 7], [11, 2]]), {}),
    ("take_along_axis", ("f:4,3", [[0], [1], [-1], [2]]), {"axis": 1}),
    ("get_item", ("f:4,3", (slice(1, None), 0)), {}),
    ("where", ("b:2,3", "f:3", 1.0), {}),
    ("select", (["b:3", "b:3"], ["f:3", "f:3"], 2.0), {}),
    ("diag", ("f:3",), {"k": 1}),
    ("diag", ("f:3,4",), {"k": -1}),
    ("diagflat", ("f:2,2",), {}),
    ("diagonal", ("f:2,3,4",), {"offset": 1, "axis1": 1, "axis2": 2}),
    ("trace", ("f:3,4",), {"offset": 1}),
    ("tril", ("f:3,4",), {"k": -1}),
    ("triu", ("f:3,4",), {"k": 1}),
    ("unravel_index", ([3, 5], (2, 3)), {}),
    ("pad", ("f:2,3", ((1, 0), (0, 2))), {"constant_values": 2.0}),
    ("pad", ("f:3,3", ((1, 0), (0, 2))), {"mode": "reflect"}),
    ("array", ([1, 2],), {}),
    ("array", ([1.0, 2.0],), {"dtype": "int64"}),
    ("zeros", ((2, 3),), {}),
    ("ones", ((2, 3),), {"dtype": "int32"}),
    ("full", ((2, 3), 4), {}),
    ("full_like", ("f:2,3", 4), {"dtype": "int32"}),
    ("eye", (3,), {"M": 4, "k": -1}),
    ("identity", (3,), {}),
    ("tri", (3, 4, 1), {}),
    ("arange", (5,), {}),
    ("arange", (1, 2, 0.25), {}),
    ("linspace", (0, 5, 6), {}),
    ("linspace", ("f:3", "f:3", 4), {"endpoint": False, "axis": 1}),
    ("linspace", (0, 5, 3), {"dtype": "int32"}),
    ("logspace", (0.0, 2.0, 3), {}),
    ("geomspace", (1.0, 8.0, 4), {}),
    ("matmul", ("f:2,3,4", "f:4,5"), {}),
    ("dot", ("f:2,3,4", "f:5,4,2"), {}),
    ("inner", ("f:2,3", "f:4,3"), {}),
    ("outer", ("f:2,3", "f:4"), {}),
    ("vdot", ("f:3", "f:3"), {}),
    ("tensordot", ("f:2,3,4", "f:4,3,5"), {"axes": ([1, 2], [1, 0])}),
    ("einsum", ("bij,bjk->bik", "f:2,3,4", "f:2,4,5"), {}),
    ("kron", ("f:2,2", "f:2,3"), {}),
    ("cross", ("f:4,3", "f:4,3"), {}),
    ("slogdet", ("p:3,3",), {}),
]

WITHOUT_CASES = {  # tested on their own: Keras on torch errs, values are arbitrary, or another name of a case
    "abs", "conj", "imag", "empty", "empty_like", "argpartition", "nonzero", "vectorize",
}  # fmt: skip
