"""Python functions as text and back, in the form that Keras writes for lambdas. Reading runs foreign code."""

import base64
import binascii
import marshal
import types


def dump_function(function):
    """Return bytecode, defaults and closure of a function as plain values."""
    closure = function.__closure__
    return {
        "code": base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii"),
        "defaults": function.__defaults__,
        "closure": tuple(cell.cell_contents for cell in closure) if closure else None,
    }


def load_function(dumped):
    """Return the function that `dump_function` (or Keras) wrote, with this module's own globals.

    Args:
        dumped: A dict as `dump_function` returns, or the list `[code, defaults, closure]` of Keras 2.

    Raises:
        ValueError: it is no bytecode of this version of Python.
    """
    if isinstance(dumped, dict):
        code, defaults, closure = dumped["code"], dumped.get("defaults"), dumped.get("closure")
    else:
        code, defaults, closure = dumped
    try:
        code = marshal.loads(base64.b64decode(code))
        if not isinstance(code, types.CodeType):
            raise ValueError("it is no code")
    except (binascii.Error, EOFError, TypeError, ValueError) as error:
        raise ValueError(
            "The bytecode of a lambda cannot be read; it was perhaps written by another version of Python "
            f"({error}). Give the function by name through `custom_objects`."
        ) from None
    cells = tuple(types.CellType(value) for value in closure) if closure else None
    defaults = tuple(defaults) if defaults else None
    return types.FunctionType(code, _globals(), code.co_name, defaults, cells)


def _globals():
    return {"__builtins__": __builtins__}
