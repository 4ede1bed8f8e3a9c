"""CSV and Parquet files in batches, their columns as arrays; a bad value is told with its place.

A row of CSV is told by its line, the header being line 1. Parquet has no lines: row groups and the
rows in them count from 0, as everywhere in Parquet. Cost: 16 MB at a time, about 2 million rows/s.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from lethe.errors import LetheError

BLOCK = 2**24  # bytes of CSV at a time
TRUTH = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class Batch:
    """Some rows of a table; `where(row)` names a row for a message."""

    table: pa.RecordBatch
    where: Callable[[int], str]

    def text(self, name: str) -> np.ndarray:
        """A column as text, object [row]; None where a cell is empty."""
        column = pc.cast(self.table[name], pa.string())
        return pc.if_else(pc.equal(column, ""), None, column).to_numpy(zero_copy_only=False)

    def number(self, name: str) -> np.ndarray:
        """A column as float64 [row]; NaN where a cell is empty."""
        return self._cast(name, pa.float64(), "a number").to_numpy(zero_copy_only=False)

    def whole(self, name: str) -> np.ndarray:
        """A column as int64 [row]; LetheError where a cell is empty."""
        column = self._cast(name, pa.int64(), "a whole number")
        if column.null_count:
            row = column.is_null().to_numpy(zero_copy_only=False).argmax()
            raise LetheError(f"{self.where(int(row))} has no {name}, expected a whole number")
        return column.to_numpy(zero_copy_only=False)

    def truth(self, name: str) -> np.ndarray:
        """A column of right (1) and wrong (0) as int32 [row]; -1 where a cell is empty."""
        codes = self.table[name]
        lower = pc.utf8_lower(pc.cast(codes, pa.string())).to_numpy(zero_copy_only=False)
        known = TRUTH | {"": -1, None: -1}
        for row, value in enumerate(lower):
            if value not in known:
                raise LetheError(f"{self.where(row)}: {name} is {value!r}, expected 0 or 1")
        return np.array([known[value] for value in lower], dtype=np.int32)

    def _cast(self, name: str, kind: pa.DataType, expected: str) -> pa.Array:
        column = self.table[name]
        if pa.types.is_string(column.type):
            column = pc.if_else(pc.equal(column, ""), None, column)
        try:
            return pc.cast(column, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            row = _first_bad(column, kind)
        shown = str(column[row].as_py())[:40]
        raise LetheError(f"{self.where(row)}: {name} is {shown!r}, expected {expected}")


def _first_bad(column: pa.Array, kind: pa.DataType) -> int:
    """The first row that cannot be cast, by halving."""
    good, bad = 0, len(column)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            pc.cast(column[good:middle], kind)
            good = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            bad = middle
    return good


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet files do."""
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def header(path: Path) -> list[str]:
    """The column names of a table; LetheError if there is none or a name stands there twice."""
    if is_parquet(path):
        names = _parquet(path).schema_arrow.names
    else:
        with pa.input_stream(str(path)) as file:
            line = file.read(2**16).decode("utf-8-sig", errors="replace").partition("\n")[0]
        names = next(csv.reader([line.rstrip("\r")]), [])
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise LetheError(f"{path}:1 has two columns {double!r}, expected each name once")
    return names


def batches(path: Path, columns: list[str]) -> Iterator[Batch]:
    """The rows of a table in order; LetheError naming the place where it breaks off."""
    yield from _parquet_batches(path, columns) if is_parquet(path) else _csv_batches(path, columns)


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise LetheError(f"{path} is no whole Parquet file ({reason}); copy it again") from None


def _parquet_batches(path: Path, columns: list[str]) -> Iterator[Batch]:
    file = _parquet(path)
    for group in range(file.num_row_groups):
        first = 0
        try:
            for table in file.iter_batches(row_groups=[group], columns=columns):
                yield Batch(table, _where(f"{path}, row group {group}, row {{}}", first))
                first += len(table)
        except (OSError, pa.ArrowException) as error:
            place = f"{path}, row group {group}, row {first}"
            raise LetheError(f"{place} cannot be read ({str(error).splitlines()[0]})") from None


def _where(pattern: str, first: int) -> Callable[[int], str]:
    return lambda row: pattern.format(first + row)


def _csv_batches(path: Path, columns: list[str]) -> Iterator[Batch]:
    parse = pa.csv.ParseOptions(ignore_empty_lines=False, newlines_in_values=True)
    convert = pa.csv.ConvertOptions(
        include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
    )
    read = pa.csv.ReadOptions(block_size=BLOCK, use_threads=False)
    first = 0
    try:
        with pa.csv.open_csv(pa.input_stream(str(path)), read, parse, convert) as reader:
            for table in reader:
                yield Batch(table, _line(path, first))
                first += len(table)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        found = re.search(r"Row #(\d+): (?:CSV parse error: )?(.*)", reason)
        place = _line(path, 0)(int(found[1]) - 2) if found else str(path)
        told = found[2] if found else reason
        raise LetheError(f"{place} cannot be read: {told[:100]}") from None


def _line(path: Path, first: int) -> Callable[[int], str]:
    """Names a row by the line it begins at; looked up only when it is needed."""

    def where(row: int) -> str:
        line, rows = 1, 0
        with pa.input_stream(str(path)) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
            reader = csv.reader(text)
            while rows < first + row + 1:  # the header is row 0
                next(reader, None)
                line, rows = reader.line_num + 1, rows + 1
        return f"{path}:{line}"

    return where
