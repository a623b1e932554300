"""Layers inside a plain `nn.Module`, trained by a plain PyTorch loop: a layer is a torch module too.

Run: python examples/inside_a_torch_module.py [--quick]
"""

import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from torchkeras_lite import layers


class Net(nn.Module):
    """Two layers with Keras's arguments between two torch modules."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(64, 128)
        self.norm = layers.BatchNormalization(momentum=0.9)
        self.hidden = layers.Dense(64, activation="relu")
        self.dropout = layers.Dropout(0.2)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.project(x)))
        return self.head(self.dropout(self.hidden(x)))


def main(quick=False):
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = map(
        torch.from_numpy, train_test_split((x / 16).astype("float32"), y, test_size=0.25, random_state=0)
    )

    net = Net()
    net(x_train[:1])  # layers see their first input and make their weights, as torch's lazy modules do
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(5 if quick else 15):
        net.train()
        for batch in torch.randperm(len(x_train)).split(32):
            optimizer.zero_grad()
            loss = loss_fn(net(x_train[batch]), y_train[batch])
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.4f}")

    net.eval()
    with torch.no_grad():
        accuracy = (net(x_test).argmax(-1) == y_test).float().mean().item()
    print("state_dict:", ", ".join(net.state_dict()))
    print(f"test accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
