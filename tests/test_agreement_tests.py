"""Nulls, controls, ceilings, equivalence, false discovery and variance components."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import DescrStatsW

from lethe.analysis import agreement
from lethe.analysis.arms import mean_interval
from lethe.errors import LetheError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def mean_spearman(scores):
    return agreement.mean_pairwise(agreement.spearman_matrix(scores))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_shuffling_keeps_every_runs_values(seed, grouped):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(3, 40)), rng.integers(0, 4, 40)
    shuffled = agreement.shuffle_samples(scores, rng, labels if grouped else None)
    assert not np.array_equal(shuffled, scores)
    np.testing.assert_array_equal(np.sort(shuffled), np.sort(scores))
    if grouped:
        for label in np.unique(labels):
            inside = labels == label
            np.testing.assert_array_equal(np.sort(shuffled[:, inside]), np.sort(scores[:, inside]))


def test_shuffle_draws_every_order_equally_often(rng):
    drawn = [agreement.shuffle_samples(np.arange(3.0)[None], rng)[0] for _ in range(3000)]
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert counts.size == 6
    assert counts.min() > 400


def test_permutation_null_of_spearman_has_the_textbook_spread(rng):
    scores = rng.normal(size=(2, 400))
    null = agreement.permutation_null(mean_spearman, scores, rng, draws=500)
    assert null.mean == pytest.approx(0, abs=0.01)
    assert null.high == pytest.approx(1.96 / math.sqrt(399), rel=0.2)


def test_permutation_p_is_never_zero_and_uniform_without_effect(rng):
    shared = rng.normal(size=300) + 0.1 * rng.normal(size=(3, 300))
    assert agreement.permutation_null(mean_spearman, shared, rng, draws=99).p_value == 0.01
    p = [
        agreement.permutation_null(mean_spearman, rng.normal(size=(2, 50)), rng, draws=39).p_value
        for _ in range(100)
    ]
    assert 0.4 < np.mean(p) < 0.6


def test_shuffling_inside_classes_keeps_the_class_effect(rng):
    labels = np.repeat(np.arange(10), 40)
    scores = rng.normal(size=10)[labels] + rng.normal(size=(4, 400))
    inside = agreement.permutation_null(mean_spearman, scores, rng, 30, groups=labels)
    across = agreement.permutation_null(mean_spearman, scores, rng, 30)
    assert inside.low > 0.2
    assert across.high < 0.1


def test_misalignment_destroys_agreement_unless_samples_are_sorted_by_class(rng):
    shared = rng.normal(size=2000) + 0.3 * rng.normal(size=(5, 2000))
    assert mean_spearman(shared) > 0.8
    broken = agreement.misalign(shared, rng)
    assert broken.shape == (5, 1600)
    assert abs(mean_spearman(broken)) < 0.1
    by_class = np.repeat(rng.normal(size=10), 200) + 0.3 * rng.normal(size=(5, 2000))
    assert mean_spearman(agreement.misalign(by_class, rng)) > 0.5


def test_ceiling_and_null_bracket_what_partly_intrinsic_scores_reach(rng):
    truth = rng.gamma(2, size=1500)
    ceiling = agreement.intrinsic_ceiling(
        lambda r: r.poisson(truth, (4, 1500)).astype(float), mean_spearman, rng, draws=20
    )
    half = rng.poisson(0.5 * truth + 0.5 * rng.gamma(2, size=(4, 1500))).astype(float)
    assert agreement.permutation_null(mean_spearman, half, rng, 30).high < mean_spearman(half)
    assert mean_spearman(half) < ceiling.low
    again = mean_spearman(rng.poisson(truth, (4, 1500)).astype(float))
    assert abs(again - ceiling.mean) < 0.05


def test_a_statistic_without_value_is_refused(rng):
    with pytest.raises(LetheError, match="constant"):
        agreement.permutation_null(mean_spearman, np.ones((2, 30)), rng, draws=3)


@pytest.mark.parametrize("margin", [0.05, 0.3, 1.0])
def test_tost_is_statsmodels(rng, margin):
    values = rng.normal(0.1, 0.4, 10)
    ours = agreement.tost_equivalence(values.mean(), values.std(ddof=1) / 10**0.5, 10, margin)
    p, lower, upper = DescrStatsW(values).ttost_mean(-margin, margin)
    assert ours.p_value == pytest.approx(p)
    assert (ours.p_lower, ours.p_upper) == pytest.approx((lower[1], upper[1]))
    assert ours.equivalent == (p < 0.05)


def test_the_p_of_equivalence_is_never_0_and_1_without_an_interval():
    sure = mean_interval(np.array([1.0, 1.0 + 1e-9, 1.0 - 1e-9]))
    assert 0 < agreement.equivalence_p(sure, 2.0) < 1e-10
    assert agreement.equivalence_p(sure, 0.5) > 0.99
    assert agreement.equivalence_p(mean_interval(np.ones(4)), 2.0) == 1
    assert agreement.equivalence_p(mean_interval(np.ones(1)), 2.0) == 1


def test_tost_refuses_what_it_cannot_test():
    for bad in ((0.1, 0.0, 10, 0.1), (0.1, 0.1, 1, 0.1), (0.1, 0.1, 10, 0.0), (0, math.nan, 9, 1)):
        with pytest.raises(LetheError, match="margin > 0"):
            agreement.tost_equivalence(*bad)


def test_benjamini_hochberg_of_a_slow_loop_and_never_zero(rng):
    p = rng.random(20) ** 3 + 1e-6
    rejected, adjusted = agreement.benjamini_hochberg(p)
    order, slow, lowest = np.argsort(p), np.empty(20), 1.0
    for rank in range(20, 0, -1):
        lowest = min(lowest, p[order[rank - 1]] * 20 / rank)
        slow[order[rank - 1]] = lowest
    np.testing.assert_allclose(adjusted, slow)
    np.testing.assert_array_equal(rejected, slow <= 0.05)
    with pytest.raises(LetheError, match="above 0"):
        agreement.benjamini_hochberg([0.2, 0.0])


def nested(rng, runs=12, groups=60, size=40, sd=(0.5, 1.0, 0.4, 0.8, 1.5)):
    labels = np.repeat(np.arange(groups), size)
    seed, level, crossed, sample, rest = sd
    scores = (
        seed * rng.normal(size=(runs, 1))
        + level * rng.normal(size=groups)[labels]
        + crossed * rng.normal(size=(runs, groups))[:, labels]
        + sample * rng.normal(size=labels.size)
        + rest * rng.normal(size=(runs, labels.size))
    )
    return scores, labels


def test_variance_components_recover_a_known_truth(rng):
    scores, labels = nested(rng)
    found = agreement.variance_components(scores, labels)
    truth = dict(zip(agreement.COMPONENTS, np.square([0.5, 1.0, 0.4, 0.8, 1.5]), strict=True))
    for name in ("class x seed", "sample in class", "rest"):
        assert found[name] == pytest.approx(truth[name], rel=0.2)
    assert found["class"] == pytest.approx(truth["class"], rel=0.5)
    assert found["seed"] == pytest.approx(truth["seed"], rel=0.9)


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
def test_mean_squares_are_those_of_the_anova(rng):
    scores, labels = nested(rng, runs=3, groups=4, size=5)
    frame = pd.DataFrame(
        [(y, s, c, i) for s, row in enumerate(scores) for i, (y, c) in enumerate(zip(row, labels))],
        columns=["y", "seed", "label", "sample"],
    )
    table = anova_lm(smf.ols("y ~ C(seed) * C(label) + C(sample)", frame).fit())
    square = table["mean_sq"]
    found = agreement.variance_components(scores, labels)
    assert found["rest"] == pytest.approx(square["Residual"])
    crossed = (square["C(seed):C(label)"] - square["Residual"]) / 5
    assert found["class x seed"] == pytest.approx(max(0, crossed))
    by_sample = scores.mean(axis=0)
    inside = by_sample - by_sample.reshape(4, 5).mean(axis=1)[labels]
    between = (3 * (inside**2).sum() / 16 - square["Residual"]) / 3
    assert found["sample in class"] == pytest.approx(max(0, between))


def test_pure_noise_has_no_class_component(rng):
    scores, labels = rng.normal(size=(10, 2000)), np.repeat(np.arange(20), 100)
    found = agreement.variance_components(scores, labels)
    assert found["class"] < 0.01
    assert found["rest"] == pytest.approx(1, rel=0.05)


def test_variance_components_need_something_to_compare():
    with pytest.raises(LetheError, match="2 runs"):
        agreement.variance_components(np.ones((1, 6)), np.array([0, 0, 0, 1, 1, 1]))
    with pytest.raises(LetheError, match="2 classes"):
        agreement.variance_components(np.ones((3, 6)), np.zeros(6))


def test_class_means_skip_never_learned():
    scores = np.array([[1, 3, np.nan, 5], [np.nan, np.nan, 2, 4]])
    means = agreement.class_means(scores, np.array(["a", "a", "b", "b"]))
    np.testing.assert_array_equal(means, [[2, 5], [np.nan, 3]])


def test_shares_of_variance_come_with_intervals(rng):
    scores, labels = nested(rng)
    found = agreement.variance_shares(scores, labels)
    components = agreement.variance_components(scores, labels)
    truth = np.square([0.5, 1.0, 0.4, 0.8, 1.5])
    assert sum(part.estimate for part in found.values()) == pytest.approx(1)
    for name, value in zip(agreement.COMPONENTS, truth / truth.sum(), strict=True):
        part = found[name]
        assert part.estimate == pytest.approx(components[name] / sum(components.values()))
        assert 0 <= part.low <= part.estimate <= part.high <= 1
        assert abs(part.estimate - value) < 4 * part.se
        assert part.can_judge


def test_shares_of_variance_without_units_to_leave_out_have_no_limits(rng):
    scores, labels = rng.normal(size=(2, 40)), np.repeat(np.arange(4), 10)
    assert all(math.isnan(p.low) for p in agreement.variance_shares(scores, labels).values())
    flat = agreement.variance_shares(np.ones((5, 40)), labels)
    assert all(math.isnan(p.estimate) for p in flat.values())


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "groups", "size"), [(10, 20, 20), (6, 62, 10), (10, 7, 30)])
def test_intervals_of_shares_cover_the_truth(runs, groups, size):
    """Nominal 95 %: 88 % or more in 200 simulated experiments, also with 6 seeds or 7 classes."""
    rng, sd = np.random.default_rng(5), (0.2, 1.0, 0.4, 0.8, 1.5)
    truth, hits = np.square(sd) / np.square(sd).sum(), np.zeros(5)
    for _ in range(200):
        found = agreement.variance_shares(*nested(rng, runs, groups, size, sd))
        parts = zip(agreement.COMPONENTS, truth, strict=True)
        hits += [found[name].low <= value <= found[name].high for name, value in parts]
    assert np.all(hits >= 0.88 * 200)
