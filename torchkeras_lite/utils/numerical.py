"""Labels to one-hot vectors, vectors to unit length."""

import numpy as np
import torch

from torchkeras_lite.base import config
from torchkeras_lite.base.device import default_device
from torchkeras_lite.base.old_names import Dropped, Renamed, takes_old

OLD = {
    "dtype": Dropped(remedy="cast the result"),
    "nb_classes": Renamed(("num_classes",)),
    "y": Renamed(("x",)),
}


@takes_old(OLD)
def to_categorical(x, num_classes=None):
    """Return class numbers as one-hot vectors.

    Args:
        x: Integers below `num_classes`, an array, list or tensor of any shape; a last axis of size 1
            is dropped.
        num_classes: Size of the vectors; the largest class number plus 1 when not given.

    Returns:
        A float64 array with one more axis; where `x` is a tensor, a tensor of integers on the same device.

    Raises:
        ValueError: a class number that is negative or not below `num_classes`.

    Source: Keras 3 `keras.utils.to_categorical`.
    """
    is_tensor = isinstance(x, torch.Tensor)
    labels = x.long() if is_tensor else torch.from_numpy(np.array(x, dtype="int64"))
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels.squeeze(-1)
    if not labels.numel() and num_classes is None:
        raise ValueError("to_categorical: no labels to tell the number of classes from. Pass `num_classes`.")
    least, most = (int(labels.min()), int(labels.max())) if labels.numel() else (0, 0)
    num_classes = most + 1 if num_classes is None else num_classes
    if least < 0 or most >= num_classes:
        raise ValueError(
            f"to_categorical: expected class numbers from 0 to {num_classes - 1}, got numbers from {least} "
            f"to {most}. Number the classes from 0, and pass `num_classes` larger than the last."
        )
    vectors = torch.nn.functional.one_hot(labels, num_classes)
    return vectors if is_tensor else vectors.double().numpy()


def normalize(x, axis=-1, order=2):
    """Return `x` divided by its norms along an axis; vectors of zeros stay.

    Args:
        x: An array, list or tensor.
        axis: The axis along which norms are taken.
        order: 1 for sums of absolute values, 2 for the Euclidean norm, and so on; an integer >= 1.

    Returns:
        An array for an array, else a tensor.

    Raises:
        ValueError: another order.

    Source: Keras 3 `keras.utils.normalize`. Differs: any `axis` of an array is right, not only the last.
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(
            f"normalize: Argument `order` must be an int >= 1, got order={order!r}. "
            "Pass 2 for Euclidean norms."
        )
    if isinstance(x, np.ndarray):
        array = np.atleast_1d(x)
        norms = np.sum(np.abs(array) ** order, axis=axis, keepdims=True) ** (1 / order)
        return array / np.where(norms == 0, 1, norms).astype(norms.dtype)
    tensor = x if isinstance(x, torch.Tensor) else torch.as_tensor(x, device=default_device())
    tensor = tensor if tensor.is_floating_point() else tensor.float()
    return torch.nn.functional.normalize(torch.atleast_1d(tensor), p=order, dim=axis, eps=config.epsilon())
