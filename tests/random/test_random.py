"""`random`: numbers equal to Keras's for equal seeds, and the seeds themselves."""

import copy
import pickle

import keras
import numpy as np
import pytest
import torch

from torchkeras_lite import random as ours
from torchkeras_lite.base import serialization
from torchkeras_lite.base.device import device
from torchkeras_lite.utils import set_random_seed

LOGITS = torch.tensor([[0.1, 2.0, -1.0], [0.0, 0.0, 5.0]])
IMAGE = torch.arange(24.0).reshape(2, 3, 4)
CALLS = [
    ("uniform", ((3, 2),), {}),
    ("uniform", ((),), {}),
    ("uniform", ((4,), -2, 5), {"dtype": "float64"}),
    ("uniform", ((4,), -2.0, 5.0), {"dtype": "float16"}),
    ("normal", ((3, 2),), {}),
    ("normal", ([3], 1.0, 2.5), {"dtype": "float64"}),
    ("normal", ((3,),), {"dtype": "bfloat16"}),
    ("truncated_normal", ((5, 7),), {}),
    ("truncated_normal", ((5, 7), 2.0, 0.1), {"dtype": "float64"}),
    ("randint", ((20,), 0, 9), {}),
    ("randint", ((20,), -4, 9), {"dtype": "int64"}),
    ("randint", ((20,), 0, 9), {"dtype": "uint8"}),
    ("categorical", (LOGITS, 6), {}),
    ("categorical", (LOGITS, 6), {"dtype": "int64"}),
    ("dropout", (IMAGE, 0.4), {}),
    ("dropout", (IMAGE, 0.4), {"noise_shape": (2, 1, None)}),
    ("dropout", (IMAGE, 0.0), {}),
    ("dropout", (IMAGE, 1.0), {}),
    ("shuffle", (IMAGE,), {}),
    ("shuffle", (IMAGE, 1), {}),
    ("shuffle", (IMAGE, 2), {}),
    ("shuffle", (np.arange(7),), {}),
    ("gamma", ((3, 2), 2.5), {}),
    ("gamma", ((2, 3), [1.0, 0.2, 4.0]), {"dtype": "float64"}),
    ("beta", ((4,), 2.0, 0.7), {}),
    ("beta", ((2, 2), torch.tensor([1.0, 9.0]), 0.7), {"dtype": "float16"}),
    ("binomial", ((6,), 10, 0.3), {}),
    ("binomial", ((2, 2), torch.tensor([3.0, 90.0]), torch.tensor([0.7, 0.1])), {"dtype": "float64"}),
]


def call(module, name, args, kwargs, seed):
    return getattr(module, name)(*args, **kwargs, seed=seed)


@pytest.mark.parametrize("seed", [1, -3, 2**33 + 5])
@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=str)
def test_integer_seeds_give_kerass_numbers(name, args, kwargs, seed):
    mine = call(ours, name, args, kwargs, seed)
    his = call(keras.random, name, args, kwargs, seed)
    assert mine.dtype == his.dtype
    assert torch.equal(mine, his)
    assert torch.equal(mine, call(ours, name, args, kwargs, seed))


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=str)
def test_seed_generators_give_kerass_numbers(name, args, kwargs):
    mine, his = ours.SeedGenerator(12), keras.random.SeedGenerator(12)
    for _ in range(3):
        expected = call(keras.random, name, args, kwargs, his)
        assert torch.equal(call(ours, name, args, kwargs, mine), expected)
    np.testing.assert_array_equal(mine.state.numpy(), his.state.numpy())


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=str)
def test_without_a_seed_set_random_seed_decides(name, args, kwargs):
    def two(module, set_seed):
        set_seed(8)
        return [call(module, name, args, kwargs, None) for _ in range(2)]

    first, second = two(ours, set_random_seed)
    again = two(ours, set_random_seed)
    his = two(keras.random, keras.utils.set_random_seed)
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert torch.equal(first, his[0])
    assert torch.equal(second, his[1])


def test_drawing_leaves_torchs_own_generator_alone():
    before = torch.get_rng_state()
    for name, args, kwargs in CALLS:
        call(ours, name, args, kwargs, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_negative_axes_count_from_the_end():
    assert torch.equal(ours.shuffle(IMAGE, -1, seed=4), ours.shuffle(IMAGE, 2, seed=4))


def test_gamma_takes_integer_parameters():
    assert torch.equal(ours.gamma((3,), 2, seed=1), ours.gamma((3,), 2.0, seed=1))


def test_compiled_functions_draw_from_torchs_generator():
    compiled = torch.compile(lambda x: x + ours.normal((3,)), fullgraph=True, backend="eager")
    assert not torch.equal(compiled(torch.zeros(3)), compiled(torch.zeros(3)))


def test_tensors_come_on_the_chosen_device():
    with device("meta"):
        for name in ("normal", "uniform", "truncated_normal"):
            made = getattr(ours, name)((2, 3), seed=1)
            assert (made.device.type, tuple(made.shape)) == ("meta", (2, 3))


@pytest.mark.parametrize("seed", ["a", 1.5, {"a": 1}, [1]])
def test_refuses_other_seeds(seed):
    with pytest.raises(
        ValueError, match=r"`seed` must be either an integer or an instance of `SeedGenerator`"
    ):
        ours.normal((2,), seed=seed)
    with pytest.raises(ValueError, match=r"Argument `seed` must be an integer, got"):
        ours.SeedGenerator(seed)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "message"),
    [
        ("uniform", ((2,),), {"dtype": "int32"}, "`keras.random.uniform` requires a floating point `dtype`"),
        ("normal", ((2,),), {"dtype": "int32"}, "`keras.random.normal` requires a floating point `dtype`"),
        ("randint", ((2,), 0, 3), {"dtype": "float32"}, "`keras.random.randint` requires an integer `dtype`"),
        ("randint", ((2,), 0, 3), {"dtype": "bool"}, "`keras.random.randint` requires an integer `dtype`"),
        ("categorical", (torch.ones(3), 2), {}, "`logits` should be a 2-D tensor"),
        ("dropout", (torch.ones(3), 1.5), {}, r"expected `rate` in the range \[0, 1\], got rate=1.5"),
    ],
)
def test_refuses_wrong_arguments(name, args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        call(ours, name, args, kwargs, 1)


def test_seed_generator_counts_as_kerass_does():
    mine, his = ours.SeedGenerator(5), keras.random.SeedGenerator(5)
    for _ in range(3):
        seed, expected = mine.next(), his.next()
        assert torch.equal(seed, expected)
        assert seed.dtype == expected.dtype
    assert mine.state.path == "seed_generator/seed_generator_state"
    mine.state.assign([9, 4])
    assert mine.next().tolist() == [9, 4]
    with pytest.raises(ValueError, match=r"shape of variable .* is \(2,\), and a value of shape \(3,\)"):
        mine.state.assign([1, 2, 3])


def test_seed_generator_scatters_as_kerass_does():
    mine, his = ours.SeedGenerator(243423565), keras.random.SeedGenerator(243423565)
    for _ in range(4):
        assert torch.equal(mine.next(ordered=False), his.next(ordered=False))


def test_seed_generator_keeps_large_seeds():
    assert ours.SeedGenerator(2**40).next().tolist() == [2**40, 0]


def test_seed_generator_config_is_kerass():
    mine = ours.SeedGenerator(5, name="seeds")
    his = keras.random.SeedGenerator(5, name="seeds")
    written = serialization.serialize_keras_object(mine)
    assert written == keras.saving.serialize_keras_object(his)
    assert serialization.deserialize_keras_object(written).next().tolist() == [5, 0]
    assert ours.SeedGenerator().get_config()["seed"] is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies_of_a_seed_generator_go_on_alone(copied):
    first = ours.SeedGenerator(5)
    first.next()
    second = copied(first)
    assert second.next().tolist() == [5, 1]
    assert second.next().tolist() == [5, 2]
    assert first.next().tolist() == [5, 1]
