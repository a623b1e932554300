"""Where Keras keeps what it downloaded."""

import os


def keras_home():
    """Return the folder: the environment's `KERAS_HOME`, else `.keras` in the user's home."""
    return os.path.expanduser(os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"))
