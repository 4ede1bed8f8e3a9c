"""Back-flow of the study `back_flow`: by seed, and what pooling would have claimed.

Definition: D2 - D1, the distance of predictions between two branches after and before a common
instrument B. The seed (one fine-tuned state) is the unit: repeats (batches) of a seed are averaged
first. Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lethe.analysis.agreement import Interval, benjamini_hochberg
from lethe.analysis.paired_effects import bca_interval, equivalence, sign_flip_p
from lethe.errors import LetheError, nearest

DISTANCES = ("tv", "js", "hellinger", "weights")
ARMS = ("carry", "break", "same memory")
REMOVED = {"lost by the break": "break", "lost by sharing": "same memory"}


def with_network(table: pd.DataFrame, networks: Sequence[str]) -> pd.DataFrame:
    """The rows of some networks, written MODEL/OPTIMIZER, with that name as column `network`.

    LetheError for a network without rows.
    """
    table = table.assign(network=table["model"] + "/" + table["optimizer"])
    known = table["network"].unique()
    for name in networks:
        if name not in known:
            raise LetheError(f"no rows of network {name!r}: {nearest(name, known)}")
    return table[table["network"].isin(networks)]


def by_repeat(table: pd.DataFrame, distance: str = "tv") -> pd.DataFrame:
    """Back-flow of every repeat in every arm, and `carry` less the two others.

    Index: network, part, regime, seed, repeat. LetheError for an unknown distance.
    """
    if distance not in DISTANCES:
        raise LetheError(f"unknown distance {distance!r}: {nearest(distance, DISTANCES)}")
    flow = table.assign(flow=table[f"{distance}_2"] - table[f"{distance}_1"])
    keys = ["network", "part", "regime", "seed", "repeat"]
    wide = flow.pivot(index=keys, columns="arm", values="flow")[list(ARMS)]
    return wide.assign(**{name: wide["carry"] - wide[arm] for name, arm in REMOVED.items()})


def by_seed(repeats: pd.DataFrame) -> pd.DataFrame:
    """Means over the repeats of `by_repeat`. Index: network, part, regime, seed."""
    return repeats.groupby(level=["network", "part", "regime", "seed"]).mean()


def of_seeds(
    seeds: pd.DataFrame, network: str, what: str, regimes: Sequence[str], part: str = "regimes"
) -> np.ndarray:
    """Mean over some regimes of a column of `by_seed`, one number a seed, in the order of seeds.

    LetheError for a regime without rows.
    """
    rows = seeds.loc[(network, part)]
    known = rows.index.get_level_values("regime")
    for name in regimes:
        if name not in known:
            raise LetheError(f"no rows of regime {name!r}: {nearest(name, known.unique())}")
    return rows[known.isin(regimes)][what].groupby(level="seed").mean().to_numpy()


def family(
    table: pd.DataFrame, regimes: Sequence[str], distances: Sequence[str], margin: float
) -> pd.DataFrame:
    """Every network, regime, distance and column of `by_repeat`: mean over seeds with its BCa
    interval, p of all sign flips, that p adjusted for all rows (Benjamini-Hochberg), p of
    equivalence to 0 within `margin`, and the pooled interval as `pooled low`, `pooled high`.
    """
    rows = []
    for distance in distances:
        repeats = by_repeat(table[table["part"] == "regimes"], distance)
        seeds = by_seed(repeats)
        for network in table["network"].unique():
            for regime in regimes:
                for what in seeds:
                    values = of_seeds(seeds, network, what, [regime])
                    every = repeats.loc[(network, "regimes", regime), what].to_numpy()
                    about = {"network": network, "regime": regime, "distance": distance}
                    rows.append(about | {"what": what} | one_test(values, every, margin))
    found = pd.DataFrame(rows)
    return found.assign(adjusted=benjamini_hochberg(found["p"])[1])


def one_test(values: np.ndarray, every: np.ndarray, margin: float) -> dict[str, float]:
    """What `family` says of one row: values [seed], and of every repeat."""
    interval, pooled = bca_interval(values), pooled_interval(every)
    row = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    row |= {"pooled low": pooled.low, "pooled high": pooled.high, "seeds": len(values)}
    equal = equivalence(values, margin).p_value if len(values) > 1 else 1.0
    return row | {"p": sign_flip_p(values), "equal p": equal}


def pooled_interval(
    values: np.ndarray, draws: int = 2000, level: float = 0.95, random_seed: int = 1
) -> Interval:
    """Mean of all repeats with a percentile interval that takes them for independent: it is too
    short where repeats of a seed are alike. Shown for comparison, never judged by.
    """
    values = np.asarray(values, float).ravel()
    rng = np.random.default_rng(random_seed)
    drawn = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    n = len(values)
    return Interval(values.mean(), low, high, drawn.std(ddof=1), n, n, "pooled repeats", level)


def amplification(momentum: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(1 - mu^k) / (1 - mu): what a momentum buffer that begins at 0 holds after k equal gradients,
    in gradients.
    """
    momentum, steps = np.asarray(momentum, float), np.asarray(steps, float)
    return (1 - momentum**steps) / (1 - momentum)


def slopes(table: pd.DataFrame, x: str, y: str) -> pd.Series:
    """Least-squares slope of y on x in every seed; index: seed. LetheError if x does not vary."""
    if table.groupby("seed")[x].nunique().min() < 2:
        raise LetheError(f"{x} does not vary inside a seed: there is no slope")
    centred = table[[x, y]] - table.groupby("seed")[[x, y]].transform("mean")
    products = pd.DataFrame({"xy": centred[x] * centred[y], "xx": centred[x] ** 2})
    sums = products.groupby(table["seed"]).sum()
    return sums["xy"] / sums["xx"]
