"""What `tf.data` does to elements beyond `torchkeras_lite.data`: windows, datasets of datasets, padding."""

import itertools

import numpy as np
import torch

from torchkeras_lite.base import nested
from torchkeras_lite.data.stages import INFINITE, UNKNOWN, Stage
from torchkeras_lite.data.views import apply
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.tensor import plain, wrap
from torchkeras_lite.tf.text import StringTensor, is_text


def shown(element):
    """Return an element as scripts get it: tensors with TensorFlow's methods."""
    return nested.map_structure(_shown, element)


def _shown(leaf):
    if isinstance(leaf, torch.Tensor):
        return wrap(leaf)
    if is_text(leaf):
        return StringTensor(leaf)
    return convert(leaf) if isinstance(leaf, (bool, int, float, np.ndarray, np.generic)) else leaf


def kept(element):
    """Return an element as pipelines keep it: plain tensors and arrays of text; lists become tensors."""
    if isinstance(element, dict):
        return {key: kept(value) for key, value in element.items()}
    if isinstance(element, tuple):
        return nested.like(element, [kept(value) for value in element])
    if isinstance(element, list):
        element = (
            torch.stack(element) if element and isinstance(element[0], torch.Tensor) else convert(element)
        )
    if isinstance(element, StringTensor):
        return element.item() if element.ndim == 0 else element.view(np.ndarray)
    if isinstance(element, (bool, int, float)):
        element = convert(element)
    return plain(element)


class Function:
    """A script's function in a pipeline: it gets shown elements, and what it returns is kept.

    Args:
        function: The function.
        result: What is made of its result.
    """

    def __init__(self, function, result=kept):
        self.function, self.result = function, result

    def __call__(self, *parts):
        """Call it."""
        return self.result(self.function(*map(shown, parts)))


class FlatMapped(Stage):
    """The elements of the datasets that a function makes of elements, up to `cycle` of them at a time.

    Args:
        source: Stage of the elements.
        function: Function that returns a dataset.
        cycle: How many datasets are read in turn.
        block: How many elements are read from one before the next.
    """

    def __init__(self, source, function, cycle=1, block=1):
        self.source, self.function, self.cycle, self.block = source, function, cycle, block

    def stream(self):
        """Return the elements."""
        elements = iter(self.source)
        if self.cycle == 1:
            for element in elements:
                yield from apply(self.function, element).stage
            return
        slots = [self._open(element) for element in itertools.islice(elements, self.cycle)]
        while slots:
            for place, stream in enumerate(slots):
                taken = list(itertools.islice(stream, self.block))
                yield from taken
                if len(taken) < self.block:
                    following = next(elements, self)
                    slots[place] = None if following is self else self._open(following)
            slots = [stream for stream in slots if stream is not None]

    def _open(self, element):
        return iter(apply(self.function, element).stage)


class Windowed(Stage):
    """Runs of following elements, each as a list.

    Args:
        source: Stage of the elements.
        length: Elements in a window.
        shift: How many elements later the next window begins.
        stride: Distance of the elements in a window.
        drop: Whether windows with fewer elements are left out.
    """

    def __init__(self, source, length, shift, stride, drop):
        self.source, self.length, self.shift, self.stride, self.drop = source, length, shift, stride, drop
        if source.size >= 0:
            span = (length - 1) * stride
            last = source.size - span if drop else source.size
            self.size = max(-(-last // shift), 0)
        else:
            self.size = source.size

    def stream(self):
        """Return the windows."""
        span = (self.length - 1) * self.stride + 1
        elements, ahead = iter(self.source), []
        while True:
            ahead += itertools.islice(elements, span - len(ahead))
            if not ahead or (self.drop and len(ahead) < span):
                return
            yield ahead[: span : self.stride]
            if self.shift > len(ahead):
                skipped = self.shift - len(ahead)
                if sum(1 for _ in itertools.islice(elements, skipped)) < skipped:
                    return
            del ahead[: self.shift]


class Listed(Stage):
    """Elements of a list.

    Args:
        elements: The list.
    """

    def __init__(self, elements):
        self.elements, self.size = elements, len(elements)

    def stream(self):
        """Return the elements."""
        return iter(self.elements)


class TakenWhile(Stage):
    """The elements before the first of which a function says no."""

    def __init__(self, source, function):
        self.source, self.function = source, function

    def stream(self):
        """Return the elements."""
        return itertools.takewhile(lambda element: apply(self.function, element), iter(self.source))


class Scanned(Stage):
    """What a function makes of a state and each element; it returns the new state too."""

    def __init__(self, source, state, function):
        self.source, self.state, self.function = source, state, function
        self.size = source.size

    def stream(self):
        """Return the outputs."""
        state = self.state
        for element in self.source:
            state, output = self.function(state, shown(element))
            yield kept(output)


class Bucketed(Stage):
    """Batches of elements of like length.

    Args:
        source: Stage of the elements.
        length: Function from an element to its length.
        limits: Lengths below which elements share a batch, ascending.
        sizes: Batch sizes, one more than limits.
        pad: Function from a list of elements and the number of the bucket to a batch.
        drop: Whether last batches with fewer elements are left out.
    """

    def __init__(self, source, length, limits, sizes, pad, drop):
        self.source, self.length, self.limits, self.sizes = source, length, limits, sizes
        self.pad, self.drop = pad, drop

    def stream(self):
        """Return the batches."""
        buckets = [[] for _ in self.sizes]
        for element in self.source:
            place = int(np.searchsorted(self.limits, int(apply(self.length, element)), side="right"))
            buckets[place].append(element)
            if len(buckets[place]) == self.sizes[place]:
                yield self.pad(buckets[place], place)
                buckets[place] = []
        for place, rest in enumerate(buckets):
            if rest and not self.drop:
                yield self.pad(rest, place)


class Padded(Stage):
    """Batches of elements of different lengths.

    Args:
        source: Stage of the elements.
        batch_size: Elements in a batch.
        drop: Whether a last batch with fewer is left out.
        pad: Function from a list of elements to a batch.
    """

    def __init__(self, source, batch_size, drop, pad):
        self.source, self.batch_size, self.drop, self.pad = source, batch_size, drop, pad
        count = source.size
        self.size = count if count < 0 else count // batch_size if drop else -(-count // batch_size)

    def stream(self):
        """Return the batches."""
        elements = iter(self.source)
        while batch := list(itertools.islice(elements, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop:
                yield self.pad(batch)


class Mixed(Stage):
    """Elements of several stages, in the order of numbers that tell which comes next.

    Args:
        sources: The stages.
        choices: Function that returns an iterator over their numbers.
        stops: Whether the first stage that ends is the end.
    """

    def __init__(self, sources, choices, stops):
        self.sources, self.choices, self.stops = sources, choices, stops
        self.size = INFINITE if any(source.size == INFINITE for source in sources) else UNKNOWN

    def stream(self):
        """Return the elements."""
        streams = [iter(source) for source in self.sources]
        left = set(range(len(streams)))
        for number in self.choices():
            if number not in left:
                continue
            element = next(streams[number], self)
            if element is self:
                left.discard(number)
                if self.stops or not left:
                    return
                continue
            yield element


def pad_batch(elements, shapes=None, values=None):
    """Return elements as one batch, each part padded to the longest, or to `shapes`.

    Raises:
        ValueError: an element that is longer than its shape.
    """
    flat = [nested.flatten(element) for element in elements]
    count = len(flat[0])
    shapes = [None] * count if shapes is None else _flat_shapes(shapes, elements[0])
    values = _flat_values(values, count)
    columns = zip(*flat, strict=True)
    parts = [_pad(column, shape, value) for column, shape, value in zip(columns, shapes, values, strict=True)]
    return nested.pack_like(elements[0], parts)


def _flat_shapes(shapes, template):
    if isinstance(template, dict):
        return [shape for key in sorted(template) for shape in _flat_shapes(shapes[key], template[key])]
    if isinstance(template, (list, tuple)):
        return [s for shape, part in zip(shapes, template, strict=True) for s in _flat_shapes(shape, part)]
    return [shapes]


def _flat_values(values, count):
    flat = nested.flatten(values)
    return flat * count if len(flat) == 1 else flat


def _pad(leaves, shape, value):
    if is_text(leaves[0]):
        return _pad_text([np.asarray(leaf, dtype=object) for leaf in leaves], shape, value)
    leaves = [convert(leaf) for leaf in leaves]
    size = _padded_size([tuple(leaf.shape) for leaf in leaves], shape)
    batch = leaves[0].new_full((len(leaves), *size), 0 if value is None else float(value))
    for row, leaf in zip(batch, leaves, strict=True):
        row[tuple(map(slice, leaf.shape))] = leaf
    return plain(batch)


def _pad_text(leaves, shape, value):
    size = _padded_size([leaf.shape for leaf in leaves], shape)
    batch = np.full((len(leaves), *size), "" if value is None else value, dtype=object)
    for row, leaf in zip(batch, leaves, strict=True):
        row[tuple(map(slice, leaf.shape))] = leaf
    return batch


def _padded_size(found, shape):
    longest = [max(lengths) for lengths in zip(*found, strict=True)]
    if shape is None:
        return tuple(longest)
    wanted = [
        length if size in (None, -1) else int(size) for size, length in zip(shape, longest, strict=True)
    ]
    if any(size < length for size, length in zip(wanted, longest, strict=True)):
        raise ValueError(f"padded_batch: an element of shape {tuple(longest)} does not fit {tuple(shape)}.")
    return tuple(wanted)
