"""A plain long table, CSV or Parquet: one row a sample and epoch. The format for any other system.

Columns: sample_id, epoch, and prediction or correct; label, loss, margin, error_l2 and seed as far
as they are known. `columns` says what a file calls them. An empty cell is missing. Cost: 8 seconds
a million rows, and 30 bytes a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import xarray as xr

from lethe.errors import LetheError, nearest
from lethe.traces.checks import FLOATS, MISSING
from lethe.traces.exchange.rows import Chunk
from lethe.traces.exchange.runs import class_texts
from lethe.traces.exchange.tables import Batch, batches, header
from lethe.traces.known import known_floats, right_or_wrong_only

NEEDED = ("sample_id", "epoch")
KNOWN = (*NEEDED, "label", "prediction", "correct", *FLOATS, "seed")


def read(path: Path, seed: int, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The rows of a table, batch by batch; LetheError naming the line of what is no such row."""
    there = header(path)
    names = found_columns(path, there, columns)
    ignored = tuple(name for name in there if name not in names.values())
    for batch in batches(path, list(names.values())):
        yield _chunk(batch, names, seed, ignored)


def found_columns(path: Path, there: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """The file's name of each of our columns; LetheError if one that is needed is not there."""
    for ours, theirs in columns.items():
        if ours not in KNOWN:
            raise LetheError(f"unknown column {ours!r}; {nearest(ours, KNOWN)}")
        if theirs not in there:
            raise LetheError(f"{path}:1 has no column {theirs!r}; {nearest(theirs, there)}")
    names = {name: columns.get(name, name) for name in KNOWN if columns.get(name, name) in there}
    lacking = [name for name in NEEDED if name not in names]
    if not lacking and not names.keys() & {"prediction", "correct"}:
        lacking = ["prediction", "correct"]
    if lacking:
        wanted = " or ".join(map(repr, lacking[-2:])) if len(lacking) > 1 else repr(lacking[0])
        raise LetheError(
            f"{path}:1 has no column {wanted}; it has {', '.join(there)[:200] or 'none'}. "
            "columns says what yours are called, such as sample_id=idx"
        )
    if "prediction" in names:
        names.pop("correct", None)
    return names


def _chunk(batch: Batch, names: Mapping[str, str], seed: int, ignored: tuple[str, ...]) -> Chunk:
    rows = len(batch.table)
    answer = "prediction" if "prediction" in names else "correct"
    return Chunk(
        where=batch.where,
        seed=batch.whole(names["seed"]) if "seed" in names else np.full(rows, seed),
        epoch=batch.whole(names["epoch"]),
        sample=batch.text(names["sample_id"]),
        label=batch.text(names["label"]) if "label" in names else None,
        prediction=batch.text(names[answer]) if answer == "prediction" else None,
        right=batch.truth(names[answer]) if answer == "correct" else None,
        floats={name: batch.number(names[name]) for name in FLOATS if name in names},
        ignored=ignored,
    )


def tables_of(ds: xr.Dataset) -> Iterator[pa.Table]:
    """The rows of each seed as a table: a missing cell is empty, a variable not known left out."""
    classes, names = class_texts(ds), known_floats(ds)
    told = not right_or_wrong_only(ds)
    for position in range(ds.sizes["seed"]):
        run = ds.isel(seed=position).load().transpose("epoch", "sample")
        epochs, samples = run["prediction"].shape
        prediction, label = run["prediction"].values.ravel(), np.tile(run["label"].values, epochs)
        gone = prediction == MISSING
        right = pa.array((prediction == label).astype(np.int8), mask=gone)
        floats = {
            name: pa.array(run[name].values.ravel().astype(np.float64), mask=gone) for name in names
        }
        yield pa.table(
            {
                "seed": np.full(len(label), int(run["seed"])),
                "epoch": np.repeat(run["epoch"].values, samples),
                "sample_id": np.tile(run["sample"].values.astype(object), epochs),
                "label": classes[label],
                **({"prediction": pa.array(classes[prediction], mask=gone)} if told else {}),
                **({} if told else {"correct": right}),
                **floats,
            }
        )


def write_csv(ds: xr.Dataset, path: Path) -> None:
    """Write all rows as CSV, seed by seed."""
    _write(ds, path, pa.csv.CSVWriter)


def write_parquet(ds: xr.Dataset, path: Path) -> None:
    """Write all rows as Parquet, a row group or more a seed."""
    _write(ds, path, pq.ParquetWriter)


def _write(ds: xr.Dataset, path: Path, writer: Callable) -> None:
    tables = tables_of(ds)
    first = next(tables)
    with writer(str(path), first.schema) as file:
        for table in chain([first], tables):
            file.write_table(table)
