"""The formats that can be read: what each is called and which view it is of. Cost: none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from lethe.errors import LetheError, nearest
from lethe.traces.exchange import aum, cartography, long_table, netcdf, toneva
from lethe.traces.exchange.rows import Chunk


@dataclass(frozen=True)
class Format:
    """A format of logs; `view` is the one it is made of by its own system, None if it has none.

    `read(path, seed, columns)` yields the rows of a file; `columns` renames the columns of tables.
    `write(ds, path)` fills a new file or folder.
    """

    name: str
    title: str
    view: str | None
    read: Callable[[Path, int, Mapping[str, str]], Iterator[Chunk]]
    write: Callable[[xr.Dataset, Path], None]
    is_folder: bool = False  # what is written
    one_run_a_folder: bool = False
    has_columns: bool = False
    by_presentation: bool = False  # rows are counted by sample, so each must have all of them


def no_rows(path: Path, seed: int, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """A netCDF file holds whole arrays: it is read at once, and never row by row."""
    raise LetheError(f"{path} has no rows; lethe.traces.exchange.netcdf.read reads it whole")


_TABLE = [
    Format(
        "cartography",
        "Dataset Cartography",
        "train",
        cartography.read,
        cartography.write,
        is_folder=True,
        one_run_a_folder=True,
    ),
    Format(
        "toneva",
        "a log of Toneva et al.",
        "train",
        toneva.read,
        toneva.write,
        is_folder=True,
        by_presentation=True,
    ),
    Format(
        "aum",
        "a log of the aum package",
        "train",
        aum.read,
        aum.write,
        is_folder=True,
        by_presentation=True,
    ),
    Format("csv", "a CSV table", None, long_table.read, long_table.write_csv, has_columns=True),
    Format(
        "parquet",
        "a Parquet table",
        None,
        long_table.read,
        long_table.write_parquet,
        has_columns=True,
    ),
    Format("netcdf", "a netCDF file", None, no_rows, netcdf.write),
]
FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}


def find_format(name: str) -> Format:
    """A format by name; raises LetheError with the nearest."""
    if name not in FORMATS:
        raise LetheError(f"unknown format {name!r}; {nearest(name, FORMATS)}")
    return FORMATS[name]
