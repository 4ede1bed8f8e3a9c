"""Which format a file is of, told by its first bytes and never by its name.

Cost: 64 kB of each file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from lethe.errors import LetheError
from lethe.traces.exchange import aum, long_table, netcdf
from lethe.traces.exchange.formats import FORMATS

PICKLES = (b"\x80", b"(d", b"}")  # protocols 2 and up, 0, 1


def guess_format(files: Iterable[Path], columns: Mapping[str, str]) -> str:
    """The one format that all files fit; LetheError naming a file that fits none, or several."""
    found: dict[str, Path] = {}
    for path in files:
        found.setdefault(_of_file(path, columns), path)
    if len(found) > 1:
        told = " and ".join(f"{path} is {FORMATS[name].title}" for name, path in found.items())
        raise LetheError(f"{told}; import them one after another")
    return next(iter(found))


def _of_file(path: Path, columns: Mapping[str, str]) -> str:
    start = _start(path)
    if start.startswith(netcdf.MAGIC):
        return "netcdf"
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(PICKLES):
        return "toneva"
    line = start.decode("utf-8-sig", errors="replace").partition("\n")[0].rstrip("\r")
    if line.startswith("{"):
        return "cartography"
    fitting = _tables(next(csv.reader([line]), []), columns)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise LetheError(f"{path} fits {' and '.join(fitting)}; format says which it is")
    raise LetheError(
        f"{path} begins with {line[:60]!r}, which fits no format (known: {', '.join(FORMATS)}); "
        f"a table has columns {', '.join(long_table.NEEDED)} and prediction or correct"
    )


def _start(path: Path) -> bytes:
    try:
        with pa.input_stream(str(path)) as file:
            return file.read(2**16)
    except (OSError, pa.ArrowException) as error:
        raise LetheError(f"{path} cannot be read ({str(error).splitlines()[0]})") from None


def _tables(names: list[str], columns: Mapping[str, str]) -> list[str]:
    fits = {
        "aum": set(aum.COLUMNS) <= set(names) or names == ["sample_id", "aum"],
        "csv": {columns.get(name, name) for name in long_table.NEEDED} <= set(names),
    }
    return [name for name, fit in fits.items() if fit]
