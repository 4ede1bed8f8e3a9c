"""A Dataset of traces as a store file, whole or not at all.

Cost: that of compacting, 1 s for a million cells; the arrays are packed one seed at a time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces import files
from lethe.traces.checks import ARRAYS, DIMS, validate
from lethe.traces.packing import KEPT, members, write_zip
from lethe.traces.store import SUFFIX, read_zip


def write_store(ds: xr.Dataset, out: Path | str) -> Path:
    """Write traces to NAME.zarr.zip and read them back; floats are rounded to float16.

    Raises LetheError for another name, a file that is there already, and a breach of the schema.
    """
    out = Path(out)
    check_new_store(out)
    validate(ds)
    files.make_folder(out.parent)
    with files.replacement(out) as file:
        write_zip(file, members(ds.drop_vars(ARRAYS), partial(_kept, ds)))
        file.flush()
        _compare(ds, Path(file.name))
    return out


def check_new_store(out: Path) -> None:
    """LetheError unless `out` has the name of a store and is not there yet."""
    if not out.name.endswith(SUFFIX):
        raise LetheError(f"a store is called NAME{SUFFIX}, not {out.name!r}")
    if out.exists():
        raise LetheError(f"{out} is there already; choose another name or remove it first")


def _kept(ds: xr.Dataset, name: str, position: int) -> np.ndarray:
    """One array of one seed [epoch, sample] in the type of the store."""
    return ds[name].transpose(*DIMS)[position].values.astype(KEPT[name])


def _compare(ds: xr.Dataset, made: Path) -> None:
    """Read the file again; raise LetheError unless it holds every value."""
    with read_zip(made, mask_and_scale=False) as store:
        for name in ARRAYS:
            for position in range(ds.sizes["seed"]):
                expected, found = _kept(ds, name, position), store[name][position].values
                if not np.array_equal(expected.view(np.int16), found.view(np.int16)):
                    raise LetheError(f"{made} did not keep {name}; import it again")
