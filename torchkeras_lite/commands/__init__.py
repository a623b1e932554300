"""The command line: `python -m torchkeras_lite COMMAND ...`, one file a command.

A command has `NAME`, `HELP`, `add_arguments(parser)` and `run(arguments)`, which returns the exit status.
"""

from torchkeras_lite.commands import convert, eject, inspect, port, run

COMMANDS = (convert, eject, inspect, port, run)
