"""What an import found and what it did not: the lines that the command prints. Cost: one pass."""

from __future__ import annotations

import json

import xarray as xr

from lethe.traces.checks import FLOATS, MISSING, class_names
from lethe.traces.exchange.formats import FORMATS
from lethe.traces.exchange.rows import NOT_RIGHT, UNKNOWN
from lethe.traces.known import known_floats, right_or_wrong_only


def told(ds: xr.Dataset) -> list[str]:
    """One line for the format, the sizes, and each thing that the logs lack or do otherwise."""
    config = json.loads(ds.attrs["config"])
    origin, first = config.get("imported", {}), int(ds["epoch"][0])
    lines = [_format(ds, origin), _sizes(ds)]
    if origin.get("first_epoch", first) != first:
        lines.append(f"epochs: {origin['first_epoch']} in the logs is {first} here")
    if absent := [name for name in FLOATS if name not in known_floats(ds)]:
        lines.append(f"not in the logs: {', '.join(absent)}; scores that need them are left out")
    if right_or_wrong_only(ds):
        lines.append("predictions: right or wrong only, so nothing is known of confusions")
    if missing := int((ds["prediction"] == MISSING).sum()):
        lines.append(f"missing: {missing} of {ds['prediction'].size} cells have no row")
    if left := origin.get("columns_left_out"):
        lines.append(f"columns not read: {', '.join(left)}")
    return lines


def _format(ds: xr.Dataset, origin: dict) -> str:
    if not origin:
        return "format: netcdf, a netCDF file"
    kind = FORMATS[origin["format"]]
    return f"format: {kind.name}, {kind.title}, read as view {ds.attrs['view']}"


def _sizes(ds: xr.Dataset) -> str:
    seeds = ", ".join(str(seed) for seed in ds["seed"].values)
    return (
        f"seeds {seeds}; epochs {int(ds['epoch'][0])} to {int(ds['epoch'][-1])}; "
        f"{ds.sizes['sample']} samples; {_classes(ds)}"
    )


def _classes(ds: xr.Dataset) -> str:
    names = set(class_names(ds)) - {NOT_RIGHT}
    return "no classes" if names == {UNKNOWN} else f"{len(names)} classes"
