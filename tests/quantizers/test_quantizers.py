"""Quantizer functions give Keras's numbers; configs and policies are Keras's."""

import keras
import numpy as np
import pytest
import torch

import torchkeras_lite
from torchkeras_lite import dtype_policies, quantizers

RNG = np.random.RandomState(0)
MATRIX = RNG.normal(size=(5, 4)).astype("float32")
INT4 = RNG.randint(-8, 8, (5, 3)).astype("int8")


def arrays(result):
    """The parts of a result as arrays."""
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [keras.ops.convert_to_numpy(p) if isinstance(p, torch.Tensor) else np.asarray(p) for p in parts]


CALLS = {
    "abs max": lambda q: q.abs_max_quantize(MATRIX, 0),
    "abs max of both axes": lambda q: q.abs_max_quantize(MATRIX, (0, 1), value_range=(-7, 7)),
    "abs max on the CPU": lambda q: q.abs_max_quantize(torch.tensor(MATRIX), 1, to_numpy=True),
    "groups": lambda q: q.abs_max_quantize_grouped_with_zero_point(torch.tensor(MATRIX), 2),
    "groups on the CPU": lambda q: q.abs_max_quantize_grouped_with_zero_point(
        torch.tensor(MATRIX), 3, to_numpy=True
    ),
    "quantizer": lambda q: q.AbsMaxQuantizer(axis=0)(MATRIX),
    "pack": lambda q: q.pack_int4(INT4),
    "pack columns": lambda q: q.pack_int4(INT4, axis=1),
    "pack unsigned": lambda q: q.pack_int4(np.abs(INT4).astype("uint8"), axis=-1, dtype="uint8"),
    "unpack": lambda q: q.unpack_int4(q.pack_int4(INT4)[0], 5),
    "unpack columns": lambda q: q.unpack_int4(q.pack_int4(INT4, axis=1)[0], 3, axis=1),
    "amax history": lambda q: q.compute_float8_amax_history(torch.tensor(MATRIX), torch.arange(4.0)),
    "scale": lambda q: q.compute_float8_scale(torch.tensor(3.0), torch.tensor(2.0), 448.0),
    "scale of nothing": lambda q: q.compute_float8_scale(
        torch.tensor(0.0), torch.tensor(2.0), 448.0, margin=1
    ),
    "there and back": lambda q: q.quantize_and_dequantize(
        torch.tensor(MATRIX), torch.tensor(0.1), "float8_e4m3fn", "float32"
    ),
    "fake": lambda q: q.fake_quant_with_min_max_vars(MATRIX, -1.1, 1.5),
    "fake, narrow": lambda q: q.fake_quant_with_min_max_vars(
        MATRIX, -1.1, 1.5, num_bits=4, narrow_range=True
    ),
    "fake by columns": lambda q: q.fake_quant_with_min_max_vars(
        MATRIX, np.full(4, -1.0, "float32"), np.arange(1.0, 5.0, dtype="float32"), axis=1
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_numbers_are_kerass(name):
    for mine, his in zip(arrays(CALLS[name](quantizers)), arrays(CALLS[name](keras.quantizers)), strict=True):
        assert mine.dtype == his.dtype
        np.testing.assert_allclose(mine, his, rtol=1e-6, atol=1e-6)


def test_gradients_of_fake_quantization_are_kerass():
    def gradients(q):
        x = torch.tensor(MATRIX, requires_grad=True)
        ends = [torch.full((4,), v, requires_grad=True) for v in (-0.5, 0.7)]
        (q.fake_quant_with_min_max_vars(x, *ends, axis=1) * torch.arange(20.0).reshape(5, 4)).sum().backward()
        return [x.grad, *(end.grad for end in ends)]

    for mine, his in zip(gradients(quantizers), gradients(keras.quantizers), strict=True):
        torch.testing.assert_close(mine, his)


@pytest.mark.parametrize(
    "make",
    [
        lambda q: q.Int8QuantizationConfig(),
        lambda q: q.Int8QuantizationConfig(q.AbsMaxQuantizer(axis=0), None),
        lambda q: q.Int4QuantizationConfig(block_size=64),
        lambda q: q.Float8QuantizationConfig(),
        lambda q: q.GPTQConfig(None, None, group_size=64),
        lambda q: q.AWQConfig(None, None, num_grid_points=4),
        lambda q: q.AbsMaxQuantizer(axis=1, value_range=(-7, 7)),
    ],
    ids=["int8", "int8 weights", "int4", "float8", "gptq", "awq", "quantizer"],
)
def test_configs_are_kerass_and_are_read(make):
    def plain(value):
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        return list(value) if isinstance(value, tuple) else value

    mine, his = quantizers.serialize(make(quantizers)), keras.quantizers.serialize(make(keras.quantizers))
    assert plain(mine) == plain(his)
    assert quantizers.serialize(quantizers.deserialize(mine)) == mine


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda q: q.Int4QuantizationConfig(block_size=0),
            "block_size must be None, -1, or a positive integer",
        ),
        (
            lambda q: q.Int4QuantizationConfig(q.AbsMaxQuantizer(), block_size=8),
            "does not support custom quantizers",
        ),
        (lambda q: q.GPTQConfig(None, None, weight_bits=5), "Unsupported weight_bits 5"),
        (lambda q: q.AWQConfig(None, None, weight_bits=8), "AWQ only supports 4-bit"),
        (lambda q: q.AWQConfig(None, None, group_size=0), "Invalid group_size"),
        (lambda q: q.AbsMaxQuantizer(value_range=(-200, 200)), r"within the interval \[-128, 127\]"),
        (lambda q: q.pack_int4(INT4, dtype="int16"), "Expected dtype to be 'int8' or 'uint8'"),
        (lambda q: q.QuantizationConfig().mode, "Do not instantiate QuantizationConfig directly"),
    ],
    ids=["blocks", "custom", "bits", "awq bits", "groups", "range", "dtype", "base"],
)
def test_refusals_are_kerass(call, message):
    for q in (quantizers, keras.quantizers):
        with pytest.raises((ValueError, NotImplementedError), match=message):
            call(q)


@pytest.mark.parametrize(
    "name",
    ["int8_from_float32", "int4/32_from_mixed_bfloat16", "gptq/4/128_from_float32", "awq/4/-1_from_float32"]
    + ["float8_from_bfloat16", "int4_from_float32"],
)
def test_policies_are_kerass(name):
    mine, his = dtype_policies.get(name), keras.dtype_policies.get(name)
    assert type(mine).__name__ == type(his).__name__
    for attribute in ("name", "compute_dtype", "variable_dtype", "quantization_mode"):
        assert getattr(mine, attribute) == getattr(his, attribute)
    assert dtype_policies.serialize(mine) == keras.dtype_policies.serialize(his)
    assert dtype_policies.deserialize(dtype_policies.serialize(mine)) == mine
    assert mine != dtype_policies.get("int8_from_bfloat16")


@pytest.mark.parametrize(
    "name",
    [
        "int9_from_float32",
        "int8_from_float16",
        "gptq/5/128_from_float32",
        "int4/0_from_float32",
        "gptq_from_x",
    ],
)
def test_policies_refused(name):
    for k in (torchkeras_lite, keras):
        with pytest.raises(ValueError):  # noqa: PT011, many texts
            k.dtype_policies.get(name)


def test_fake_quantization_of_symbols():
    symbol = torchkeras_lite.Input((4,))
    model = torchkeras_lite.Model(
        symbol, quantizers.fake_quant_with_min_max_vars(symbol, -1.0, 1.0, num_bits=3)
    )
    expected = quantizers.fake_quant_with_min_max_vars(MATRIX, -1.0, 1.0, num_bits=3)
    torch.testing.assert_close(model(torch.tensor(MATRIX)), expected)
