"""Commit records: an epoch exists when its record does, with files of the record's hashes.

Cost: one hash of about 75 kB per epoch of 6,200 samples.
"""

import re
from pathlib import Path
from typing import Any

from lethe.errors import LetheError, nearest
from lethe.traces import files
from lethe.traces.checks import VIEWS


def check_view(view: str) -> None:
    """Raise LetheError for a view that is neither eval nor train."""
    if view not in VIEWS:
        raise LetheError(f"unknown view {view!r}; {nearest(view, VIEWS)}")


def is_finished(folder: Path | str) -> bool:
    """Whether a run was carried to its end; LetheError if epochs of a finished run are lacking."""
    folder = Path(folder)
    if not (folder / "done.json").is_file():
        return False
    expected = files.read_json(folder / "done.json").get("epochs")
    found = max(len(committed_epochs(folder, view)) for view in VIEWS)
    if expected != found:
        raise LetheError(
            f"{folder} is not whole: done.json counts {expected} epochs, {found} are committed; "
            "copy it again, or remove it and capture the run again"
        )
    return True


def commit_path(folder: Path, view: str, epoch: int) -> Path:
    """Where the commit record of an epoch lies."""
    return folder / "epochs" / f"{view}-{epoch:04d}.commit.json"


def committed_epochs(folder: Path, view: str) -> list[int]:
    """The epochs that have a commit record, in order; files of other names are not records."""
    check_view(view)
    names = (path.name for path in (folder / "epochs").glob(f"{view}-*.commit.json"))
    found = (re.fullmatch(rf"{view}-(\d{{4}}|[1-9]\d{{4,}})\.commit\.json", name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def check_no_gap(folder: Path, view: str) -> None:
    """Raise LetheError naming the first epoch without a commit record before one that has it."""
    epochs = committed_epochs(folder, view)
    first = min(epochs[0], 1) if epochs and view == "train" else 0
    for expected, epoch in enumerate(epochs, start=first):
        if epoch != expected:
            raise LetheError(
                f"{commit_path(folder, view, expected)} is missing, though epoch {epoch} is "
                "committed; copy it again, or remove the folder and capture the run again"
            )


def read_commit(folder: Path, view: str, epoch: int) -> dict[str, Any]:
    """Read a commit record; raises LetheError unless its files are there unchanged."""
    record = files.read_json(commit_path(folder, view, epoch))
    if not all(isinstance(record.get(name), dict) for name in ("sha256", "hashes", "metrics")):
        raise LetheError(
            f"{commit_path(folder, view, epoch)} is no commit record; restore it or capture again"
        )
    for name, sha256 in record["sha256"].items():
        path = folder / "epochs" / name
        if not path.is_file() or files.file_sha256(path) != sha256:
            state = "has changed since it was" if path.is_file() else "is missing though"
            raise LetheError(f"{path} {state} committed; restore it or capture the run again")
    return record


def first_difference(old: Any, new: Any, name: str) -> str:
    """`name.key is 1 there and 2 here` for the first differing key, empty when equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = (
            first_difference(old.get(key, "absent"), new.get(key, "absent"), f"{name}.{key}")
            for key in sorted({*old, *new})
        )
        return next(filter(None, pairs), "")
    return "" if old == new else f"{name} is {old!r:.60} there and {new!r:.60} here"
