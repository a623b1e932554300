"""Activations, losses, convolutions and recurrence of Keras 2's backend."""

import torch
import torch.nn.functional as F

from torchkeras_lite import losses, ops, random
from torchkeras_lite.base import config, nested
from torchkeras_lite.base.config import standardize_data_format
from torchkeras_lite.legacy.renaming import named, renamed

FUNCTIONS: dict = {}
for _name in ("elu", "sigmoid", "softmax", "softplus", "softsign", "in_top_k", "one_hot"):
    renamed(FUNCTIONS, getattr(ops, _name), _name)
for _name in ("binary_crossentropy", "categorical_crossentropy"):
    renamed(FUNCTIONS, getattr(ops, _name), _name)


@named(FUNCTIONS, "ops.relu or layers.ReLU")
def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """Return `x` above a threshold, `alpha * (x - threshold)` below, at most `max_value`."""
    x = ops.convert_to_tensor(x)
    y = torch.where(x >= threshold, x, alpha * (x - threshold))
    return y if max_value is None else y.clamp(max=max_value)


@named(FUNCTIONS, "ops.hard_sigmoid, which has other slopes")
def hard_sigmoid(x):
    """Return `0.2 * x + 0.5`, kept in [0, 1]."""
    return (0.2 * ops.convert_to_tensor(x) + 0.5).clamp(0, 1)


@named(FUNCTIONS, "random.dropout")
def dropout(x, level, noise_shape=None, seed=None):
    """Return `x` with a share `level` of the values set to 0, the others scaled up."""
    return random.dropout(x, level, noise_shape, seed)


@named(FUNCTIONS, "ops.sparse_categorical_crossentropy")
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1, ignore_class=None):
    """Return the crossentropy of class numbers; 0 for `ignore_class`."""
    return losses.sparse_categorical_crossentropy(target, output, from_logits, ignore_class, axis)


@named(FUNCTIONS, "losses.BinaryFocalCrossentropy")
def binary_focal_crossentropy(
    target, output, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False
):
    """Return the focal crossentropy, value by value."""
    target, output = ops.convert_to_tensor(target), ops.convert_to_tensor(output)
    p = ops.sigmoid(output) if from_logits else output
    shares = target * p + (1 - target) * (1 - p)
    loss = (1 - shares) ** gamma * ops.binary_crossentropy(target, p)
    return loss * (target * alpha + (1 - target) * (1 - alpha)) if apply_class_balancing else loss


@named(FUNCTIONS, "losses.CategoricalFocalCrossentropy")
def categorical_focal_crossentropy(target, output, alpha=0.25, gamma=2.0, from_logits=False, axis=-1):
    """Return the focal crossentropy of one-hot targets."""
    return losses.categorical_focal_crossentropy(target, output, alpha, gamma, from_logits, axis=axis)


@named(FUNCTIONS, "ops.batch_normalization")
def batch_normalization(x, mean, var, beta, gamma, axis=-1, epsilon=1e-3):
    """Return `x` normalized by a mean and a variance."""
    return ops.batch_normalization(x, mean, var, axis, offset=beta, scale=gamma, epsilon=epsilon)


@named(FUNCTIONS, "x + bias")
def bias_add(x, bias, data_format=None):
    """Add a bias, a vector along the channels or a tensor without the batch."""
    x, bias = ops.convert_to_tensor(x), ops.convert_to_tensor(bias)
    if standardize_data_format(data_format) == "channels_first" and x.ndim > 2:
        channels_first = (bias.shape[0], *(1,) * (x.ndim - 2))
        bias = bias.reshape(channels_first) if bias.ndim == 1 else bias.movedim(-1, 0)
    return x + bias


def _convolution(name, instead, function):
    def convolve(x, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
        causal = padding == "causal"
        if causal:
            x = temporal_padding(x, ((kernel.shape[0] - 1) * dilation_rate, 0))
        return function(x, kernel, strides, "valid" if causal else padding, data_format, dilation_rate)

    convolve.__doc__ = f"`{instead}` by its old name."
    named(FUNCTIONS, instead, name)(convolve)


for _name in ("conv1d", "conv2d", "conv3d"):
    _convolution(_name, "ops.conv", ops.conv)
_convolution("depthwise_conv2d", "ops.depthwise_conv", ops.depthwise_conv)


@named(FUNCTIONS, "ops.conv_transpose")
def conv2d_transpose(
    x, kernel, output_shape, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)
):
    """Return the transposed convolution; its size follows from the other arguments, `output_shape` chooses
    between the sizes that fit.
    """
    strides = (strides, strides) if isinstance(strides, int) else tuple(strides)
    dilation = (dilation_rate, dilation_rate) if isinstance(dilation_rate, int) else tuple(dilation_rate)
    first = standardize_data_format(data_format) == "channels_first"
    wanted = tuple(output_shape)[2:4] if first else tuple(output_shape)[1:3]
    shape = ops.convert_to_tensor(x).shape
    given = tuple(shape[2:4] if first else shape[1:3])
    extra = None
    if None not in wanted and not any(isinstance(size, torch.Tensor) for size in wanted):
        reach = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape[:2], dilation, strict=True)]
        pads = [size // 2 if padding == "same" else 0 for size in reach]
        extra = tuple(
            want - ((have - 1) * stride + size - 2 * pad)
            for want, have, stride, size, pad in zip(wanted, given, strides, reach, pads, strict=True)
        )
    return ops.conv_transpose(x, kernel, strides, padding, extra, data_format, dilation)


@named(FUNCTIONS, "ops.separable_conv")
def separable_conv2d(
    x,
    depthwise_kernel,
    pointwise_kernel,
    strides=(1, 1),
    padding="valid",
    data_format=None,
    dilation_rate=(1, 1),
):
    """Return a depthwise convolution followed by one of size 1."""
    return ops.separable_conv(
        x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate
    )


def _pooling(name):
    def pool(x, pool_size, strides=1, padding="valid", data_format=None, pool_mode="max"):
        if pool_mode not in ("max", "avg"):
            raise ValueError(f"Invalid pooling mode: {pool_mode!r}. Use 'max' or 'avg'.")
        function = ops.max_pool if pool_mode == "max" else ops.average_pool
        return function(x, pool_size, strides, padding, data_format)

    pool.__doc__ = "`ops.max_pool` or `ops.average_pool` by its old name."
    named(FUNCTIONS, "ops.max_pool or ops.average_pool", name)(pool)


for _name in ("pool2d", "pool3d"):
    _pooling(_name)


@named(FUNCTIONS, "layers.UpSampling2D or ops.image.resize")
def resize_images(x, height_factor, width_factor, data_format, interpolation="nearest"):
    """Return images that many times as high and as wide."""
    x = ops.convert_to_tensor(x)
    sizes = x.shape[2:4] if data_format == "channels_first" else x.shape[1:3]
    size = (sizes[0] * height_factor, sizes[1] * width_factor)
    return ops.image.resize(x, size, interpolation=interpolation, data_format=data_format)


@named(FUNCTIONS, "layers.UpSampling3D")
def resize_volumes(x, depth_factor, height_factor, width_factor, data_format):
    """Return volumes whose values are repeated along three axes."""
    first = 2 if standardize_data_format(data_format) == "channels_first" else 1
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), start=first):
        x = ops.repeat(x, factor, axis=axis)
    return x


@named(FUNCTIONS, "ops.pad")
def temporal_padding(x, padding=(1, 1)):
    """Return `x` with zeros before and behind axis 1."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


@named(FUNCTIONS, "layers.ZeroPadding2D or ops.pad")
def spatial_2d_padding(x, padding=((1, 1), (1, 1)), data_format=None):
    """Return images with zeros around them."""
    return _padded(x, padding, data_format)


@named(FUNCTIONS, "layers.ZeroPadding3D or ops.pad")
def spatial_3d_padding(x, padding=((1, 1), (1, 1), (1, 1)), data_format=None):
    """Return volumes with zeros around them."""
    return _padded(x, padding, data_format)


def _padded(x, padding, data_format):
    spatial = tuple(map(tuple, padding))
    first = standardize_data_format(data_format) == "channels_first"
    return ops.pad(x, ((0, 0), (0, 0), *spatial) if first else ((0, 0), *spatial, (0, 0)))


@named(FUNCTIONS, "ops.ctc_loss")
def ctc_batch_cost(y_true, y_pred, input_length, label_length):
    """Return the CTC loss of every sample, `(batch, 1)`.

    Args:
        y_true: Labels `(batch, steps)`.
        y_pred: Probabilities `(batch, steps, classes)`; the last class is the blank.
        input_length, label_length: Lengths `(batch, 1)`.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    logarithms = torch.log_softmax(torch.log(y_pred + config.epsilon()), -1).transpose(0, 1)
    lengths = [ops.convert_to_tensor(n).reshape(-1).long() for n in (input_length, label_length)]
    targets = ops.convert_to_tensor(y_true).long()
    loss = F.ctc_loss(logarithms, targets, *lengths, blank=y_pred.shape[-1] - 1, reduction="none")
    return loss.unsqueeze(-1)


@named(FUNCTIONS, "ops.ctc_decode")
def ctc_decode(y_pred, input_length, greedy=True, beam_width=100, top_paths=1):
    """Return the decoded labels, a list of `(batch, steps)` padded with -1, and their scores.

    Args:
        y_pred: Probabilities `(batch, steps, classes)`; the last class is the blank.
        input_length: Lengths `(batch,)`.
        greedy: Whether the likeliest class of each step is taken; else beams are searched.
        beam_width, top_paths: Of the search.
    """
    y_pred = torch.log(ops.convert_to_tensor(y_pred) + config.epsilon())
    strategy = "greedy" if greedy else "beam_search"
    options = {} if greedy else {"beam_width": beam_width, "top_paths": top_paths}
    decoded, scores = ops.ctc_decode(
        y_pred, input_length, strategy=strategy, mask_index=y_pred.shape[-1] - 1, **options
    )
    return list(decoded), scores


@named(FUNCTIONS, "padded labels, which the functions here take")
def ctc_label_dense_to_sparse(labels, label_lengths):
    """Return the labels as torch's sparse tensor.

    Args:
        labels: `(batch, steps)`.
        label_lengths: How many of each row count.
    """
    labels = ops.convert_to_tensor(labels)
    places = torch.arange(labels.shape[1], device=labels.device)
    there = places < ops.convert_to_tensor(label_lengths).reshape(-1, 1)
    return torch.sparse_coo_tensor(there.nonzero().T, labels[there], labels.shape, check_invariants=True)


@named(FUNCTIONS, "layers.RNN")
def rnn(
    step_function,
    inputs,
    initial_states,
    go_backwards=False,
    mask=None,
    constants=None,
    unroll=False,
    input_length=None,
    time_major=False,
    zero_output_for_mask=False,
    return_all_outputs=True,
):
    """Call `step_function(input, states)` for every step.

    Args:
        step_function: Returns the output and the new states.
        inputs: Tensor, or nested tensors, `(batch, steps, ...)`; steps first with `time_major`.
        initial_states: List of tensors.
        go_backwards: Whether the last step comes first.
        mask: Booleans `(batch, steps)`; at steps with `False` output and states stay.
        constants: Further states that do not change.
        unroll, input_length: Without effect: steps are run one after the other, as many as there are.
        time_major: Whether the steps are the first axis.
        zero_output_for_mask: Whether masked outputs are 0, and do not repeat the last one.
        return_all_outputs: Whether the outputs of all steps are returned, or the last one with one step.

    Returns:
        The last output, the outputs, and the last states.
    """
    if not time_major:
        inputs = nested.map_structure(lambda x: x.transpose(0, 1), inputs)
    count = len(nested.flatten(inputs)[0])
    masks = None if mask is None else (mask if time_major else mask.transpose(0, 1)).bool()
    states, outputs, last = list(initial_states), [], None
    for step in range(count - 1, -1, -1) if go_backwards else range(count):
        part = nested.map_structure(lambda x, step=step: x[step], inputs)
        output, new_states = step_function(part, [*states, *(constants or ())])
        if masks is not None:
            seen = masks[step]
            states_before = torch.zeros_like(output) if last is None or zero_output_for_mask else last
            output = _where(seen, output, states_before)
            new_states = [_where(seen, new, old) for new, old in zip(new_states, states, strict=False)]
        last, states = output, list(new_states)
        outputs.append(output)
    outputs = torch.stack(outputs) if return_all_outputs else last.unsqueeze(0)
    return last, outputs if time_major else outputs.transpose(0, 1), states


def _where(seen, new, old):
    return torch.where(seen.reshape(*seen.shape, *(1,) * (new.ndim - seen.ndim)), new, old)
