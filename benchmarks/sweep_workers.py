"""What a sweep costs and gains: wall time of one small sweep by number of workers, beside a loop.

    .venv/bin/python benchmarks/sweep_workers.py [--runs 8] [--rounds 2]

Every arm captures the same runs of `test_resnet` on glyphs into an empty folder, from cold: a new
process that imports torch and reads the images. The rival is a plain loop of `capture_run` in one
process. Arms take turns; ratios are medians over the rounds. One worker shows what leases, logs and
looks cost, two and four what workers gain on this machine's cores. Prints a table; the last lines
say whether all arms wrote the same weights. Cost: about two minutes on two cores that are free.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from lethe.capture import plan_run
from lethe.capture.plan import Run
from lethe.capture.sweep import run_sweep

WORKERS = (1, 2, 4)
SETTINGS = {"epochs": 12, "warmup_epochs": 2, "limit": 310, "test_every": 100, "weights": "none"}


def loop(runs: list[Run], out: Path) -> None:
    """The rival: one run after another, in a process of its own."""
    from lethe.capture import capture_run

    for run in runs:
        capture_run(run, out, "cpu")


def plain_loop(runs: list[Run], out: Path) -> None:
    """Start that process and wait for it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(loop, runs, out).result()


def sweep(workers: int) -> Callable[[list[Run], Path], None]:
    """The same runs as a sweep."""

    def arm(runs: list[Run], out: Path) -> None:
        outcomes = run_sweep(runs, out, device="cpu", jobs=workers)
        assert all(outcome.state == "done" for outcome in outcomes), outcomes

    return arm


def weights(runs: list[Run], out: Path) -> list[str]:
    """The hash of the final weights of every run."""
    return [json.loads((out / run.name / "done.json").read_text())["weights"] for run in runs]


def measure(runs: list[Run], rounds: int) -> tuple[dict[str, list[float]], int]:
    """Wall seconds of every arm by round; how many different lists of weights came out."""
    arms = {"plain loop": plain_loop}
    arms |= {f"sweep, {n} worker{'s' * (n > 1)}": sweep(n) for n in WORKERS}
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    found = set()
    for _ in range(rounds):
        for name, arm in arms.items():
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                arm(runs, Path(folder))
                seconds[name].append(time.perf_counter() - begun)
                found.add(tuple(weights(runs, Path(folder))))
    return seconds, len(found)


def table(seconds: dict[str, list[float]], runs: int) -> list[str]:
    """The figures as Markdown; the overhead is that over the loop, a run."""
    rival = seconds["plain loop"]
    lines = [
        "| arm | seconds | times the loop's rate | more than the loop, a run |",
        "|---|--:|--:|--:|",
    ]
    for name, found in seconds.items():
        ratio = median(loop / own for loop, own in zip(rival, found))
        more = median((own - loop) / runs for loop, own in zip(rival, found))
        lines.append(f"| {name} | {median(found):.1f} | {ratio:.2f} | {more:+.2f} s |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    choices = parser.parse_args()
    runs = [plan_run("glyphs", "test_resnet", seed=k, **SETTINGS) for k in range(choices.runs)]
    load = os.getloadavg()[0]
    seconds, different = measure(runs, choices.rounds)
    cores = os.cpu_count()
    print(f"{len(runs)} runs, {choices.rounds} rounds, {cores} cores, load before {load:.1f}\n")
    print("\n".join(table(seconds, len(runs))))
    same = "the same in all arms" if different == 1 else "NOT the same in all arms"
    print(f"\nFinal weights: {same}. More workers than cores only share them.")


if __name__ == "__main__":
    main()
