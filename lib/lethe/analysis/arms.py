"""Arms of an experiment against each other: tables of results, pairs by seed, fronts.

A study's table has a row a network: its settings (`arm`, `seed`, ...), then what it reached. Arms
with equal seeds share what the seed decides, so they are compared seed by seed: the interval of a
difference is that of Student's t over the seeds' differences. A front keeps the networks that no
other network of the arm beats in both accuracies. Cost: milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from lethe.analysis.agreement.resampling import Interval
from lethe.errors import LetheError, nearest
from lethe.paths import data_folder, why_missing


def results_folder(root: Path | str | None = None) -> Path:
    """The folder of result tables: `root`, else `results` in the data folder."""
    return Path(root) if root else data_folder() / "results"


def read_study(name: str, root: Path | str | None = None) -> pd.DataFrame:
    """The table of a study; its manifest is in `attrs`.

    LetheError for an unknown study, and for a table that is not the one its manifest was made with.
    """
    folder = results_folder(root)
    known = sorted(path.stem for path in folder.glob("*.csv"))
    if name not in known:
        hint = nearest(name, known) + why_missing()
        raise LetheError(f"no results of {name!r} in {folder}: {hint}")
    data = (folder / f"{name}.csv").read_bytes()
    manifest = json.loads((folder / f"{name}.json").read_text("utf-8"))
    if hashlib.sha256(data).hexdigest() != manifest["table_sha256"]:
        raise LetheError(f"{name}.csv is not the table of {name}.json: collect the study again")
    table = pd.read_csv(folder / f"{name}.csv")
    table.attrs.update(manifest)
    return table


def read_arrays(
    name: str, array: str, tasks: Sequence[str], root: Path | str | None = None
) -> np.ndarray:
    """An array by sample of some tasks of a study, stacked: [task, sample].

    LetheError for an array or a task that is not there.
    """
    with np.load(results_folder(root) / f"{name}.npz") as stored:
        for task in tasks:
            if f"{array}/{task}" not in stored.files:
                raise LetheError(f"{name}.npz has no {array!r} of task {task}: collect it again")
        return np.stack([stored[f"{array}/{task}"] for task in tasks])


def only(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows whose settings are as wanted; LetheError for a value that no row has."""
    for name, value in wanted.items():
        known = table[name].unique().tolist()
        if value not in known:
            raise LetheError(
                f"no rows with {name} {value!r}: {nearest(str(value), map(str, known))}"
            )
        table = table[table[name] == value]
    return table


def by_seed(table: pd.DataFrame, metric: str, arm: str) -> pd.Series:
    """A metric of an arm by seed, one row a seed; LetheError for another number of rows."""
    if metric not in table:
        raise LetheError(f"no column {metric!r}: {nearest(metric, list(table))}")
    rows = table[table["arm"] == arm]
    if rows.empty:
        raise LetheError(f"no arm {arm!r}: {nearest(arm, table['arm'].unique())}")
    if rows["seed"].duplicated().any():
        raise LetheError(f"arm {arm!r} has several rows a seed: choose one network a seed first")
    return rows.set_index("seed")[metric].sort_index()


def mean_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Mean of values, one a seed, with Student's interval; without one for fewer than 2 seeds."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n < 2:
        only = values[0] if n else np.nan
        return Interval(only, np.nan, np.nan, np.nan, n, n, "one seed", level)
    error = values.std(ddof=1) / np.sqrt(n)
    half = student.ppf((1 + level) / 2, n - 1) * error
    mean = values.mean()
    return Interval(mean, mean - half, mean + half, error, n, n, "student over seeds", level)


def gaps(table: pd.DataFrame, metric: str, arm: str, base: str) -> pd.Series:
    """An arm's metric minus that of `base`, by seed; NaN for seeds that one lacks.

    LetheError as `by_seed`.
    """
    return by_seed(table, metric, arm) - by_seed(table, metric, base)


def paired(table: pd.DataFrame, metric: str, arm: str, base: str) -> Interval:
    """Mean over seeds of an arm's metric minus that of `base`; seeds that one lacks are left out.

    LetheError as `by_seed`.
    """
    return mean_interval(gaps(table, metric, arm, base).to_numpy())


def seed_band(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Where the difference of two means lies when nothing but the seeds differs: a band around 0.

    For two sets of as many independent runs as there are values, of their spread; NaN for fewer
    than 2.
    """
    values = np.asarray(values, float)
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    half = student.ppf((1 + level) / 2, 2 * n - 2) * values.std(ddof=1) * np.sqrt(2 / n)
    return -half, half


def choose(table: pd.DataFrame, by: str, settings: Sequence[str]) -> pd.DataFrame:
    """For every arm the rows of the one setting with the highest mean of `by` over seeds.

    Settings are columns such as rate and epoch. Ties go to the first in row order.
    """
    kept = []
    for _, rows in table.groupby("arm", sort=False):
        means = rows.groupby(list(settings), sort=False)[by].mean()
        best = dict(zip(settings, np.atleast_1d(means.idxmax()), strict=True))
        kept.append(rows[np.logical_and.reduce([rows[k] == v for k, v in best.items()])])
    return pd.concat(kept)


def on_front(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Which points no other point beats in one coordinate without losing in the other: bool[n].

    Points that are equal in both are on the front together.
    """
    x, y = np.asarray(first, float), np.asarray(second, float)
    at_least = (x[None] >= x[:, None]) & (y[None] >= y[:, None])
    beaten = at_least & ((x[None] > x[:, None]) | (y[None] > y[:, None]))
    return np.asarray(~beaten.any(axis=1))


def kept_at(
    table: pd.DataFrame, arm: str, target: float, kept: str = "retained", reach: str = "target"
) -> pd.Series:
    """The most that an arm's networks keep of the prior task among those that reach `target` on the
    new one, by seed; NaN where none does.
    """
    rows = table[table["arm"] == arm]
    best = rows[rows[reach] >= target].groupby("seed")[kept].max()
    return best.reindex(sorted(rows["seed"].unique()))


def matched(
    table: pd.DataFrame, arm: str, base: str, target: float, kept: str = "retained"
) -> Interval:
    """What an arm keeps more than `base` at a matched target accuracy, paired by seed.

    Only seeds in which both reach the target count. Each arm's best network is taken, so arms with
    more networks have an advantage: compare arms with equal grids.
    """
    gap = kept_at(table, arm, target, kept) - kept_at(table, base, target, kept)
    return mean_interval(gap.to_numpy())


def matched_pair(
    table: pd.DataFrame,
    arm: str,
    base: str,
    below: float,
    kept: str = "retained",
    reach: str = "target",
) -> Interval:
    """As `matched`, at a goal that both arms reach: in every seed, `below` under the lower of the
    two arms' best `reach`. LetheError if `below` is negative: then one arm cannot reach it.
    """
    if below < 0:
        raise LetheError(f"a goal above what both arms reach compares nothing: below is {below}")
    best = table[table["arm"].isin([arm, base])].groupby(["seed", "arm"])[reach].max()
    goals = best.unstack()[[arm, base]].min(axis=1, skipna=False) - below
    gaps = [
        kept_at(rows, arm, goals[seed], kept, reach) - kept_at(rows, base, goals[seed], kept, reach)
        for seed, rows in table.groupby("seed")
    ]
    return mean_interval(np.concatenate([gap.to_numpy() for gap in gaps]))
