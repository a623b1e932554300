"""What the benchmark trains: each workload once in PyTorch and once in the Keras API, with the same shapes.

Images are `(height, width, channels)` on the Keras side. PyTorch gets them as `(channels, height, width)` in
`channels_last` memory, which is the faster one here, with its convolutions too. Keras pads strided "same"
convolutions at the end only, and so does the PyTorch model.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass
class Workload:
    """One workload.

    Attributes:
        name: What the table says.
        keras_model: Function of the `keras` module that returns an uncompiled model.
        torch_model: Function without arguments that returns the PyTorch model.
        x, y: NumPy arrays as Keras wants them.
        batch_size: Rows a step.
        kind: `"classes"`, `"binary"` or `"numbers"`: which loss and metric.
    """

    name: str
    keras_model: Callable
    torch_model: Callable
    x: np.ndarray
    y: np.ndarray
    batch_size: int
    kind: str

    @property
    def steps(self):
        """Number of steps of an epoch."""
        return -(-len(self.x) // self.batch_size)

    def torch_arrays(self, device):
        """Return `x` and `y` as tensors, images with their channels in front, in `channels_last` memory."""
        tensors = (torch.from_numpy(array).to(device) for array in (self.x, self.y))
        return tuple(tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor for tensor in tensors)

    def torch_net(self, device):
        """Return the PyTorch model on a device."""
        return self.torch_model().to(device, memory_format=torch.channels_last)

    def compiled(self, keras, **options):
        """Return the model of a `keras` module, compiled."""
        model = self.keras_model(keras)
        loss, metric = keras_loss_and_metric(keras, self.kind)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[metric], **options)
        return model


def keras_loss_and_metric(keras, kind):
    """Return the loss and the metric of a kind of targets."""
    if kind == "classes":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True), "accuracy"
    if kind == "binary":
        return keras.losses.BinaryCrossentropy(from_logits=True), keras.metrics.BinaryAccuracy(threshold=0.0)
    return "mse", "mae"


def torch_loss(kind, outputs, targets):
    """Return the mean loss of a batch."""
    if kind == "classes":
        return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))
    if kind == "binary":
        return F.binary_cross_entropy_with_logits(outputs, targets)
    return F.mse_loss(outputs, targets)


def torch_metric(kind, outputs, targets):
    """Return the mean metric of a batch, on the device."""
    if kind == "classes":
        return (outputs.argmax(-1) == targets).float().mean()
    if kind == "binary":
        return ((outputs > 0) == (targets > 0.5)).float().mean()
    return (outputs - targets).abs().mean()


def workloads(scale=1, steps=1.0):
    """Return all workloads by name.

    Args:
        scale: Factor of the batch sizes; 1 on a CPU.
        steps: Factor of the number of steps of an epoch.
    """
    rng = np.random.default_rng(0)

    def rows(batch_size, count):
        return max(int(count * steps), 2) * batch_size * scale, batch_size * scale

    def numbers(*shape):
        return rng.standard_normal(shape, dtype="float32")

    found = []

    def add(name, keras_model, torch_model, make_x, make_y, batch_size, count, kind):
        n, size = rows(batch_size, count)
        found.append(Workload(name, keras_model, torch_model, make_x(n), make_y(n), size, kind))

    def classes(n):
        return rng.integers(0, 10, n)

    def signs(n):
        return rng.integers(0, 2, (n, 1)).astype("float32")

    add("mlp", keras_mlp, torch_mlp, lambda n: numbers(n, 784), classes, 32, 200, "classes")
    add(
        "tabular", keras_tabular, torch_tabular, lambda n: numbers(n, 16), lambda n: numbers(n, 1), 32, 400,
        "numbers",
    )  # fmt: skip
    add("cnn", keras_cnn, torch_cnn, lambda n: numbers(n, 28, 28, 1), classes, 64, 20, "classes")
    add("lstm", keras_lstm, TorchLSTM, lambda n: rng.integers(0, 5000, (n, 80)), signs, 32, 20, "binary")
    add(
        "tagger", keras_tagger, TorchTagger, lambda n: rng.integers(0, 2000, (n, 40)),
        lambda n: rng.integers(0, 10, (n, 40)), 32, 20, "classes",
    )  # fmt: skip
    add("resnet", keras_resnet, TorchResNet, lambda n: numbers(n, 32, 32, 3), classes, 32, 10, "classes")
    add(
        "transformer", keras_transformer, TorchBlock, lambda n: numbers(n, 64, 64), classes, 32, 20, "classes"
    )
    add(
        "unet", keras_unet, TorchUNet, lambda n: numbers(n, 32, 32, 3),
        lambda n: rng.integers(0, 2, (n, 32, 32, 1)).astype("float32"), 16, 10, "binary",
    )  # fmt: skip
    return {workload.name: workload for workload in found}


# Dense networks


def keras_mlp(keras):
    layers = keras.layers
    return keras.Sequential([keras.Input((784,)), layers.Dense(128, "relu"), layers.Dense(10)])


def torch_mlp():
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def keras_tabular(keras):
    layers = keras.layers
    stack = [layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(1)]
    return keras.Sequential([keras.Input((16,)), *stack])


def torch_tabular():
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))


# Images


def keras_cnn(keras):
    layers = keras.layers
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D()]
    stack += [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()]
    return keras.Sequential([keras.Input((28, 28, 1)), *stack, layers.Flatten(), layers.Dense(10)])


def torch_cnn():
    stack = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU()]
    return nn.Sequential(*stack, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 10))


RESNET = ((16, 1), (32, 2), (64, 2))  # filters and stride of each block


def keras_resnet(keras):
    layers = keras.layers

    def convolution(x, filters, strides=1, size=3):
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.Activation("relu")(convolution(inputs, 16))
    for filters, strides in RESNET:
        y = layers.Activation("relu")(convolution(x, filters, strides))
        y = convolution(y, filters)
        shortcut = x if strides == 1 else convolution(x, filters, strides, size=1)
        x = layers.Activation("relu")(layers.Add()([y, shortcut]))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


class ResidualBlock(nn.Module):
    """Two convolutions around which a shortcut leads."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.is_strided = stride == 2
        padding = 0 if self.is_strided else 1
        self.first = nn.Conv2d(channels, filters, 3, stride, padding, bias=False)
        self.first_norm = nn.BatchNorm2d(filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(filters)
        self.shortcut = nn.Identity()
        if stride != 1:
            convolution = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(filters))

    def forward(self, x):
        padded = F.pad(x, (0, 1, 0, 1)) if self.is_strided else x
        y = F.relu(self.first_norm(self.first(padded)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class TorchResNet(nn.Module):
    """The residual network."""

    def __init__(self):
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        channels = [16, *(filters for filters, _ in RESNET)]
        blocks = zip(channels[:-1], RESNET, strict=True)
        self.blocks = nn.Sequential(*(ResidualBlock(before, *block) for before, block in blocks))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.stem_norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


def keras_unet(keras):
    layers = keras.layers

    def separable(x, filters):
        return layers.SeparableConv2D(filters, 3, padding="same", activation="relu")(x)

    inputs = keras.Input((32, 32, 3))
    wide = separable(layers.Conv2D(16, 3, padding="same", activation="relu")(inputs), 16)
    middle = separable(layers.MaxPooling2D()(wide), 32)
    deep = separable(layers.MaxPooling2D()(middle), 64)
    x = layers.Conv2DTranspose(32, 2, strides=2)(deep)
    x = separable(layers.Concatenate()([x, middle]), 32)
    x = layers.Conv2DTranspose(16, 2, strides=2)(x)
    x = separable(layers.Concatenate()([x, wide]), 16)
    return keras.Model(inputs, layers.Conv2D(1, 1)(x))


class Separable(nn.Sequential):
    """A convolution of each channel, then one across channels."""

    def __init__(self, channels, filters):
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        super().__init__(depthwise, nn.Conv2d(channels, filters, 1), nn.ReLU())


class TorchUNet(nn.Module):
    """The U-shaped network."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Separable(16, 16))
        self.middle, self.deep = Separable(16, 32), Separable(32, 64)
        self.up_deep, self.up_middle = nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)
        self.join_middle, self.join_wide = Separable(64, 32), Separable(32, 16)
        self.head = nn.Conv2d(16, 1, 1)

    def forward(self, x):
        wide = self.wide(x)
        middle = self.middle(F.max_pool2d(wide, 2))
        deep = self.deep(F.max_pool2d(middle, 2))
        x = self.join_middle(torch.cat([self.up_deep(deep), middle], 1))
        return self.head(self.join_wide(torch.cat([self.up_middle(x), wide], 1)))


# Sequences


def keras_lstm(keras):
    layers = keras.layers
    stack = [layers.Embedding(5000, 32), layers.LSTM(32), layers.Dense(1)]
    return keras.Sequential([keras.Input((80,), dtype="int64"), *stack])


class TorchLSTM(nn.Module):
    """Embedding, LSTM, and a layer on its last state."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5000, 32)
        self.lstm = nn.LSTM(32, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        _, (last, _) = self.lstm(self.embedding(x))
        return self.head(last[-1])


def keras_tagger(keras):
    layers = keras.layers
    both_ways = layers.Bidirectional(layers.GRU(32, return_sequences=True))
    stack = [layers.Embedding(2000, 32), both_ways, layers.Dense(10)]
    return keras.Sequential([keras.Input((40,), dtype="int64"), *stack])


class TorchTagger(nn.Module):
    """Embedding, GRU in both directions, and a layer on every step."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(2000, 32)
        self.gru = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.gru(self.embedding(x))[0])


def keras_transformer(keras):
    layers = keras.layers
    inputs = keras.Input((64, 64))
    x = layers.LayerNormalization()(inputs)
    x = layers.Add()([inputs, layers.MultiHeadAttention(4, 16)(x, x)])
    y = layers.Dense(256, "gelu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(64)(y)])
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


class TorchBlock(nn.Module):
    """A transformer block with its normalizations in front, and a layer on the mean over time."""

    def __init__(self):
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(64), nn.LayerNorm(64)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.feed_forward = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        y = self.first_norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.feed_forward(self.second_norm(x))
        return self.head(x.mean(1))
