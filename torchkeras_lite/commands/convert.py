"""`convert`: a model or weights from one format of files to another."""

import os
import sys

from torchkeras_lite.saving.legacy_h5 import is_legacy_path
from torchkeras_lite.saving.model_files import load_model

NAME = "convert"
HELP = "Write a saved model in another format."
WHOLE = (".keras", ".safetensors", ".h5", ".hdf5")
WEIGHTS = (".weights.h5", ".weights.json", ".pt", ".pth")


def add_arguments(parser):
    """Add the arguments of the command to a parser."""
    parser.add_argument("source", help="a whole model, or weights (then --model says of which model)")
    parser.add_argument("target", help="ends in .keras, .h5, .weights.h5, .safetensors, .pt or .pth")
    parser.add_argument("--model", help="a whole model, whose layers the weights in the source belong to")
    parser.add_argument(
        "--weights-only", action="store_true", help="leave the config out of .safetensors, .h5"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave out how the model was compiled")
    parser.add_argument("--overwrite", action="store_true", help="write over the target")


def run(arguments):
    """Convert; return 0, or 1 after a message."""
    source, target = arguments.source, arguments.target
    known = (*WHOLE, *WEIGHTS)
    if not target.endswith(known):
        return _fail(f"unknown format: {target} ends in none of {', '.join(known)}")
    if os.path.exists(target) and not arguments.overwrite:
        return _fail(f"{target} exists; pass --overwrite to write over it")
    try:
        if arguments.model is not None:
            model = load_model(arguments.model, compile=False)
            model.load_weights(source)
        else:
            model = load_model(source, compile=not arguments.no_compile)
        whole = target.endswith(WHOLE) and not target.endswith(WEIGHTS)
        if whole and not (arguments.weights_only and not target.endswith(".keras")):
            model.save(target)
        elif target.endswith(".weights.json"):
            model.save_weights(target, max_shard_size=4)
        else:
            model.save_weights(target)
    except (OSError, ValueError, TypeError, ImportError) as error:
        return _fail(str(error))
    kind = "legacy HDF5" if is_legacy_path(target) else os.path.splitext(target)[1].removeprefix(".")
    print(f"{source} -> {target} ({kind}, {model.count_params()} parameters)")
    return 0


def _fail(text):
    print(f"convert: {text}", file=sys.stderr)
    return 1
