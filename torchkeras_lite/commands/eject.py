"""`eject`: a saved model as a Python file that imports torch alone."""

import os
import sys

from torchkeras_lite.export.source import to_source
from torchkeras_lite.saving.model_files import load_model

NAME = "eject"
HELP = "Write a saved model as plain PyTorch: net.py, and its weights in net.pt."


def add_arguments(parser):
    """Add the arguments of the command to a parser."""
    parser.add_argument("source", help="a whole model: .keras, .h5 or .safetensors")
    parser.add_argument("target", help="the Python file; the weights go beside it")
    parser.add_argument(
        "--weights", choices=("pt", "safetensors"), default="pt", help="format of the weights"
    )
    parser.add_argument(
        "--keys",
        choices=("short", "model"),
        default="short",
        help="keys of state_dict: short, or the model's",
    )
    parser.add_argument("--overwrite", action="store_true", help="write over the target")


def run(arguments):
    """Write the file; return 0, or 1 after a message."""
    source, target = arguments.source, arguments.target
    if os.path.exists(target) and not arguments.overwrite:
        return _fail(f"{target} exists; pass --overwrite to write over it")
    try:
        model = load_model(source, compile=False)
        to_source(model, target, weights=arguments.weights, keys=arguments.keys)
    except (OSError, ValueError, TypeError, ImportError) as error:
        return _fail(str(error))
    print(f"{source} -> {target} ({model.count_params()} parameters)")
    return 0


def _fail(text):
    print(f"eject: {text}", file=sys.stderr)
    return 1
