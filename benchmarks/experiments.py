"""Many simulated experiments of one kind, and how often their intervals hold the truth.

Coverage is counted with its Monte Carlo error; beside it bias, true and estimated standard error,
and how often an equivalence test wrongly says "no effect". Cost: experiments x one interval.
"""

from __future__ import annotations

import numpy as np
from interval_cases import CASES, truth
from worlds import World, draw

from lethe.analysis import agreement

DRAWS = 200  # resamples behind one interval


def covered(name: str, world: World, replicates: int, seed: int = 0) -> list[dict]:
    """Coverage of every interval of a case in one world, a row for each of its parts."""
    rng = np.random.default_rng(seed)
    true = truth(name, world, rng)
    found = [CASES[name](draw(world, rng), rng, DRAWS) for _ in range(replicates)]
    return [
        {"part": part, "true": true[part]} | summary([one[part] for one in found], true[part])
        for part in true
    ]


def summary(intervals: list, true: float) -> dict[str, float]:
    """Coverage with its Monte Carlo error, misses on each side, and wrong claims of "no effect"."""
    low, high, mid, se = (
        np.array([getattr(one, name) for one in intervals])
        for name in ("low", "high", "estimate", "se")
    )
    inside = (low <= true) & (true <= high)
    share, smooth = inside.mean(), (inside.sum() + 2) / (len(mid) + 4)  # Agresti and Coull 1998
    return {
        "coverage": share,
        "error": np.sqrt(smooth * (1 - smooth) / (len(mid) + 4)),
        "missed_low": (high < true).mean(),
        "missed_high": (low > true).mean(),
        "bias": mid.mean() - true,
        "sd": mid.std(ddof=1),
        "se": se.mean(),
        "width": (high - low).mean(),
        "no_effect": wrong_equivalence(mid, se, intervals[0].n_seeds, true),
        "replicates": len(mid),
    }


def wrong_equivalence(mid: np.ndarray, se: np.ndarray, seeds: int, true: float) -> float:
    """Share of "smaller than the margin" where the truth lies on it: should be 5 % or less."""
    if seeds < 2:
        return float("nan")
    tests = (
        agreement.tost_equivalence(m, s, seeds, abs(true)) for m, s in zip(mid, se, strict=True)
    )
    return float(np.mean([test.equivalent for test in tests]))
