"""Where a sweep keeps its own files, beside the run folders in the output folder. Cost: none.

OUT/sweep/logs/RUN.txt     what a run printed, attempt after attempt
OUT/sweep/leases/RUN/      who works on it; gone when it is finished
OUT/sweep/failures/RUN.json  why it failed; gone when it is begun again
"""

from __future__ import annotations

from pathlib import Path

FOLDER = "sweep"


def log_file(out: Path, name: str) -> Path:
    """The log of a run."""
    return out / FOLDER / "logs" / f"{name}.txt"


def lease_place(out: Path, name: str) -> Path:
    """The folder of a run's leases."""
    return out / FOLDER / "leases" / name


def failure_file(out: Path, name: str) -> Path:
    """The record of a run's failure."""
    return out / FOLDER / "failures" / f"{name}.json"
