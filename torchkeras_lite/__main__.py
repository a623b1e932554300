"""`python -m torchkeras_lite COMMAND ...`."""

import argparse
import sys

from torchkeras_lite import __version__
from torchkeras_lite.commands import COMMANDS


def main(arguments=None):
    """Run the command that `arguments` (by default those of the program) name, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m torchkeras_lite", description="Keras files at the prompt."
    )
    parser.add_argument("--version", action="version", version=f"torchkeras_lite {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        part = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.add_arguments(part)
        part.set_defaults(run=command.run)
    given = parser.parse_args(arguments)
    return given.run(given)


if __name__ == "__main__":
    sys.exit(main())
