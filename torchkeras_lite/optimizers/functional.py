"""A step as a function of values, for loops that keep the state themselves."""


def stateless_apply(optimizer, optimizer_variables, grads, trainable_variables):
    """Return `(trainable_variables, optimizer_variables)` after one step; see `Optimizer.stateless_apply`."""
    weights, variables = optimizer._trainable_variables, optimizer.variables
    if not optimizer.built:
        raise ValueError(
            f"To call `stateless_apply`, {type(optimizer).__name__} must be built. Call "
            "`optimizer.build(trainable_variables)` first."
        )
    for name, values, known in (
        ("optimizer_variables", optimizer_variables, variables),
        ("trainable_variables", trainable_variables, weights),
    ):
        if len(values) != len(known):
            raise ValueError(
                f"Argument `{name}` must be a list of tensors of one length with the optimizer's, "
                f"{len(known)}; got {len(values)}."
            )
    kept = _values((*weights, *variables))
    try:
        _write(optimizer, (*weights, *variables), (*trainable_variables, *optimizer_variables))
        optimizer.apply(grads, weights)
        return _values(weights), _values(variables)
    finally:
        _write(optimizer, (*weights, *variables), kept)


def _values(variables):
    values = [variable.value if hasattr(variable, "assign") else variable for variable in variables]
    return [value.detach().clone() for value in values]


def _write(optimizer, variables, values):
    for variable, value in zip(variables, values, strict=True):
        optimizer.assign(variable, value)
