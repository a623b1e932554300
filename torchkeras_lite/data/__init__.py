"""Datasets that are read again every epoch: sources, and what is done to their elements on the way.

A pipeline is a chain of stages (`stages`, `streams`), evaluated as it is read. As long as its elements
can be told by numbers, a stage hands on *runs*: something to read from, and the numbers in their order.
Shuffling, cutting and repeating then only move numbers, and a batch of rows is read by one indexing.
"""

from torchkeras_lite.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset"]
