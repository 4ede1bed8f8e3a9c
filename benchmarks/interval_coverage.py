"""How often the 95 % intervals of the library hold the truth, in simulated experiments.

    python benchmarks/interval_coverage.py [--quick] [--out DIR] [--only WORDS]

Prints a table and writes DIR/coverage.csv (default benchmarks/results), which the page "How
agreement works" shows. Cost: about 15 minutes on one core; --quick, a tenth of it, writes nothing
unless told where.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
from experiments import covered
from rate_cases import rate_rows
from regimes import RATES, REGIMES
from worlds import World

RESULTS = Path(__file__).parent / "results"
RATE = "decay rate of one image"


def run(share: float, only: str = "") -> Iterator[dict]:
    """One row per interval and regime, from a `share` of the usual number of experiments."""
    for number, world in enumerate(RATES):
        if only in RATE:
            images = max(round(world.samples * share), 200)
            yield from labelled(RATE, world, rate_rows(replace(world, samples=images), number))
    for number, (name, world, usual) in enumerate(REGIMES):
        if only in name:
            replicates = max(round(usual * share), 20)
            yield from labelled(name, world, covered(name, world, replicates, number))


def labelled(name: str, world: World, rows: list[dict]) -> Iterator[dict]:
    """Rows with their interval and regime, printed as they come."""
    for row in rows:
        row = {"interval": name} | asdict(world) | row
        print(line(row), flush=True)
        yield row


def line(row: dict) -> str:
    """One row in words."""
    name = f"{row['interval']} {row['part']}".strip()
    regime = f"{row['process']:13} {row['seeds']:3} x {row['samples']:5}"
    spread = f"sd {row['image']:g} {row['seed']:g} {row['rest']:g}, families of {row['family']:2}"
    share = f"{row['coverage']:6.1%} ± {row['error']:4.1%}"
    return f"{name:42} {regime}  {spread}  {share} (bias {row['bias']:+.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the experiments")
    parser.add_argument("--only", default="", help="intervals whose name holds these words")
    parser.add_argument("--out", type=Path, help="folder of the table")
    given = parser.parse_args()
    out = given.out or (None if given.quick or given.only else RESULTS)
    rows = []
    for row in run(0.1 if given.quick else 1.0, given.only):
        rows.append(row)
        if out:  # after every row, so that an interrupted run keeps what it has
            out.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).round(5).to_csv(out / "coverage.csv", index=False)


if __name__ == "__main__":
    main()
