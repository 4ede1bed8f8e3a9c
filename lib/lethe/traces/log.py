"""The log of a run: one immutable file per epoch and a commit record with its hash, written last.

RUN/manifest.json and RUN/samples.parquet are written once; RUN/epochs/VIEW-EPOCH.parquet holds the
arrays in the row order of samples.parquet. Only epochs with a commit record exist. Cost: about 5 ms
and four fsyncs an epoch of 6,200 samples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from lethe.errors import LetheError
from lethe.traces import epoch_files, files
from lethe.traces.checks import VIEWS
from lethe.traces.commits import (
    check_no_gap,
    check_view,
    commit_path,
    committed_epochs,
    first_difference,
    read_commit,
)

REQUIRED = ("dataset", "model", "preset", "seed")


def open_run(folder: Path | str, manifest: Mapping[str, Any], samples: pd.DataFrame) -> RunLog:
    """Create the log of a run, or reopen it when configuration and samples are the same.

    `manifest` needs `config` (with dataset, model, preset, seed) and `dataset` (with classes);
    `samples` needs the columns sample_id and label. Takes the run's lock until closed. Raises
    LetheError naming the key that differs, a duplicate or missing id, a label outside the classes,
    another writer, or a folder that cannot be written.
    """
    folder = Path(folder)
    manifest = json.loads(json.dumps(manifest))
    check_manifest(manifest)
    table = epoch_files.sample_table(samples, manifest["dataset"]["classes"])
    files.make_folder(folder / "epochs")
    lock = files.lock(folder / "lock")
    try:
        if not (folder / "manifest.json").exists():
            check_new(folder)
            files.write_atomically(folder / "samples.parquet", epoch_files.to_parquet(table))
            files.write_json(folder / "manifest.json", manifest)
        log = RunLog(folder, lock)
        check_same(folder, log.manifest, manifest)
        epoch_files.check_same_samples(folder, log.samples, table)
        log.verify()
    except BaseException:
        lock.close()
        raise
    return log


class RunLog:
    """An open log; close it, or use it in a `with` statement, to give the lock back."""

    def __init__(self, folder: Path, lock: Any) -> None:
        """Read what the run was begun with; `lock` is the open lock file of the folder."""
        self.folder, self._lock = folder, lock
        self.manifest = files.read_json(folder / "manifest.json")
        self.samples = epoch_files.read_samples(folder)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back; a closed log writes no more."""
        files.unlock(self._lock)

    def committed(self, view: str = "eval") -> list[int]:
        """The epochs of a view that have a commit record, in order."""
        return committed_epochs(self.folder, view)

    def verify(self) -> None:
        """Raise LetheError if a committed file or record is missing or has changed."""
        for view in VIEWS:
            check_no_gap(self.folder, view)
            for epoch in self.committed(view):
                read_commit(self.folder, view, epoch)

    def write_epoch(
        self,
        epoch: int,
        arrays: Mapping[str, np.ndarray],
        metrics: Mapping[str, float],
        hashes: Mapping[str, str],
        view: str = "eval",
    ) -> None:
        """Commit one epoch: `arrays` [sample] as in the schema, in the row order of the samples.

        Writing a committed epoch again is allowed only with the same values: a resumed run repeats
        itself. Raises LetheError on wrong lengths, NaN losses, predictions outside the classes and
        gaps in the epochs.
        """
        check_view(view)
        if self._lock.closed:
            raise LetheError(f"the log of {self.folder} is closed; open it again with open_run")
        table = epoch_files.epoch_table(
            epoch, arrays, len(self.samples), len(self.manifest["dataset"]["classes"])
        )
        data = epoch_files.to_parquet(table)
        if self._already(epoch, view, data):
            return
        path = self.folder / "epochs" / f"{view}-{epoch:04d}.parquet"
        files.write_atomically(path, data)
        record = {"epoch": epoch, "view": view, "bytes": len(data), "hashes": dict(hashes)}
        record["sha256"] = {path.name: files.file_sha256(path)}
        record["metrics"] = {name: finite_or_none(value) for name, value in metrics.items()}
        files.write_json(commit_path(self.folder, view, epoch), record)

    def _already(self, epoch: int, view: str, data: bytes) -> bool:
        """Whether this epoch is committed with these bytes; LetheError if it is not its turn."""
        done = self.committed(view)
        expected = done[-1] + 1 if done else epoch if view == "train" and epoch in (0, 1) else 0
        if epoch == expected:
            return False
        path = self.folder / "epochs" / f"{view}-{epoch:04d}.parquet"
        if epoch not in done:
            raise LetheError(
                f"epoch {epoch} of {self.folder} would leave a gap; the next is {expected}"
            )
        if path.read_bytes() != data:
            raise LetheError(
                f"epoch {epoch} of {self.folder} is committed with other values: this is no "
                "exact resume; go on from the last committed epoch or start in an empty folder"
            )
        return True

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the run as complete; `summary` is kept in done.json."""
        epochs = max(len(self.committed(view)) for view in VIEWS)
        if not epochs:
            raise LetheError(f"{self.folder} has no committed epoch to finish")
        files.write_json(self.folder / "done.json", {**summary, "epochs": epochs})


def check_new(folder: Path) -> None:
    """Raise LetheError if a folder without a manifest holds committed epochs."""
    if any(committed_epochs(folder, view) for view in VIEWS):
        raise LetheError(
            f"{folder / 'manifest.json'} is missing, though epochs are committed; copy it again, "
            "or choose another folder"
        )


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raise LetheError when the manifest lacks what every store must say."""
    config, dataset = manifest.get("config"), manifest.get("dataset")
    for name in REQUIRED:
        if not isinstance(config, dict) or name not in config:
            raise LetheError(
                f"the manifest has no config[{name!r}]; expected {', '.join(REQUIRED)}"
            )
    if not isinstance(dataset, dict) or not dataset.get("classes"):
        raise LetheError("the manifest has no dataset['classes']: the list of class names")


def check_same(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise LetheError naming the first key in which two manifests' config or data set differ."""
    for part in ("config", "dataset"):
        difference = first_difference(old.get(part), new.get(part), part)
        if difference:
            raise LetheError(f"{folder} holds another run: {difference}; choose another folder")


def finite_or_none(value: float) -> float | None:
    """A metric as JSON knows it: NaN and infinity become null."""
    return float(value) if math.isfinite(value) else None
