"""What the study of rehearsal says of collateral damage: how much choosing by bins could gain, what
it did gain, and how far the free estimates are off.

The measures are those of `lethe.capture.rehearsal`. `alone` takes the rows of one network and one
ratio; the others take what it returns. Cost: milliseconds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lethe.analysis.arms import by_seed
from lethe.errors import LetheError, nearest

PARTITIONS = {"loss bins": 10, "class bins": 62, "both": 186}  # bins of each, of the glyphs
FIRST = 2  # the first epoch has no damage at its start


def alone(table: pd.DataFrame, model: str, ratio: float) -> pd.DataFrame:
    """The runs of one network at one ratio, and those without rehearsal beside them."""
    chosen = (table["model"] == model) & table["ratio"].isin([0.0, ratio])
    return table[chosen].reset_index(drop=True)


def at(table: pd.DataFrame, epoch: int) -> pd.DataFrame:
    """The rows of one epoch."""
    return table[table["epoch"] == epoch]


def gain_column(partition: str) -> str:
    """The column of 1 + CV^2 of a partition; LetheError for another name."""
    if partition not in PARTITIONS:
        raise LetheError(f"no partition {partition!r}: {nearest(partition, PARTITIONS)}")
    return f"gain_{partition.replace(' ', '_')}"


def ignorant_gain(samples: int, bins: int, damage: float) -> float:
    """1 + CV^2 to be expected of bins of lots, by the variance of the hypergeometric law.

    It is above 1: small bins differ in their rates by chance. NaN where nothing is damaged.
    """
    if not damage > 0:
        return float("nan")
    return 1 + (bins - 1) / (samples - 1) * (1 - damage) / damage


def during(table: pd.DataFrame, column: str, arm: str) -> pd.Series:
    """Mean of a column in the pool while an arm trains, by seed: over the epochs from the second
    on, each taken halfway between its start and its end.
    """
    rows = table[(table["arm"] == arm) & (table["epoch"] >= FIRST - 1)].sort_values("epoch")
    return rows.groupby("seed")[column].apply(lambda x: float((x[:-1] + x[1:].values).mean() / 2))


def seen(table: pd.DataFrame, arm: str) -> pd.Series:
    """Mean share of damage in what an arm rehearsed, by seed, from the second epoch on."""
    rows = table[(table["arm"] == arm) & (table["epoch"] >= FIRST)]
    return rows.groupby("seed")["damage_rehearsed"].mean()


def enrichment(table: pd.DataFrame, arm: str, floor: float, base: str = "random") -> pd.DataFrame:
    """How many times more damage an arm rehearses than its pool holds, by seed.

    measured = share in what was rehearsed : share in the pool; `ruler` is the same of `base`, which
    would be 1 if augmented views in training mode told damage as clean passes do; corrected =
    measured : ruler; formula = what exact rates would give, where a share `floor` of the draws is
    uniform (NaN for an arm without a partition of its own); match = corrected : formula.
    """
    found = pd.DataFrame({"measured": seen(table, arm) / during(table, "damage", arm)})
    found["ruler"] = seen(table, base) / during(table, "damage", base)
    found["corrected"] = found["measured"] / found["ruler"]
    gains = during(table, gain_column(arm), arm) if arm in PARTITIONS else np.nan
    found["formula"] = (1 - floor) * gains + floor
    return found.assign(match=found["corrected"] / found["formula"])


def tracking(table: pd.DataFrame, arm: str, epoch: int) -> pd.DataFrame:
    """Error of an arm's tracked rates at an epoch, and the spread of the true ones, by seed.

    spread = standard deviation of the true rates over samples; relative = error : spread. Knowing
    the mean rate and nothing of the bins gives about 0.8 (a normal law's mean absolute deviation).
    """
    rows = at(table, epoch)
    error, damage = (by_seed(rows, column, arm) for column in ("rate_error", "damage"))
    spread = damage * np.sqrt((by_seed(rows, gain_column(arm), arm) - 1).clip(lower=0))
    return pd.DataFrame({"error": error, "spread": spread, "relative": error / spread})
