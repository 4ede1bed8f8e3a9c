"""What two rankings agree on when forgetting belongs to the image alone: the grid behind a slider.

    python benchmarks/intrinsic_grid.py [--out DIR]

For every spread of the true log rates, length of training and number of seeds averaged: Spearman's
correlation of two averages over disjoint seeds, per score. Writes DIR/intrinsic_grid.csv (default
benchmarks/results), which the page "How agreement works" shows. Cost: four minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lethe.analysis import agreement, scores
from lethe.analysis.simulate import rates_with_variance, simulate_correct

SPREADS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2)
EPOCHS = (5, 10, 20, 30, 60)
AVERAGED = (1, 2, 3, 5, 10, 20)
SAMPLES, SEEDS, MEDIAN = 1500, 40, 0.05
SCORES = ("decay_rate", "mean_retention", "forgetting_events")


def agreements(values: np.ndarray) -> Iterator[tuple[int, float]]:
    """Mean correlation of averages over k seeds, over disjoint pairs of averages, for every k."""
    for k in AVERAGED:
        means = np.array([values[i : i + k].mean(0) for i in range(0, len(values) - k + 1, k)])
        matrix = agreement.spearman_matrix(means)
        pairs = [matrix[i, i + 1] for i in range(0, len(means) - 1, 2)]
        yield k, float(np.nan_to_num(np.mean(pairs)))


def grid(samples: int = SAMPLES, seed: int = 0) -> pd.DataFrame:
    """One row per spread, epochs, score and number of seeds averaged."""
    rng, rows = np.random.default_rng(seed), []
    for spread in SPREADS:
        rate = rates_with_variance(rng, MEDIAN, spread, 0, 0, SEEDS, samples)
        correct = simulate_correct(rng, rate, max(EPOCHS) + 1)
        for epochs in EPOCHS:
            for name in SCORES:
                entry = scores.SCORES[name]
                found = agreements(entry.compute(correct[:, : epochs + 1]))
                form = {"spread": spread, "epochs": epochs, "score": entry.title}
                rows += [form | {"averaged": k, "spearman": round(rho, 4)} for k, rho in found]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    table = grid()
    table.to_csv(out / "intrinsic_grid.csv", index=False)
    one = table.query("epochs == 30 and spread == 1")
    print(one.pivot(index="score", columns="averaged", values="spearman").to_string())


if __name__ == "__main__":
    main()
