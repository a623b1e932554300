"""The learning rates of an optimizer: its own, or those of the parts of a `MultiOptimizer`."""


def rated_optimizers(optimizer):
    """Return the optimizers with a learning rate, its key in the logs and its words in messages.

    Args:
        optimizer: The one of a model.
    """
    parts = getattr(getattr(optimizer, "inner_optimizer", optimizer), "optimizers", None)
    if parts is None:
        return [(optimizer, "learning_rate", "learning rate")]
    return [(part, f"learning_rate_{part.name}", f"{part.name} learning rate") for part in parts]


def note_learning_rates(optimizer, logs):
    """Write the learning rates of `optimizer` into `logs`."""
    for part, key, _ in rated_optimizers(optimizer):
        logs[key] = float(part.learning_rate)
