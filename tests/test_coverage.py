"""Nominal 95 % intervals hold the truth in simulated experiments; the count itself is right."""

import sys
from pathlib import Path

import numpy as np
import pytest

from lethe.analysis.agreement import Interval

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import experiments  # noqa: E402
import intrinsic_grid  # noqa: E402
from interval_cases import CASES  # noqa: E402
from rate_cases import rate_rows  # noqa: E402
from regimes import REGIMES  # noqa: E402
from worlds import World, draw  # noqa: E402


def allowed(experiments: int, share: float, errors: float = 3.5) -> float:
    """How far a share of so many experiments may stray from its expectation."""
    return errors * np.sqrt(share * (1 - share) / experiments)


@pytest.mark.parametrize("runs", [1, 10])
def test_the_interval_of_a_rate_covers_where_epochs_are_coins(runs):
    found = rate_rows(World(seeds=runs, samples=1500, rest=0), 3)[0]
    slack = allowed(1500, 0.95)
    assert 0.93 - slack < found["coverage"] < 0.97 + slack
    assert found["replicates"] > 1400


def test_the_interval_of_a_rate_does_not_cover_where_epochs_are_alike():
    found = rate_rows(World(seeds=1, samples=600, rest=0, process="serial"), 4)[0]
    assert found["coverage"] < 0.85


def test_two_way_intervals_hold_the_truth_more_often_than_image_only_ones(monkeypatch):
    monkeypatch.setattr(experiments, "DRAWS", 60)
    monkeypatch.setattr("interval_cases.TRUTH_SEEDS", 120)
    world = World(seeds=10, samples=300, seed=1.5)
    two_way = experiments.covered("Spearman of two seeds", world, 40)[0]
    images = experiments.covered("Spearman, images redrawn only", world, 40)[0]
    assert two_way["coverage"] > 0.89 - allowed(40, 0.89)
    assert images["coverage"] < two_way["coverage"] - 0.1


def test_coverage_is_counted_by_hand():
    ends = [(0.0, 1.0), (0.6, 1.0), (0.0, 0.4), (0.5, 0.5)]
    intervals = [Interval((a + b) / 2, a, b, 0.1, 10, 5, "m") for a, b in ends]
    found = experiments.summary(intervals, 0.5)
    assert found["coverage"] == 0.5
    assert (found["missed_low"], found["missed_high"]) == (0.25, 0.25)
    assert found["error"] == pytest.approx(np.sqrt(0.25 / 8))
    assert found["bias"] == pytest.approx(np.mean([0.5, 0.8, 0.2, 0.5]) - 0.5)
    assert found["width"] == pytest.approx(np.mean([1, 0.4, 0.4, 0]))


def test_equivalence_at_the_margin_is_claimed_in_five_per_cent():
    rng = np.random.default_rng(0)
    values = rng.normal(1, 1, (1000, 10))
    mid, se = values.mean(1), values.std(1, ddof=1) / np.sqrt(10)
    share = experiments.wrong_equivalence(mid, se, 10, 1.0)
    assert share == pytest.approx(0.05, abs=allowed(1000, 0.05))
    assert np.isnan(experiments.wrong_equivalence(mid, se, 1, 1.0))


def test_worlds_have_the_variance_they_name():
    rng = np.random.default_rng(1)
    log = draw(World(seeds=80, samples=2000, image=1.0, seed=0.5, rest=0.5), rng).log_rates
    between_seeds = log.mean(1).std()
    assert between_seeds == pytest.approx(0.5, rel=0.3)
    shared = np.cov(log[::2].ravel(), log[1::2].ravel())[0, 1]
    assert shared == pytest.approx(1.0 + 0.7**2, rel=0.1)
    family = draw(World(seeds=2, samples=2000, family=20, rest=0), rng).log_rates
    assert np.ptp(family.reshape(2, 100, 20), axis=2).max() == pytest.approx(0, abs=1e-12)
    assert np.unique(family[0].round(9)).size == 100


def test_every_regime_names_a_case_and_stays_small():
    assert {name for name, _, _ in REGIMES} == set(CASES)
    assert max(world.seeds * world.samples for _, world, _ in REGIMES) <= 20_000


def test_the_slider_grid_is_whole_and_rises_with_seeds(monkeypatch):
    monkeypatch.setattr(intrinsic_grid, "SPREADS", (0, 1))
    monkeypatch.setattr(intrinsic_grid, "EPOCHS", (5, 20))
    table = intrinsic_grid.grid(samples=150)
    assert len(table) == 2 * 2 * 3 * len(intrinsic_grid.AVERAGED)
    by_seeds = table.query("spread == 1").groupby("averaged")["spearman"].mean()
    assert by_seeds[10] > by_seeds[1] + 0.05
    assert abs(table.query("spread == 0 and averaged == 1")["spearman"]).max() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("Spearman of two seeds", World(seeds=6)),
        ("Spearman of two seeds", World(seeds=10, seed=0.5)),
        ("Spearman of two seeds", World(seeds=10, process="serial")),
        ("Jaccard, top 10 %", World(seeds=10)),
        ("between networks", World(seeds=6)),
        ("mean retention", World(seeds=10, seed=0.5)),
    ],
)
def test_intervals_cover_in_the_stated_regimes(name, world):
    for row in experiments.covered(name, world, 200, seed=11):
        assert row["coverage"] > 0.93 - allowed(200, 0.93), row["part"]
        assert row["no_effect"] < 0.05 + allowed(200, 0.05), row["part"]
