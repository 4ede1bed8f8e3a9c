"""The front page's numbers, computed again from the shipped traces with numpy and scipy alone.

The numbers are read from the printed results that the page's twin keeps (and nbval compares with a
fresh run). Nothing of `lethe.analysis` is used here: every definition is written out once more.
"""

import re
from functools import cache
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata, spearmanr

from lethe.traces import open_traces

TWIN = Path(__file__).parents[1] / "notebooks" / "at_a_glance.ipynb"
DATASETS = ("glyphs", "cifar7")
both = pytest.mark.parametrize("dataset", DATASETS)


@cache
def printed() -> dict[tuple[str, str], float]:
    """What the twin prints by finding and data set."""
    cells = nbformat.read(TWIN, as_version=4).cells
    text = "".join(out.text for cell in cells for out in cell.get("outputs", []))
    lines = re.findall(r"^(finding_\d)\S+ +(\S+) +(\S+)", text, re.M)
    return {(name, dataset): float(value) for name, dataset, value in lines}


def stores(dataset: str) -> tuple[str, str]:
    return f"{dataset}-test_resnet-quick", f"{dataset}-test_vit-quick"


@cache
def answers(store: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right or wrong [seed, epoch, sample], loss after warm-up [seed, sample], labels [sample]."""
    with open_traces(store) as ds:
        label = ds["label"].values
        right = ds["prediction"].transpose("seed", "epoch", "sample").values == label
        return right, ds["loss"].sel(epoch=0).transpose("seed", "sample").values, label


@cache
def events(store: str) -> np.ndarray:
    """Right at e and wrong at e + 1, counted; NaN where never right: [seed, sample]."""
    right, _, _ = answers(store)
    lost = (right[:, :-1] & ~right[:, 1:]).sum(1).astype(float)
    return np.where(right.any(1), lost, np.nan)


@cache
def fit(trace: tuple[bool, ...]) -> tuple[float, float]:
    """Rate in [0, 5] and R^2 of exp(-rate t) fitted to one retention trace by least squares."""
    bits, t = np.array(trace, float), np.arange(len(trace))

    def error(rate: float) -> float:
        return float(((bits - np.exp(-rate * t)) ** 2).sum())

    if bits.all():
        return 0.0, np.nan
    grid = np.concatenate([[0.0], np.geomspace(1e-4, 5, 120)])
    at = int(np.argmin([error(rate) for rate in grid]))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    inside = minimize_scalar(error, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    rate = min([float(inside.x), 0.0, 5.0, grid[at]], key=error)
    return rate, 1 - error(rate) / float(((bits - bits.mean()) ** 2).sum())


@cache
def fits(store: str) -> tuple[np.ndarray, np.ndarray]:
    """Rates and R^2 [seed, sample]; NaN where never learned, R^2 also where never forgotten."""
    right, _, _ = answers(store)
    found = np.full((2, right.shape[0], right.shape[2]), np.nan)
    for seed, sample in zip(*np.nonzero(right.any(1))):
        trace = right[seed, :, sample]
        found[:, seed, sample] = fit(tuple(trace[np.argmax(trace) :].tolist()))
    return found[0], found[1]


def mean_over_pairs(matrix: np.ndarray) -> float:
    """Mean Spearman correlation over pairs of rows, each over the columns both rows know."""
    rows = combinations(matrix, 2)
    return float(np.mean([spearmanr(x, y, nan_policy="omit").statistic for x, y in rows]))


def expected_overlap(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """Mean Jaccard index of the top tenths of two rows, ties broken at random, 40 draws."""
    known = ~(np.isnan(x) | np.isnan(y))
    size, draws = round(0.1 * known.sum()), []
    for _ in range(40):
        tops = []
        for row in (x[known], y[known]):
            order = np.lexsort((rng.random(known.sum()), -row))
            tops.append(set(order[:size].tolist()))
        draws.append(len(tops[0] & tops[1]) / len(tops[0] | tops[1]))
    return float(np.mean(draws))


def test_the_front_page_shows_every_finding_on_both_data_sets():
    assert sorted(printed()) == sorted((f"finding_{k}", d) for k in range(1, 6) for d in DATASETS)


@both
def test_finding_1_overlap_between_two_networks(dataset):
    rng, (first, second) = np.random.default_rng(0), stores(dataset)
    pairs = [expected_overlap(x, y, rng) for x in events(first) for y in events(second)]
    assert np.mean(pairs) == pytest.approx(printed()["finding_1", dataset], abs=0.0075)


@both
def test_finding_2_gap_in_fit_quality(dataset):
    first, second = (np.nanmean(fits(store)[1], axis=1).mean() for store in stores(dataset))
    assert second - first == pytest.approx(printed()["finding_2", dataset], abs=0.001)


@both
def test_finding_3_rank_correlation_over_seeds(dataset):
    rho = mean_over_pairs(fits(stores(dataset)[0])[0])
    assert rho == pytest.approx(printed()["finding_3", dataset], abs=0.006)


@both
def test_finding_4_rank_correlation_of_class_means(dataset):
    first = stores(dataset)[0]
    _, _, label = answers(first)
    classes = np.unique(label)
    means = np.stack([np.nanmean(events(first)[:, label == k], axis=1) for k in classes], axis=1)
    assert mean_over_pairs(means) == pytest.approx(printed()["finding_4", dataset], abs=0.006)


@both
def test_finding_5_early_loss_and_decay_rate(dataset):
    first = stores(dataset)[0]
    _, early, _ = answers(first)
    rows = zip(early, fits(first)[0])
    rho = np.mean([spearmanr(x, y, nan_policy="omit").statistic for x, y in rows])
    assert rho == pytest.approx(printed()["finding_5", dataset], abs=0.006)


def test_ranks_here_are_mid_ranks():
    """Why scipy's default suits tied counts: equal values share the mean of their ranks."""
    assert rankdata([3, 1, 3]).tolist() == [2.5, 1, 2.5]
