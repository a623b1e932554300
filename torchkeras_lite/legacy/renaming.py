"""How functions of Keras 2's backend are collected, with what to write in their place."""


def named(table, instead, name=None):
    """Put a function into `table` under its own name; `instead` is what takes its place today."""

    def keep(function):
        function.instead = instead
        table[name or function.__name__] = function
        return function

    return keep


def renamed(table, function, name, instead=None):
    """Put a function of `ops`, which has the same meaning, into `table` as `name`."""

    def called(*args, **kwargs):
        return function(*args, **kwargs)

    called.__doc__ = f"`ops.{function.__name__}` by its old name."
    called.instead = instead or f"ops.{function.__name__}"
    table[name] = called
