"""Arguments of operations whose windows slide over sequences, images and volumes."""

import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.checks import int_tuple, one_of
from torchkeras_lite.ops.inputs import as_tensor


class Windows:
    """What slides, and in which layout.

    Args:
        owner: Name of the operation, for messages.
        inputs: Tensor of 3 to 5 axes: batch, channels and spatial axes.
        padding: `"valid"` or `"same"`, in any case.
        data_format: `"channels_last"`, `"channels_first"` or `None`: the configured one.

    Raises:
        ValueError: another padding, data format or number of axes.
    """

    def __init__(self, owner, inputs, padding, data_format):
        self.owner = owner
        self.inputs = as_tensor(inputs)
        self.rank = self.inputs.ndim - 2
        if self.rank not in (1, 2, 3):
            raise ValueError(
                f"{owner}: expected inputs of 3, 4 or 5 axes (batch, one to three spatial axes, channels), "
                f"got shape {tuple(self.inputs.shape)}. Add a batch axis to a single sequence, image or "
                "volume."
            )
        padding = padding.lower() if isinstance(padding, str) else padding
        self.same = one_of(owner, "padding", padding, ("valid", "same")) == "same"
        self.channels_last = config.standardize_data_format(data_format, owner) == "channels_last"

    @property
    def x(self):
        """The inputs as a view of shape (batch, channels, ...)."""
        return self.inputs.movedim(-1, 1) if self.channels_last else self.inputs

    def sizes(self, argument, value):
        """Return an argument, one integer or one for each spatial axis, as a tuple."""
        value = list(value) if isinstance(value, torch.Size) else value
        if isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        return int_tuple(self.owner, argument, value, self.rank)

    def to_user(self, outputs):
        """Return outputs of shape (batch, channels, ...) as a view in the user's layout."""
        return outputs.movedim(1, -1) if self.channels_last else outputs
