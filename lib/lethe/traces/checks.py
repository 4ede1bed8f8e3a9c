"""Checks of a Dataset of traces against the schema; each breach is one line naming the variable.

Cost: one pass over the predictions and, where some are missing, over the floats, in blocks of
samples that take 256 MB at most.
"""

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from lethe.errors import LetheError, nearest
from lethe.traces.blocks import block_slices

SCHEMA_VERSION = "1"
DIMS = ("seed", "epoch", "sample")
FLOATS = ("loss", "margin", "error_l2")
ARRAYS = ("prediction", *FLOATS)
METRICS = ("test_accuracy", "train_loss", "seconds")
VIEWS = ("eval", "train")
ATTRS = ("schema_version", "view", "dataset", "model", "preset", "classes", "config", "manifests")
MISSING = -1


def check_column_name(name: str) -> None:
    """Raise LetheError when a column of the data set has the name of a trace variable."""
    if name in (*DIMS, *ARRAYS, *METRICS):
        raise LetheError(f"a data set column may not be called {name!r}; rename it")


def validate(ds: xr.Dataset, values: bool = True) -> xr.Dataset:
    """Return `ds` if it obeys the schema; raises LetheError naming the first breach.

    `values=False` looks at names, dimensions, coordinates and labels only and loads no trace.
    """
    _check_version(ds)
    _check_names(ds)
    _check_coords(ds)
    classes = class_names(ds)
    _check_range("label", ds["label"].values, 0, classes)
    for part in block_slices(ds, ARRAYS) if values else ():
        _check_values(ds.isel(sample=part), classes)
    return ds


def _check_version(ds: xr.Dataset) -> None:
    lacking = [name for name in ATTRS if name not in ds.attrs]
    if lacking:
        raise LetheError(f"not a Lethe trace store: it has no attribute {lacking[0]!r}")
    version = ds.attrs["schema_version"]
    if version != SCHEMA_VERSION:
        raise LetheError(
            f"trace schema version {version!r} is not known here (this Lethe reads "
            f"{SCHEMA_VERSION!r}); use the Lethe that wrote it or compact the runs again"
        )
    if ds.attrs["view"] not in VIEWS:
        raise LetheError(f"unknown view {ds.attrs['view']!r}; {nearest(ds.attrs['view'], VIEWS)}")


def _check_names(ds: xr.Dataset) -> None:
    wanted: dict[str, tuple] = dict.fromkeys(ARRAYS, DIMS) | dict.fromkeys(METRICS, DIMS[:2])
    wanted |= dict.fromkeys(("label", "image_hash"), DIMS[2:])
    for name, dims in wanted.items():
        if name not in ds.variables:
            raise LetheError(f"the traces have no variable {name!r}; expected dimensions {dims}")
        if ds[name].dims != dims:
            raise LetheError(f"{name} has dimensions {ds[name].dims}, expected {dims}")
    for name, kind in (("prediction", "i"), ("label", "i"), *((name, "f") for name in FLOATS)):
        if ds[name].dtype.kind != kind:
            raise LetheError(f"{name} is stored as {ds[name].dtype}, expected kind {kind!r}")


def _check_coords(ds: xr.Dataset) -> None:
    for dim in DIMS:
        if ds.sizes[dim] == 0:
            raise LetheError(f"the traces hold no {dim}")
        index = ds.indexes[dim]
        if index.has_duplicates:
            double = str(index[index.duplicated()][0])
            raise LetheError(f"{dim} {double!r} occurs more than once")
    epochs = ds["epoch"].values
    first = [0] if ds.attrs["view"] == "eval" else [0, 1]
    if epochs[0] not in first or (np.diff(epochs) != 1).any():
        raise LetheError(f"epochs are {epochs.tolist()}, expected 0, 1, 2, ... without a gap")


def _check_range(name: str, values: np.ndarray, low: int, classes: Sequence[str]) -> None:
    outside = (values < low) | (values >= len(classes))
    if outside.any():
        raise LetheError(
            f"{name} {int(values[outside][0])} is outside the {len(classes)} classes "
            f"({int(outside.sum())} such entries); expected {low} to {len(classes) - 1}"
        )


def _check_values(block: xr.Dataset, classes: Sequence[str]) -> None:
    """A missing prediction has no loss either: anything else is a value that slipped in."""
    prediction = block["prediction"].values
    _check_range("prediction", prediction, MISSING, classes)
    absent = prediction == MISSING
    for name in FLOATS if absent.any() else ():
        if np.isfinite(block[name].values[absent]).any():
            raise LetheError(f"{name} has a value where the prediction is missing; expected NaN")


def class_names(ds: xr.Dataset) -> list[str]:
    """Return the class names in the order of their indices."""
    return list(json.loads(ds.attrs["classes"]))
