"""Arrays with `None` in the place of an optional input, against real Keras."""

import keras
import numpy as np
import pytest

import torchkeras_lite as tkl
from torchkeras_lite.training.arrays import is_arrays
from training.compiled_models import filled

RNG = np.random.default_rng(2)
X, SHIFT, Y = RNG.standard_normal((3, 8, 2)).astype("float32")
FORMS = {"dict": lambda x, o: {"x": x, "o": o}, "list": lambda x, o: [x, o]}


def optional(k, form):
    class Shifted(k.layers.Layer):
        def call(self, x, shift=None):
            return x if shift is None else x + shift

    inputs = k.Input((2,), name="x"), k.Input((2,), name="o", optional=True)
    model = filled(k.Model(FORMS[form](*inputs), k.layers.Dense(2)(Shifted()(*inputs))))
    model.compile(k.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.parametrize("given", [None, SHIFT], ids=["none", "array"])
@pytest.mark.parametrize("form", FORMS)
def test_arrays_may_leave_out_an_optional_input(form, given):
    x, found = FORMS[form](X, given), {}
    for k in (tkl, keras):
        model = optional(k, form)
        history = model.fit(
            x, Y, batch_size=3, epochs=2, shuffle=False, validation_split=0.25, verbose=0
        ).history
        loss = model.evaluate(x, Y, sample_weight=np.arange(8.0), verbose=0)
        found[k] = [*history["loss"], *history["val_loss"], loss, *np.ravel(model.predict(x, verbose=0))]
    np.testing.assert_allclose(found[tkl], found[keras], rtol=1e-4, atol=1e-6)
    shuffled = optional(tkl, form)
    assert np.isfinite(shuffled.fit(x, Y, batch_size=3, verbose=0).history["loss"]).all()


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        ([X, None], True),
        ({"x": X, "o": None}, True),
        ([{"x": X, "o": None}, X], True),
        ([(X, Y, None), (X, Y, None)], False),
        ([None], False),
        ({"o": None}, False),
        (None, False),
        ([[1, 2], [3, 4]], True),
    ],
    ids=["list", "dict", "dict in list", "batches", "nothing", "nothing in dict", "none", "numbers"],
)
def test_batches_are_no_arrays(structure, expected):
    assert is_arrays(structure) is expected
