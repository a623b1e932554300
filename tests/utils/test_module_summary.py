"""`utils.summary` for plain torch modules."""

import pytest
import torch
from torch import nn

import torchkeras_lite
from torchkeras_lite.utils import summary


def network():
    head = nn.Sequential(nn.Flatten(), nn.Linear(8 * 30 * 30, 10))
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), head)


def text_of(module, *args, **kwargs):
    lines = []
    summary(module, *args, line_length=120, print_fn=lines.append, **kwargs)
    return "\n".join(lines)


def cells_of(text):
    rows = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


def test_parts_with_their_numbers_of_weights():
    text = text_of(network())
    assert cells_of(text) == [
        ["0 (Conv2d)", "?", "224"],
        ["1 (BatchNorm2d)", "?", "33"],
        ["2 (ReLU)", "?", "0"],
        ["3 (Sequential)", "?", "72,010"],
    ]
    assert text.startswith('Model: "Sequential"')
    assert "Trainable params: 72,250 (282.23 KB)" in text
    assert "Non-trainable params: 17 (72.00 B)" in text


def test_shapes_operations_and_parts_inside():
    text = text_of(network(), (None, 3, 32, 32), expand_nested=True, show_flops=True, show_trainable=True)
    assert cells_of(text) == [
        ["0 (Conv2d)", "(None, 8, 30, 30)", "224", "Y", "388,800"],
        ["1 (BatchNorm2d)", "(None, 8, 30, 30)", "33", "Y", "0"],
        ["2 (ReLU)", "(None, 8, 30, 30)", "0", "-", "0"],
        ["3 (Sequential)", "(None, 10)", "72,010", "Y", "144,000"],
        ["└ 0 (Flatten)", "(None, 7200)", "0", "-", "0"],
        ["└ 1 (Linear)", "(None, 10)", "72,010", "Y", "144,000"],
    ]
    assert "FLOPs a sample: 532,800" in text


def test_a_module_without_parts_and_several_outputs():
    rows = cells_of(text_of(nn.LSTM(3, 4, batch_first=True), (None, 7, 3)))
    assert (rows[0][0], rows[0][2]) == ("LSTM (LSTM)", "144")
    assert " ".join(row[1] for row in rows) == "[(None, 7, 4), (1, None, 4), (1, None, 4)]"


def test_several_inputs_and_a_range_of_parts():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.last = nn.Linear(3, 4), nn.Linear(5, 4), nn.Linear(4, 1)

        def forward(self, inputs):
            return self.last(self.left(inputs["a"]) + self.right(inputs["b"]))

    text = text_of(Two(), {"a": (None, 3), "b": (None, 5)}, layer_range=["right", "last"])
    assert [row[:2] for row in cells_of(text)] == [
        ["right (Linear)", "(None, 4)"],
        ["last (Linear)", "(None, 1)"],
    ]


def test_models_print_their_own_summary():
    model = torchkeras_lite.Sequential([torchkeras_lite.Input((4,)), torchkeras_lite.layers.Dense(2)])
    own = []
    model.summary(line_length=120, print_fn=own.append)
    assert text_of(model) == own[0]


def test_nothing_of_the_module_changes():
    module = network().train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    text_of(module, (2, 3, 32, 32))
    assert module.training
    assert not any(part._forward_hooks for part in module.modules())
    for key, value in module.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_wrong_calls_are_told():
    with pytest.raises(TypeError, match=r"expected an `nn.Module`, got 3"):
        summary(3)
    with pytest.raises(
        ValueError, match=r"Sequential does not take inputs of shape \[\(None, 5\)\].*with the batch axis"
    ):
        summary(network(), (None, 5))
