"""Bit-equal values, names and configs of initializers against real Keras."""

import inspect
import random

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import initializers
from torchkeras_lite.base import config as settings
from torchkeras_lite.base import device as devices
from torchkeras_lite.base.registry import CustomObjectScope
from torchkeras_lite.initializers.variance_scaling import compute_fans

PUBLIC = sorted({n for n in dir(keras.initializers) if not n.startswith("_")} | set(initializers.__all__))
MATRIX = (5, 7)
CONV = (3, 3, 4, 6)
SHAPES = [MATRIX, (7, 5), CONV, (4, 9)]
ANY_RANK = [*SHAPES, (), (6,), (0, 3)]

FIXED = [
    ("Zeros", {}, ANY_RANK),
    ("Ones", {}, ANY_RANK),
    ("Constant", {}, ANY_RANK),
    ("Constant", {"value": 2.5}, ANY_RANK),
    ("Constant", {"value": 3}, ANY_RANK),
    ("Constant", {"value": [1.0, 2.0, 3.0]}, [(3,), (2, 3)]),
    ("Constant", {"value": np.arange(3.0)}, [(3,), (2, 3)]),
    ("Constant", {"value": torch.arange(3.0)}, [(3,), (2, 3)]),
    ("Identity", {}, [MATRIX, (4, 4)]),
    ("Identity", {"gain": 2.0}, [MATRIX, (4, 4)]),
]
RANDOM = [
    ("RandomNormal", {}, ANY_RANK),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.3}, ANY_RANK),
    ("RandomUniform", {}, ANY_RANK),
    ("RandomUniform", {"minval": -1.0, "maxval": 3}, ANY_RANK),
    ("TruncatedNormal", {}, ANY_RANK),
    ("TruncatedNormal", {"mean": 1, "stddev": 2.0}, [*ANY_RANK, (300, 200)]),
    ("Orthogonal", {}, [*SHAPES, (0, 3), (40, 30)]),
    ("Orthogonal", {"gain": 2}, [*SHAPES, (0, 3)]),
    ("VarianceScaling", {}, ANY_RANK),
    *[
        ("VarianceScaling", {"scale": 2.0, "mode": mode, "distribution": distribution}, ANY_RANK)
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("truncated_normal", "untruncated_normal", "uniform", "Normal")
    ],
    ("VarianceScaling", {"input_axes": [0], "output_axes": [1, 2]}, [(5, 2, 3)]),
    ("VarianceScaling", {"input_axes": [0]}, [(5, 2, 3)]),
    *[
        (name, arguments, [*ANY_RANK, (8, 2, 4)])
        for name in ("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform")
        for arguments in ({}, {"input_axes": (0,), "output_axes": (-1,)})
        if not arguments or name.startswith("G")
    ],
]
RANDOM = [
    (name, arguments, [s for s in shapes if s or "output_axes" not in arguments])
    for name, arguments, shapes in RANDOM
]
STFTS = [
    ("STFT", arguments, [(16, 1, 9), (20, 1, 17)])
    for arguments in (
        {},
        {"side": "imag"},
        {"window": None},
        {"window": "hamming", "scaling": None},
        {"window": "blackman", "scaling": "spectrum"},
        {"window": "nuttall", "periodic": True},
        {"window": "bartlett"},
        {"window": "cosine"},
        {"window": "exponential"},
        {"window": "tukey", "side": "imag", "periodic": True},
    )
] + [("STFT", {"window": [float(i) for i in range(16)], "scaling": "spectrum"}, [(16, 1, 9)])]
ALL = FIXED + RANDOM + STFTS


def pair(name, arguments):
    return [getattr(module, name)(**arguments) for module in (initializers, keras.initializers)]


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
    assert ours.is_contiguous()
    assert not ours.requires_grad


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_and_signatures(name):
    ours, theirs = getattr(initializers, name), getattr(keras.initializers, name)
    assert name in initializers.__all__
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__name__ == theirs.__name__
    assert ours.__doc__


@pytest.mark.parametrize(("name", "arguments", "shapes"), FIXED, ids=str)
@pytest.mark.parametrize("dtype", [None, "float32", "float64", "bfloat16", "float16", "int32", torch.float64])
def test_fixed_values(name, arguments, shapes, dtype):
    ours, theirs = pair(name, arguments)
    for shape in shapes:
        mine, his = ours(shape, dtype), theirs(shape, dtype)
        assert_same(mine, his if name != "Identity" else his.to(mine.dtype))


@pytest.mark.parametrize(("name", "arguments", "shapes"), RANDOM, ids=str)
@pytest.mark.parametrize("dtype", [None, "float64", "bfloat16", "float16"])
def test_values_of_a_seed(name, arguments, shapes, dtype):
    for seed in (0, 7, 2**31, 2**40 + 7, -3):
        ours, theirs = pair(name, {**arguments, "seed": seed})
        for shape in shapes:
            if name == "Orthogonal" and dtype in ("bfloat16", "float16"):
                torch.testing.assert_close(
                    ours(shape, dtype), ours(shape).to(ours(shape, dtype).dtype), atol=0, rtol=0
                )
            else:
                assert_same(ours(shape, dtype), theirs(shape, dtype))


@pytest.mark.parametrize(("name", "arguments", "shapes"), RANDOM, ids=str)
def test_values_without_a_seed(name, arguments, shapes):
    random.seed(0)
    ours = getattr(initializers, name)(**arguments)
    random.seed(0)
    theirs = getattr(keras.initializers, name)(**arguments)
    for shape in shapes:
        assert_same(ours(shape), theirs(shape))
        assert_same(ours(shape), ours(shape))
    other = getattr(initializers, name)(**arguments)
    assert not torch.equal(other(shapes[0]), ours(shapes[0]))
    assert not torch.equal(ours.clone()(shapes[0]), ours(shapes[0]))


@pytest.mark.parametrize(("name", "arguments", "shapes"), RANDOM, ids=str)
def test_values_of_a_seed_generator(name, arguments, shapes):
    ours, theirs = (
        getattr(module, name)(**arguments, seed=keras.random.SeedGenerator(5))
        for module in (initializers, keras.initializers)
    )
    first = ours(shapes[0])
    assert_same(first, theirs(shapes[0]))
    second = ours(shapes[0])
    assert_same(second, theirs(shapes[0]))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("name", "arguments", "shapes"), STFTS, ids=str)
@pytest.mark.parametrize("dtype", [None, "float64"])
def test_stft_kernels(name, arguments, shapes, dtype):
    ours, theirs = pair(name, arguments)
    for shape in shapes:
        torch.testing.assert_close(ours(shape, dtype), theirs(shape, dtype), rtol=0, atol=2e-7)


@pytest.mark.parametrize(("name", "arguments", "shapes"), ALL, ids=str)
def test_meta_tensors(name, arguments, shapes):
    ours = getattr(initializers, name)(**arguments)
    for shape in shapes:
        for dtype, expected in ((None, torch.float32), ("bfloat16", torch.bfloat16)):
            made = ours(shape, dtype, device="meta")
            assert made.is_meta
            assert made.shape == shape
            assert made.dtype == expected


def test_default_dtype_and_device():
    settings.set_floatx("float64")
    try:
        assert initializers.RandomNormal()((2,)).dtype == torch.float64
        assert initializers.Constant(0.1)((1,)).item() == 0.1
    finally:
        settings.set_floatx("float32")
    with devices.device("meta"):
        assert initializers.GlorotUniform()((2, 3)).is_meta
        assert initializers.Zeros()((2, 3)).is_meta
        assert not initializers.Zeros()((2, 3), device="cpu").is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("name", "arguments", "shapes"), ALL, ids=str)
def test_on_cuda(name, arguments, shapes):
    ours = getattr(initializers, name)(**arguments)
    made = ours(shapes[0], device="cuda")
    assert made.is_cuda
    assert_same(made, ours(shapes[0], device="cuda"))


@pytest.mark.parametrize("shape", [3, [3], torch.Size([3]), np.array([3]), (np.int64(3),)], ids=str)
def test_spellings_of_shapes(shape):
    for name in ("Zeros", "RandomUniform", "Constant"):
        assert getattr(initializers, name)()(shape).shape == (3,)


@pytest.mark.parametrize(("name", "arguments", "shapes"), ALL, ids=str)
@pytest.mark.parametrize("seed", [None, 3])
def test_configs_equal_those_of_keras(name, arguments, shapes, seed):
    if (name, arguments, shapes) in RANDOM and seed is not None:
        arguments = {**arguments, "seed": seed}
    ours, theirs = pair(name, arguments)
    config = initializers.serialize(ours)
    if name != "Identity" or not arguments:
        assert ours.get_config() == theirs.get_config()
        assert config == keras.initializers.serialize(theirs)
    copies = [
        initializers.deserialize(config),
        initializers.get(config),
        initializers.get({"class_name": name, "config": config["config"]}),
        type(ours).from_config(ours.get_config()),
        ours.clone(),
    ]
    for copy in copies:
        assert type(copy) is type(ours)
        assert initializers.serialize(copy) == config
        if (name, arguments, shapes) not in RANDOM:
            assert_same(copy(shapes[0]), ours(shapes[0]))
    keras.initializers.deserialize(config)


def test_seed_generators_are_written():
    ours, theirs = (
        module.GlorotUniform(seed=keras.random.SeedGenerator(3))
        for module in (initializers, keras.initializers)
    )
    written = initializers.serialize(ours)["config"]["seed"]
    assert (
        written["config"]["seed"] == keras.initializers.serialize(theirs)["config"]["seed"]["config"]["seed"]
    )
    with CustomObjectScope({"SeedGenerator": keras.random.SeedGenerator}):
        assert_same(initializers.GlorotUniform(seed=written)((3, 4)), ours((3, 4)))


@pytest.mark.parametrize("name", sorted(keras.src.initializers.ALL_OBJECTS_DICT))
def test_get_by_name(name):
    constant = name in ("Constant", "constant")  # Keras fails there, on the missing value
    theirs = keras.initializers.Constant() if constant else keras.initializers.get(name)
    for ours in (
        initializers.get(name),
        initializers.deserialize(name),
        initializers.get({"class_name": name, "config": {}}),
    ):
        assert type(ours).__name__ == type(theirs).__name__
        assert ours.get_config() == theirs.get_config()


def test_get_passes_objects():
    initializer = initializers.Zeros()
    assert initializers.get(None) is None
    assert initializers.get(initializer) is initializer
    assert initializers.get(torch.zeros) is torch.zeros
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)


@pytest.mark.parametrize(
    "value", [torch.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3), np.float32(3)], ids=str
)
def test_get_takes_values(value):
    ours, theirs = initializers.get(value), keras.initializers.get(value)
    made = ours(value.shape, "float32")
    assert_same(made, theirs(value.shape, "float32"))
    made += 1
    assert not np.array_equal(made.numpy(), np.asarray(value))
    with pytest.raises(
        ValueError, match=r"Expected `shape` to be .*got.*Give a tensor of the weight's own shape"
    ):
        ours((4, 2, 3))


def test_own_initializer():
    class Sevens(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return torch.full(shape, 7.0)

    config = initializers.serialize(Sevens())
    assert isinstance(initializers.deserialize(config, {"Sevens": Sevens}), Sevens)
    with CustomObjectScope({"Sevens": Sevens}):
        assert isinstance(initializers.get("Sevens"), Sevens)
    assert isinstance(Sevens().clone(), Sevens)
    with pytest.raises(NotImplementedError, match="Initializer subclasses must implement"):
        initializers.Initializer()((2,))


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4), (2, 2, 3, 4), (0, 3)], ids=str)
def test_fans(shape):
    from keras.src.initializers import random_initializers

    assert compute_fans(shape) == random_initializers.compute_fans(shape)


def test_orthogonal_is_orthogonal():
    q = initializers.Orthogonal(gain=2.0)((3, 4, 5), "float64").reshape(12, 5)
    torch.testing.assert_close(q.T @ q, 4 * torch.eye(5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: initializers.VarianceScaling(scale=0),
            "VarianceScaling: Argument `scale` must be positive float",
        ),
        (lambda: initializers.VarianceScaling(mode="in"), "Invalid `mode` argument: 'in'. Use one of fan_in"),
        (
            lambda: initializers.VarianceScaling(distribution="n"),
            "Invalid `distribution` argument: 'n'. Use one",
        ),
        (lambda: initializers.RandomNormal(seed="3"), "RandomNormal: `seed` argument .*got seed='3'"),
        (
            lambda: initializers.RandomNormal(seed=3.5),
            "`seed` argument should be an instance of .*got seed=3.5",
        ),
        (lambda: initializers.Orthogonal()((3,)), "must be at least two-dimensional.*Use another"),
        (lambda: initializers.Orthogonal()((3,), device="meta"), "must be at least two-dimensional"),
        (lambda: initializers.Identity()((3,)), "can only be used for 2D matrices.*rank 1"),
        (lambda: initializers.Zeros()((None, 3)), r"expected a shape of integers, got \(None, 3\). Give"),
        (
            lambda: initializers.RandomUniform()((3,), "int32"),
            "RandomUniform: expected a floating-point dtype",
        ),
        (lambda: initializers.Constant([1, 2])((3,)), r"of shape \(2,\) broadcasts to, got shape=\(3,\)"),
        (lambda: initializers.STFT("imaginary"), "`side` must be one of 'real', 'imag'"),
        (lambda: initializers.STFT(scaling="l2"), "`scaling` must be one of 'density', 'spectrum', None"),
        (lambda: initializers.STFT(window="hannn"), "STFT: unknown window 'hannn'"),
        (lambda: initializers.STFT(window=[1.0])((3, 1, 2)), r"must be equal to \[frame_length\]"),
        (lambda: initializers.STFT()((3, 1)), r"expected a shape \(frame_length, 1, "),
        (
            lambda: initializers.get("glorot"),
            "Could not interpret initializer identifier: 'glorot'; did you mean",
        ),
        (lambda: initializers.get(0.5), "Could not interpret initializer identifier: 0.5 of type float"),
    ],
)
def test_messages(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_windows_without_scipy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.signal", None)
    assert initializers.STFT()((4, 1, 3)).shape == (4, 1, 3)
    with pytest.raises(ValueError, match=r"unknown window 'tukey'.*pip install scipy"):
        initializers.STFT(window="tukey")
