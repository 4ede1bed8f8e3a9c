"""Run-by-run rank correlation against scipy, statsmodels and simulated truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from lethe.analysis import curves, prediction, scores
from lethe.errors import LetheError


def related(seeds: int = 6, samples: int = 400, strength: float = 0.6):
    """Two scores [seed, sample] that share a part of the sample, with ties and unknown samples."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=samples)
    early = strength * shared + rng.normal(size=(seeds, samples))
    later = np.round(strength * shared + rng.normal(size=(seeds, samples)), 1)
    later[:, :7] = np.nan
    later[0, 7:20] = np.nan
    return early, later


def test_correlations_equal_scipy_run_by_run():
    early, later = related()
    got = prediction.run_correlations(early, later)
    for run in range(6):
        want = stats.spearmanr(early[run], later[run], nan_policy="omit").statistic
        assert got[run] == pytest.approx(float(want), abs=1e-12)


def test_partial_correlation_equals_regression_on_group_indicators():
    early, later = related(seeds=2)
    groups = np.random.default_rng(1).integers(0, 9, 400)
    early = early + groups
    later = later + groups
    got = prediction.run_correlations(early, later, groups)
    for run in range(2):
        keep = ~np.isnan(later[run])
        design = (groups[keep][:, None] == np.arange(9)).astype(float)
        x, y = (
            sm.OLS(stats.rankdata(score[run, keep]), design).fit().resid for score in (early, later)
        )
        assert got[run] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-10)
    assert np.all(got < prediction.run_correlations(early, later))


def test_interval_holds_the_estimate_and_the_truth():
    early, later = related(samples=1500)
    found = prediction.correlation_interval(early, later, np.random.default_rng(2), draws=100)
    assert found.estimate == pytest.approx(prediction.run_correlations(early, later).mean())
    pearson = 0.36 / 1.36
    truth = 6 / np.pi * np.arcsin(pearson / 2)
    assert found.low < truth < found.high
    assert found.high - found.low < 0.2


def test_constant_score_has_no_correlation():
    assert np.isnan(prediction.run_correlations(np.ones((1, 9)), np.arange(9.0)[None])).all()


def test_null_is_centred_on_zero_and_p_is_never_zero():
    early, later = related()
    null = prediction.correlation_null(early, later, np.random.default_rng(3), draws=49)
    assert null.p_value == pytest.approx(1 / 50)
    assert null.low < 0 < null.high
    assert abs(null.mean) < 0.02


def test_null_within_groups_keeps_what_the_groups_explain():
    rng = np.random.default_rng(4)
    groups = rng.integers(0, 5, 600)
    early, later = (groups + 0.3 * rng.normal(size=(3, 600)) for _ in range(2))
    null = prediction.correlation_null(early, later, rng, draws=19, groups=groups)
    assert null.mean == pytest.approx(prediction.run_correlations(early, later).mean(), abs=0.03)
    assert null.p_value > 0.01


def test_other_seed_correlation_is_the_mean_over_different_runs():
    early, later = related(seeds=3)
    want = [
        stats.spearmanr(early[i], later[j], nan_policy="omit").statistic
        for i in range(3)
        for j in range(3)
        if i != j
    ]
    assert prediction.other_seed_correlation(early, later) == pytest.approx(np.mean(want))
    assert np.isnan(prediction.other_seed_correlation(early[:1], later[:1]))


def test_perfect_knowledge_is_below_one_and_grows_with_the_spread_of_rates():
    rng = np.random.default_rng(5)
    reached = []
    for spread in (0.3, 1.5):
        rates = np.exp(rng.normal(np.log(0.05), spread, 300))
        correct = curves.simulate_correct(rng, rates, 31, seeds=6)
        reached.append(prediction.perfect_knowledge(correct, rng, draws=3).mean)
    assert 0 < reached[0] < reached[1] < 0.97


def test_perfect_knowledge_of_a_constant_later_score_is_an_error():
    correct = np.ones((2, 9, 30), bool)
    with pytest.raises(LetheError, match="constant"):
        prediction.perfect_knowledge(correct, np.random.default_rng(0), draws=2)
    rates = np.linspace(0.01, 1, 30)
    mixed = curves.simulate_correct(np.random.default_rng(1), rates, 40, seeds=3)
    known = prediction.perfect_knowledge(
        mixed, np.random.default_rng(2), 4, lambda bits: -scores.mean_retention(bits)
    )
    assert 0.7 < known.mean < 1


def test_top_overlap_equals_jaccard_without_ties():
    early, later = related(seeds=1)
    later = np.nan_to_num(later + 1e-6 * early, nan=-9)
    found = prediction.top_overlap(early, later, 0.1, np.random.default_rng(6), draws=20)
    a, b = (set(np.argsort(score[0])[-40:]) for score in (early, later))
    assert found.estimate == pytest.approx(len(a & b) / len(a | b))


def test_unequal_shapes_are_refused():
    with pytest.raises(LetheError, match=r"\[seed, sample\]"):
        prediction.run_correlations(np.ones((2, 5)), np.ones((2, 6)))
