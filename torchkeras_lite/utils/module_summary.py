"""`summary`: the table of `Model.summary` for any `nn.Module`."""

import torch

from torchkeras_lite.base import nested
from torchkeras_lite.engine import collecting, shapes
from torchkeras_lite.engine.shapes import TensorSpec
from torchkeras_lite.utils.summary import print_summary
from torchkeras_lite.utils.summary_rows import Row, bounds, shapes_text


def summary(
    module,
    input_shape=None,
    line_length=None,
    positions=None,
    print_fn=None,
    expand_nested=False,
    show_trainable=False,
    layer_range=None,
    show_flops=False,
):
    """Print a table of the parts of any `nn.Module`, their output shapes and numbers of weights.

    Args:
        module: A module; a model of this package prints its own summary.
        input_shape: Shape of the input with the batch axis, `None` where a size is free; a list or dict of
            shapes for several inputs. Output shapes and operations are known only with it.
        line_length, positions, print_fn, expand_nested, show_trainable, layer_range, show_flops: As in
            `Model.summary`.

    Raises:
        TypeError: `module` is no `nn.Module`.
        ValueError: the module cannot take inputs of this shape.

    Source: an addition.
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"summary: expected an `nn.Module`, got {module!r}. Pass a model or a module.")
    arguments = (line_length, positions, print_fn, expand_nested, show_trainable, layer_range, show_flops)
    if collecting.is_layer(module) and hasattr(module, "layers"):
        print_summary(module, *arguments)
        return
    view = ModuleView(module, input_shape)
    rows = view.rows(expand_nested)
    first, last = bounds([row.name for row in rows], layer_range)
    print_summary(view, *arguments, rows[first:last])


class ModuleView:
    """A plain module as the summary sees a model: a name, rows, weights and an input.

    Args:
        module: The module.
        input_shape: See `summary`.
    """

    def __init__(self, module, input_shape=None):
        self.module = module
        self.name = module.name if collecting.is_layer(module) else type(module).__name__
        self.input = None if input_shape is None else _specs(input_shape)
        self._shapes = {} if input_shape is None else self._output_shapes()

    def _output_shapes(self):
        """Run the module on meta tensors of two sizes for every free axis: axes that differ are free."""
        runs, hooks = [], []

        def note(part, args, outputs):
            found = [tuple(t.shape) for t in nested.flatten(outputs) if isinstance(t, torch.Tensor)]
            runs[-1][id(part)] = found

        try:
            hooks += [part.register_forward_hook(note) for part in self.module.modules()]
            for sizes in shapes.SIZES[0]:
                runs.append({})
                inputs = nested.map_structure(
                    lambda spec, sizes=sizes: shapes.probe_tensor(spec, sizes, "meta"), self.input
                )
                with shapes.probing(), torch.no_grad():
                    shapes.run_on_meta(self.module, (inputs,), {})
        except Exception as error:
            raise ValueError(
                f"summary: {self.name} does not take inputs of shape {_listed(self.input)}: {error}. Pass "
                "`input_shape` with the batch axis, for example (None, 3, 224, 224)."
            ) from error
        finally:
            for hook in hooks:
                hook.remove()
        first, second = runs
        return {
            key: [_free(a, b) for a, b in zip(found, second.get(key, found), strict=False)]
            for key, found in first.items()
        }

    @property
    def trainable_weights(self):
        """The parameters that require gradients."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    @property
    def non_trainable_weights(self):
        """All other parameters, and buffers that are saved."""
        trained = {id(parameter) for parameter in self.trainable_weights}
        saved = {id(t): t for t in self.module.state_dict(keep_vars=True).values()}
        return [tensor for key, tensor in saved.items() if key not in trained]

    def rows(self, expand_nested, depth=0, module=None):
        """Return the rows of the parts, those of parts inside after their own with `expand_nested`."""
        module = self.module if module is None else module
        found = []
        for name, part in module.named_children():
            found.append(Row(name, type(part).__name__, self._shape_of(part), part, depth=depth))
            if expand_nested:
                found += self.rows(True, depth + 1, part)
        if not found and not depth:
            found.append(Row(self.name, type(module).__name__, self._shape_of(module), module))
        return found

    def _shape_of(self, module):
        known = self._shapes.get(id(module))
        return shapes_text(known[0] if len(known) == 1 else known) if known else "?"

    def modules(self):
        """Return all modules, for counting operations."""
        return self.module.modules()

    def parameters(self):
        """Return all parameters."""
        return self.module.parameters()

    def __call__(self, inputs, training=False):
        """Run the module."""
        return self.module(inputs)


def _specs(shape):
    if isinstance(shape, dict):
        return {name: _specs(part) for name, part in shape.items()}
    if isinstance(shape, (list, tuple)) and any(isinstance(part, (list, tuple, dict)) for part in shape):
        return [_specs(part) for part in shape]
    return TensorSpec(tuple(shape), "float32")


def _listed(specs):
    return [spec.shape for spec in nested.flatten(specs)]


def _free(first, second):
    """Return a shape with `None` where two runs differ."""
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))
