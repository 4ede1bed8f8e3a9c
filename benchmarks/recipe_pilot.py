"""How the learning rates of the `quick` recipes were chosen: test accuracy on pilot seeds, nothing
else.

The pilot seeds are never published; forgetting, overlap and fits were not looked at. Usage: python
benchmarks/recipe_pilot.py test_resnet 0.5e-3 1e-3 2e-3 4e-3 --out runs-pilot Prints one line a
learning rate: mean and range of the test accuracy at the last epoch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lethe.capture import capture_many, plan_run
from lethe.traces import read_run

PILOT_SEEDS = (1000,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("rates", type=float, nargs="+")
    parser.add_argument("--weights", default="lethe")
    parser.add_argument("--out", type=Path, default=Path("runs-pilot"))
    parser.add_argument("--epochs", type=int, default=10, help="shorter than the recipe's own")
    parser.add_argument("--jobs", type=int, default=0)
    choices = parser.parse_args()
    cells = [(rate, seed) for rate in choices.rates for seed in PILOT_SEEDS]
    runs = [
        plan_run(
            "glyphs",
            choices.model,
            seed=seed,
            learning_rate=rate,
            epochs=choices.epochs,
            weights=choices.weights,
        )
        for rate, seed in cells
    ]
    folders = capture_many(runs, choices.out, jobs=choices.jobs)
    final = [float(read_run(folder).test_accuracy[-1]) for folder in folders]
    for rate in choices.rates:
        found = [value for (used, _), value in zip(cells, final) if used == rate]
        print(f"{choices.model} {rate:.1e}: {sum(found) / len(found):.4f}")


if __name__ == "__main__":
    main()
