"""Reading the log of one run as a Dataset.

Cost: about 5 ms per epoch of 6,200 samples, hashes included.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces import epoch_files, files
from lethe.traces.checks import ARRAYS, DIMS, validate
from lethe.traces.commits import committed_epochs, read_commit
from lethe.traces.schema import from_arrays


def read_run(folder: Path | str, view: str = "eval") -> xr.Dataset:
    """Read the committed epochs of one run, dimensions (epoch, sample), floats as float32.

    Raises LetheError when no epoch is committed, one is missing in between, or a file has changed.
    """
    return read_seed(Path(folder), view).isel(seed=0)


def read_seed(folder: Path, view: str) -> xr.Dataset:
    """Read the committed epochs of one run, dimensions (seed, epoch, sample) with one seed."""
    header = read_header(folder, view)
    arrays = {name: read_array(folder, header, name) for name in ARRAYS}
    ds = header.assign({name: (DIMS, values[None]) for name, values in arrays.items()})
    return validate(ds[[*ARRAYS, *header.data_vars]])


def read_header(folder: Path, view: str) -> xr.Dataset:
    """All of one run but its arrays (seed, epoch, sample), the files compared with their hashes."""
    manifest, samples = files.read_json(folder / "manifest.json"), epoch_files.read_samples(folder)
    epochs = committed_epochs(folder, view)
    if not epochs:
        raise LetheError(f"{folder} has no committed epoch of view {view!r}")
    commits = [read_commit(folder, view, epoch) for epoch in epochs]
    config = manifest["config"]
    ds = from_arrays(
        np.broadcast_to(np.int16(0), (1, len(epochs), len(samples))),  # takes no memory
        label=samples["label"].to_numpy(),
        sample=samples["sample_id"],
        image_hash=samples["image_hash"],
        columns=samples.drop(columns=["sample_id", "label", "image_hash"]),
        metrics=stack_metrics(commits),
        seeds=[config["seed"]],
        epochs=epochs,
        classes=manifest["dataset"]["classes"],
        view=view,
        **{name: config[name] for name in ("dataset", "model", "preset")},
        config=config,
        manifests=[manifest],
    )
    return ds.drop_vars(ARRAYS).assign_coords(stack_hashes(commits))


def read_array(
    folder: Path, header: xr.Dataset, name: str, dtype: type | None = None
) -> np.ndarray:
    """One array [epoch, sample] of the run that `header` was read from, cast to `dtype`."""
    view, samples = header.attrs["view"], header.sizes["sample"]
    kept = dtype or (np.int16 if name == "prediction" else np.float32)
    values: np.ndarray = np.empty((header.sizes["epoch"], samples), kept)
    for row, epoch in enumerate(header["epoch"].values):
        path = folder / "epochs" / f"{view}-{epoch:04d}.parquet"
        values[row] = epoch_files.read_column(path, name, samples)
    return values


def stack_metrics(commits: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Metrics [1, epoch] by name; NaN where an epoch has none."""
    names = sorted({name for record in commits for name in record["metrics"]})
    rows = {name: [record["metrics"].get(name) for record in commits] for name in names}
    return {name: np.array([values], dtype=np.float64) for name, values in rows.items()}


def stack_hashes(commits: list[dict[str, Any]]) -> dict[str, tuple]:
    """Hashes (seed, epoch) of the run's state as coordinates NAME_hash, empty where absent."""
    names = sorted({name for record in commits for name in record["hashes"]})
    rows = {name: [record["hashes"].get(name, "") for record in commits] for name in names}
    return {
        f"{name}_hash": (("seed", "epoch"), np.array([row], dtype=str))
        for name, row in rows.items()
    }
