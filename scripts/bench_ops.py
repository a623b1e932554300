"""Compare calls of `ops` with the bare torch calls: `python scripts/bench_ops.py`."""

import timeit

import torch

from torchkeras_lite import ops

torch.set_num_threads(1)
x, y = torch.randn(64, 128), torch.randn(64, 128)
w = torch.randn(128, 32)
index = torch.arange(0, 64, 2)

PAIRS = {
    "add": (lambda: ops.add(x, y), lambda: torch.add(x, y)),
    "multiply by 2": (lambda: ops.multiply(x, 2.0), lambda: torch.mul(x, 2.0)),
    "maximum": (lambda: ops.maximum(x, y), lambda: torch.maximum(x, y)),
    "exp": (lambda: ops.exp(x), lambda: torch.exp(x)),
    "negative": (lambda: ops.negative(x), lambda: torch.neg(x)),
    "square": (lambda: ops.square(x), lambda: torch.square(x)),
    "greater": (lambda: ops.greater(x, y), lambda: torch.gt(x, y)),
    "clip": (lambda: ops.clip(x, -1.0, 1.0), lambda: torch.clamp(x, -1.0, 1.0)),
    "sum over an axis": (lambda: ops.sum(x, axis=1), lambda: torch.sum(x, 1)),
    "mean over an axis": (lambda: ops.mean(x, axis=1), lambda: torch.mean(x, 1)),
    "max over an axis": (lambda: ops.max(x, axis=-1), lambda: torch.amax(x, -1)),
    "argmax": (lambda: ops.argmax(x, axis=-1), lambda: torch.argmax(x, -1)),
    "matmul": (lambda: ops.matmul(x, w), lambda: torch.matmul(x, w)),
    "concatenate": (lambda: ops.concatenate([x, y], axis=1), lambda: torch.cat([x, y], 1)),
    "reshape": (lambda: ops.reshape(x, (128, 64)), lambda: torch.reshape(x, (128, 64))),
    "transpose": (lambda: ops.transpose(x), lambda: x.permute(1, 0)),
    "expand_dims": (lambda: ops.expand_dims(x, 0), lambda: torch.unsqueeze(x, 0)),
    "norm over an axis": (lambda: ops.norm(x, axis=1), lambda: torch.linalg.norm(x, dim=1)),
    "softmax": (lambda: ops.softmax(x, axis=-1), lambda: torch.softmax(x, -1)),
    "relu": (lambda: ops.relu(x), lambda: torch.relu(x)),
    "cast": (lambda: ops.cast(x, "float64"), lambda: x.to(torch.float64)),
    "where": (lambda: ops.where(x > 0, x, y), lambda: torch.where(x > 0, x, y)),
    "take": (lambda: ops.take(x, index, axis=0), lambda: x[index]),
    "einsum": (lambda: ops.einsum("ij,jk->ik", x, w), lambda: torch.einsum("ij,jk->ik", x, w)),
}


def microseconds(function):
    """Return the shortest time of a call, over several rounds."""
    number = 5000
    return min(timeit.repeat(function, number=number, repeat=9)) / number * 1e6


def main():
    """Print one line an operation: both times and their ratio."""
    print(f"{'float32 (64, 128), one thread':32} {'ops us':>8} {'torch us':>9} {'ratio':>6}")
    for name, (ours, bare) in PAIRS.items():
        first, second = microseconds(ours), microseconds(bare)
        print(f"{name:32} {first:8.2f} {second:9.2f} {first / second:6.2f}")


if __name__ == "__main__":
    main()
