"""A function of tensors on a CUDA device, recorded once and replayed as one launch."""

import torch

WARM_UP = 3  # calls before the recording, in which kernels are chosen and buffers allocated


class CudaGraph:
    """A function that runs as it is a few times and is then replayed from a `torch.cuda.CUDAGraph`.

    No call is wasted: those before the recording compute as well, on a stream of their own as torch asks
    for. Random numbers of torch's CUDA generator go on from replay to replay.

    Args:
        function: Takes flat tensors of constant shapes and returns a flat list of them, without waiting for
            the device. It may write into its inputs.
        number_fixed: How many of its first inputs are the same tensors in every call. The others are copied
            to where the recording reads them.
    """

    def __init__(self, function, number_fixed):
        self.function = function
        self.number_fixed = number_fixed
        self.calls = 0
        self.graph = None
        self.inputs = self.outputs = None

    def __call__(self, *tensors):
        """Compute; the results are the caller's own."""
        if self.graph is None:
            self.calls += 1
            if self.calls <= WARM_UP:
                return self._run_aside(tensors)
            self._record(tensors)
        else:
            for place, tensor in zip(self.inputs, tensors[self.number_fixed :], strict=True):
                place.copy_(tensor)
        self.graph.replay()
        return [output if output is None else output.clone() for output in self.outputs]

    def _run_aside(self, tensors):
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            outputs = self.function(*tensors)
        current.wait_stream(aside)
        for output in outputs:
            if output is not None:
                output.record_stream(current)
        return outputs

    def _record(self, tensors):
        self.inputs = [tensor.clone() for tensor in tensors[self.number_fixed :]]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.outputs = self.function(*tensors[: self.number_fixed], *self.inputs)
        self.graph = graph
