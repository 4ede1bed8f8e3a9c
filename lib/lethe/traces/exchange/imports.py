"""Import of traces that another system wrote, into the schema of this one.

Cost: that of reading the files; 5 million rows of CSV take about a minute and under 2 GB.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import lethe
from lethe.errors import LetheError
from lethe.traces.checks import MISSING
from lethe.traces.commits import check_view
from lethe.traces.exchange import netcdf
from lethe.traces.exchange import samples as tables
from lethe.traces.exchange.assemble import assemble
from lethe.traces.exchange.formats import Format, find_format
from lethe.traces.exchange.guess import guess_format
from lethe.traces.exchange.rows import Rows
from lethe.traces.exchange.sources import Run, find_files, sort_into_runs
from lethe.traces.files import file_sha256

PRESET = "imported"


def import_traces(
    files: Sequence[Path | str],
    *,
    dataset: str,
    model: str,
    format: str | None = None,
    view: str | None = None,
    seeds: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    samples: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    first_epoch: int | None = None,
) -> xr.Dataset:
    """Read the logs of another system as a Dataset of traces (seed, epoch, sample).

    `format` is told by content if it is not given. `samples` is a table of sample_id with labels
    and columns to keep, `columns` says what a table calls ours, `first_epoch` what the files call
    the first epoch there is. Raises LetheError naming file and line of whatever is not as the
    format has it.
    """
    check_names(dataset, model)
    found = find_files(files)
    kind = find_format(format or guess_format(found, columns or {}))
    names = {"dataset": dataset, "model": model, "preset": PRESET}
    if kind.name == "netcdf":
        options = {"seeds": seeds, "classes": classes, "samples": samples, "columns": columns}
        return _whole(found, view, options | {"first_epoch": first_epoch}, names)
    view = _view(kind, view)
    runs = sort_into_runs(found, kind.one_run_a_folder, seeds)
    rows = read_rows(kind, runs, _columns(kind, columns))
    check_seeds(rows, seeds)
    ds = assemble(rows, view, first_epoch, classes, _table(rows, samples), **names)
    if kind.by_presentation:
        check_presentations(ds)
    return _with_origin(ds, rows, _origin(kind, runs, rows, samples, columns))


def _whole(
    files: Sequence[Path], view: str | None, options: Mapping[str, Any], names: Mapping[str, str]
) -> xr.Dataset:
    """The traces in a netCDF file, which holds all of a store and leaves nothing to say."""
    if len(files) != 1:
        raise LetheError(f"{len(files)} files were given; a netCDF file is imported by itself")
    for name, value in options.items():
        if value:
            raise LetheError(f"a netCDF file holds all of a store, so {name} cannot be given")
    ds = netcdf.read(files[0])
    if view not in (None, ds.attrs["view"]):
        raise LetheError(f"{files[0]} is of view {ds.attrs['view']!r}, not {view!r}")
    return _with_names(ds, names)


def _with_names(ds: xr.Dataset, names: Mapping[str, str]) -> xr.Dataset:
    """A whole Dataset of traces under its new names; the rest of its past stays as it is."""
    config = json.loads(ds.attrs["config"]) | names
    return ds.assign_attrs(names, config=json.dumps(config, sort_keys=True, ensure_ascii=False))


def check_names(dataset: str, model: str) -> None:
    """LetheError for names that a store DATASET-MODEL-imported cannot carry."""
    for what, name, pattern in (("dataset", dataset, r"[\w.+-]+"), ("model", model, r"[\w.+]+")):
        if not re.fullmatch(pattern, name):
            raise LetheError(
                f"{what} {name!r} cannot be part of a store's name: use letters, digits, _ and ."
            )


def _view(kind: Format, view: str | None) -> str:
    view = view or kind.view
    if view is None:
        raise LetheError(
            f"{kind.title} does not say what it was taken from: give view='train' (logits of the "
            "training pass) or view='eval' (a clean pass at the end of each epoch)"
        )
    check_view(view)
    return view


def _columns(kind: Format, columns: Mapping[str, str] | None) -> Mapping[str, str]:
    if columns and not kind.has_columns:
        raise LetheError(f"the columns of {kind.title} are fixed, so columns cannot be given")
    return columns or {}


def read_rows(kind: Format, runs: Sequence[Run], columns: Mapping[str, str]) -> Rows:
    """All rows of the files, checked."""
    rows = Rows()
    for run in runs:
        for path in run.files:
            try:
                for chunk in kind.read(path, run.seed, columns):
                    rows.add(chunk)
            except OSError as error:
                raise LetheError(f"{path} cannot be read ({error.strerror or error})") from None
    return rows


def check_seeds(rows: Rows, seeds: Sequence[int] | None) -> None:
    """LetheError if seeds were given and the files have others of their own."""
    found = np.unique(rows.column("seed")).tolist() if rows.count else []
    if seeds and not set(found) <= set(seeds):
        raise LetheError(f"the files have a column of seeds, {found}, so seeds cannot be given")


def check_presentations(ds: xr.Dataset) -> None:
    """LetheError if samples were measured unequally often: measurement n is then no epoch."""
    missing = (ds["prediction"] == MISSING).any(["seed", "epoch"]).values
    if missing.any():
        name = str(ds["sample"].values[missing.argmax()])
        raise LetheError(
            f"{int(missing.sum())} samples were measured less often than others, e.g. {name!r}; "
            "the nth measurement of a sample is then not epoch n. Were last batches dropped?"
        )


def _table(rows: Rows, samples: Path | str | None) -> Any:
    if samples is None:
        return None
    return tables.match(tables.read_samples(Path(samples)), rows.samples.texts())


def _with_origin(ds: xr.Dataset, rows: Rows, origin: Mapping[str, Any]) -> xr.Dataset:
    """The Dataset with what it was made of in its configuration."""
    names = {name: ds.attrs[name] for name in ("dataset", "model", "preset", "view")}
    config = names | {"imported": origin, "prediction": rows.knows()}
    environment = {"lethe": lethe.__version__}
    seeds = [
        {"config": names | {"seed": int(seed)}, "environment": environment} for seed in ds["seed"]
    ]
    return ds.assign_attrs(
        config=json.dumps(config, sort_keys=True, ensure_ascii=False),
        manifests=json.dumps(seeds, sort_keys=True, ensure_ascii=False),
    )


def _origin(
    kind: Format,
    runs: Sequence[Run],
    rows: Rows,
    samples: Path | str | None,
    columns: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Format, options, and every file by hash and by name, from the folder that holds them all."""
    files = [path.resolve() for run in runs for path in run.files]
    folder = Path(os.path.commonpath([path.parent for path in files]))
    told = [{"file": str(path.relative_to(folder)), "sha256": file_sha256(path)} for path in files]
    origin: dict[str, Any] = {"format": kind.name, "files": told}
    origin["first_epoch"] = int(rows.column("epoch").min())
    if samples:
        origin["samples"] = {"file": Path(samples).name, "sha256": file_sha256(Path(samples))}
    if columns:
        origin["columns"] = dict(columns)
    return origin | ({"columns_left_out": sorted(rows.ignored)} if rows.ignored else {})
