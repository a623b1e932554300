"""`ExportArchive`: several functions of models, exported together."""

import os

import torch
from torch import nn

from torchkeras_lite.base.checks import describe, suggestion
from torchkeras_lite.export.formats import REMEDIES, export_program
from torchkeras_lite.export.signature import symbolic_inputs

__all__ = ["ExportArchive"]


class ExportArchive:
    """Functions under names, each written as a graph of torch's operators, `<name>.pt2`.

    Args:
        format: `"torch"`. TensorFlow's `"saved_model"`, the default in Keras, is not written here.

    Raises:
        ValueError: another format.

    Source: Keras 3 `keras.export.ExportArchive`. Differs: a folder with a file for each endpoint, which
    `torch.export.load` reads.
    """

    def __init__(self, format="torch"):
        if format != "torch":
            remedy = REMEDIES.get(format, REMEDIES["tf_saved_model"])
            raise ValueError(f"ExportArchive: format={format!r} is not written here. {remedy}.")
        self.endpoints = {}
        self.resources = []

    def track(self, resource):
        """Keep a model or layer, whose weights endpoints use.

        Raises:
            ValueError: it is no module, or not built.
        """
        if not isinstance(resource, nn.Module):
            raise ValueError(
                f"ExportArchive: expected a model or layer, got {resource!r} of type "
                f"{type(resource).__name__}."
            )
        if not getattr(resource, "built", True):
            raise ValueError(
                f"ExportArchive: {describe(resource)} is not built. Call it on a batch first, so that it has "
                "weights."
            )
        if all(resource is not one for one in self.resources):
            self.resources.append(resource)

    def add_endpoint(self, name, fn, input_signature=None):
        """Add a function under a name.

        Args:
            name: Name of the endpoint and its file.
            fn: A built model, or a function of one tensor (or nested tensors) that uses tracked resources.
            input_signature: The inputs; see `export_model`. A model's own by default.

        Raises:
            ValueError: a name that is taken; a function without a signature.
        """
        if name in self.endpoints:
            raise ValueError(f"ExportArchive: the endpoint '{name}' exists already. Give another name.")
        if isinstance(fn, nn.Module):
            self.track(fn)
        elif input_signature is None:
            raise ValueError(
                f"ExportArchive: the endpoint '{name}' is a function; pass its `input_signature`, such as "
                "[keras.InputSpec(shape=(None, 3))]."
            )
        structure, _ = symbolic_inputs(fn, input_signature)
        module = fn if isinstance(fn, nn.Module) else _Function(fn, self.resources)
        self.endpoints[name] = export_program(module, structure)

    def track_and_add_endpoint(self, name, resource, input_signature=None):
        """Track a model or layer, and add it as an endpoint."""
        self.track(resource)
        self.add_endpoint(name, resource, input_signature)

    def write_out(self, filepath, options=None, verbose=True):
        """Write a file for each endpoint into the folder `filepath`.

        Raises:
            ValueError: there is no endpoint, or there are `options` (of TensorFlow).
        """
        if not self.endpoints:
            raise ValueError("ExportArchive: there is no endpoint to write. Call `add_endpoint` first.")
        if options is not None:
            raise ValueError("ExportArchive: `options` are TensorFlow's; leave them out.")
        os.makedirs(filepath, exist_ok=True)
        for name, program in self.endpoints.items():
            torch.export.save(program, os.path.join(filepath, f"{name}.pt2"))
        if verbose:
            print(f"Saved endpoints {', '.join(self.endpoints)} in '{filepath}'.")

    def endpoint(self, name):
        """Return an endpoint as a callable.

        Raises:
            ValueError: there is none of that name.
        """
        if name not in self.endpoints:
            raise ValueError(
                f"ExportArchive: there is no endpoint '{name}'{suggestion(name, self.endpoints)}"
            )
        return self.endpoints[name].module()


class _Function(nn.Module):
    """A function and the modules that it uses."""

    def __init__(self, function, resources):
        super().__init__()
        self.function = function
        self.resources = nn.ModuleList(resources)

    def forward(self, inputs):
        """Call the function."""
        return self.function(inputs)
