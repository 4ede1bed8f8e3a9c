"""Rank agreement and reliability, against scipy, pandas, published tables and closed forms."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from lethe.analysis import agreement
from lethe.errors import LetheError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def intrinsic(rng, runs, n, rho):
    """Gaussian scores whose expected correlation between runs is rho."""
    return math.sqrt(rho) * rng.normal(size=n) + math.sqrt(1 - rho) * rng.normal(size=(runs, n))


@pytest.mark.parametrize("levels", [3, 10, 10_000])
def test_spearman_is_scipys(rng, levels):
    scores = rng.integers(0, levels, (5, 300)).astype(float)
    np.testing.assert_allclose(
        agreement.spearman_matrix(scores), stats.spearmanr(scores.T).statistic, atol=1e-12
    )


def test_spearman_leaves_nan_out_pair_by_pair_as_pandas_does(rng):
    scores = intrinsic(rng, 4, 200, 0.5).round(1)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    expected = pd.DataFrame(scores.T).corr(method="spearman").to_numpy()
    np.testing.assert_allclose(agreement.spearman_matrix(scores), expected, atol=1e-12)


def test_integer_weights_are_repetitions(rng):
    scores = rng.integers(0, 6, (3, 80)).astype(float)
    weights = rng.integers(0, 4, 80)
    weighted = agreement.spearman_on(scores)(weights.astype(float))
    repeated = agreement.spearman_matrix(np.repeat(scores, weights, axis=1))
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_integer_weights_are_repetitions_for_overlap_and_nan_too(rng):
    scores = rng.normal(size=(3, 200))
    scores[0, :20] = np.nan
    weights = rng.integers(0, 3, 200)
    for prepare in (agreement.spearman_on, lambda s: agreement.jaccard_on(s, 0.2)):
        weighted = prepare(scores)(weights.astype(float))
        repeated = prepare(np.repeat(scores, weights, axis=1))(np.ones(weights.sum()))
        np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_only_the_wanted_runs_are_compared(rng):
    scores = rng.normal(size=(3, 50))
    part = agreement.spearman_on(scores)(np.ones(50), np.array([True, False, True]))
    assert np.isnan(part[1]).all()
    assert part[0, 2] == pytest.approx(agreement.spearman_matrix(scores)[0, 2])


def test_a_constant_run_has_no_correlation(rng):
    scores = np.vstack([np.ones(50), rng.normal(size=50)])
    assert np.isnan(agreement.spearman_matrix(scores)[0, 1])


def test_mean_pairwise_never_pairs_a_run_with_itself():
    matrix = np.array([[1, 0.2, 0.4], [0.2, 1, 0.6], [0.4, 0.6, 1]])
    assert agreement.mean_pairwise(matrix) == pytest.approx(0.4)
    weighted = (2 * 1 * 0.2 + 2 * 0 * 0.4 + 1 * 0 * 0.6) / 2
    assert agreement.mean_pairwise(matrix, np.array([2.0, 1, 0])) == pytest.approx(weighted)
    assert math.isnan(agreement.mean_pairwise(np.eye(1)))


def test_kendall_w_without_ties_is_the_mean_spearman(rng):
    scores = intrinsic(rng, 6, 90, 0.3)
    rho = agreement.mean_pairwise(stats.spearmanr(scores.T).statistic)
    assert agreement.kendall_w(scores) == pytest.approx((1 + 5 * rho) / 6)


def test_kendall_w_with_ties_gives_friedmans_statistic(rng):
    scores = rng.integers(0, 4, (5, 30)).astype(float)
    friedman = stats.friedmanchisquare(*scores.T).statistic
    assert agreement.kendall_w(scores) == pytest.approx(friedman / (5 * 29))


def test_kendall_w_ends(rng):
    assert agreement.kendall_w(np.tile(rng.integers(0, 5, 40), (3, 1))) == pytest.approx(1)
    assert math.isnan(agreement.kendall_w(np.ones((3, 40))))


def test_icc_of_the_published_example():
    """Shrout and Fleiss (1979), table 2: ICC(2,1) = 0.29 and ICC(2,4) = 0.62."""
    judges = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
    ).T
    assert agreement.icc(judges) == pytest.approx(0.29, abs=0.005)
    assert agreement.icc(judges, "average") == pytest.approx(0.62, abs=0.005)
    with pytest.raises(LetheError, match="average"):
        agreement.icc(judges, "averge")


def test_icc_recovers_a_known_share_and_drops_incomplete_samples(rng):
    scores = intrinsic(rng, 8, 20_000, 0.35)
    assert agreement.icc(scores) == pytest.approx(0.35, abs=0.02)
    holed = scores.copy()
    holed[2, :5000] = np.nan
    assert agreement.icc(holed) == pytest.approx(agreement.icc(scores[:, 5000:]))


def test_icc_is_the_formula_on_statsmodels_mean_squares(rng):
    scores = intrinsic(rng, 4, 12, 0.5) + rng.normal(size=(4, 1))
    frame = pd.DataFrame(
        [(y, s, i) for s, row in enumerate(scores) for i, y in enumerate(row)],
        columns=["y", "seed", "sample"],
    )
    table = anova_lm(ols("y ~ C(seed) + C(sample)", frame).fit())["mean_sq"]
    seed, sample, rest = table["C(seed)"], table["C(sample)"], table["Residual"]
    single = (sample - rest) / (sample + 3 * rest + 4 * (seed - rest) / 12)
    assert agreement.icc(scores) == pytest.approx(single)
    average = (sample - rest) / (sample + (seed - rest) / 12)
    assert agreement.icc(scores, "average") == pytest.approx(average)
    assert agreement.spearman_brown(single, 4) == pytest.approx(average)


def test_icc_interval_holds_the_truth_and_needs_three_runs(rng):
    scores = intrinsic(rng, 10, 2000, 0.3)
    scores[0, :100] = np.nan
    found = agreement.icc_interval(scores, rng, draws=40)
    assert found.estimate == agreement.icc(scores)
    assert found.low < 0.3 < found.high < 0.4
    assert found.n_samples == 1900
    few = agreement.icc_interval(scores[:2], rng)
    assert few.estimate == agreement.icc(scores[:2])
    assert math.isnan(few.low)


def test_seeds_needed_ends():
    assert math.isnan(agreement.seeds_needed(math.nan))
    assert agreement.seeds_needed(1.0) == 1
    assert math.isinf(agreement.seeds_needed(-0.2))
    for target in (0, 1, 1.5):
        with pytest.raises(LetheError, match="between 0 and 1"):
            agreement.seeds_needed(0.5, target)


def test_spearman_brown_and_the_seeds_it_asks_for():
    assert agreement.spearman_brown(0.183, 10) == pytest.approx(0.69, abs=0.005)
    for rho in (0.01, 0.183, 0.5, 0.79, 0.8):
        needed = agreement.seeds_needed(rho)
        assert agreement.spearman_brown(rho, needed) >= 0.8 - 1e-9
        assert needed == 1 or agreement.spearman_brown(rho, needed - 1) < 0.8
    assert agreement.seeds_needed(0.5) == 4
    assert math.isinf(agreement.seeds_needed(0))


def test_split_half_with_spearman_brown_is_the_reliability_of_the_mean(rng):
    scores = intrinsic(rng, 10, 20_000, 0.2)
    half = agreement.split_half(scores, rng, draws=10)
    pearson = agreement.spearman_brown(0.2, 5)
    assert half == pytest.approx(6 / math.pi * math.asin(pearson / 2), abs=0.015)
    with pytest.raises(LetheError, match="2 runs"):
        agreement.split_half(scores[:1], rng)


def test_mean_over_runs_skips_never_learned():
    scores = np.array([[1, np.nan, np.nan], [3, 2, np.nan]])
    np.testing.assert_array_equal(agreement.mean_over_runs(scores), [2, 2, np.nan])
    weighted = agreement.mean_over_runs(scores, np.array([3, 1]))
    np.testing.assert_array_equal(weighted, [1.5, 2, np.nan])
    left_out = agreement.mean_over_runs(scores, np.array([1, 0]))
    np.testing.assert_array_equal(left_out, [1, np.nan, np.nan])


def test_noise_correction_recovers_the_true_correlation(rng):
    shared, own = rng.normal(size=(2, 50_000))
    a = np.array([shared + rng.normal(size=50_000) for _ in range(3)])
    b = np.array([0.6 * shared + 0.8 * own + 2 * rng.normal(size=50_000) for _ in range(3)])
    matrix = np.corrcoef(np.vstack([a, b]))
    within_a, within_b, between, *_, shared_part = agreement.gap_parts(
        matrix, np.ones(3), np.ones(3)
    )
    assert between < 0.25
    assert shared_part == pytest.approx(0.6, abs=0.03)
    assert math.isnan(agreement.noise_corrected(0.1, -0.2, 0.5))
    assert agreement.noise_corrected(between, within_a, within_b) == pytest.approx(shared_part)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 40), st.integers(1, 9))
def test_rank_measures_stay_in_range_and_ignore_monotone_scales(seed, runs, n, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (runs, n)).astype(float)
    rho, w = agreement.spearman_matrix(scores), agreement.kendall_w(scores)
    np.testing.assert_allclose(agreement.spearman_matrix(np.exp(scores)), rho, atol=1e-12)
    assert np.all(np.isnan(rho) | (np.abs(rho) <= 1))
    assert math.isnan(w) or -1e-9 <= w <= 1 + 1e-9
