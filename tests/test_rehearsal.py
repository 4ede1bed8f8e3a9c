"""Rehearsal bins: rates, draws and the enrichment formula, against simulation and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.capture.rehearsal import (
    FLOOR,
    Tracker,
    enrichment,
    joint_bins,
    quantile_bins,
    rates,
)
from lethe.errors import LetheError


@given(st.lists(st.floats(0, 9), min_size=1, max_size=60), st.integers(1, 12))
def test_quantile_bins_are_equal_and_in_order(values, count):
    if count > len(values):
        with pytest.raises(LetheError, match="cannot fill"):
            quantile_bins(values, count)
        return
    bins = quantile_bins(values, count)
    sizes = np.bincount(bins, minlength=count)
    assert sizes.max() - sizes.min() <= 1
    order = np.argsort(values, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()


def test_equal_values_fill_all_bins_and_nan_is_refused():
    assert np.bincount(quantile_bins(np.zeros(10), 5)).tolist() == [2] * 5
    with pytest.raises(LetheError, match="without NaN"):
        quantile_bins([1, np.nan], 1)


def test_joint_bins_are_the_combinations_that_occur():
    bins = joint_bins(np.array([0, 0, 1, 1, 1]), np.array([0, 2, 2, 2, 0]))
    assert bins.tolist() == [0, 1, 3, 3, 2]
    assert (np.bincount(bins) > 0).all()


def test_an_empty_bin_is_refused_and_has_no_rate():
    with pytest.raises(LetheError, match="every bin"):
        Tracker(np.array([0, 2]))
    assert np.isnan(rates(np.array([0, 2]), np.array([1, 0]))[1])


def example():
    """Three bins of unequal size and their damage."""
    bins = np.repeat([0, 1, 2], [600, 300, 100])
    damaged = np.zeros(1000, bool)
    damaged[600:690] = True  # 30 % of bin 1
    damaged[900:980] = True  # 80 % of bin 2
    return bins, damaged


def test_the_chance_of_a_bin_is_its_share_of_the_damage():
    bins, damaged = example()
    tracker = Tracker(bins, floor=0.0)
    assert tracker.probabilities() == pytest.approx([0.6, 0.3, 0.1])  # random at first
    tracker.alpha = rates(bins, damaged)
    assert tracker.probabilities() == pytest.approx([0, 90 / 170, 80 / 170])
    floored = Tracker(bins)
    floored.alpha = rates(bins, damaged)
    assert floored.probabilities() == pytest.approx(
        (1 - FLOOR) * np.array([0, 90, 80]) / 170 + FLOOR * np.array([0.6, 0.3, 0.1])
    )


@pytest.mark.parametrize("floor", [0.0, 0.1, 1.0])
def test_draws_reach_the_enrichment_of_the_formula(floor):
    bins, damaged = example()
    tracker = Tracker(bins, floor=floor)
    tracker.alpha = rates(bins, damaged)
    drawn = np.concatenate([tracker.draw(0, step, 64) for step in range(400)])
    share = damaged[drawn].mean() / damaged.mean()
    assert share == pytest.approx(enrichment(bins, damaged, floor), rel=0.02)
    alpha = rates(bins, damaged)[bins]
    closed = 1 + alpha.var() / alpha.mean() ** 2  # 1 + CV^2
    assert enrichment(bins, damaged) == pytest.approx(closed)


def test_draws_are_uniform_inside_a_bin_and_a_function_of_seed_and_step():
    tracker = Tracker(np.repeat([0, 1], [10, 30]))
    drawn = np.concatenate([tracker.draw(1, step, 40) for step in range(500)])
    counts = np.bincount(drawn, minlength=40)
    assert counts.min() > 0.8 * 500
    assert counts.max() < 1.2 * 500
    assert (tracker.draw(1, 7, 16) == tracker.draw(1, 7, 16)).all()
    assert not (tracker.draw(1, 7, 16) == tracker.draw(1, 8, 16)).all()
    assert not (tracker.draw(1, 7, 16) == tracker.draw(2, 7, 16)).all()
    assert len(tracker.draw(1, 7, 0)) == 0


def test_one_bin_and_equal_rates_are_random_rehearsal():
    bins, damaged = example()
    assert enrichment(np.zeros(1000, int), damaged) == pytest.approx(1)
    tracker = Tracker(bins)
    tracker.alpha = np.full(3, 0.4)
    assert tracker.probabilities() == pytest.approx([0.6, 0.3, 0.1])


def test_no_damage_falls_back_to_random():
    tracker = Tracker(np.array([0, 0, 1]))
    tracker.observe(np.array([0, 1, 2]), np.zeros(3, bool))
    tracker.update()
    assert (tracker.alpha == 0).all()
    assert tracker.probabilities() == pytest.approx([2 / 3, 1 / 3])
    assert np.isnan(enrichment(tracker.bins, np.zeros(3, bool)))


def test_nothing_seen_changes_nothing_and_an_unseen_bin_gets_the_pooled_rate():
    tracker = Tracker(np.array([0, 0, 1, 1]))
    tracker.update()
    assert (tracker.alpha == 1).all()
    tracker.observe(np.array([0, 0, 1, 1]), np.array([1, 0, 0, 0]))
    tracker.update()
    assert tracker.alpha == pytest.approx([0.25, 0.25])
    assert tracker.seen.tolist() == [2, 0]  # old counts fade by half


def test_tracked_rates_find_the_truth():
    bins, damaged = example()
    tracker = Tracker(bins)
    for step in range(300):
        drawn = tracker.draw(5, step, 32)
        tracker.observe(drawn, damaged[drawn])
        if step % 5 == 4:
            tracker.update()
    assert tracker.alpha == pytest.approx(rates(bins, damaged), abs=0.12)


@given(st.integers(0, 1000), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_probabilities_are_a_distribution(seed, count):
    draw = np.random.default_rng(seed)
    bins = np.concatenate([np.arange(count), draw.integers(0, count, 30)])
    tracker = Tracker(bins)
    drawn = tracker.draw(seed, 0, 50)
    tracker.observe(drawn, draw.random(50) < 0.3)
    tracker.update()
    chances = tracker.probabilities()
    assert chances.sum() == pytest.approx(1)
    assert (chances >= FLOOR * np.bincount(bins) / len(bins) - 1e-12).all()
