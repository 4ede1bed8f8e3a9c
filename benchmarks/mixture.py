"""Seconds of every figure of the mixture's page, and our flows against scipy's on a big grid.

    python benchmarks/mixture.py [--out DIR]

Rival: `solve_ivp` (LSODA, rtol 1e-8) on the gradients as sums over 6,001 points, one flow after
another. Ours: the same flows in one batch, expectations of 121 nodes. Both run in one process;
the states at the end are compared. Seconds are the processor's own, which other work disturbs less,
and wall clock. Cost: half a minute. Writes mixture.md into DIR.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
from scipy.integrate import solve_ivp
from scipy.special import expit

from lethe.analysis.mixture import figures, flows, outcomes
from lethe.analysis.mixture.gaussians import learner

GRID = np.linspace(-14, 22, 6001)
DISTANCES = np.array([2.0, 3.0, 4.0, 6.0])
UNTIL, ALPHA = 200.0, 0.6
TIMES = np.append(0.0, np.geomspace(0.5, UNTIL, 30))

FIGURES: dict[str, Callable[[], object]] = {
    "E1 three arms": lambda: figures.three_arms(DISTANCES, TIMES),
    "E2 fall of the weight": lambda: figures.mass_decay((1, 2, 4, 6), np.geomspace(0.1, 1e4, 61)),
    "E3 misassignment": lambda: figures.misassignments(np.arange(0, 8.01, 0.25), (0.2, 0.5, 0.8)),
    "E4 drift": lambda: figures.drifts(np.arange(2, 10.01, 0.25)),
    "E5 local geometry": lambda: figures.local_rates((1, 1.5, 2, 3, 4, 5, 6, 8)),
    "E6 basins": lambda: figures.basins((2, 3, 4, 5, 6, 7, 8), np.arange(0.1, 1.21, 0.1)),
    "E7 replay, 256 seeds": lambda: outcomes.replayed(1000),
    "E8 three methods": lambda: [
        outcomes.kept_by_discover(np.geomspace(0.01, 100, 60), (1.5, 10, 1e6)),
        outcomes.kept_by_oapl(range(21), (0.05, 0.2, 1, 5)),
        outcomes.sdft_rates((0, 0.001, 0.01, 0.1)),
    ],
    "explorer, 180 settings": lambda: figures.explorer(
        (1, 2, 3, 4, 6), (0.3, 0.6, 0.9), (0, 0.1, 0.3, 0.6), (0.005, 0.1, 1), TIMES[::3]
    ),
    "Chen et al., 10 seeds, 6 factors": lambda: outcomes.chen_table(
        (0.005, 0.02, 0.05, 0.2, 0.5, 1.0)
    ),
}


def seconds(call: Callable[[], object]) -> tuple[float, float, object]:
    """Wall clock, the processor's own seconds, and what the call returns."""
    wall, own = time.perf_counter(), time.process_time()
    found = call()
    return time.perf_counter() - wall, time.process_time() - own, found


def rival(state: np.ndarray, separation: float, reverse: bool) -> np.ndarray:
    """One flow on the big grid, its state at the end."""
    h = GRID[1] - GRID[0]
    data = bell(separation)
    truth = ALPHA * bell(0.0) + (1 - ALPHA) * data

    def slope(_: float, s: np.ndarray) -> np.ndarray:
        beta = expit(s[0])
        old, new = beta * bell(s[1]), (1 - beta) * bell(s[2])
        q = old + new + 1e-300
        scores = np.stack([old / q - beta, old / q * (GRID - s[1]), new / q * (GRID - s[2])])
        return -(scores @ (q * np.log(q / (truth + 1e-300)))) * h if reverse else scores @ data * h

    found = solve_ivp(slope, (0, UNTIL), state, method="LSODA", rtol=1e-8, atol=1e-10)
    return found.y[:, -1]


def bell(mean: float) -> np.ndarray:
    return np.exp(-((GRID - mean) ** 2) / 2) / np.sqrt(2 * np.pi)


def compared(reverse: bool) -> str:
    """A table row: our batch against the rival's flows, and how far they are apart."""
    distance, way = (x.ravel() for x in np.meshgrid(DISTANCES, np.linspace(0.4, 1.2, 12)))
    start = learner(np.full(len(way), 0.9), 0.0, way * distance)
    if reverse:
        ours = seconds(lambda: flows.reverse_flow(start, distance, [UNTIL], ALPHA))
    else:
        ours = seconds(lambda: flows.forward_flow(start, distance, [UNTIL]))
    theirs = seconds(lambda: np.array([rival(s, d, reverse) for s, d in zip(start, distance)]))
    apart = np.abs(ours[2].states[:, -1] - theirs[2]).max()
    name = "reverse KL" if reverse else "forward KL"
    return (
        f"| {name}, {len(way)} flows to time {UNTIL:g} | {ours[1]:.2f} | {theirs[1]:.2f} | "
        f"{theirs[1] / ours[1]:.0f} | {apart:.1e} |"
    )


def page() -> str:
    """The Markdown page."""
    timed = {name: seconds(call)[:2] for name, call in FIGURES.items()}
    rows = [f"| {name} | {own:.2f} | {wall:.2f} |" for name, (wall, own) in timed.items()]
    total = np.sum(list(timed.values()), axis=0)
    lines = [
        "# Two-mode mixture",
        "",
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, one thread; load average of the "
        f"machine {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores.",
        "",
        "| figure | own seconds | wall seconds |",
        "|---|---:|---:|",
        *rows,
        f"| all | {total[1]:.2f} | {total[0]:.2f} |",
        "",
        "| flows | ours, own s | scipy on 6,001 points, own s | ratio | largest difference |",
        "|---|---:|---:|---:|---:|",
        *(compared(reverse) for reverse in (False, True)),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for mixture.md")
    chosen = parser.parse_args()
    text = page()
    print(text)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "mixture.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
