"""Curve fits timed against scipy, and their sums of squares compared, all in one run.

    python benchmarks/curves.py [--quick] [--rows N] [--compare N] [--out DIR]

Curve: A exp(-rate t) + c with 0 <= A, c <= 1 and 0.001 <= rate <= 5. Traces, 30 epochs unless told:

- `one seed`: 0/1 around random curves, practically all distinct; `20 seeds`: averages of twenty;
- `captured`: the 31-epoch traces of a shipped store, repeated up to ten times the rows.

Rivals, one trace after another on one core: `curve_fit` with bounds (TRF), without (LM; it leaves
the box and may raise). Ours: `batch.fit_many` on 1 and 2 threads, after compiling; wall time, best
of three, beside the processor's own seconds, which other work on the machine disturbs less.
Cost: ten minutes, most of it scipy's; --quick half a minute. Writes curves.md into DIR.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import scipy
from scipy.optimize import OptimizeWarning, curve_fit

from lethe.analysis.curves import batch
from lethe.traces import open_traces

STORE = "glyphs-test_resnet-quick"
EPOCHS, START = 30, (0.6, 0.2, 0.3)
BOX = ([0, 1e-3, 0], [1, 5, 1])
WORSE = 1e-6  # sums of squares closer than this are equal
COLUMNS = ("traces", "curve", "rows", "1 thread /s", "2 threads /s", "per core-second")
RIVALS = ("scipy bounded /s", "ratio", "scipy unbounded /s", "ratio")


@dataclass
class Rates:
    """Traces per second: wall clock with one and with two threads, and per second of a core."""

    one: float
    two: float
    core: float


def random_traces(rng: np.random.Generator, rows: int, seeds: int) -> np.ndarray:
    """Averages of `seeds` 0/1 traces around random curves inside the box, [row, epoch]."""
    amplitude = rng.uniform(0.3, 0.9, rows)
    floor = rng.uniform(0, 1 - amplitude)
    rate = np.exp(rng.uniform(np.log(0.03), np.log(0.8), rows))
    chance = height(np.arange(EPOCHS), *(part[:, None] for part in (amplitude, rate, floor)))
    return rng.binomial(seeds, chance) / seeds


def captured(rows: int) -> np.ndarray:
    """`correct` of the shipped store, its samples repeated: bool [seed, epoch, sample]."""
    correct = np.concatenate(list(batch.correct_blocks(open_traces(STORE))), axis=-1)
    times = -(-rows // (correct.shape[0] * correct.shape[2]))
    return np.tile(correct, (1, 1, times))


def height(t, amplitude, rate, floor):
    return amplitude * np.exp(-rate * t) + floor


def speed(traces: np.ndarray, rows: int, curve: str) -> Rates:
    """Rates of our fits; the first call, on a few traces, compiles."""
    batch.fit_many(traces[:1], curve)
    found = {}
    for threads in (1, 2):
        for _ in range(3):
            wall, own = time.perf_counter(), time.process_time()
            batch.fit_many(traces, curve, threads)
            own, wall = time.process_time() - own, time.perf_counter() - wall
            found.setdefault(threads, []).append((wall, own))
    walls = {threads: min(wall for wall, _ in taken) for threads, taken in found.items()}
    own = min(own for _, own in found[1])
    return Rates(rows / walls[1], rows / walls[2], rows / own)


def rival(traces: np.ndarray, **options) -> tuple[float, np.ndarray]:
    """scipy's rate per second of a core and its sums of squares, NaN where it raised."""
    t, sse = np.arange(traces.shape[1]), np.full(len(traces), np.nan)
    warnings.simplefilter("ignore", OptimizeWarning)  # covariance of a constant trace
    begun = time.process_time()
    for i, row in enumerate(traces):
        try:
            found, _ = curve_fit(height, t, row, p0=START, **options)
        except RuntimeError:  # no convergence
            continue
        sse[i] = ((row - height(t, *found)) ** 2).sum()
    return len(traces) / (time.process_time() - begun), sse


def compared(traces: np.ndarray, scipy_sse: np.ndarray) -> str:
    """How often either side ends in a worse place."""
    difference = batch.fit_many(traces).sse - scipy_sse
    worse, better = np.mean(difference > WORSE), np.mean(difference < -WORSE)
    return (
        f"sum of squares above scipy's by more than {WORSE:g} on {worse:.4%} of {len(traces):,} "
        f"traces (at most {difference.max():.1e}), below it on {better:.2%}"
    )


def cells(label: str, curve: str, rows: int, rates: Rates, rivals: tuple[float, ...]) -> str:
    values = [label, curve, f"{rows:,}"]
    values += [f"{rate:,.0f}" for rate in (rates.one, rates.two, rates.core)]
    for rate in rivals:
        values += [f"{rate:,.0f}", f"{rates.core / rate:,.0f}"]
    return "| " + " | ".join(values + [""] * (2 * (2 - len(rivals)))) + " |"


def measured(rows: int, compare: int) -> tuple[list[str], list[str]]:
    """Table rows, and sentences on the sums of squares."""
    rng, table, notes = np.random.default_rng(0), [], []
    for seeds in (1, 20):
        label = "one seed" if seeds == 1 else f"{seeds} seeds"
        traces = random_traces(rng, rows, seeds)
        some = traces[:compare]
        bounded, sse = rival(some, bounds=BOX)
        unbounded, free = rival(some[: max(compare // 10, 100)], method="lm")
        rates = speed(traces, rows, "extended")
        table.append(cells(label, "extended", rows, rates, (bounded, unbounded)))
        for curve in ("exponential", "power"):
            table.append(cells(label, curve, rows, speed(traces, rows, curve), ()))
        failed = f"without bounds scipy raised on {np.isnan(free).mean():.1%}"
        notes.append(f"- {label}: {compared(some, sse)}; {failed}")
    correct = captured(10 * rows)
    total = correct.shape[0] * correct.shape[2]
    for curve in ("extended", "exponential", "power"):
        table.append(cells("captured", curve, total, speed(correct, total, curve), ()))
    return table, notes


def page(table: list[str], notes: list[str]) -> str:
    """The Markdown page."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [
        "# Curve fits",
        "",
        f"{EPOCHS} epochs (captured: 31), {len(os.sched_getaffinity(0))} cores, NumPy "
        f"{np.__version__}, SciPy {scipy.__version__}, numba {numba.__version__}. scipy's rates "
        "and the ratios are per second of one core; captured traces are those of "
        f"`{STORE}`, repeated. Largest memory of the process: {peak:,.0f} MB. Load average of the "
        f"machine: {os.getloadavg()[1]:.1f} (the wall's rates need one near "
        f"{len(os.sched_getaffinity(0))}).",
        "",
        "| " + " | ".join(COLUMNS + RIVALS) + " |",
        "|---|---|" + "---:|" * (len(COLUMNS) + len(RIVALS) - 2),
        *table,
        "",
        *notes,
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, 300 for scipy")
    parser.add_argument("--rows", type=int, help="random traces (default 1,000,000)")
    parser.add_argument("--compare", type=int, help="traces that scipy fits too (default 20,000)")
    parser.add_argument("--out", type=Path, help="folder for curves.md")
    given = parser.parse_args()
    rows = given.rows or (100_000 if given.quick else 1_000_000)
    compare = min(given.compare or (300 if given.quick else 20_000), rows)
    text = page(*measured(rows, compare))
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "curves.md").write_text(text)


if __name__ == "__main__":
    main()
