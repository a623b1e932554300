"""Compare layers with bare torch modules: `python scripts/bench_layers.py [--rounds N] [--json FILE]`.

Each row is one forward and backward pass, in training mode, of a layer and of the torch code that does the
same. Rounds are interleaved; printed is the layer's time divided by torch's (median and minimum over the
rounds), on one thread. Images are in Keras's layout on one side and in torch's on the other.
"""

import argparse
import json
import statistics
import time

import environment


def main():
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", help="file to write the ratios to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = {}
    print(f"{'layer':38} {'torch ms':>9} {'layer ms':>9} {'median':>7} {'minimum':>8}")
    for name, (ours, theirs) in rows().items():
        calls = max(1, int(0.02 / clock(theirs, 3)))
        times = [(clock(theirs, calls), clock(ours, calls)) for _ in range(arguments.rounds)]
        ratios = [mine / his for his, mine in times]
        his, mine = (min(column) * 1e3 for column in zip(*times, strict=True))
        found[name] = {"median": statistics.median(ratios), "minimum": mine / his}
        print(f"{name:38} {his:9.3f} {mine:9.3f} {statistics.median(ratios):7.2f} {mine / his:8.2f}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(found, file, indent=1)


def clock(run, calls):
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def rows():
    """Return for each name the two functions to compare."""
    return {**dense_rows(), **image_rows(), **normalization_rows(), **recurrent_rows(), **attention_rows()}


def passes(module, *inputs, gradient=True):
    """Return a function of no arguments: a forward and a backward pass."""
    import torch

    module.train()
    inputs = [x.clone().requires_grad_(gradient and x.is_floating_point()) for x in inputs]
    first = module(*inputs)
    seed = torch.ones_like(first[0] if isinstance(first, tuple) else first)

    def run():
        for x in inputs:
            x.grad = None
        module.zero_grad()
        output = module(*inputs)
        output = output[0] if isinstance(output, tuple) else output
        output.backward(seed)

    return run


def dense_rows():
    import torch
    from torch import nn

    from torchkeras_lite import layers

    x, ids = torch.randn(64, 256), torch.randint(0, 1000, (64, 40))
    return {
        "Dense 256-256": (passes(layers.Dense(256), x), passes(nn.Linear(256, 256), x)),
        "Dense relu 256-256": (
            passes(layers.Dense(256, "relu"), x),
            passes(nn.Sequential(nn.Linear(256, 256), nn.ReLU()), x),
        ),
        "Embedding 1000-64": (passes(layers.Embedding(1000, 64), ids), passes(nn.Embedding(1000, 64), ids)),
        "Dropout 64x256": (passes(layers.Dropout(0.5), x), passes(nn.Dropout(0.5), x)),
    }


def image_rows():
    import torch
    from torch import nn

    from torchkeras_lite import layers

    nhwc = torch.randn(16, 28, 28, 16)
    nchw = nhwc.permute(0, 3, 1, 2).contiguous()
    volume = torch.randn(4, 10, 10, 10, 8)
    first = volume.permute(0, 4, 1, 2, 3).contiguous()
    steps = torch.randn(16, 100, 32)
    channels = steps.permute(0, 2, 1).contiguous()
    same = {"padding": "same"}
    return {
        "Conv2D 3x3 16-32 valid": (passes(layers.Conv2D(32, 3), nhwc), passes(nn.Conv2d(16, 32, 3), nchw)),
        "Conv2D 3x3 16-32 same": (
            passes(layers.Conv2D(32, 3, **same), nhwc),
            passes(nn.Conv2d(16, 32, 3, **same), nchw),
        ),
        "Conv2D 3x3 stride 2 same": (
            passes(layers.Conv2D(32, 3, 2, **same), nhwc),
            passes(nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(16, 32, 3, 2)), nchw),
        ),
        "Conv1D 3 32-64": (passes(layers.Conv1D(64, 3), steps), passes(nn.Conv1d(32, 64, 3), channels)),
        "Conv3D 3 8-16": (passes(layers.Conv3D(16, 3), volume), passes(nn.Conv3d(8, 16, 3), first)),
        "Conv2DTranspose 3x3 stride 2": (
            passes(layers.Conv2DTranspose(8, 3, 2), nhwc),
            passes(nn.ConvTranspose2d(16, 8, 3, 2), nchw),
        ),
        "DepthwiseConv2D 3x3": (
            passes(layers.DepthwiseConv2D(3), nhwc),
            passes(nn.Conv2d(16, 16, 3, groups=16), nchw),
        ),
        "SeparableConv2D 3x3 16-32": (
            passes(layers.SeparableConv2D(32, 3), nhwc),
            passes(nn.Sequential(nn.Conv2d(16, 16, 3, groups=16, bias=False), nn.Conv2d(16, 32, 1)), nchw),
        ),
        "MaxPooling2D": (passes(layers.MaxPooling2D(), nhwc), passes(nn.MaxPool2d(2), nchw)),
        "AveragePooling2D": (passes(layers.AveragePooling2D(), nhwc), passes(nn.AvgPool2d(2), nchw)),
    }


def normalization_rows():
    import torch
    from torch import nn

    from torchkeras_lite import layers

    nhwc, x = torch.randn(16, 28, 28, 16), torch.randn(64, 40, 64)
    nchw = nhwc.permute(0, 3, 1, 2).contiguous()
    return {
        "BatchNormalization images": (
            passes(layers.BatchNormalization(), nhwc),
            passes(nn.BatchNorm2d(16), nchw),
        ),
        "LayerNormalization": (passes(layers.LayerNormalization(), x), passes(nn.LayerNorm(64), x)),
        "GroupNormalization (channels_last)": (  # torch's kernel takes twice as long in that layout
            passes(layers.GroupNormalization(4), nhwc),
            passes(nn.GroupNorm(4, 16), nchw.contiguous(memory_format=torch.channels_last)),
        ),
        "RMSNormalization": (passes(layers.RMSNormalization(), x), passes(nn.RMSNorm(64), x)),
    }


def recurrent_rows():
    import torch
    from torch import nn

    from torchkeras_lite import layers

    x = torch.randn(32, 40, 32)
    mask = torch.arange(40) < torch.randint(1, 41, (32, 1))
    scattered = torch.rand(32, 40) > 0.3
    plain = nn.LSTM(32, 64, batch_first=True)
    masked, scrambled = layers.LSTM(64, return_sequences=True), layers.LSTM(64, return_sequences=True)

    def calling(layer, mask):
        class Masked(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = layer

            def forward(self, x):
                return self.layer(x, mask=mask)

        return Masked()

    return {
        "LSTM 32-64": (
            passes(layers.LSTM(64, return_sequences=True), x),
            passes(nn.LSTM(32, 64, batch_first=True), x),
        ),
        "GRU 32-64": (
            passes(layers.GRU(64, return_sequences=True), x),
            passes(nn.GRU(32, 64, batch_first=True), x),
        ),
        "SimpleRNN 32-64": (
            passes(layers.SimpleRNN(64, return_sequences=True), x),
            passes(nn.RNN(32, 64, batch_first=True), x),
        ),
        "Bidirectional LSTM 32-64": (
            passes(layers.Bidirectional(layers.LSTM(64, return_sequences=True)), x),
            passes(nn.LSTM(32, 64, batch_first=True, bidirectional=True), x),
        ),
        "LSTM, padding masked (to unmasked)": (passes(calling(masked, mask), x), passes(plain, x)),
        "LSTM, any mask (to unmasked)": (passes(calling(scrambled, scattered), x), passes(plain, x)),
    }


def attention_rows():
    import torch
    from torch import nn

    from torchkeras_lite import layers

    x = torch.randn(16, 64, 128)

    class SelfAttention(nn.Module):
        def __init__(self, attention, **arguments):
            super().__init__()
            self.attention, self.arguments = attention, arguments

        def forward(self, x):
            return self.attention(x, x, x, **self.arguments)

    return {
        "MultiHeadAttention 4x32": (
            passes(SelfAttention(layers.MultiHeadAttention(4, 32)), x),
            passes(SelfAttention(nn.MultiheadAttention(128, 4, batch_first=True), need_weights=False), x),
        ),
    }


if __name__ == "__main__":
    environment.enter()
    main()
