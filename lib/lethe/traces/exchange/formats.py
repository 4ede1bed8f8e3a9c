"""The formats that can be read: what each is called and which view it is of. Cost: none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lethe.errors import LetheError, nearest
from lethe.traces.exchange import cartography
from lethe.traces.exchange.rows import Chunk


@dataclass(frozen=True)
class Format:
    """A format of logs; `view` is the one it is made of by its own system, None if it has none.

    `read(path, seed, columns)` yields the rows of a file; `columns` renames the columns of tables.
    """

    name: str
    title: str
    view: str | None
    read: Callable[[Path, int, Mapping[str, str]], Iterator[Chunk]]
    one_run_a_folder: bool = False
    has_columns: bool = False


_TABLE = [
    Format("cartography", "Dataset Cartography", "train", cartography.read, one_run_a_folder=True),
]
FORMATS: dict[str, Format] = {entry.name: entry for entry in _TABLE}


def find_format(name: str) -> Format:
    """A format by name; raises LetheError with the nearest."""
    if name not in FORMATS:
        raise LetheError(f"unknown format {name!r}; {nearest(name, FORMATS)}")
    return FORMATS[name]
