"""Packages that single callbacks need, imported when one is first used."""

import importlib


def extra(module, package, user):
    """Return the module called `module`.

    Args:
        module: Name to import.
        package: Name to install.
        user: What needs it, for the message.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs the package {package}, which is not installed. Run: pip install {package}"
        ) from error
