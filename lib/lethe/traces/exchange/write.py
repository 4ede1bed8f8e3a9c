"""A Dataset of traces as a store file, whole or not at all.

Cost: that of compacting, about 0.5 s for a million cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces import files
from lethe.traces.checks import FLOATS, validate
from lethe.traces.store import SUFFIX, _encode, _zip_bytes, open_traces


def write_store(ds: xr.Dataset, out: Path | str) -> Path:
    """Write traces to NAME.zarr.zip and read them back; floats are rounded to float16.

    Raises LetheError for another name, a file that is there already, or a value out of range.
    """
    out = Path(out)
    if not out.name.endswith(SUFFIX):
        raise LetheError(f"a store is called NAME{SUFFIX}, not {out.name!r}")
    if out.exists():
        raise LetheError(f"{out} is there already; choose another name or remove it first")
    rounded = validate(ds).assign({name: ds[name].astype(np.float16) for name in FLOATS})
    files.make_folder(out.parent)
    files.write_atomically(out, _zip_bytes(_encode(rounded)))
    _compare(out, rounded)
    return out


def _compare(out: Path, ds: xr.Dataset) -> None:
    with open_traces(out) as store:
        for name in ("prediction", *FLOATS, "label"):
            expected, found = ds[name].values, store[name].values
            if not np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f"):
                files.discard(out)
                raise LetheError(f"{out} did not keep {name}; import it again")
