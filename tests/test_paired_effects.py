"""Intervals, tests and lifetimes over seeds, against scipy, statsmodels and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test
from statsmodels.stats.weightstats import DescrStatsW

from lethe.analysis import paired_effects as pe
from lethe.errors import LetheError


def effects(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 0.01, n)


def test_sign_flips_against_scipy():
    for n in (3, 6, 10):
        values = effects(n) - 0.015
        found = permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=np.inf
        ).pvalue
        assert pe.sign_flip_p(values) == pytest.approx(found, abs=1e-12)


def test_smallest_p_is_reached_when_all_seeds_agree():
    for n in (3, 5, 6, 8, 10):
        assert pe.sign_flip_p(effects(n)) == pe.smallest_p(n) == 2 / 2**n
    assert pe.sign_flip_p(np.zeros(6)) == 1
    assert pe.sign_flip_p(effects(40)) == pytest.approx(1e-4, rel=0.01)


def test_sign_flips_keep_their_level():
    draws = np.random.default_rng(1).standard_t(4, (2000, 10))
    share = np.mean([pe.sign_flip_p(row) <= 0.05 for row in draws])
    assert share == pytest.approx(0.049, abs=0.015)


def test_bca_covers_a_known_mean():
    draws = np.random.default_rng(2).normal(1.0, 1.0, (300, 10))
    found = [pe.bca_interval(row, draws=999) for row in draws]
    covered = np.mean([one.low <= 1.0 <= one.high for one in found])
    assert 0.86 < covered < 0.97  # 10 seeds: somewhat below 95 %, as is known of the bootstrap


def test_bca_without_spread_and_with_few_seeds():
    same = pe.bca_interval(np.full(8, 0.2))
    assert (same.low, same.estimate, same.high) == pytest.approx((0.2, 0.2, 0.2))
    few = pe.bca_interval(np.array([1.0, 2.0]))
    assert np.isnan(few.low)
    assert not pe.bca_interval(effects(5)).can_judge
    assert pe.bca_interval(effects(6)).can_judge


def test_missing_seeds_are_refused():
    for values in ([1.0, np.nan], [], [[1.0]]):
        with pytest.raises(LetheError, match="one finite number a seed"):
            pe.bca_interval(np.array(values))


def test_equivalence_against_statsmodels():
    values = effects(10) - 0.02
    found = pe.equivalence(values, 0.02)
    expected = DescrStatsW(values).ttost_mean(-0.02, 0.02)[0]
    assert found.p_value == pytest.approx(expected, rel=1e-6)
    assert pe.equivalence(np.zeros(8), 0.01).equivalent
    assert not pe.equivalence(np.full(8, 0.02), 0.01).equivalent


def test_pairing_gain():
    rng = np.random.default_rng(3)
    common, noise = rng.normal(0, 1, 5000), rng.normal(0, 0.1, (2, 5000))
    gain = pe.pairing_gain(common + noise[0], common + noise[1])
    assert gain == pytest.approx(np.sqrt(2 * 1.01) / np.sqrt(0.02), rel=0.05)
    assert pe.pairing_gain(noise[0], noise[1]) == pytest.approx(1, abs=0.05)
    assert pe.pairing_gain(common, common + 1) > 1e12
    assert pe.pairing_gain(common, common) == np.inf
    with pytest.raises(LetheError, match="as many seeds"):
        pe.pairing_gain(common, common[1:])


def test_ratio_against_scipy():
    top, base = effects(10), 0.2 + effects(10, 5)
    found = pe.relative(top, base)
    expected = bootstrap(
        (top, base),
        lambda a, b, axis=-1: a.mean(axis) / b.mean(axis),
        paired=True,
        method="BCa",
        n_resamples=50_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.estimate == pytest.approx(top.mean() / base.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.02)
    with pytest.raises(LetheError, match="above 0"):
        pe.relative(top, base * 0)


H = (0, 1, 2, 5, 10)


def test_lifetime_is_where_half_of_the_peak_is_left():
    assert pe.lifetime(np.array([[1, 0.8, 0.5, 0.2, 0]]), H) == 2
    assert pe.lifetime(np.array([[0, 2, 1.5, 1.2, 1.0]]), H) == 10
    assert pe.lifetime(np.array([[0, 1, 2, 3, 4]]), H) == np.inf
    assert np.isnan(pe.lifetime(np.zeros((3, 5)), H))
    decay = np.exp(-np.array(H) / 3)[None] * effects(10)[:, None]
    assert pe.lifetime_range(decay, H) == (5, 5)
    assert all(np.isnan(pe.lifetime_range(decay[:2], H)))


@given(st.floats(0.1, 0.99))
def test_lifetime_of_a_geometric_decay(d):
    horizons = range(200)
    found = pe.lifetime(d ** np.array(horizons, float)[None], horizons)
    exact = np.log(0.5) / np.log(d)
    assert found == pytest.approx(np.ceil(exact), abs=1)
