"""Commit records: an epoch exists when its record does, with files of the record's hashes.

Cost: one hash of about 75 kB per epoch of 6,200 samples.
"""

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
    """Whether a run was carried to its end."""
    return (Path(folder) / "done.json").is_file()


def commit_path(folder: Path, view: str, epoch: int) -> Path:
    """Where the commit record of an epoch lies."""
    return folder / "epochs" / f"{view}-{epoch:04d}.commit.json"


def committed_epochs(folder: Path, view: str) -> list[int]:
    """The epochs that have a commit record, in order."""
    check_view(view)
    names = (path.name for path in (folder / "epochs").glob(f"{view}-*.commit.json"))
    return sorted(int(name.split(".")[0].removeprefix(f"{view}-")) for name in names)


def read_commit(folder: Path, view: str, epoch: int) -> dict[str, Any]:
    """Read a commit record; raises LetheError unless its files are there unchanged."""
    record = files.read_json(commit_path(folder, view, epoch))
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
