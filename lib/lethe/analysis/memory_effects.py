"""Effects of interventions on a training state from the table of study `memory`, by seed.

A row of the table is one arm of one seed at one horizon, read out in one way on one part of the
probe. `tv`, `js`, `hellinger` and `churn` are distances to the untouched arm of the same seed;
`loss`, `accuracy` and `forgotten` are the arm's own, with `base_` the untouched one's. Cost:
milliseconds an effect, 20 ms with its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lethe.analysis import paired_effects
from lethe.analysis.agreement import Interval, benjamini_hochberg
from lethe.analysis.arms import only
from lethe.errors import LetheError, nearest

DISTANCES = ("tv", "js", "hellinger", "churn")
SIGNED = ("loss", "accuracy", "forgotten")
SEED_CHANGE = "seed change"
FLOOR = ("carry", "rerun", "placebo")


@dataclass(frozen=True)
class Effect:
    """Values [seed, horizon] of one arm: distances, or the arm's less the untouched one's."""

    values: np.ndarray
    seeds: np.ndarray
    horizons: tuple[int, ...]

    def at(self, horizon: int) -> np.ndarray:
        """The values at a horizon: [seed]. LetheError for one that was not looked at."""
        if horizon not in self.horizons:
            known = ", ".join(map(str, self.horizons))
            raise LetheError(f"no look at horizon {horizon}: there are {known}")
        return self.values[:, self.horizons.index(horizon)]

    def interval(self, horizon: int) -> Interval:
        """Mean over seeds at a horizon, with its BCa interval."""
        return paired_effects.bca_interval(self.at(horizon))

    @property
    def lifetime(self) -> tuple[float, float, float]:
        """Half-life after the peak in steps, with its range over seeds."""
        found = paired_effects.lifetime(self.values, self.horizons)
        return found, *paired_effects.lifetime_range(self.values, self.horizons)


def effect(
    table: pd.DataFrame,
    process: str,
    arm: str,
    metric: str = "tv",
    readout: str = "model",
    probe: str = "test",
) -> Effect:
    """An arm's effect in a process. LetheError for a name that is not in the table, and for a seed
    without a row at every horizon.
    """
    known = (*DISTANCES, *SIGNED)
    if metric not in known:
        raise LetheError(f"unknown metric {metric!r}: {nearest(metric, known)}")
    rows = only(table, process=process)
    rows = only(rows, arm=arm)
    rows = only(rows, readout=readout)
    rows = only(rows, probe=probe)
    if metric in SIGNED:
        rows = rows.assign(**{metric: rows[metric] - rows[f"base_{metric}"]})
    wide = rows.pivot(index="seed", columns="horizon", values=metric)
    if wide.isna().any().any():
        raise LetheError(f"{process}, {arm}: a seed has no finite {metric} at some horizon")
    return Effect(wide.to_numpy(), wide.index.to_numpy(), tuple(map(int, wide.columns)))


def own(
    table: pd.DataFrame, process: str, arm: str, metric: str, probe: str = "test"
) -> tuple[Effect, Effect]:
    """The arm's own metric and the untouched one's, not subtracted. LetheError as `effect`."""
    rows = only(only(table, process=process), arm=arm)
    rows = only(only(rows, readout="model"), probe=probe)
    mine, base = (
        rows.pivot(index="seed", columns="horizon", values=name)
        for name in (metric, f"base_{metric}")
    )
    seeds, horizons = mine.index.to_numpy(), tuple(map(int, mine.columns))
    return Effect(mine.to_numpy(), seeds, horizons), Effect(base.to_numpy(), seeds, horizons)


def arms_of(table: pd.DataFrame, process: str, readout: str = "model") -> list[str]:
    """The interventions of a process that are seen in a readout, in the order of the table."""
    rows = only(only(table, process=process), readout=readout)
    return [arm for arm in rows["arm"].unique() if arm not in (*FLOOR, SEED_CHANGE)]


def over_horizons(
    table: pd.DataFrame, process: str, chosen: Sequence[str], metric: str = "tv", **more: str
) -> pd.DataFrame:
    """Mean and interval of several arms at every horizon: columns arm, horizon, mean, low, high."""
    return long({arm: effect(table, process, arm, metric, **more) for arm in chosen})


def own_over_horizons(
    table: pd.DataFrame, process: str, chosen: Sequence[str], metric: str, probe: str
) -> pd.DataFrame:
    """As `over_horizons`, of the arms' own metric; the untouched arm goes by `untouched`."""
    which = {arm: FLOOR[1] if arm == "untouched" else arm for arm in chosen}
    return long({a: own(table, process, w, metric, probe)[0] for a, w in which.items()})


def long(effects: Mapping[str, Effect]) -> pd.DataFrame:
    """A row an arm and horizon: mean over seeds and its interval."""
    rows = []
    for arm, found in effects.items():
        for horizon in found.horizons:
            one = found.interval(horizon)
            row = {"arm": arm, "horizon": horizon, "mean": one.estimate}
            rows.append(row | {"low": one.low, "high": one.high})
    return pd.DataFrame(rows)


def relative(table: pd.DataFrame, process: str, arm: str, horizon: int, **more: str) -> Interval:
    """An arm's distance over that of a seed change at the same horizon, with its interval."""
    mine = effect(table, process, arm, **more)
    base = effect(table, process, SEED_CHANGE, **more)
    return paired_effects.relative(mine.at(horizon), base.at(horizon))


def tested(
    table: pd.DataFrame, cells: Sequence[tuple[str, str]], metric: str, horizon: int, **more: str
) -> pd.DataFrame:
    """Sign-flip p of a signed metric for cells (process, arm) at one horizon, adjusted by Benjamini
    and Hochberg over all of them: columns process, arm, p, adjusted, differs.
    """
    if metric not in SIGNED:
        raise LetheError(
            f"{metric!r} is never below 0, its sign tells nothing: take one of {SIGNED}"
        )
    effects = [effect(table, *cell, metric, **more).at(horizon) for cell in cells]
    p_values = [paired_effects.sign_flip_p(values) for values in effects]
    differs, adjusted = benjamini_hochberg(np.array(p_values))
    told = pd.DataFrame(list(cells), columns=["process", "arm"])
    return told.assign(p=p_values, adjusted=adjusted, differs=differs)


def interaction(
    table: pd.DataFrame, process: str, first: str, second: str, both: str, metric: str, horizon: int
) -> Interval:
    """Effect of both changes less the sum of the single ones, of a signed metric, by seed."""
    if metric not in SIGNED:
        raise LetheError(f"distances do not add up: take one of {SIGNED}, not {metric!r}")
    one, two, joint = (
        effect(table, process, arm, metric).at(horizon) for arm in (first, second, both)
    )
    return paired_effects.bca_interval(joint - one - two)
