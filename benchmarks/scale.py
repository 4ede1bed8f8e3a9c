"""What the analysis costs when there are more samples, epochs and seeds: seconds and memory.

    python benchmarks/scale.py WORK [--quick | --full [--store PATH] | --workers] [--out DIR]

Simulated run logs (`imagenet_logs.py`) of growing size are written into WORK, compacted, opened and
taken through scores, curves, agreement and the numbers of finding 3. Each step has a process of
its own (`scale_steps.py`). The exponent is the slope of processor seconds over size, both in
logarithms: 1 is in proportion. Processor seconds are summed over cores, so that other work on the
machine does not change them much. At one size the same is done in the way that is commonly seen.
`--full` takes the steps on 1.28 million samples, 90 epochs and 10 seeds: STORE, or one that is made
in WORK (23 GB). `--workers` measures many workers in place of all this (`sweep_workers.py`).
Cost: some five minutes on two quiet cores; --quick two; --full half an hour. Writes scale.md, or
scale_full.md, into DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
STEPS = ("opening", "scores", "curves", "agreement", "finding 3")
RIVALS = {"four scores": "usual scores", "curves": "usual curves", "agreement": "usual agreement"}


@dataclass(frozen=True)
class Size:
    """How large a store is."""

    samples: int
    epochs: int
    seeds: int

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.samples}x{self.epochs}x{self.seeds}"


FULL = Size(1_281_167, 90, 10)
MIDDLE = Size(40_000, 30, 4)
GROWTH = {
    "samples": [replace(MIDDLE, samples=n) for n in (10_000, 40_000, 160_000)],
    "epochs": [replace(MIDDLE, epochs=n) for n in (15, 30, 120)],
    "seeds": [replace(MIDDLE, seeds=n) for n in (2, 4, 8)],
}


def smaller(size: Size) -> Size:
    """A tenth of the samples, for a quick look."""
    return replace(size, samples=size.samples // 10)


def store_of(size: Size, work: Path) -> tuple[Path, dict[str, float] | None]:
    """The store of a size, and what it cost to compact it; None if it was there already."""
    store = work / f"imagenet-simulated-{size.name}.zarr.zip"
    if store.exists():
        return store, None
    logs = work / f"logs-{size.name}"
    sizes = [f"--{name}={getattr(size, name)}" for name in ("samples", "epochs", "seeds")]
    subprocess.run([sys.executable, HERE / "imagenet_logs.py", logs, *sizes], check=True, stdout=2)
    return store, in_process("compaction", logs, store)


def in_process(step: str, *paths: Path) -> dict[str, float]:
    """What `scale_steps.py` says of one step."""
    command = [sys.executable, HERE / "scale_steps.py", step, *paths]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(told)


def steps_on(size: Size, work: Path, store: Path | None = None) -> list[dict]:
    """All steps on the store of one size, a row each."""
    rows, compacted = [], None
    if store is None:
        store, compacted = store_of(size, work)
    if compacted:
        rows.append({"step": "compaction"} | compacted)
    for step in STEPS:
        rows.append({"step": step} | in_process(step, store))
        print(size, rows[-1], file=sys.stderr, flush=True)
    return [vars(size) | row for row in rows]


def exponent(sizes: pd.Series, costs: pd.Series) -> float:
    """Slope of log cost over log size."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def growth_table(found: dict[str, pd.DataFrame]) -> list[str]:
    """For each step: seconds and memory at both ends, and the exponent in each direction."""
    lines = ["| step | least s | most s | " + " | ".join(f"in {name}" for name in found)]
    lines[0] += " | least MB | most MB |"
    lines += ["|---|" + "---:|" * (4 + len(found))]
    every = pd.concat(found.values())
    for step in ("compaction", *STEPS):
        parts = {name: table[table["step"] == step] for name, table in found.items()}
        if min(map(len, parts.values())) < 2:
            continue  # the stores were there already
        costs = every.loc[every["step"] == step]
        slopes = [exponent(part[name], part["processor"]) for name, part in parts.items()]
        cells = [step, *(f"{x:,.3g}" for x in (costs["processor"].min(), costs["processor"].max()))]
        cells += [f"{slope:.2f}" for slope in slopes]
        cells += [f"{x:,.0f}" for x in (costs["memory"].min(), costs["memory"].max())]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def rival_table(size: Size, store: Path) -> list[str]:
    """Ours beside the usual way, on one store."""
    lines = ["| step | processor s | usual way | ratio | memory MB | usual way |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for step, usual in RIVALS.items():
        ours, theirs = in_process(step, store), in_process(usual, store)
        ratio = theirs["processor"] / ours["processor"]
        cells = [step, f"{ours['processor']:,.3g}", f"{theirs['processor']:,.3g}", f"{ratio:,.1f}"]
        cells += [f"{each['memory']:,.0f}" for each in (ours, theirs)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def full_table(rows: list[dict]) -> list[str]:
    """Wall and processor seconds and memory of each step on the full size."""
    lines = ["| step | seconds | processor s | memory GB |", "|---|---:|---:|---:|"]
    for row in rows:
        cells = (row["step"], f"{row['seconds']:,.0f}", f"{row['processor']:,.0f}")
        lines.append("| " + " | ".join(cells) + f" | {row['memory'] / 1000:.2f} |")
    return lines


def about(given: argparse.Namespace) -> list[str]:
    """What was measured on what."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        "# Cost of the analysis, by size",
        "",
        f"{cores} cores, load average {os.getloadavg()[1]:.1f}; NumPy {np.__version__}, pandas "
        f"{pd.__version__}; {time.strftime('%Y-%m-%d')}. Middle size: {MIDDLE.samples:,} samples, "
        f"{MIDDLE.epochs} epochs, {MIDDLE.seeds} seeds; one of the three grows at a time"
        + (", here with a tenth of the samples." if given.quick else "."),
        "",
    ]


def grown(given: argparse.Namespace) -> list[str]:
    """The tables of growth and of the usual way."""
    shrunk = smaller if given.quick else lambda size: size
    sizes = {name: [shrunk(size) for size in row] for name, row in GROWTH.items()}
    every = {
        size: steps_on(size, given.work) for row in sizes.values() for size in dict.fromkeys(row)
    }
    found = {
        name: pd.DataFrame([row for size in row_of for row in every[size]])
        for name, row_of in sizes.items()
    }
    middle = shrunk(MIDDLE)
    store, _ = store_of(middle, given.work)
    told = f"The usual way, with {middle.samples:,} samples:"
    return [*growth_table(found), "", told, "", *rival_table(middle, store), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder for logs and stores")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    parser.add_argument("--full", action="store_true", help="only the steps at full size")
    parser.add_argument("--workers", action="store_true", help="only the workers of a sweep")
    parser.add_argument("--store", type=Path, help="a store of the full size")
    parser.add_argument("--out", type=Path, help="folder for scale.md, or scale_full.md")
    given = parser.parse_args()
    if given.workers:
        subprocess.run([sys.executable, HERE / "sweep_workers.py"], check=True)
        return
    given.work.mkdir(parents=True, exist_ok=True)
    if given.full:
        rows = steps_on(FULL, given.work, given.store)
        lines = [*about(given)[:3], "", *full_table(rows), ""]
    else:
        lines = about(given) + grown(given)
    text = "\n".join(lines)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / ("scale_full.md" if given.full else "scale.md")).write_text(text)


if __name__ == "__main__":
    main()
