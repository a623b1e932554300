"""Logs whose numbers stay on the device until somebody looks at them."""

from collections.abc import MutableMapping

from torchkeras_lite.callbacks.old_logs import modern_name


class LazyLogs(MutableMapping):
    """A mapping of names to floats that is filled at the first look.

    Looking (a key, `in`, iteration, `len`, a copy, `repr`, pickling) calls `read` once and keeps what it
    returned. The truth value is `True` without a look, so that `logs or {}` costs nothing.

    Args:
        read: Function without arguments that returns the dict of Python floats.
    """

    __slots__ = ("__weakref__", "_read", "_values")

    def __init__(self, read):
        self._read = read
        self._values = None

    def materialize(self):
        """Return the dict behind the logs, reading it now if nobody has looked yet."""
        if self._values is None:
            self._values = dict(self._read())
            self._read = None
        return self._values

    def copy(self):
        """Return the values as a plain dict."""
        return dict(self.materialize())

    def __getitem__(self, name):
        values = self.materialize()
        return values[name if name in values else modern_name(name, values)]

    def __setitem__(self, name, value):
        self.materialize()[name] = value

    def __delitem__(self, name):
        del self.materialize()[name]

    def __contains__(self, name):
        return name in self.materialize()

    def __iter__(self):
        return iter(self.materialize())

    def __len__(self):
        return len(self.materialize())

    def __bool__(self):
        return self._values is None or bool(self._values)

    def __or__(self, other):
        return self.materialize() | dict(other)

    def __ror__(self, other):
        return dict(other) | self.materialize()

    def __repr__(self):
        return repr(self.materialize())

    def __reduce__(self):
        return dict, (self.copy(),)

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()
