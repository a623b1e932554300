"""Models that are written as plain PyTorch, and a batch of inputs for each (a list: one for each input)."""

import torch
from torch import nn

from torchkeras_lite import Input, Layer, Model, Sequential, layers, ops


class Block(Layer):
    """Weights of its own, layers, a torch module, something that training alone does."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.parts = [layers.Dense(units, activation="gelu"), layers.Dense(units)]
        self.norm = nn.LayerNorm(units)

    def build(self, input_shape):
        self.scale = self.add_weight((self.units,), "ones", name="scale")

    def call(self, inputs, training=None):
        x = inputs
        for part in self.parts:
            x = part(x)
        x = self.norm(x * self.scale)
        return inputs + (x + torch.randn_like(x) if training else x)


class Subclassed(Model):
    def __init__(self):
        super().__init__()
        self.blocks = [layers.Dense(4), layers.Dense(3)]
        self.norm = layers.BatchNormalization()

    def call(self, inputs):
        for block in self.blocks:
            inputs = torch.relu(block(inputs))
        return self.norm(inputs)


def mlp():
    stack = [layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5)]
    return Sequential([Input((4,)), *stack, layers.Dense(3, activation="softmax")]), [torch.randn(4, 4)]


def cnn():
    """Every kind of convolution, padding and pooling; no axis has a known size but the channels."""
    inputs = Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same", strides=2, activation="relu")(inputs)
    x = layers.SpatialDropout2D(0.2)(layers.BatchNormalization(scale=False)(x))
    x = layers.SeparableConv2D(4, 3, padding="same")(x)
    x = layers.DepthwiseConv2D(2, padding="same")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)
    y = layers.AveragePooling2D(3, padding="same")(x)
    x = layers.MaxPooling2D(3, strides=3, padding="same")(x)
    x = layers.Concatenate()([x, layers.Activation("swish")(y)])
    x = layers.GroupNormalization(2)(layers.ZeroPadding2D(1)(x))
    x = layers.UpSampling2D()(layers.Cropping2D(1)(x))
    return Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x))), [torch.randn(2, 13, 9, 3)]


def channels_first():
    stack = [
        layers.Conv2D(4, 2, padding="same", data_format="channels_first"),
        layers.BatchNormalization(axis=1),
    ]
    stack += [layers.MaxPooling2D(data_format="channels_first"), layers.Flatten(data_format="channels_first")]
    return Sequential([Input((3, 8, 6)), *stack, layers.Dense(2)]), [torch.randn(2, 3, 8, 6)]


def sequences():
    stack = [layers.Conv1D(4, 3, padding="causal"), layers.MaxPooling1D(2), layers.LayerNormalization()]
    stack += [
        layers.SimpleRNN(4, return_sequences=True),
        layers.GRU(3, go_backwards=True),
        layers.RepeatVector(2),
    ]
    return Sequential([Input((12, 3)), *stack, layers.Permute((2, 1))]), [torch.randn(2, 12, 3)]


def text():
    """Masks, which are in the middle and at the front, too."""
    tokens = Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(10, 8, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    output, h, c = layers.LSTM(5, return_state=True)(x)
    joined = layers.concatenate([output, h, c, layers.GRU(5)(x), layers.GlobalAveragePooling1D()(x)])
    batch = torch.tensor([[1, 2, 0, 3], [0, 0, 5, 0], [4, 5, 6, 0]], dtype=torch.int32)
    return Model(tokens, layers.Dense(1)(joined)), [batch]


def dropping():
    """Recurrent layers that drop features, the same ones in all steps."""
    inputs = Input((None, 4))
    x = layers.LSTM(5, dropout=0.3, return_sequences=True)(inputs)
    x = layers.Bidirectional(layers.GRU(3, dropout=0.5))(x)
    return Model(inputs, layers.Dense(2)(x)), [torch.randn(3, 6, 4)]


def transformer():
    tokens = Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(10, 8)(tokens)
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        x = layers.LayerNormalization()(x + layers.Dense(8)(layers.Dense(16, activation="gelu")(x)))
    return Model(tokens, layers.Dense(10)(x)), [torch.randint(0, 10, (3, 7))]


def own_layers():
    inputs = Input((8,))
    x = inputs
    for _ in range(3):
        x = Block(8)(x)
    return Model(inputs, {"hidden": x, "head": layers.Dense(2)(x)}), [torch.randn(4, 8)]


def nested():
    inner = Sequential([Input((4,)), layers.Dense(3), layers.Dense(4)], name="inner")
    shared = layers.Dense(4, name="shared")
    inputs = Input((4,))
    return Model(inputs, layers.Dense(2)(inner(shared(inner(shared(inputs)))))), [torch.randn(4, 4)]


def functions():
    x, y = Input((4,), name="x"), Input((3,), name="y")
    h = torch.relu(nn.Linear(4, 3)(x)) * 2 - 1 / (y.abs() + 1)
    h = torch.cat([h, x[:, :2]], -1).reshape(-1, 5, 1)
    h = ops.squeeze(ops.mean(h**2, axis=1, keepdims=True), -1)
    h = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))(h)
    scores = ops.softmax(ops.matmul(h, ops.ones((2, 2))))
    return Model([x, y], [scores, ops.concatenate([x, y], axis=1)]), [torch.randn(4, 4), torch.randn(4, 3)]


def transfer():
    """A base that stays in inference mode while the head is trained."""
    base = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.3)]
    base = Sequential([Input((8, 8, 3)), *base], name="base")
    base.trainable = False
    inputs = Input((8, 8, 3))
    x = layers.GlobalMaxPooling2D()(base(inputs, training=False))
    return Model(inputs, layers.Dense(2)(x)), [torch.randn(4, 8, 8, 3)]


def subclassed():
    model, batch = Subclassed(), torch.randn(4, 5)
    model(batch)
    return model, [batch]


def noise():
    stack = [layers.GaussianNoise(0.5), layers.GaussianDropout(0.5), layers.AlphaDropout(0.5)]
    return Sequential([Input((6, 4)), layers.SpatialDropout1D(0.5), *stack]), [torch.randn(3, 6, 4)]


MAKERS = {
    maker.__name__: maker
    for maker in (
        mlp,
        cnn,
        channels_first,
        sequences,
        text,
        dropping,
        transformer,
        own_layers,
        nested,
        functions,
        transfer,
        subclassed,
        noise,
    )
}
