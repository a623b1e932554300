"""Layouts of weights, by patterns of their paths."""

import collections.abc
import re

from torchkeras_lite.distribution.mesh import TensorLayout


class LayoutMap(collections.abc.MutableMapping):
    """A mapping of patterns to layouts: `layout_map["dense.*kernel"] = (None, "model")`.

    A path that is no key itself is looked up by the keys as regular expressions, which are searched in it.

    Args:
        device_mesh: The `DeviceMesh` of layouts given as tuples.

    Source: Keras 3 `keras.distribution.LayoutMap`.
    """

    def __init__(self, device_mesh):
        self._layouts = {}
        self._device_mesh = device_mesh

    def __getitem__(self, key):
        """Return the layout for a path, `None` where there is none.

        Raises:
            ValueError: several patterns match.
        """
        if key in self._layouts:
            return self._layouts[key]
        matches = [pattern for pattern in self._layouts if re.search(pattern, key)]
        if len(matches) > 1:
            raise ValueError(
                f"Path '{key}' matches multiple layout specification keys: {matches}. Please make sure each "
                "tensor/variable path only matches at most one layout specification key in the LayoutMap."
            )
        return self._layouts[matches[0]] if matches else None

    def __setitem__(self, key, layout):
        """Add a layout, a `TensorLayout` or a tuple of its axes.

        Raises:
            ValueError: the key is there already, or `layout` is neither.
        """
        if key in self._layouts:
            raise ValueError(
                f"{key} already exist in the LayoutMap with value {self._layouts[key]}. Please make sure to "
                "not use duplicated keys."
            )
        if isinstance(layout, tuple):
            layout = TensorLayout(axes=layout, device_mesh=None)
        if not isinstance(layout, TensorLayout):
            raise ValueError(f"{layout} should be a TensorLayout type, got {type(layout)}")
        if layout.device_mesh is None:
            layout.device_mesh = self._device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key):
        del self._layouts[key]

    def __len__(self):
        return len(self._layouts)

    def __iter__(self):
        return iter(self._layouts)

    @property
    def device_mesh(self):
        """The mesh."""
        return self._device_mesh
