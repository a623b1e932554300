"""`acc` and `val_acc`, as Keras 2.2 called the values of the metric `accuracy` in logs."""

from torchkeras_lite.base.old_names import tell


def modern_name(name, logs):
    """Return the name in `logs` of what Keras 2.2 called `name`; `name` itself where there is none."""
    if isinstance(name, str) and (name == "acc" or name.endswith("_acc")):
        modern = f"{name}uracy"
        if modern in logs:
            tell(f"The name `{name}` in logs", f"write `{modern}`")
            return modern
    return name


class NamedValues(dict):
    """A dict by names of logs that also knows those of Keras 2.2."""

    def __missing__(self, name):
        modern = modern_name(name, self)
        if modern == name:
            raise KeyError(name)
        return self[modern]

    def get(self, name, default=None):
        """Return the value called `name`, else `default`."""
        return dict.get(self, modern_name(name, self) if name not in self else name, default)
