"""One line a case: class, function, arguments, and the kind of data. Every contract test reads the table."""

import numpy as np

# (class name, function name, arguments, kind of data)
BALANCED = {"apply_class_balancing": True}
CASES = [
    (name, function, args, kind)
    for name, function, options in [
        ("MeanSquaredError", "mean_squared_error", [({}, "real")]),
        ("MeanAbsoluteError", "mean_absolute_error", [({}, "real")]),
        ("MeanAbsolutePercentageError", "mean_absolute_percentage_error", [({}, "real")]),
        ("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", [({}, "real")]),
        ("CosineSimilarity", "cosine_similarity", [({}, "real"), ({"axis": 0}, "real")]),
        ("Huber", "huber", [({}, "real"), ({"delta": 0.3}, "real")]),
        ("LogCosh", "log_cosh", [({}, "real")]),
        ("Hinge", "hinge", [({}, "binary"), ({}, "signs"), ({}, "real")]),
        ("SquaredHinge", "squared_hinge", [({}, "binary"), ({}, "signs")]),
        ("CategoricalHinge", "categorical_hinge", [({}, "classes")]),
        ("KLDivergence", "kl_divergence", [({}, "classes")]),
        ("Poisson", "poisson", [({}, "binary")]),
        (
            "BinaryCrossentropy",
            "binary_crossentropy",
            [
                ({}, "binary"),
                ({"label_smoothing": 0.2}, "binary"),
                ({"from_logits": True}, "logits"),
                ({"from_logits": True, "axis": 0}, "logits"),
            ],
        ),
        (
            "BinaryFocalCrossentropy",
            "binary_focal_crossentropy",
            [
                ({}, "binary"),
                ({**BALANCED, "gamma": 3.0}, "binary"),
                ({**BALANCED, "alpha": 0.7, "from_logits": True, "label_smoothing": 0.1}, "logits"),
            ],
        ),
        (
            "CategoricalCrossentropy",
            "categorical_crossentropy",
            [
                ({}, "classes"),
                ({"label_smoothing": 0.1}, "classes"),
                ({"from_logits": True}, "class_logits"),
                ({"from_logits": True, "label_smoothing": 0.3}, "class_logits"),
                ({"axis": 0, "label_smoothing": 0.1}, "classes"),
                ({"axis": 0, "from_logits": True}, "class_logits"),
            ],
        ),
        (
            "CategoricalFocalCrossentropy",
            "categorical_focal_crossentropy",
            [
                ({}, "classes"),
                ({"alpha": 0.6, "gamma": 1.0, "label_smoothing": 0.2, "axis": 0}, "classes"),
                ({"from_logits": True, "label_smoothing": 0.2}, "class_logits"),
            ],
        ),
        (
            "SparseCategoricalCrossentropy",
            "sparse_categorical_crossentropy",
            [
                ({}, "sparse"),
                ({"ignore_class": 1}, "sparse"),
                ({"ignore_class": -1}, "sparse_holes"),
                ({"from_logits": True}, "sparse_logits"),
                ({"from_logits": True, "ignore_class": 2}, "sparse_logits"),
            ],
        ),
        (
            "CategoricalGeneralizedCrossEntropy",
            "categorical_generalized_cross_entropy",
            [({"q": 0.3}, "sparse"), ({"q": 0.8}, "sparse")],
        ),
        ("Dice", "dice", [({}, "binary"), ({"axis": -1}, "binary")]),
        ("Tversky", "tversky", [({}, "binary"), ({"alpha": 0.3, "beta": 0.8, "axis": -1}, "binary")]),
    ]
    for args, kind in options
]
IDS = [f"{name}-{kind}-{args}" for name, _, args, kind in CASES]
SHAPES = [(5,), (4, 3), (4, 5, 3), (2, 3, 4, 5)]


def softmax(x):
    """Softmax over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def make(kind, shape, rng, dtype="float32"):
    """Return `y_true, y_pred` of a kind; `shape` is that of the predictions."""
    noise = rng.normal(size=shape)
    labels = rng.integers(0, shape[-1], size=shape[:-1])
    match kind:
        case "real":
            pair = rng.normal(size=shape), noise
        case "binary":
            pair = rng.integers(0, 2, size=shape), rng.uniform(0.02, 0.98, size=shape)
        case "signs":
            pair = rng.choice([-1, 1], size=shape), noise
        case "logits":
            pair = rng.integers(0, 2, size=shape), 3 * noise
        case "classes":
            pair = np.eye(shape[-1])[labels], softmax(noise) * rng.uniform(0.5, 1.5, size=(*shape[:-1], 1))
        case "class_logits":
            pair = softmax(rng.normal(size=shape)), 3 * noise
        case "sparse":
            pair = labels, softmax(noise) * 1.3
        case "sparse_holes":
            pair = np.where(rng.uniform(size=labels.shape) < 0.4, -1, labels), softmax(noise)
        case "sparse_logits":
            pair = labels, 3 * noise
    y_true, y_pred = map(np.asarray, pair)
    return y_true if y_true.dtype.kind == "i" else y_true.astype(dtype), y_pred.astype(dtype)
