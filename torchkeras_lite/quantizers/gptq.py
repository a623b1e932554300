"""GPTQ: rounds the weights of one input after the other, and lets those to come make up for the error."""

import torch

from torchkeras_lite.quantizers.zero_points import (
    GroupedIntegers,
    round_in_groups,
    scale_and_zero,
    size_of_group,
    to_integers,
)

_COLUMNS = 128  # that are rounded before the columns behind them are updated, in one matrix product


class GPTQCalibrator:
    """Learns the products of a layer's inputs, and rounds its weights so that its outputs change little.

    Args:
        config: A `GPTQConfig`.

    Source: Frantar et al. 2022, arXiv:2210.17323. Differs from Keras, which multiplies the errors by the
    inverse of the products and not, as the paper does, by its Cholesky factor, and whose groups have the
    ranges of the weights before the errors were added.
    """

    def __init__(self, config):
        self.config = config
        self.products = None

    def update(self, inputs):
        """Add the inputs `(samples, features)` of one call."""
        inputs = inputs.float()
        products = inputs.T @ inputs
        self.products = products if self.products is None else self.products.add_(products)

    def integers(self, weights):
        """Return the weights `(outputs, inputs)` as `GroupedIntegers`: the nearest ones, before any inputs.

        Raises:
            ValueError: the inputs seen do not determine the errors.
        """
        config = self.config
        ranges = (config.weight_bits, config.symmetric, config.per_channel)
        if self.products is None:
            return round_in_groups(weights, ranges[0], config.group_size, *ranges[1:])
        products = self.products.clone()
        diagonal = products.diagonal()  # a view
        diagonal[diagonal == 0] = 1  # of inputs that are always 0
        diagonal += config.hessian_damping * diagonal.mean()
        if config.activation_order:
            order = products.diagonal().argsort(descending=True, stable=True)
        else:
            order = torch.arange(len(products), device=products.device)
        factor = _factor_of_inverse(products[order][:, order])
        size = size_of_group(config.group_size, weights.shape[1])
        integers, scale, zero = _round_columns(weights[:, order].float(), factor, size, ranges)
        back = order.argsort()
        groups = torch.arange(len(order), device=weights.device, dtype=torch.float32) / size
        return GroupedIntegers(integers[:, back], scale.to(weights.dtype), zero, groups[back])


def _factor_of_inverse(products):
    """Return the upper triangle U with `U.T @ U` the inverse of `products`."""
    lower, failed = torch.linalg.cholesky_ex(products)
    if not failed:
        lower, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower))
    if failed:
        raise ValueError(
            "GPTQ: the calibration data do not determine the weights: the products of the inputs have no "
            "inverse. Use a larger `hessian_damping`, more samples, or inputs without NaN."
        )
    return lower.mT


def _round_columns(weights, factor, size, ranges):
    """Return integers, scales and zero points of `weights`, which are overwritten."""
    bits = ranges[0]
    integers = torch.empty(weights.shape, dtype=torch.uint8, device=weights.device)
    scales, zeros = [], []
    for start, stop in _blocks(weights.shape[1], size):
        errors = torch.empty_like(weights[:, start:stop])
        for column in range(start, stop):
            if column % size == 0:
                scale, zero = scale_and_zero(weights[:, column : column + size], *ranges)
                scales.append(scale)
                zeros.append(zero)
            values = weights[:, column : column + 1]
            rounded = to_integers(values, scale, zero, bits)
            integers[:, column] = rounded[:, 0].to(torch.uint8)
            error = (values - (rounded - zero) * scale) / factor[column, column]
            weights[:, column + 1 : stop] -= error * factor[column, column + 1 : stop]
            errors[:, column - start] = error[:, 0]
        weights[:, stop:] -= errors @ factor[start:stop, stop:]
    return integers, torch.cat(scales, 1), torch.cat(zeros, 1).to(torch.uint8)


def _blocks(columns, size):
    """Return starts and ends of blocks such that a group begins where all its columns are up to date."""
    if size < _COLUMNS:
        step = size * (_COLUMNS // size)
        starts = list(range(0, columns, step))
    else:
        starts = [
            start
            for group in range(0, columns, size)
            for start in range(group, min(group + size, columns), _COLUMNS)
        ]
    return list(zip(starts, [*starts[1:], columns], strict=True))
