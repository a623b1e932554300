"""Fine-tuning in stages: an architecture with weights from a file gets a new head, then thaws from the end.

The file is made here, by training on stripes, so that nothing is downloaded; `weights="imagenet"` in
`build_classifier` would start from Keras's file instead.

Run: python examples/fine_tuning.py [--quick]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import torchkeras_lite as keras
from torchkeras_lite import layers
from torchkeras_lite.applications import MobileNet

SIZE = 32
ANGLES = 6
PATTERNS = ("stripes", "rings", "checks")
USED_TO = "conv_pw_5_relu"  # for images as small as these, the first blocks are enough
THAWED_FROM = "conv_dw_4"  # the layers from here on are trained in the last stage


def waves(rng, count):
    """Coordinates that are turned, shifted and scaled anew for each of `count` images, and the angles."""
    axis = np.linspace(-1, 1, SIZE)
    u, v = np.meshgrid(axis, axis)
    angle = rng.integers(ANGLES, size=count)
    turn = (angle * np.pi / ANGLES)[:, None, None]
    scale, shift = rng.uniform(6, 10, (count, 1, 1)), rng.uniform(0, 2 * np.pi, (count, 1, 1))
    along, across = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    return scale * along + shift, scale * across + shift, angle


def as_images(rng, values):
    """Colored images with noise."""
    color = rng.uniform(0.5, 1, (len(values), 1, 1, 3))
    return (values[..., None] * color + rng.normal(0, 0.4, (*values.shape, 3))).astype("float32")


def striped(rng, count):
    """Stripes; the class is their angle."""
    along, _, angle = waves(rng, count)
    return as_images(rng, np.sin(along)), angle


def patterned(rng, count):
    """Stripes, rings or checks, in any direction; the class is the pattern."""
    along, across, _ = waves(rng, count)
    kinds = np.stack(
        [np.sin(along), np.sin(np.hypot(along, across)), np.sign(np.sin(along) * np.sin(across))]
    )
    pattern = rng.integers(len(PATTERNS), size=count)
    return as_images(rng, kinds[pattern, np.arange(count)]), pattern


def compile_for(model, learning_rate):
    """Compile again: what is trainable counts from here on."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    print(f"training {trained} of {model.count_params()} parameters")


def build_base(weights):
    """An architecture without its top, and the model of its first blocks, which gives one vector an image."""
    whole = MobileNet(weights=weights, include_top=False, alpha=0.5, input_shape=(SIZE, SIZE, 3))
    features = layers.GlobalAveragePooling2D()(whole.get_layer(USED_TO).output)
    return whole, keras.Model(whole.input, features)


def pretrain(path, quick):
    """Train the blocks on stripes, and keep the weights of the architecture."""
    x, y = striped(np.random.default_rng(0), 1500 if quick else 3000)
    whole, base = build_base(weights=None)
    model = keras.Sequential([base, layers.Dense(ANGLES, activation="softmax")])
    compile_for(model, 3e-3)
    history = model.fit(x, y, batch_size=16, epochs=4, verbose=0)
    print(f"accuracy on stripes: {history.history['accuracy'][-1]:.4f}")
    whole.save_weights(path)


def build_classifier(weights):
    """The blocks with their weights, frozen, below a new head."""
    _, base = build_base(weights)
    base.trainable = False
    inputs = keras.Input((SIZE, SIZE, 3))
    features = base(inputs, training=False)  # batch normalization keeps its statistics in all stages
    return base, keras.Model(inputs, layers.Dense(len(PATTERNS), activation="softmax")(features))


def main(quick=False):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    train, test = patterned(rng, 150), patterned(rng, 500)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stripes.weights.h5"
        pretrain(path, quick)
        base, model = build_classifier(path)

    compile_for(model, 1e-2)
    model.fit(*train, batch_size=25, epochs=15, verbose=0)
    print(f"head alone: {model.evaluate(*test, verbose=0)[1]:.4f}")

    base.trainable = True
    first = base.layers.index(base.get_layer(THAWED_FROM))
    for layer in base.layers[:first]:
        layer.trainable = False
    compile_for(model, 1e-3)
    model.fit(*train, batch_size=25, epochs=15 if quick else 30, verbose=0)
    print(f"test accuracy: {model.evaluate(*test, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main("--quick" in sys.argv)
