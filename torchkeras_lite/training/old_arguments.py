"""Arguments of `compile`, `fit` and other methods of models as Keras 1, Keras 2 and tf.keras spelled them."""

from torchkeras_lite.base.old_names import Dropped, Refused, Renamed

_COUNTED = "it counted samples: pass `{}`, the number of batches"
COMPILE = {
    "class_mode": Dropped(),
    "experimental_run_tf_function": Dropped(),
    "experimental_steps_per_execution": Renamed(("steps_per_execution",)),
    "sample_weight_mode": Dropped(
        only=(None, "temporal"), remedy="pass `sample_weight` of the shape of the loss"
    ),
    "target_tensors": Dropped(only=(None,), remedy="pass the targets to `fit`"),
}
EVALUATE = {
    "max_q_size": Renamed(("max_queue_size",)),
    "nb_worker": Renamed(("workers",)),
    "pickle_safe": Renamed(("use_multiprocessing",)),
    "show_accuracy": Refused("pass `metrics=['accuracy']` to `compile`"),
    "val_samples": Refused(_COUNTED.format("steps")),
}
FIT = {
    **EVALUATE,
    "nb_epoch": Renamed(("epochs",)),
    "nb_val_samples": Refused(_COUNTED.format("validation_steps")),
    "samples_per_epoch": Refused(_COUNTED.format("steps_per_epoch")),
}
ON_BATCH = {
    "accuracy": Refused("pass `metrics=['accuracy']` to `compile`"),
    "reset_metrics": Dropped(only=(True,), remedy="keep a metric, and call its `update_state`"),
}
SAVE_WEIGHTS = {
    "options": Dropped(only=(None,)),
    "save_format": Dropped(
        only=(None, "h5"), remedy="pass a path that ends in `.weights.h5`, and read that with `load_weights`"
    ),
}
