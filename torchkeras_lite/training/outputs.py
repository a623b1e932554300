"""The outputs of a model by place and by name, and how what is given for them is spread over them."""

from torchkeras_lite.base import nested
from torchkeras_lite.base.checks import suggestion


class Outputs:
    """The flat outputs of a model: losses, metrics, weights and targets are given in their form, as a flat
    list, or by their names.

    Args:
        y_pred: The outputs of a batch.
        layer_names: Names of the layers that make them, in the order of the flat outputs, where the model
            has such.

    `names` holds what a dict may call the outputs: the keys of a dict of outputs, the names of the layers, or
    `output_0`, `output_1`, ...
    """

    def __init__(self, y_pred, layer_names=None):
        self.paths = [path for path, _ in nested.flatten_with_path(y_pred)]
        self.count = len(self.paths)
        self.tree = nested.pack_like(y_pred, range(self.count))
        self.layer_names = layer_names if layer_names and len(layer_names) == self.count else None
        self.keyed = isinstance(y_pred, dict) and all(len(path) == 1 for path in self.paths)
        if self.keyed:
            self.names = [path[0] for path in self.paths]
        elif self.layer_names:
            self.names = list(self.layer_names)
        else:
            self.names = [self._path_name(path) for path in self.paths]

    def _path_name(self, path):
        if all(isinstance(key, int) for key in path):
            return "output_" + "_".join(map(str, path or (0,)))
        return "/".join(map(str, path))

    def loss_name(self, index, loss):
        """Return what the loss of an output is called in logs, without `_loss`.

        Args:
            index: Place among the flat outputs.
            loss: Name of the loss itself, for outputs that have none.
        """
        *outer, last = self.paths[index] or (0,)
        if isinstance(last, int):
            last = self.layer_names[index] if self.layer_names else loss
        return "/".join(map(str, (*outer, last)))

    def structure_name(self, path, loss):
        """Return what a loss of a structure of outputs is called in logs, without `_loss`.

        Args:
            path: Leads to the structure; that of all outputs is called by all their names.
            loss: Name of the loss itself, for outputs that have none.
        """
        if path:
            return "/".join(map(str, path))
        if isinstance(self.tree, dict):
            return "_".join(str(key) for key in dict.fromkeys(path[0] for path in self.paths))
        return "_".join(self.layer_names) if self.layer_names else loss

    def metric_prefix(self, index):
        """Return what stands before `_accuracy` in logs, `None` for nothing."""
        if self.count == 1:
            return None
        if self.keyed:
            return self.names[index]
        return self.layer_names[index] if self.layer_names else None

    def spread(self, what, given):
        """Spread an argument of `compile` over the flat outputs.

        Args:
            what: Name of the argument, for messages.
            given: One value for all, or a structure with a value for every output.

        Returns:
            A dict of places to values: in the order of a dict with the keys of the outputs, else in that of
            the outputs. Outputs that a dict does not name are left out.

        Raises:
            ValueError: names or a form that the outputs do not have.
        """
        if not nested.is_nested(given):
            return dict.fromkeys(range(self.count), given)
        found = {}
        if self.is_by_name(given):
            for index, part in self.by_name(what, given):
                self._place(what, part, index, found, (self.names[index],))
            return found
        if isinstance(given, (list, tuple)) and not self._fits(given, self.tree):
            if len(given) == self.count:
                return dict(enumerate(given))
            raise ValueError(
                f"`{what}` should have as many entries as the model has outputs ({self.count}: "
                f"{self.names}), got {len(given)}."
            )
        self._place(what, given, self.tree, found, ())
        return found

    def is_by_name(self, given):
        """Whether `given` is a dict that calls outputs by `names`, not by the keys of their own dict."""
        return isinstance(given, dict) and not (
            isinstance(self.tree, dict) and given.keys() <= self.tree.keys()
        )

    def by_name(self, what, given):
        """Return `(place, value)` pairs of a dict that calls outputs by `names`.

        Raises:
            ValueError: a name that no output has.
        """
        for name in given:
            if name not in self.names:
                raise ValueError(
                    f"compile: `{what}` names the output {name!r}, and the model has no such "
                    f"output{suggestion(name, self.names)} Its outputs: {self.names}."
                )
        return [(index, given[name]) for index, name in enumerate(self.names) if name in given]

    def _fits(self, given, node):
        return isinstance(node, (list, tuple)) and len(given) == len(node)

    def _place(self, what, given, node, found, path):
        if isinstance(node, int) and not isinstance(given, dict):
            found[node] = nested.unpack_single(given)
        elif not nested.is_nested(given):
            for index in nested.flatten(node):
                found[index] = given
        elif isinstance(given, dict) and isinstance(node, dict):
            for key, part in given.items():
                if key not in node:
                    place = "/".join(map(str, (*path, key)))
                    raise ValueError(
                        f"compile: `{what}` names {place!r}, which can't be found in the model's "
                        f"output{suggestion(key, list(node))} There are: {list(node)}."
                    )
                self._place(what, part, node[key], found, (*path, key))
        elif isinstance(given, (list, tuple)) and self._fits(given, node):
            for key, (part, inner) in enumerate(zip(given, node, strict=True)):
                self._place(what, part, inner, found, (*path, key))
        else:
            raise ValueError(
                f"compile: `{what}` does not have the form of the outputs at {'/'.join(map(str, path))!r}: "
                f"got {given!r}. Give one entry for every output: {self.names}."
            )

    def targets(self, y_true, wanted):
        """Return one target, or `None`, for each flat output.

        Args:
            y_true: Targets in the form of the outputs, as a flat list, or a dict by their names; those of
                outputs without a loss may be left out.
            wanted: Places of the outputs that have a loss.

        Raises:
            ValueError: targets of another form.
        """
        if not nested.is_nested(y_true):
            if len(wanted) == 1 or y_true is None:
                return [y_true if index in wanted else None for index in range(self.count)]
            raise ValueError(
                f"The model has the outputs {self.names}, but `y` is one array of shape "
                f"{tuple(y_true.shape)}. Pass a list with the targets of each, or a dict by these names."
            )
        return self._data("y", y_true, wanted)

    def sample_weights(self, weights, wanted):
        """Return the sample weights, or `None`, of each flat output; one array counts for all."""
        if not nested.is_nested(weights):
            return [weights] * self.count
        return self._data("sample_weight", weights, wanted)

    def _data(self, what, given, wanted):
        if nested.same_structure(given, self.tree):
            return nested.flatten(given)
        if isinstance(given, dict):
            found = self.spread(what, given)
            return [found.get(index) for index in range(self.count)]
        flat = nested.flatten(given)
        if len(flat) == self.count:
            return flat
        if len(flat) == len(wanted):
            found = dict(zip(wanted, flat, strict=True))
            return [found.get(index) for index in range(self.count)]
        raise ValueError(
            f"{'y_true' if what == 'y' else what} and y_pred have different structures. `{what}` should "
            f"have as many entries as the model has outputs ({self.count}: {self.names}), got {len(flat)}."
        )


def standardized(given, convert):
    """Return a structure with `convert` applied to every entry; a config dict is one entry."""
    if isinstance(given, dict) and not {"class_name", "config"} <= given.keys():
        return {key: standardized(part, convert) for key, part in given.items()}
    if isinstance(given, (list, tuple)):
        return nested.like(given, [standardized(part, convert) for part in given])
    return convert(given)
