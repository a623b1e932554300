"""`run`: a script for Keras or TensorFlow, as it stands."""

import importlib
import importlib.util
import os
import sys
import traceback
import types

NAME = "run"
HELP = "Run a script in which `keras` and `tensorflow` mean this package."


def add_arguments(parser):
    """Add the arguments of the command to a parser."""
    parser.add_argument("-m", dest="is_module", action="store_true", help="SCRIPT is the name of a module")
    parser.add_argument("script", help="a file, or with -m a module")
    parser.add_argument("rest", nargs="...", metavar="ARGUMENT", help="what the script finds in sys.argv")


def run(arguments):
    """Run the script as `__main__`; return 0, 1 after an exception, or what the script exits with."""
    importlib.import_module("torchkeras_lite.as_keras")  # not before: it changes what `keras` means
    try:
        code, path, spec = (_module if arguments.is_module else _file)(arguments.script)
    except (OSError, ImportError, SyntaxError) as error:
        print(f"run: {arguments.script}: {error}", file=sys.stderr)
        return 1
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=path, __spec__=spec, __builtins__=__builtins__)
    if spec is not None:
        main.__package__ = spec.parent
    sys.modules["__main__"] = main
    sys.argv[:] = [path, *arguments.rest]
    sys.path[0] = os.getcwd() if arguments.is_module else os.path.dirname(os.path.abspath(path))
    try:
        exec(code, main.__dict__)
    except Exception as error:  # shown without the frames of this command
        traceback.print_exception(type(error), error, error.__traceback__.tb_next)
        return 1
    return 0


def _file(path):
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec"), path, None


def _module(name):
    """Return code, path and spec of a module, or of the `__main__` of a package."""
    sys.path.insert(0, os.getcwd())
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    if spec is None or spec.loader is None:
        raise ImportError(f"no module named {name!r} that can be run")
    return spec.loader.get_code(spec.name), spec.origin, spec
