"""Masks that travel with tensors through layers, models and graphs, as in Keras."""

import types

import keras
import pytest
import torch

import torchkeras_lite as tk
from torchkeras_lite.base import nested
from torchkeras_lite.engine.masking import attach_mask, get_mask
from torchkeras_lite.layers import Dense
from torchkeras_lite.layers.core import Embedding, Masking

IDS = torch.tensor([[1, 0, 2], [0, 0, 3]])
OURS = types.SimpleNamespace(
    Layer=tk.Layer,
    Input=tk.Input,
    Model=tk.Model,
    Sequential=tk.Sequential,
    Dense=Dense,
    Embedding=Embedding,
    Masking=Masking,
)
KERAS = types.SimpleNamespace(
    Layer=keras.Layer,
    Input=keras.Input,
    Model=keras.Model,
    Sequential=keras.Sequential,
    Dense=keras.layers.Dense,
    Embedding=keras.layers.Embedding,
    Masking=keras.layers.Masking,
)


def embedding(k):
    return k.Embedding(5, 2, mask_zero=True, embeddings_initializer="ones")


def custom(k, supports):
    class Uses(k.Layer):
        def __init__(self):
            super().__init__(name="uses")
            self.supports_masking = supports

        def call(self, x, mask=None):
            return x if mask is None else x * mask[..., None]

    return Uses()


def ignores(k, supports=True):
    class Ignores(k.Layer):
        def __init__(self):
            super().__init__(name="ignores")
            self.supports_masking = supports

        def call(self, x):
            return 2 * x

    return Ignores()


def ends(k):
    class Ends(k.Layer):
        def call(self, x, mask=None):
            return x.sum(1) if mask is None else (x * mask[..., None]).sum(1)

        def compute_mask(self, inputs, mask=None):
            return None

    return Ends(name="ends")


def makes(k):
    class Makes(k.Layer):
        def __init__(self):
            super().__init__(name="makes")
            self.supports_masking = True

        def call(self, x):
            return x

        def compute_mask(self, inputs, mask=None):
            return inputs[..., 0] > 0

    return Makes()


def two(k):
    class Two(k.Layer):
        def call(self, a, b, a_mask=None, b_mask=None):
            a = a if a_mask is None else a * a_mask[..., None]
            return a + (b if b_mask is None else b * b_mask[..., None])

    return Two(name="two")


def listed(k):
    class Listed(k.Layer):
        def call(self, xs, mask=None):
            masks = [None] * len(xs) if mask is None else mask
            return sum(x if m is None else x * m[..., None] for x, m in zip(xs, masks, strict=True))

    return Listed(name="listed")


CHAINS = {
    "used": lambda k, x: custom(k, True)(embedding(k)(x)),
    "used and ended": lambda k, x: custom(k, False)(embedding(k)(x)),
    "passed on": lambda k, x: custom(k, True)(ignores(k)(embedding(k)(x))),
    "destroyed": lambda k, x: custom(k, True)(ignores(k, False)(embedding(k)(x))),
    "ended": lambda k, x: ends(k)(embedding(k)(x)),
    "made": lambda k, x: custom(k, True)(makes(k)(k.Embedding(5, 2, embeddings_initializer="ones")(x) - 1.0)),
    "lost by an operator": lambda k, x: custom(k, True)(embedding(k)(x) + 1),
    "two arguments": lambda k, x: two(k)(
        embedding(k)(x), k.Embedding(5, 2, embeddings_initializer="ones")(x)
    ),
    "by keyword": lambda k, x: two(k)(a=embedding(k)(x), b=embedding(k)(x)),
    "a list": lambda k, x: listed(k)([embedding(k)(x), embedding(k)(x)]),
    "masking": lambda k, x: custom(k, True)(k.Masking(1.0)(embedding(k)(x))),
}


@pytest.mark.filterwarnings("ignore:.*destroy the mask information")
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("name", CHAINS)
def test_masks_are_keras_s(name, graph):
    results = []
    for k in (OURS, KERAS):
        if graph:
            inputs = k.Input((3,), dtype="int64")
            results.append(k.Model(inputs, CHAINS[name](k, inputs))(IDS))
        else:
            results.append(CHAINS[name](k, IDS))
    ours, theirs = results
    torch.testing.assert_close(ours.detach(), theirs.detach())
    mask, expected = get_mask(ours), getattr(theirs, "_keras_mask", None)
    assert (mask is None) == (expected is None)
    if mask is not None:
        torch.testing.assert_close(mask, expected)


def test_a_lost_mask_warns():
    with pytest.warns(UserWarning, match="Layer 'ignores' .of type Ignores. was passed an input with a mask"):
        ignores(OURS, False)(embedding(OURS)(IDS))


def test_explicit_masks():
    x, mask = torch.ones(1, 2, 2), torch.tensor([[True, False]])
    torch.testing.assert_close(custom(OURS, True)(x, mask=mask), x * mask[..., None])
    assert get_mask(x) is None
    y = Dense(2)(x, mask=mask)
    torch.testing.assert_close(get_mask(y), mask)


def test_masks_of_inner_models():
    inner = tk.Sequential([embedding(OURS), Dense(2, kernel_initializer="ones")])
    ids = tk.Input((3,), dtype="int64")
    model = tk.Model(ids, custom(OURS, True)(inner(ids)))
    torch.testing.assert_close(model(IDS).detach(), 2.0 * (IDS != 0)[..., None].expand(2, 3, 2))
    assert get_mask(model(IDS)).tolist() == (IDS != 0).tolist()


def test_compute_mask_and_supports_masking():
    mask = torch.tensor([[True]])
    assert Dense(2).supports_masking
    assert not ends(OURS).supports_masking
    assert Dense(2).compute_mask(torch.ones(1, 1, 2), mask) is mask
    assert embedding(OURS).compute_mask(IDS).tolist() == (IDS != 0).tolist()
    assert Embedding(5, 2).compute_mask(IDS) is None


def test_masks_do_not_leak_into_plain_results():
    tensor = attach_mask(torch.ones(2, 3, 2), torch.ones(2, 3, dtype=torch.bool))
    assert get_mask(tensor + 1) is None
    assert attach_mask(tensor, None) is tensor
    assert get_mask(tensor) is not None
    assert nested.map_structure(get_mask, [torch.ones(1), {"a": tensor}])[1]["a"] is get_mask(tensor)
