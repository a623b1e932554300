"""`Config`: settings under names, read as attributes or as keys."""

import json


class Config:
    """Settings that are read and written as attributes or as keys, and that can be frozen.

    Args:
        **kwargs: Names and values.

    Raises:
        AttributeError: an unknown name is read as an attribute.
        KeyError: an unknown name is read as a key.
        ValueError: a frozen config is written to.

    Source: Keras 3 `keras.utils.Config`.
    """

    def __init__(self, **kwargs):
        self.__dict__["_config"] = kwargs
        self.__dict__["_frozen"] = False

    def freeze(self):
        """Refuse changes from here on."""
        self.__dict__["_frozen"] = True

    def unfreeze(self):
        """Allow changes again."""
        self.__dict__["_frozen"] = False

    @property
    def frozen(self):
        """Whether changes are refused."""
        return self._frozen

    def _writable(self):
        if self._frozen:
            raise ValueError(
                "Cannot mutate attribute(s) because the config is frozen. Call `unfreeze()` first."
            )
        return self._config

    def as_dict(self):
        """Return a dict of the names and values."""
        return dict(self._config)

    def to_json(self):
        """Return the names and values as JSON."""
        return json.dumps(self._config)

    def keys(self):
        """Return the names."""
        return self._config.keys()

    def values(self):
        """Return the values."""
        return self._config.values()

    def items(self):
        """Return pairs of names and values."""
        return self._config.items()

    def get(self, key, default_value=None):
        """Return the value called `key`, else `default_value`."""
        return self._config.get(key, default_value)

    def pop(self, *args):
        """Remove a name and return its value; a second argument is returned where there is none."""
        return self._writable().pop(*args)

    def update(self, *args, **kwargs):
        """Write several values, as `dict.update` does."""
        self._writable().update(*args, **kwargs)

    def __getattr__(self, name):
        settings = self.__dict__.get("_config", {})
        if name in settings:
            return settings[name]
        raise AttributeError(f"Unknown attribute: '{name}'. Known: {', '.join(map(str, settings))}")

    def __setattr__(self, name, value):
        self._writable()[name] = value

    def __delattr__(self, name):
        if name not in self._writable():
            raise AttributeError(f"Unknown attribute: '{name}'. Known: {', '.join(map(str, self._config))}")
        del self._config[name]

    def __getitem__(self, key):
        return self._config[key]

    def __setitem__(self, key, value):
        self._writable()[key] = value

    def __delitem__(self, key):
        del self._writable()[key]

    def __contains__(self, key):
        return key in self._config

    def __iter__(self):
        return iter(self._config)

    def __len__(self):
        return len(self._config)

    def __repr__(self):
        return f"<Config {self._config}>"
