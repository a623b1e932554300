"""`tf.io`: files, pictures, tables and tensors in bytes."""

import csv
import io
import os

import numpy as np
import torch

from torchkeras_lite.tf import dtypes, gfile
from torchkeras_lite.tf.conversion import convert
from torchkeras_lite.tf.errors import NotFoundError
from torchkeras_lite.tf.image_files import (
    decode_bmp,
    decode_gif,
    decode_image,
    decode_jpeg,
    decode_png,
    encode_jpeg,
    encode_png,
)
from torchkeras_lite.tf.tensor import wrap
from torchkeras_lite.tf.text import StringTensor
from torchkeras_lite.tf.unknown import missing


def _path(name):
    name = convert(name).item() if not isinstance(name, os.PathLike) else os.fspath(name)
    return name.decode() if isinstance(name, bytes) else name


def read_file(filename, name=None):
    """Return the bytes of a file.

    Raises:
        NotFoundError: it is not there.
    """
    try:
        with open(_path(filename), "rb") as file:
            return StringTensor(file.read())
    except FileNotFoundError as error:
        raise NotFoundError(f"{_path(filename)}; No such file or directory") from error


def write_file(filename, contents, name=None):
    """Write bytes or text into a file; folders above it are made."""
    path = _path(filename)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(convert(contents).item())


def matching_files(pattern, name=None):
    """Return the names of files that fit a pattern."""
    names = np.array(gfile.glob(_path(pattern)), dtype=object)
    return StringTensor(names)


def decode_raw(input_bytes, out_type, little_endian=True, fixed_length=None, name=None):
    """Return the numbers that bytes hold, along a new last axis."""
    input_bytes = convert(input_bytes)
    kind = np.dtype(str(dtypes.as_dtype(out_type)).removeprefix("torch."))
    kind = kind.newbyteorder("<" if little_endian else ">")
    rows = [np.frombuffer(one, kind) for one in input_bytes.reshape(-1).view(np.ndarray).tolist()]
    array = np.stack(rows).astype(kind.newbyteorder("="))
    return wrap(torch.from_numpy(array.reshape(*input_bytes.shape, -1)))


def decode_csv(
    records, record_defaults, field_delim=",", use_quote_delim=True, na_value="", select_cols=None
):
    """Return the columns of lines of a table.

    Args:
        records: A line, or a vector of lines.
        record_defaults: What stands for an empty cell of each column, which tells its dtype too; a dtype, or
            an empty list with one, makes the column needed.
        field_delim: What is between cells.
        use_quote_delim: Whether quotes keep cells together.
        na_value: What counts as empty, besides nothing.
        select_cols: Numbers of the columns to read.

    Raises:
        ValueError: an empty cell of a column that is needed, another number of cells.
    """
    records = convert(records)
    lines = [one.decode() for one in records.reshape(-1).view(np.ndarray).tolist()]
    quoting = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=field_delim, quoting=quoting))
    if select_cols is not None:
        rows = [[row[column] for column in select_cols] for row in rows]
    if any(len(row) != len(record_defaults) for row in rows):
        raise ValueError(
            f"Expect {len(record_defaults)} fields but have {[len(row) for row in rows]} in records."
        )
    columns = zip(*rows, strict=True)
    found = [
        _column(cells, default, na_value) for cells, default in zip(columns, record_defaults, strict=True)
    ]
    return [column[0] if records.ndim == 0 else column for column in found]


def _column(cells, default, na_value):
    required = isinstance(default, (torch.dtype, dtypes.StringType)) or np.size(default) == 0
    default = default if isinstance(default, (torch.dtype, dtypes.StringType)) else convert(default)
    dtype = getattr(default, "dtype", default)
    if required and any(cell in ("", na_value) for cell in cells):
        raise ValueError("A field of a column without a default is empty.")
    if not required:
        fill = (
            str(default.reshape(-1)[0].numpy()) if dtype != dtypes.string else default.reshape(-1)[0].item()
        )
        cells = [fill if cell in ("", na_value) else cell for cell in cells]
    if dtype == dtypes.string:
        return StringTensor(np.array(cells, dtype=object))
    return convert([float(cell) if dtype.is_floating_point else int(cell) for cell in cells], dtype)


def serialize_tensor(tensor, name=None):
    """Return the bytes of a tensor, in NumPy's format."""
    file = io.BytesIO()
    tensor = convert(tensor)
    np.save(
        file, np.array(tensor.numpy(), dtype=bytes) if isinstance(tensor, StringTensor) else tensor.numpy()
    )
    return StringTensor(file.getvalue())


def parse_tensor(serialized, out_type, name=None):
    """Return the tensor that `serialize_tensor` wrote."""
    array = np.load(io.BytesIO(convert(serialized).item()), allow_pickle=False)
    return StringTensor(array) if array.dtype.kind == "S" else convert(array, out_type)


__all__ = [
    "decode_bmp",
    "decode_csv",
    "decode_gif",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "decode_raw",
    "encode_jpeg",
    "encode_png",
    "gfile",
    "matching_files",
    "parse_tensor",
    "read_file",
    "serialize_tensor",
    "write_file",
]
__getattr__ = missing(
    "tf.io",
    {
        "FixedLenFeature": "arrays or a torch Dataset; TFRecord files are not read",
        "parse_single_example": "arrays or a torch Dataset; TFRecord files are not read",
        "TFRecordWriter": "np.save or torch.save; TFRecord files are not written",
    },
)
