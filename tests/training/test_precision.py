"""`compile(precision=...)` and dtype policies in training."""

import keras
import numpy as np
import pytest
import torch
from torch import nn

import torchkeras_lite as tkl
from torchkeras_lite import layers, optimizers
from torchkeras_lite.engine import precision
from training.compiled_models import X, classifier, filled

Y = np.random.default_rng(2).integers(0, 3, 12)
SPARSE = "sparse_categorical_crossentropy"


def watched(model):
    """Dtypes that the modules of torch inside compute, as they come."""
    seen = []
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    return seen


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("bf16", torch.bfloat16),
        ("bfloat16", torch.bfloat16),
        ("mixed_bfloat16", torch.bfloat16),
        (torch.bfloat16, torch.bfloat16),
        ("fp16", torch.float16),
        ("mixed_float16", torch.float16),
        ("float32", torch.float32),
        ("tf32", torch.float32),
        (None, torch.float32),
    ],
    ids=str,
)
def test_every_loop_computes_in_it(name, dtype):
    model = tkl.Sequential(
        [tkl.Input((4,)), layers.Dense(8, "tanh"), nn.Linear(8, 8), layers.Dense(3, "softmax")]
    )
    model.compile("adam", SPARSE, metrics=["accuracy"], precision=name)
    seen = watched(model)
    history = model.fit(X, Y, epochs=3, verbose=0).history
    model.evaluate(X, Y, verbose=0)
    assert model.predict(X, verbose=0).dtype == "float32"
    assert model.predict_on_batch(X).dtype == "float32"
    model.train_on_batch(X, Y)
    assert set(seen) == {dtype}
    assert model(torch.tensor(X)).dtype is torch.float32
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0] or dtype is torch.float16  # first steps look for a scale


def test_it_equals_plain_autocast():
    model, other = classifier(activation=None), classifier(activation=None)
    model.compile(optimizers.SGD(0.1), nn.CrossEntropyLoss(), precision="bf16")
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    other.train()
    for _ in range(2):
        for rows in torch.arange(12).split(4):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                outputs = other(torch.tensor(X)[rows])
            assert outputs.dtype is torch.bfloat16
            nn.functional.cross_entropy(outputs.float(), torch.tensor(Y)[rows]).backward()
            optimizer.step()
    for mine, his in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, his)


def test_compiling_again_without_it_ends_it():
    model = classifier()
    model.compile("sgd", SPARSE, precision="bf16")
    seen = watched(model)
    model.compile("sgd", SPARSE)
    model.fit(X, Y, verbose=0)
    assert set(seen) == {torch.float32}


def test_custom_steps_compute_in_it():
    class Own(tkl.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            y_pred = self(x)
            loss = nn.functional.cross_entropy(y_pred, y)
            self.zero_grad()
            loss.backward()
            self.optimizer.apply([w.value.grad for w in self.trainable_weights], self.trainable_weights)
            return {"loss": loss}

    model = Own()
    model.compile("sgd", precision="bf16")
    model(X)
    seen = watched(model)
    model.fit(X, Y, verbose=0)
    assert set(seen) == {torch.bfloat16}


def test_fp16_scales_the_loss():
    model = classifier()
    model.compile("sgd", SPARSE, precision="fp16")
    assert isinstance(model.optimizer, optimizers.LossScaleOptimizer)
    model.compile("sgd", SPARSE, precision="fp16", auto_scale_loss=False)
    assert isinstance(model.optimizer, optimizers.SGD)


@pytest.mark.parametrize("jit", ["auto", {"backend": "eager"}], ids=str)
def test_it_works_with_jit_compile(jit):
    model = classifier()
    model.compile("sgd", SPARSE, precision="bf16", jit_compile=jit)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"]).all()


def test_float64_trains_and_scores_in_double():
    model, other = classifier(), classifier()
    model.compile(optimizers.SGD(0.1), SPARSE, precision="float64")
    other.double()
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    x = torch.tensor(X).double()
    assert model(x).dtype is torch.float64
    assert model.predict(x.numpy(), verbose=0).dtype == "float64"
    model.fit(x.numpy(), Y, batch_size=12, epochs=2, shuffle=False, verbose=0)
    optimizer = torch.optim.SGD(other.parameters(), lr=float(np.float32(0.1)))
    other.train()
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.nll_loss(other(x).log(), torch.tensor(Y)).backward()
        optimizer.step()
    for mine, his in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, his, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("name", "inside"), [("tf32", "high"), ("float32", "highest"), (None, "medium")])
def test_products_of_float32_are_set_while_a_loop_runs(name, inside):
    seen = []

    class Look(tkl.Layer):
        def call(self, x):
            seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
            return x

    model = tkl.Sequential([tkl.Input((4,)), Look(), layers.Dense(3, "softmax")])
    model.compile("sgd", SPARSE, precision=name)
    before = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("medium")
    try:
        seen.clear()
        model.fit(X, Y, verbose=0)
        model.predict(X, verbose=0)
        assert {products for products, _ in seen} == {inside}
        if name is not None:
            assert {allowed for _, allowed in seen} == {name == "tf32"}
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.allow_tf32 is convolutions
        with pytest.raises(ValueError, match=r"incompatible|shape"):
            model.fit(X[:, :3], Y, verbose=0)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.fixture
def policies():
    yield
    precision._global.update(policy=None)
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", ["mixed_bfloat16", "float64"])
def test_global_policies_train_as_in_keras(name, policies):
    found = {}
    for k in (tkl, keras):
        k.config.set_dtype_policy(name) if k is keras else tkl.mixed_precision.set_global_policy(name)
        head = k.layers.Dense(3, activation="softmax", dtype="float32")
        model = k.Sequential([k.Input((4,)), k.layers.Dense(16, activation="relu"), head])
        filled(model)
        model.compile(k.optimizers.SGD(0.1), SPARSE, metrics=["accuracy"])
        found[k] = model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0).history
        assert str(model.layers[0].kernel.dtype) == ("float64" if name == "float64" else "float32")
        assert str(model.layers[1].kernel.dtype) == "float32"
        assert model.predict(X, verbose=0).dtype == "float32"
    for key, values in found[keras].items():
        np.testing.assert_allclose(found[tkl][key], values, rtol=2e-2, err_msg=key)


def test_mixed_float16_scales_the_loss_as_in_keras(policies):
    tkl.mixed_precision.set_global_policy("mixed_float16")
    model = tkl.Sequential([tkl.Input((4,)), layers.Dense(3, "softmax")])
    model.compile("adam", SPARSE)
    assert isinstance(model.optimizer, optimizers.LossScaleOptimizer)
    history = model.fit(X, Y, epochs=20, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert int(model.optimizer.iterations) > 0
