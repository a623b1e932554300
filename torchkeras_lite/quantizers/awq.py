"""AWQ: scales weights up where inputs are large, so that rounding harms those least."""

import torch

from torchkeras_lite.quantizers.zero_points import round_in_groups

_UNUSED = 1e-8  # magnitude below which an input counts as never seen
_SMALLEST = 1e-4  # scale, before the smallest and the largest are made inverse


class AWQCalibrator:
    """Learns how large a layer's inputs get, and rounds its weights with scales that follow from it.

    Args:
        config: An `AWQConfig`.

    Source: Lin et al. 2023, arXiv:2306.00978. As in Keras, the largest values of the inputs count where the
    paper takes their means, and weigh the errors of the weights where the paper computes outputs.
    """

    def __init__(self, config):
        self.config = config
        self.magnitudes = None

    def update(self, inputs):
        """Add the inputs `(samples, features)` of one call."""
        largest = inputs.float().abs().amax(0)
        self.magnitudes = largest if self.magnitudes is None else torch.maximum(self.magnitudes, largest)

    def integers(self, weights):
        """Return the weights `(outputs, inputs)` as `GroupedIntegers`; scales are 1 before any inputs."""
        bits, size = self.config.weight_bits, self.config.group_size
        if self.magnitudes is None:
            scales = [torch.ones(weights.shape[1], dtype=torch.float32, device=weights.device)]
            magnitudes = scales[0]
        else:
            magnitudes = self.magnitudes
            scales = _scales(magnitudes, self.config.num_grid_points)
        best, least = None, None
        for scale in scales:
            rounded = round_in_groups(weights, bits, size, input_scales=scale)
            loss = ((rounded.floats() - weights) * magnitudes).square().sum()
            if best is None or loss < least:
                best, least = rounded, loss
        return best._replace(groups=best.groups.floor())


def _scales(magnitudes, points):
    """Yield powers of the magnitudes, from the power 0 to 1, whose smallest and largest are inverse."""
    magnitudes = torch.where(magnitudes < _UNUSED, 1, magnitudes)
    for point in range(points + 1):
        scale = (magnitudes ** (point / points)).clamp(min=_SMALLEST)
        yield scale / (scale.min() * scale.max()).sqrt()
