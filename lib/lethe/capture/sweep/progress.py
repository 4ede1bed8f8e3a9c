"""How far a sweep is, read from the run folders, so that it is the same for every executor.

A run is running while somebody holds its lease, failed if its failure is on record, done when it is
marked so, else waiting; one that was interrupted waits with epochs. Time left: the epochs that are
to do, times the seconds an epoch took in runs of the same kind, by the runs that are running now.
Cost: a look at every run that is not done, a few file operations each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from lethe.capture.sweep import leases, places
from lethe.errors import LetheError
from lethe.traces.commits import commit_path, committed_epochs
from lethe.traces.files import read_json

if TYPE_CHECKING:
    from lethe.capture.plan import Run

STATES = ("done", "running", "failed", "waiting")
RECENT = 10  # epochs from which the pace of a run is taken
ROWS = 20  # runs shown by name


@dataclass
class Row:
    """One run: its state, its committed epochs and seconds an epoch (0 = not known)."""

    run: Run
    state: str = "waiting"
    epochs: int = 0
    pace: float = 0.0

    @property
    def total(self) -> int:
        """How many epochs the run will have, with epoch 0 if it records it."""
        return self.run.recipe.epochs + ("eval" in self.run.views)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What runs have in common that take about equally long an epoch."""
        run = self.run
        return run.dataset, run.root, run.model, run.recipe.pixels, run.limit


class Board:
    """All runs of a sweep, as the disk has them."""

    def __init__(self, runs: Sequence[Run], out: Path) -> None:
        """Nothing is read yet."""
        self.out, self.rows = out, [Row(run) for run in runs]

    def refresh(self) -> None:
        """Read again what can have changed."""
        held = set(leases.places(self.out / places.FOLDER / "leases"))
        for row in self.rows:
            if row.state != "done":
                self._read(row, held)

    def _read(self, row: Row, held: set[str]) -> None:
        name, before = row.run.name, row.state
        if name in held and leases.alive(places.lease_place(self.out, name)):
            row.state = "running"
        elif places.failure_file(self.out, name).exists():
            row.state = "failed"
        else:
            row.state = "done" if (self.out / name / "done.json").exists() else "waiting"
        if row.state != before or row.state == "running" or not row.epochs:
            epochs = committed_epochs(self.out / name, row.run.views[0])
            row.epochs, row.pace = len(epochs), pace(self.out / name, row.run.views[0], epochs)

    def counts(self) -> Counter[str]:
        """How many runs are in each state."""
        return Counter(row.state for row in self.rows)

    def seconds_left(self) -> float | None:
        """Time until all is done at the present pace; None while nothing was measured."""
        paces = defaultdict(list)
        for row in self.rows:
            if row.pace:
                paces[row.kind].append(row.pace)
        if not paces:
            return None
        known = {kind: median(found) for kind, found in paces.items()}
        other = median(known.values())
        left = [row for row in self.rows if row.state in ("running", "waiting")]
        seconds = sum((row.total - row.epochs) * known.get(row.kind, other) for row in left)
        return seconds / max(self.counts()["running"], 1)

    def line(self) -> str:
        """The whole sweep in one line."""
        counts, left = self.counts(), self.seconds_left()
        parts = [f"{counts['done']} of {len(self.rows)} runs done"]
        parts += [f"{counts[state]} {state}" for state in STATES[1:]]
        unfinished = counts["running"] + counts["waiting"]
        time = f"; about {duration(left)} left" if left is not None and unfinished else ""
        return ", ".join(parts) + time

    def failures(self) -> list[tuple[str, str]]:
        """The runs that failed, each with the reason on record."""
        found = []
        for row in self.rows:
            if row.state == "failed":
                file = places.failure_file(self.out, row.run.name)
                found.append((row.run.name, reason(file)))
        return found

    def table(self) -> list[tuple[str, str, str, str]]:
        """Name, state, epochs and pace of the runs that have something to tell."""
        telling = [row for row in self.rows if row.state in ("running", "failed")]
        return [
            (
                row.run.name,
                row.state,
                f"{row.epochs}/{row.total}",
                f"{row.pace:.1f} s an epoch" if row.pace else "",
            )
            for row in telling[:ROWS]
        ]


def pace(folder: Path, view: str, epochs: Sequence[int]) -> float:
    """Seconds an epoch takes, by the times at which the last ones were committed."""
    try:
        times = [commit_path(folder, view, epoch).stat().st_mtime for epoch in epochs[-RECENT:]]
    except FileNotFoundError:
        return 0.0
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return max(median(gaps), 0.0) if gaps else 0.0


def reason(file: Path) -> str:
    """Why a run failed, as its record says."""
    try:
        return str(read_json(file).get("error", "no reason given"))
    except LetheError:
        return "its record cannot be read"


def duration(seconds: float) -> str:
    """A time in words: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
