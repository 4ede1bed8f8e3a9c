"""Agreement statistics timed against what is commonly used for them.

    .venv/bin/python benchmarks/agreement.py [--quick] [--out DIR]

Scores of 20 runs with a correlation of 1/2; with "missing" 5 % of them are NaN at random. Seconds
are the wall's, after compiling, the best of three, of one above 10^5 samples; processor
seconds are summed over cores, and the ratio is that of processor seconds: other work on the machine
does not change it, and ours gets nothing for using several cores. Rivals, on one core:

- `scipy.stats.spearmanr` pair by pair, samples missing in either run dropped before;
- the top tenth of each run by `numpy.argpartition`, as sets that are intersected pair by pair;
- for the bootstrap a loop that draws runs and samples, repeats the data and calls one of the two.

Rivals are timed on five pairs, in the bootstrap on three pairs of three draws, and multiplied by
the number of pairs and draws. Both sides must give the same numbers, or the benchmark stops. Takes
some minutes, with --quick 20 seconds. Writes agreement.md into DIR.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

from lethe.analysis import agreement

RUNS, FRACTION, DRAWS = 20, 0.1, 1000
PAIRS = list(combinations(range(RUNS), 2))
COLUMNS = ("what", "samples", "missing", "seconds", "processor s", "rival's", "ratio")
Row = tuple[str, int, float, tuple[float, float], float]


def scores_of(rng: np.random.Generator, samples: int, missing: float) -> np.ndarray:
    """Scores [run, sample] with a correlation of 1/2 between runs."""
    scores = rng.normal(size=samples) + rng.normal(size=(RUNS, samples))
    scores[rng.random(scores.shape) < missing] = np.nan
    return scores


def seconds(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Best wall time of a call, and best processor time."""
    taken = []
    for _ in range(times):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(t[0] for t in taken), min(t[1] for t in taken)


def scipy_rho(a: np.ndarray, b: np.ndarray) -> float:
    """The rival's Spearman correlation of one pair."""
    known = ~(np.isnan(a) | np.isnan(b))
    return float(stats.spearmanr(a[known], b[known]).statistic)


def set_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """The rival's Jaccard index of one pair; it knows no ties."""
    known = np.flatnonzero(~(np.isnan(a) | np.isnan(b)))
    size = round(FRACTION * known.size)
    one, other = (known[np.argpartition(run[known], -size)[-size:]] for run in (a, b))
    both = np.intersect1d(one, other, assume_unique=True).size
    return both / (2 * size - both)


def jaccard_on(scores: np.ndarray) -> Callable[..., np.ndarray]:
    """Our Jaccard index of the top tenth, prepared."""
    return agreement.jaccard_on(scores, FRACTION)


KINDS = (("Spearman", agreement.spearman_on, scipy_rho), ("Jaccard", jaccard_on, set_overlap))


def all_pairs(rng: np.random.Generator, samples: int, missing: float) -> list[Row]:
    """All pairs of runs: each statistic alone, then both and Kendall's W from one sort."""
    scores, rows = scores_of(rng, samples, missing), []
    some, times = PAIRS[:: len(PAIRS) // 5][:5], 1 if samples > 100_000 else 3
    for name, prepare, rival in KINDS:
        ours = seconds(lambda prepare=prepare: prepare(scores)(np.ones(samples)), times)
        found = prepare(scores)(np.ones(samples))
        checked = [rival(scores[i], scores[j]) for i, j in some]
        np.testing.assert_allclose([found[pair] for pair in some], checked, atol=1e-10)
        theirs = sum(
            seconds(lambda i=i, j=j, rival=rival: rival(scores[i], scores[j]), times)[1]
            for i, j in some
        )
        what = f"{name}, {len(PAIRS)} pairs"
        rows.append((what, samples, missing, ours, theirs / len(some) * len(PAIRS)))
    theirs = rows[0][-1] + rows[1][-1]
    ours = seconds(lambda: together(scores), times)
    return [*rows, ("both and Kendall's W, one sort", samples, missing, ours, theirs)]


def together(scores: np.ndarray) -> None:
    """Three statistics of the same scores."""
    runs = agreement.sort_runs(scores)
    agreement.spearman_matrix(runs)
    agreement.kendall_w(runs)
    agreement.jaccard_matrix(runs, FRACTION)


def bootstrap(rng: np.random.Generator, samples: int, missing: float, draws: int) -> list[Row]:
    """The two-way bootstrap of the mean over pairs, as seconds for DRAWS draws."""
    scores, rows = scores_of(rng, samples, missing), []
    for name, prepare, rival in KINDS:
        matrix = prepare(scores)
        ours = seconds(lambda m=matrix: agreement.cross_seed(m, RUNS, samples, rng, draws), 1)
        ours = tuple(taken * DRAWS / draws for taken in ours)
        theirs = min(one_draw(rng, scores, rival) for _ in range(3)) * DRAWS
        rows.append((f"{name}, {DRAWS:,} two-way draws", samples, missing, ours, theirs))
    return rows


def one_draw(rng: np.random.Generator, scores: np.ndarray, rival: Callable) -> float:
    """Processor seconds of the rival's loop for one draw of runs and samples, from three pairs."""
    seeds = np.unique(rng.integers(0, RUNS, RUNS))
    samples = rng.integers(0, scores.shape[1], scores.shape[1])
    repeated = seconds(lambda: scores[np.ix_(seeds, samples)], 1)[1]
    drawn = scores[np.ix_(seeds[:3], samples)]
    compared = seconds(lambda: [rival(*drawn[[i, j]]) for i, j in ((0, 1), (0, 2), (1, 2))], 1)[1]
    return repeated + compared / 3 * seeds.size * (seeds.size - 1) / 2


def table(rows: list[Row], draws: int) -> str:
    """Markdown: what was measured on what, then a row a cell."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lines = [
        "# Agreement statistics",
        "",
        f"{RUNS} runs, top sets of {FRACTION:.0%}; {cores} cores for ours, one for the rivals; "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}. Rivals: SciPy's `spearmanr`, NumPy's "
        f"`argpartition` and `intersect1d`, extrapolated from five of {len(PAIRS)} pairs, in the "
        f"bootstrap from three pairs of a draw. Ours: {draws:,} of {DRAWS:,} draws.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---|" + "---:|" * (len(COLUMNS) - 1),
    ]
    for what, samples, missing, (wall, processor), rival in rows:
        cells = (what, f"{samples:,}", f"{missing:.0%}", f"{wall:.3g}", f"{processor:.3g}")
        lines.append("| " + " | ".join(cells) + f" | {rival:,.3g} | {rival / processor:,.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 10^4 samples and 20 draws")
    parser.add_argument("--out", type=Path, help="folder for agreement.md")
    given = parser.parse_args()
    rng, draws = np.random.default_rng(0), 20 if given.quick else DRAWS
    rows = []
    for missing in (0.0, 0.05):
        bootstrap(rng, 200, missing, 2)  # compile
        for samples in (1_000, 10_000) if given.quick else (10_000, 100_000, 1_000_000):
            rows += all_pairs(rng, samples, missing)
        rows += bootstrap(rng, 10_000 if given.quick else 100_000, missing, draws)
    text = table(rows, draws)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "agreement.md").write_text(text)


if __name__ == "__main__":
    main()
