"""Methods of models that Keras 2 had: `fit_generator`, `predict_classes` and their like."""

import numpy as np

from torchkeras_lite.base import nested
from torchkeras_lite.base.old_names import takes_old, tell
from torchkeras_lite.engine import collecting
from torchkeras_lite.engine.keras_tensor import is_symbolic
from torchkeras_lite.engine.layer import Layer
from torchkeras_lite.models import graph_model
from torchkeras_lite.training import old_arguments


class OldModelMethods:
    """What `Model` and `Sequential` had in Keras 2. Each tells, once, what to write today."""

    @takes_old(old_arguments.FIT)
    def fit_generator(
        self,
        generator,
        steps_per_epoch=None,
        epochs=1,
        verbose=1,
        callbacks=None,
        validation_data=None,
        validation_steps=None,
        **kwargs,
    ):
        """Train on batches from a generator: `fit`. Further arguments are those of `fit`, by name."""
        tell("`Model.fit_generator`", "write `fit`")
        return self.fit(
            generator,
            steps_per_epoch=steps_per_epoch,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            validation_steps=validation_steps,
            **kwargs,
        )

    def evaluate_generator(self, generator, steps=None, callbacks=None, **kwargs):
        """Evaluate on batches from a generator: `evaluate`."""
        tell("`Model.evaluate_generator`", "write `evaluate`")
        return self.evaluate(generator, steps=steps, callbacks=callbacks, **{"verbose": 0, **kwargs})

    def predict_generator(self, generator, steps=None, callbacks=None, **kwargs):
        """Return the outputs for batches from a generator: `predict`."""
        tell("`Model.predict_generator`", "write `predict`")
        return self.predict(generator, steps=steps, callbacks=callbacks, **{"verbose": 0, **kwargs})

    def predict_proba(self, x, batch_size=None, verbose=0):
        """Return the outputs: `predict`."""
        tell("`Model.predict_proba`", "write `predict`")
        return self.predict(x, batch_size=batch_size, verbose=verbose)

    def predict_classes(self, x, batch_size=None, verbose=0):
        """Return the number of the class for every row; of a single output whether it is above 0.5."""
        tell(
            "`Model.predict_classes`",
            "write `model.predict(x).argmax(-1)`, or `(model.predict(x) > 0.5).astype('int32')`",
        )
        scores = self.predict(x, batch_size=batch_size, verbose=verbose)
        return scores.argmax(-1) if np.shape(scores)[-1] > 1 else (scores > 0.5).astype("int32")

    def reset_states(self):
        """Start all stateful recurrent layers again."""
        tell("`Model.reset_states`", "call `reset_state()` of the recurrent layers")
        for layer in collecting.all_layers(self)[1:]:
            if getattr(layer, "stateful", False) is True and hasattr(layer, "reset_state"):
                layer.reset_state()

    def to_yaml(self, **kwargs):
        """Raise an error that tells of `to_json`.

        Raises:
            RuntimeError: always, as in tf.keras 2.6 and later.
        """
        raise RuntimeError("Model.to_yaml is of an older Keras. Instead, use `to_json` or `save`.")

    def add_loss(self, loss, inputs=None):
        """Add to the losses of a forward pass; a symbolic loss becomes a part of the graph, as in Keras 2."""
        if not any(is_symbolic(one) for one in nested.flatten(loss)):
            return super().add_loss(loss)
        tell("`Model.add_loss` of a symbolic tensor", "call `add_loss` in the `call` of a layer")
        self._need_graph("inputs, on which a symbolic loss depends,")
        structure = self._recording.outputs
        first, *others = nested.flatten(structure)
        outputs = nested.pack_like(structure, [AddLoss()(first, loss), *others])
        graph_model.install(self, self._recording.inputs, outputs)
        return None

    def _make_predict_function(self):
        self.make_predict_function()

    def _make_train_function(self):
        self.make_train_function()

    def _make_test_function(self):
        self.make_test_function()


class AddLoss(Layer):
    """Adds a loss that was given as a symbolic tensor, and hands its input on."""

    def call(self, inputs, loss):
        """Add the mean of each loss and return `inputs`."""
        self.add_loss([one.mean() for one in nested.flatten(loss)])
        return inputs
