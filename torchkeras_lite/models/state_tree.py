"""The state of a model as nested dicts: weights, optimizer state and metric state by their paths."""

from torchkeras_lite.base.checks import suggestion

PARTS = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
FORMATS = ("backend_tensor", "numpy_array")


def state_tree(model, value_format):
    """Return the values of all variables of `model`, nested by the steps of their paths.

    Raises:
        ValueError: an unknown format, or two variables of one path.
    """
    if value_format not in FORMATS:
        raise ValueError(
            f"get_state_tree: unknown value_format={value_format!r}{suggestion(value_format, FORMATS)} "
            f"Expected one of {FORMATS}."
        )
    return {part: _nested_by_path(variables, value_format) for part, variables in _variables(model).items()}


def set_state_tree(model, tree):
    """Give the variables of `model` the values in `tree`; all paths are checked before anything changes.

    Raises:
        ValueError: a part or path that the model does not have.
    """
    known = _variables(model)
    assignments = []
    for part, values in tree.items():
        if part not in known:
            raise ValueError(
                f"set_state_tree: unknown part {part!r}{suggestion(part, PARTS)} Known: {list(PARTS)}."
            )
        by_path = {variable.path: variable for variable in known[part]}
        for path, value in _flattened(values):
            if path not in by_path:
                raise ValueError(
                    f"set_state_tree: the model has no variable '{path}' in `{part}`"
                    f"{suggestion(path, by_path)} Its paths are {list(by_path)}."
                )
            assignments.append((by_path[path], value))
    for variable, value in assignments:
        variable.assign(value)


def _variables(model):
    optimizer = model.optimizer if model.compiled else None
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if optimizer is None else optimizer.variables,
        "metrics_variables": model.metrics_variables,
    }


def _nested_by_path(variables, value_format):
    tree, seen = {}, set()
    for variable in variables:
        if variable.path in seen:
            raise ValueError(
                f"The following variable path is found twice in the model: '{variable.path}'. "
                "`get_state_tree()` can only be called when all variable paths are unique. Give unique "
                "`name`s to the layers and weights."
            )
        seen.add(variable.path)
        *steps, last = variable.path.split("/")
        branch = tree
        for step in steps:
            branch = branch.setdefault(step, {})
        branch[last] = variable.numpy() if value_format == "numpy_array" else variable.value
    return tree


def _flattened(tree, path=()):
    if not isinstance(tree, dict):
        return [("/".join(path), tree)]
    return [pair for key, value in tree.items() for pair in _flattened(value, (*path, key))]
