"""A folder that stands in PYTHONPATH of the processes that a program under `as_keras` starts."""
