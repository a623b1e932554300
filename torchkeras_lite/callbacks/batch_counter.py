"""Counting batches over epochs, for callbacks that act every so many of them."""


class BatchCounter:
    """Counts batches from their numbers within the epoch, which jump where `steps_per_execution` is not 1."""

    def __init__(self):
        self.last = -1

    def new(self, batch):
        """Return how many batches were done since the last call, now that the one numbered `batch` is."""
        new = batch - self.last if batch > self.last else batch + 1
        self.last = batch
        return new


def save_frequency(owner, save_freq):
    """Return `save_freq`, which must be `"epoch"` or a positive number of batches.

    Raises:
        ValueError: anything else.
    """
    if save_freq == "epoch" or (
        isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
    ):
        return save_freq
    raise ValueError(
        f"{owner}: Invalid value for argument `save_freq`. Received: save_freq={save_freq}. "
        f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values of 1 or more."
    )
