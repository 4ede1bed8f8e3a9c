"""A gallery of chosen samples: two numbers place them, picking one shows its life in every seed.

Choice: half of the samples are drawn at random, the other half are extremes by rank: in equal parts
those high on both numbers, and those high on one and low on the other, either way. The drawing is
`life_scatter`. Cost: about 1 s and 200 kB for 240 glyphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import rankdata

from lethe.analysis import agreement, scores
from lethe.errors import LetheError
from lethe.pages import book, charts, dataset_facts, sample_words, stores
from lethe.traces import correct

COUNT = 240  # samples in a gallery
COLOUR_COUNT = 96  # of pictures in colour, which take eight times as many bytes
SIDE = 32  # pixels of a picture


@dataclass(frozen=True)
class Number:
    """A number of every sample: `values` [sample], NaN where it has none, and what it is called.

    `direction`: 1 if higher is harder (more forgotten), else -1.
    """

    values: np.ndarray
    title: str
    direction: int = 1


def mean_score(ds: xr.Dataset, name: str, network: str, runs: slice = slice(None)) -> Number:
    """A score of the library, mean over `runs` (all) in which the sample has one."""
    values = scores.score(ds, name).transpose("seed", "sample").values[runs]
    score = scores.SCORES[name]
    return Number(agreement.mean_over_runs(values), f"{score.title}, {network}", score.direction)


def mean_rank(values: np.ndarray, title: str) -> Number:
    """The mean rank of samples in runs [run, sample], from 0 (lowest) to 100, ties shared.

    A sample that a run cannot rank (NaN) is left out of that run.
    """
    known = np.maximum(np.count_nonzero(~np.isnan(values), axis=1, keepdims=True) - 1, 1)
    ranks = 100 * (rankdata(values, axis=1, nan_policy="omit") - 1) / known
    return Number(agreement.mean_over_runs(ranks), title)


def choose(
    x: Number,
    y: Number,
    count: int,
    rng: np.random.Generator,
    among: np.ndarray | None = None,
) -> np.ndarray:
    """Rows of `count` samples that have both numbers, or of all if they are fewer; in no order.

    `among`: bool [sample], those that may be chosen. Raises LetheError when there is none.
    """
    there = np.isfinite(x.values) & np.isfinite(y.values)
    there = np.flatnonzero(there if among is None else there & among)
    if not len(there):
        raise LetheError(f"no sample has both numbers: {x.title}; {y.title}")
    mixed = rng.permutation(there)  # so that ties are broken at random
    far = extremes(x, y, mixed, min(count, len(mixed)) // 2)
    return np.concatenate([far, mixed[~np.isin(mixed, far)][: count - len(far)]])


def extremes(x: Number, y: Number, rows: np.ndarray, count: int) -> np.ndarray:
    """`count` of `rows`: by turns the highest on both, on x above y, and on y above x, by rank."""
    one, other = (rankdata(number.direction * number.values[rows]) for number in (x, y))
    orders = [np.argsort(-key, kind="stable") for key in (one + other, one - other, other - one)]
    by_turns = pd.unique(np.stack(orders, axis=1).ravel())
    return rows[by_turns[:count]]


def hardest_first(x: Number, y: Number, rows: np.ndarray) -> np.ndarray:
    """`rows` ordered by the sum of both ranks among them, the hardest first."""
    total = sum(rankdata(number.direction * number.values[rows]) for number in (x, y))
    return rows[np.argsort(-total, kind="stable")]


def pictured(ds: xr.Dataset) -> np.ndarray:
    """Which samples of a store have a picture here, bool [sample]; all of them if none has."""
    have = np.isin(ds["sample"].values, list(dataset_facts.pictures(ds)))
    return have if have.any() else np.ones(len(have), bool)


def sample_gallery(
    pair: Sequence[xr.Dataset],
    x: Number,
    y: Number,
    rows: np.ndarray,
    *,
    title: str,
    groups: np.ndarray | None = None,
    fmt: str = ".3g",
) -> alt.HConcatChart:
    """Draw the samples in these `rows` of the stores of two networks, the hardest first.

    `groups`: str or categorical [sample], told apart by the marks of the points.
    """
    rows, ds = hardest_first(x, y, np.asarray(rows, int)), pair[0]
    table = pd.DataFrame({"x": x.values[rows], "y": y.values[rows]})
    table["name"] = dataset_facts.names(ds, rows)
    shown = dataset_facts.pictures(ds, ds["sample"].values[rows])
    table["url"] = [_url(shown.get(name)) for name in ds["sample"].values[rows]]
    unit = sample_words.noun(ds)
    if unit == "text":
        table["text"] = sample_words.texts(ds, rows)
    if groups is not None:
        table["group"] = pd.Series(groups).iloc[rows].array
    lives = {
        name: correct(part.isel(sample=rows)).transpose("seed", "epoch", "sample").values
        for name, part in zip(stores.model_names(pair), pair, strict=True)
    }
    first = table.iloc[0]
    description = (
        f"{len(rows)} {unit}s as points: {x.title} against {y.title}. Beside them the picked "
        f"{unit}, its numbers and its answers, epoch by epoch, in every seed of "
        f"{' and '.join(lives)}. The hardest is {first['name']} ({first.x:{fmt}}; {first.y:{fmt}})."
    )
    form = {"x_title": x.title, "y_title": y.title, "fmt": fmt, "unit": unit}
    return charts.life_scatter(table, lives, title=title, description=description, **form)


def _url(picture: np.ndarray | None) -> str:
    return "" if picture is None else charts.data_uri(dataset_facts.small(picture, SIDE))


def show(
    page: book.Page,
    pair: Sequence[xr.Dataset],
    x: Number,
    y: Number,
    *,
    title: str,
    random_seed: int,
    groups: np.ndarray | None = None,
    evenly: bool = False,
    among: np.ndarray | None = None,
    count: int = COUNT,
    fmt: str = ".3g",
) -> None:
    """Choose samples, display their gallery and say in words which they are and how to use it.

    `groups` marks the points, and with `evenly` each group gives equally many; `among`: bool
    [sample], those that may be chosen. Where no sample has both numbers, it says so.
    """
    ds, rng = pair[0], np.random.default_rng(random_seed)
    may = pictured(ds) & np.isfinite(x.values) & np.isfinite(y.values)
    may = may if among is None else may & among
    pools = [may & (groups == name) for name in pd.unique(groups)] if evenly else [may]
    pools = [pool for pool in pools if pool.any()]
    if not pools:
        told = f"No {sample_words.noun(ds)} here has both numbers ({x.title}; {y.title})"
        book.text(page, f"{told}: no gallery.")
        return
    share = min(count, _most(ds)) // len(pools)
    rows = np.concatenate([choose(x, y, share, rng, pool) for pool in pools])
    charts.show(sample_gallery(pair, x, y, rows, title=title, groups=groups, fmt=fmt))
    use = USE.format(unit=sample_words.noun(ds))
    book.text(page, f"{use} {_choice(ds, rows, may, evenly)}")


USE = (
    "Point near a dot, or tap it. Or move the slider below the chart, also with the arrow keys: it "
    "goes from the hardest {unit} to the easiest. Those with equal numbers stand around their "
    "common place."
)


def _most(ds: xr.Dataset) -> int:
    """How many samples a gallery can hold, by the weight of their pictures."""
    first = next(iter(dataset_facts.pictures(ds).values()), np.zeros((1, 1, 1)))
    return COLOUR_COUNT if first.shape[-1] > 1 else COUNT


def _choice(ds: xr.Dataset, rows: np.ndarray, may: np.ndarray, evenly: bool) -> str:
    """In words: which samples are shown, out of which."""
    total, able, unit = ds.sizes["sample"], int(may.sum()), sample_words.noun(ds)
    told = f"The gallery holds {len(rows):,} of the {total:,} {unit}s"
    if not pictured(ds).all():
        told += " (only some have a picture here)"
    if len(rows) == able:
        return f"{told}: all that can be placed."
    told += ", equally many from each group" if evenly else ""
    return (
        f"{told}: half drawn at random, half extremes by rank, in equal parts high on both "
        "numbers, high on the first only and high on the second only. "
        f"{able:,} {unit}s could be placed."
    )
