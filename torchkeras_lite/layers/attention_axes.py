"""Attention over any axes of inputs with more than three: how they become steps of one axis, and back."""

from torchkeras_lite.base.checks import describe


class AttentionAxes:
    """Rearranges tensors so that attention runs over one axis of steps.

    The axes that attention does not run over are like further batch axes, in front of the heads.

    Args:
        layer: The layer, for messages.
        rank: Rank of query, key and value, `(batch, ..., features)`.
        axes: The attention axes; `None`: all between batch and features.

    Raises:
        ValueError: an axis that is the batch, the features or outside.
    """

    def __init__(self, layer, rank, axes=None):
        inner = range(1, rank - 1)
        given = tuple(inner) if axes is None else tuple(axes)
        counted = [axis + rank if axis < 0 else axis for axis in given]
        if not counted or any(axis not in inner for axis in counted) or len({*counted}) < len(counted):
            raise ValueError(
                f"{describe(layer)}: `attention_axes` must be different axes from 1 to {rank - 2} for inputs "
                f"of rank {rank}, got attention_axes={axes}."
            )
        self.rank = rank
        self.axes = tuple(counted)
        self._lead = [axis for axis in range(rank - 1) if axis not in counted]
        self._order = [*self._lead, rank - 1, *counted, rank]
        self._back = [self._order.index(axis) for axis in range(rank + 1)]

    def sizes(self, x):
        """Return the sizes of the attention axes of `x`."""
        return tuple(x.shape[axis] for axis in self.axes)

    def split(self, x):
        """Return `x`, `(batch, ..., heads, dim)`, as `(batch, ..., heads, steps, dim)`."""
        if self.rank == 3:
            return x.transpose(1, 2)
        return x.permute(self._order).flatten(len(self._lead) + 1, -2)

    def join(self, x, sizes):
        """Return `x`, `(batch, ..., heads, steps, dim)`, as `(batch, ..., heads, dim)`."""
        if self.rank == 3:
            return x.transpose(1, 2)
        return x.unflatten(-2, sizes).permute(self._back)

    def join_scores(self, weights, queries, keys):
        """Return weights of `(batch, ..., heads, queries, keys)` with an axis for each attention axis."""
        if len(queries) == 1:
            return weights
        return weights.unflatten(-1, keys).unflatten(len(self._lead) + 1, queries)

    def split_steps(self, mask, sizes):
        """Return a mask of steps, `(batch, ...)`, as `(batch, ..., 1, steps)`; missing axes come last."""
        mask = mask.bool()
        mask = mask.reshape(*mask.shape, *(1,) * (self.rank - 1 - mask.ndim))
        shape = list(mask.shape)
        for axis, size in zip(self.axes, sizes, strict=True):
            shape[axis] = size
        mask = mask.expand(shape).permute([*self._lead, *self.axes])
        return mask.flatten(len(self._lead)).unsqueeze(-2)

    def split_pairs(self, mask, queries, keys):
        """Return a mask of queries and keys as `(batch, ..., heads, queries, keys)`.

        Axes that are missing before those of the queries are added, just before them.
        """
        own = 2 * len(queries)
        missing = len(self._lead) + 1 + own - mask.ndim
        mask = mask.bool()
        mask = mask.reshape(*mask.shape[:-own], *(1,) * missing, *mask.shape[-own:])
        if len(queries) == 1:
            return mask
        mask = mask.expand(*mask.shape[:-own], *queries, *keys)
        return mask.flatten(-len(keys)).flatten(-1 - len(queries), -2)
