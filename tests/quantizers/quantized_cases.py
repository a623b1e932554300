"""Layers that can be quantized, with shapes of inputs (`None`: ids), and settings, for either package."""

LAYERS = {
    "dense": (lambda k: k.layers.Dense(6, activation="relu"), (4, 5)),
    "dense without bias": (lambda k: k.layers.Dense(3, use_bias=False), (2, 3, 5)),
    "einsum": (lambda k: k.layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), (4, 6, 5)),
    "einsum to more axes": (lambda k: k.layers.EinsumDense("abc,cde->abde", (None, 3, 2)), (4, 6, 5)),
    "einsum to fewer axes": (
        lambda k: k.layers.EinsumDense("abde,dec->abc", (None, 5), bias_axes="c"),
        (4, 6, 3, 2),
    ),
    "embedding": (lambda k: k.layers.Embedding(7, 5), None),
}
CONFIGS = {
    "int8": lambda q: q.Int8QuantizationConfig(),
    "int8 weights": lambda q: q.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda q: q.Int4QuantizationConfig(block_size=2),
    "int4 without blocks": lambda q: q.Int4QuantizationConfig(block_size=None),
}
