"""netCDF 4, the format of xarray, R, Julia and MATLAB: all that a store holds, in one file.

Needs h5netcdf (`lethe[netcdf]`). Cost: about twice the bytes of a store; 0.2 s a million cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.checks import FLOATS, validate

MAGIC = b"\x89HDF"


def read(path: Path) -> xr.Dataset:
    """Read traces; raises LetheError for a file that is broken or holds no traces."""
    try:
        with xr.open_dataset(path, engine="h5netcdf") as file:
            ds = file.load()
    except ModuleNotFoundError:
        raise LetheError("netCDF files need h5netcdf: pip install 'lethe[netcdf]'") from None
    except (OSError, ValueError, KeyError) as error:
        raise LetheError(f"{path} is no whole netCDF file ({str(error)[:100]})") from None
    text = {name: value.astype(str) for name, value in ds.coords.items() if value.dtype == object}
    try:
        return validate(ds.assign_coords(text))
    except LetheError as error:
        raise LetheError(f"{path}: {error}") from None


def write(ds: xr.Dataset, path: Path) -> None:
    """Write traces; floats as float32, compressed."""
    encoding: dict = {name: {"dtype": "float32", "_FillValue": np.nan} for name in FLOATS}
    encoding["prediction"] = {"dtype": "int16", "_FillValue": None}
    for settings in encoding.values():
        settings |= {"zlib": True, "complevel": 4, "shuffle": True}
    plain = ds.drop_encoding()
    try:
        plain.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    except ModuleNotFoundError:
        raise LetheError("netCDF files need h5netcdf: pip install 'lethe[netcdf]'") from None
