"""Export of traces for other systems; what a format cannot hold is left out or refused.

Cost: one seed is in memory at a time; a million cells take 1 to 10 s, by format.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import xarray as xr

from lethe.errors import LetheError
from lethe.traces import files
from lethe.traces.checks import validate
from lethe.traces.exchange.formats import Format, find_format
from lethe.traces.store import open_traces


def export_traces(store: xr.Dataset | str | Path, format: str, out: Path | str) -> Path:
    """Write traces, or a store by name or path, in another format; returns `out`.

    csv, parquet and netcdf make a file, the others a folder. Raises LetheError if `out` is there
    already, and where the traces lack what the format needs; then nothing is left behind.
    """
    kind, out = find_format(format), Path(out)
    if out.exists():
        raise LetheError(f"{out} is there already; choose another name or remove it first")
    files.make_folder(out.parent)
    if isinstance(store, xr.Dataset):
        _write(validate(store, values=False), kind, out)
    else:
        with open_traces(store) as ds:
            _write(ds, kind, out)
    return out


def _write(ds: xr.Dataset, kind: Format, out: Path) -> None:
    part = out.with_name(out.name + files.TEMPORARY)
    _discard(part)
    try:
        if kind.is_folder:
            part.mkdir()
        kind.write(ds, part)
        part.rename(out)
    except OSError as error:
        raise LetheError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        _discard(part)


def _discard(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        files.discard(part)
