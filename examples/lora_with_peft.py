"""A small transformer learns a task; LoRA adapters, by the package peft, learn another beside frozen weights.

Run: python examples/lora_with_peft.py [--quick]    (needs: pip install "torchkeras_lite[lora]")
"""

import sys
import warnings

import numpy as np
import torch

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages that peft imports
        import peft
except ImportError:
    sys.exit('This example adapts a model. Install what it needs: pip install "torchkeras_lite[lora]"')

import torchkeras_lite as keras
from torchkeras_lite import layers, losses

DIGITS, STEPS = 10, 8


def make_model():
    digits = keras.Input((STEPS,), dtype="int32", name="digits")
    places = keras.ops.cumsum(keras.ops.ones_like(digits), axis=1) - 1
    x = layers.Embedding(DIGITS, 32, name="table")(digits) + layers.Embedding(STEPS, 32)(places)
    for block in (1, 2):
        attended = layers.MultiHeadAttention(4, 8, name=f"attention_{block}")(x, x)
        x = layers.LayerNormalization(name=f"norm_{block}a")(x + attended)
        hidden = layers.Dense(64, activation="relu", name=f"up_{block}")(x)
        x = layers.LayerNormalization(name=f"norm_{block}b")(
            x + layers.Dense(32, name=f"down_{block}")(hidden)
        )
    return keras.Model(digits, layers.Dense(DIGITS, name="head")(x))


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(torch.as_tensor(x)).argmax(-1).numpy() == y).mean()


def main(quick=False):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).integers(0, DIGITS, (4000, STEPS)).astype("int32")
    next_digits, backwards = np.roll(x, -1, 1), x[:, ::-1].copy()

    model = make_model()
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss)
    model.fit(x[:3500], next_digits[:3500], batch_size=64, epochs=2 if quick else 4, verbose=2)
    print(f"first task: {accuracy(model.eval(), x[3500:], next_digits[3500:]):.3f}")

    config = peft.LoraConfig(r=8, lora_alpha=32, target_modules=r".*(up|down)_\d\.linear|head\.linear")
    adapted = peft.get_peft_model(model, config)  # it wraps each `nn.Linear` that is named so
    adapted.print_trainable_parameters()

    trainer = keras.Model.from_module(adapted)
    trainer.compile(keras.optimizers.Adam(0.01), loss)
    trainer.fit(x[:3500], backwards[:3500], batch_size=64, epochs=2 if quick else 6, verbose=2)
    merged = adapted.merge_and_unload().eval()
    print(f"test accuracy on the second task: {accuracy(merged, x[3500:], backwards[3500:]):.3f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
