"""Run-by-run rank correlation against scipy, statsmodels and simulated truth."""

from functools import partial

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from lethe.analysis import curves, scores
from lethe.analysis.findings import picking, prediction
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


@pytest.mark.parametrize("groups", [None, np.random.default_rng(1).integers(0, 9, 400)])
def test_partial_given_a_third_score_equals_regression(groups):
    early, later = related(seeds=2)
    third = np.where(np.isnan(later), 0, later) + np.random.default_rng(7).normal(size=later.shape)
    got = prediction.run_correlations(early, later, groups, third)
    for run in range(2):
        keep = ~np.isnan(later[run])
        rank = [stats.rankdata(score[run, keep]) for score in (early, later, third)]
        labels = np.zeros(400) if groups is None else groups
        columns = labels[keep][:, None] == np.unique(labels)
        design = np.column_stack([columns, rank[2]]).astype(float)
        x, y = (sm.OLS(score, design).fit().resid for score in rank[:2])
        assert got[run] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-10)


def test_a_constant_third_score_explains_nothing_and_the_target_itself_everything():
    early, later = related(seeds=2)
    plain = prediction.run_correlations(early, later)
    given = prediction.run_correlations(early, later, given=np.ones(early.shape))
    np.testing.assert_allclose(given, plain)
    assert np.isnan(prediction.run_correlations(early, later, given=later)).all()


def test_giving_a_common_effect_makes_independent_scores_oppose_each_other():
    """A collider: the loss and the rate are independent, the outcome depends on both."""
    rng = np.random.default_rng(8)
    early, later = rng.normal(size=(2, 3, 4000))
    outcome = early + later + rng.normal(size=early.shape)
    assert abs(prediction.run_correlations(early, later).mean()) < 0.05
    assert prediction.run_correlations(early, later, given=outcome).mean() < -0.4


def test_integer_weights_equal_repetition():
    early, later = related(seeds=2)
    weights = np.random.default_rng(9).integers(1, 4, 400)
    groups = np.arange(400) % 5
    rank = [np.where(np.isnan(later), np.nan, score) for score in (early, later)]
    got = prediction._correlations(rank, groups)(weights.astype(float))
    for run in range(2):
        keep = ~np.isnan(later[run])
        x, y = (stats.rankdata(score[run, keep]) for score in rank)
        w, g = weights[keep], groups[keep]
        for values in (x, y):
            means = np.bincount(g, w * values) / np.bincount(g, w)
            values -= means[g]
        want = (w * x * y).sum() / np.sqrt((w * x * x).sum() * (w * y * y).sum())
        assert got[run] == pytest.approx(want, abs=1e-10)


def test_a_predictor_gains_nothing_over_itself_and_much_over_noise():
    early, later = related(samples=800)
    rng = np.random.default_rng(10)
    rho, gain = prediction.compare_predictors(early, early, later, rng, draws=30)
    assert rho.estimate == pytest.approx(prediction.run_correlations(early, later).mean())
    assert (gain.estimate, gain.low, gain.high) == (0, 0, 0)
    noise = rng.normal(size=early.shape)
    noise[:, 30:60] = np.nan
    rho, gain = prediction.compare_predictors(early, noise, later, rng, draws=60)
    masked = np.where(np.isnan(noise), np.nan, later)
    want = prediction.run_correlations(early, masked).mean()
    assert rho.estimate == pytest.approx(want)
    assert gain.estimate == pytest.approx(
        want - prediction.run_correlations(noise, masked).mean(), abs=1e-12
    )
    assert gain.low > 0


def test_top_found_is_the_share_in_common_without_ties():
    early, later = related(seeds=3)
    later = np.nan_to_num(later + 1e-6 * early, nan=-9)
    found = picking.top_found(early, later, 0.1)
    for run in range(3):
        a, b = (set(np.argsort(score[run])[-40:]) for score in (early, later))
        assert found[run] == pytest.approx(len(a & b) / 40)
    interval = picking.top_found_interval(early, later, 0.1, np.random.default_rng(6), draws=20)
    assert interval.estimate == pytest.approx(found.mean())
    assert interval.low < found.mean() < interval.high


def test_top_found_breaks_ties_at_random():
    """A constant early score picks by lot, so it finds the fraction itself: chance."""
    later = np.random.default_rng(11).normal(size=(2, 500))
    np.testing.assert_allclose(picking.top_found(np.ones((2, 500)), later, 0.1), 0.1)
    np.testing.assert_allclose(picking.top_found(later, later, 0.1), 1)
    tied = np.repeat([0.0, 1.0], 250) * np.ones((2, 1))
    np.testing.assert_allclose(picking.top_found(tied, tied, 0.1), 0.2)


def test_perfect_knowledge_can_be_asked_for_the_share_found():
    rates = np.exp(np.random.default_rng(12).normal(np.log(0.05), 1.5, 300))
    correct = curves.simulate_correct(np.random.default_rng(13), rates, 31, seeds=6)
    share = partial(picking.top_found, fraction=0.1)
    known = prediction.perfect_knowledge(
        correct, np.random.default_rng(14), 3, scores.decay_rate, share
    )
    assert 0.3 < known.mean < 0.95


def test_unequal_shapes_are_refused():
    with pytest.raises(LetheError, match=r"\[seed, sample\]"):
        prediction.run_correlations(np.ones((2, 5)), np.ones((2, 6)))
