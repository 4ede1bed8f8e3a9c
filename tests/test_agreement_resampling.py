"""Intervals over seeds and samples: against explicit resampling, scipy, and known truth."""

import math

import numpy as np
import pytest
from scipy import stats

from lethe.analysis import agreement
from lethe.errors import LetheError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def intrinsic(rng, runs, n, rho):
    return math.sqrt(rho) * rng.normal(size=n) + math.sqrt(1 - rho) * rng.normal(size=(runs, n))


def true_spearman(rho):
    """Spearman of a bivariate normal with correlation rho (Pearson 1907)."""
    return 6 / math.pi * math.asin(rho / 2)


def test_weights_are_multiplicities(rng):
    for weights in (agreement.seed_weights(10, rng), agreement.sample_weights(500, rng)):
        assert weights.sum() == weights.size
        assert np.all(weights == weights.round())
    assert all(np.count_nonzero(agreement.seed_weights(2, rng)) == 2 for _ in range(50))


def test_groups_are_drawn_whole(rng):
    groups = np.repeat(np.arange(20), 5)
    weights = agreement.sample_weights(100, rng, groups).reshape(20, 5)
    assert np.all(weights == weights[:, :1])
    assert weights[:, 0].sum() == 20


def test_bootstrap_of_a_mean_is_scipys(rng):
    """With one run the pigeonhole bootstrap is the ordinary bootstrap over samples."""
    values = rng.exponential(size=400)
    ours = agreement.pigeonhole_bootstrap(
        lambda seeds, w: (np.average(values, weights=w),), (1,), 400, rng, draws=4000
    )[0]
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, random_state=1
    )
    assert ours.estimate == pytest.approx(values.mean())
    assert ours.se == pytest.approx(theirs.standard_error, rel=0.05)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.2 * ours.se)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.2 * ours.se)


def test_cross_seed_bootstrap_is_the_slow_one_on_repeated_data(rng):
    """Explicit resampling, spearmanr on the repeated samples, pairs of different seeds only."""
    scores = intrinsic(rng, 6, 150, 0.4).round(1)
    fast = agreement.cross_seed(agreement.spearman_on(scores), 6, 150, rng, draws=400)
    slow = [_one_slow_replicate(scores, rng) for _ in range(400)]
    shape = np.quantile(slow, [0.025, 0.975]) - fast.estimate
    limits = np.array([fast.low, fast.high]) - fast.estimate
    assert limits / np.ptp(limits) == pytest.approx(shape / np.ptp(shape), abs=0.1)
    assert fast.se < np.std(slow)  # which counts the noise of one sample in one run three times
    assert fast.estimate == pytest.approx(
        agreement.mean_pairwise(stats.spearmanr(scores.T).statistic)
    )


def _one_slow_replicate(scores, rng):
    runs, n = scores.shape
    seeds, samples = rng.integers(0, runs, runs), rng.integers(0, n, n)
    rho = stats.spearmanr(scores[:, samples].T).statistic
    return np.mean([rho[i, j] for i in seeds for j in seeds if i != j])


def test_two_way_error_of_a_mean_is_the_textbooks_on_either_side(rng):
    """Only seeds differ: sem over seeds, K - 1; only samples differ: sem over samples, n - 1."""
    seeds, samples = rng.normal(size=6), rng.normal(size=500)

    def error(values):
        def mean(s, w):
            return (np.average(values @ w / w.sum(), weights=s[0]),)

        return agreement.two_way_error(mean, (6,), 500, rng, 1000)

    se, freedom = error(np.broadcast_to(seeds[:, None], (6, 500)))
    assert se[0] == pytest.approx(stats.sem(seeds))
    assert freedom[0] == pytest.approx(5)
    se, freedom = error(np.broadcast_to(samples, (6, 500)))
    assert se[0] == pytest.approx(stats.sem(samples), rel=0.08)
    assert freedom[0] == pytest.approx(499)


@pytest.mark.parametrize("seed_sd", [0.0, 0.3])
def test_two_way_error_of_a_mean_is_its_spread_over_experiments(seed_sd):
    """Crossed effects: the mean of the estimated variance is the true one, or a little more."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(150):
        values = seed_sd * rng.normal(size=(8, 1)) + rng.normal(size=60) + rng.normal(size=(8, 60))

        def mean(s, w, values=values):
            return (np.average(values @ w / w.sum(), weights=s[0]),)

        found.append(agreement.two_way_error(mean, (8,), 60, rng, 60)[0][0] ** 2)
    true = seed_sd**2 / 8 + 1 / 60 + 1 / 480
    assert 0.93 * true < np.mean(found) < 1.3 * true


def test_two_seeds_say_nothing_of_pairs_of_seeds(rng):
    scores = intrinsic(rng, 2, 100, 0.4)
    found = agreement.cross_seed(agreement.spearman_on(scores), 2, 100, rng, draws=20)
    assert math.isfinite(found.estimate)
    assert math.isnan(found.low)
    assert not found.can_judge


def test_the_interval_counts_seeds_not_only_samples(rng):
    """Seeds of very different quality: an interval over samples alone is far too narrow."""
    quality = rng.uniform(0.05, 0.95, (8, 1))
    scores = quality * rng.normal(size=4000) + (1 - quality) * rng.normal(size=(8, 4000))
    both = agreement.cross_seed(agreement.spearman_on(scores), 8, 4000, rng, draws=150)
    mean = agreement.spearman_on(scores)
    samples_only = [
        agreement.mean_pairwise(mean(agreement.sample_weights(4000, rng))) for _ in range(100)
    ]
    assert both.se > 4 * np.std(samples_only)


def test_gap_of_identical_architectures_is_about_zero_and_of_different_ones_is_not(rng):
    common, own = rng.normal(size=(2, 3000))
    a = common + rng.normal(size=(8, 3000))
    b = common + rng.normal(size=(8, 3000))
    c = own + rng.normal(size=(8, 3000))
    same = _gap(np.vstack([a, b]), rng)
    different = _gap(np.vstack([a, c]), rng)
    assert same["gap"].low < 0 < same["gap"].high
    assert same["shared"].estimate == pytest.approx(1, abs=0.05)
    assert different["gap"].low > 0.3
    assert different["between"].low < 0 < different["between"].high
    assert different["gap"].n_seeds == 8


def _gap(scores, rng):
    return agreement.within_between_gap(agreement.spearman_on(scores), (8, 8), 3000, rng, draws=100)


def test_shared_part_of_an_overlap_starts_at_chance():
    """Overlap between architectures at chance level means that nothing is shared."""
    matrix = np.full((4, 4), 0.05)
    matrix[:2, :2] = matrix[2:, 2:] = 0.3
    ones = np.ones(2)
    parts = dict(zip(agreement.GAP_PARTS, agreement.gap_parts(matrix, ones, ones, chance=0.05)))
    assert parts["shared"] == pytest.approx(0)
    assert parts["gap"] == pytest.approx(0.25)
    assert agreement.gap_parts(np.full((4, 4), 0.3), ones, ones, chance=0.05)[-1] == 1


def test_fewer_than_six_seeds_give_an_estimate_and_no_verdict(rng):
    for runs, judged in ((5, False), (6, True)):
        scores = intrinsic(rng, runs, 200, 0.5)
        found = agreement.cross_seed(agreement.spearman_on(scores), runs, 200, rng, draws=20)
        assert found.can_judge is judged
        assert 0.2 < found.estimate < 0.8


def test_one_seed_has_no_pair(rng):
    scores = rng.normal(size=(1, 100))
    found = agreement.cross_seed(agreement.spearman_on(scores), 1, 100, rng, draws=20)
    assert math.isnan(found.estimate)
    assert not found.can_judge
    with pytest.raises(LetheError, match="resample"):
        agreement.pigeonhole_bootstrap(lambda s, w: (0.0,), (2,), 1, rng)


def test_limits_of_an_agreement_stay_in_range_and_nan_stays_nan(rng):
    scores = rng.normal(size=300) + 0.05 * rng.uniform(0, 5, (3, 1)) * rng.normal(size=(3, 300))
    found = agreement.cross_seed(agreement.spearman_on(scores), 3, 300, rng, draws=50)
    assert found.low < found.estimate < found.high <= 1
    one = agreement.cross_seed(agreement.spearman_on(scores[:1]), 1, 300, rng, draws=5)
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_same_generator_same_interval(rng):
    scores = intrinsic(rng, 4, 100, 0.5)
    matrix = agreement.spearman_on(scores)
    first, second = (
        agreement.cross_seed(matrix, 4, 100, np.random.default_rng(7), draws=30) for _ in range(2)
    )
    assert first == second


def test_jackknife_interval_of_the_mean_over_seeds(rng):
    """The standard error of a mean of seed effects is their spread / sqrt(seeds)."""
    effects = rng.normal(size=12)

    def mean(seeds, w):
        return (np.average(effects, weights=seeds[0]),)

    found = agreement.jackknife_seeds(mean, (12,), 50, rng)[0]
    assert found.se == pytest.approx(stats.sem(effects))
    reach = stats.t.ppf(0.975, 11) * stats.sem(effects)
    assert found.high - found.estimate == pytest.approx(reach)


def test_averaging_over_seeds_raises_agreement_but_not_across_unrelated_architectures(rng):
    common, own = rng.normal(size=(2, 4000))
    a = common + 2 * rng.normal(size=(10, 4000))
    b = own + 2 * rng.normal(size=(10, 4000))
    found = agreement.averaged_gap(a, b, agreement.spearman_on, rng, draws=20)
    single = agreement.mean_pairwise(agreement.spearman_matrix(a))
    assert found["within_a"].estimate == pytest.approx(true_spearman(5 / 9), abs=0.05)
    assert found["within_a"].estimate > single + 0.2
    assert found["between"].low < 0 < found["between"].high
    assert found["gap"].low > 0.4
    few = agreement.averaged_gap(a[:3], b, agreement.spearman_on, rng)
    assert math.isnan(few["gap"].estimate)
    assert few["gap"].n_seeds == 3


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [6, 10])
@pytest.mark.parametrize("seeds", ["alike", "unlike"])
def test_intervals_cover_the_truth(seeds, n_seeds):
    """Known truth, 300 simulated experiments: a nominal 95 % interval covers 90 % or more.

    With seeds of unlike quality plain percentile limits would cover 80 % (6 seeds) and 86 % (10).
    """
    rng = np.random.default_rng(20)
    spread = (0.55, 0.55) if seeds == "alike" else (0.3, 0.9)
    q = rng.uniform(*spread, (400_000, 2))
    truth = np.mean(6 / math.pi * np.arcsin(q[:, 0] * q[:, 1] / 2))
    assert np.mean([_covers(truth, spread, n_seeds, rng) for _ in range(300)]) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("classes", [7, 62])
def test_intervals_of_a_few_classes_are_not_too_narrow(classes):
    """Class means of ten seeds; the truth is the mean over 3,000 experiments of this size."""
    rng = np.random.default_rng(22)

    def world():
        return rng.normal(size=classes) + 0.7 * rng.normal(size=(10, classes))

    each = [agreement.mean_pairwise(agreement.spearman_matrix(world())) for _ in range(3000)]
    hits = []
    for _ in range(150):
        found = agreement.cross_seed(agreement.spearman_on(world()), 10, classes, rng, 300)
        hits.append(found.low <= np.mean(each) <= found.high)
    assert np.mean(hits) > 0.9


def _covers(truth, spread, n_seeds, rng):
    q = rng.uniform(*spread, (n_seeds, 1))
    scores = q * rng.normal(size=1000) + np.sqrt(1 - q**2) * rng.normal(size=(n_seeds, 1000))
    matrix = agreement.spearman_on(scores)
    found = agreement.cross_seed(matrix, n_seeds, 1000, rng, draws=150)
    return found.low <= truth <= found.high


@pytest.mark.slow
def test_gap_intervals_cover_no_gap():
    """Two architectures that share everything: the gap's interval holds 0 in 90 % or more."""
    rng = np.random.default_rng(21)
    hits = []
    for _ in range(200):
        q = rng.uniform(0.3, 0.9, (12, 1))
        scores = q * rng.normal(size=500) + np.sqrt(1 - q**2) * rng.normal(size=(12, 500))
        matrix = agreement.spearman_on(scores)
        gap = agreement.within_between_gap(matrix, (6, 6), 500, rng, draws=100)["gap"]
        hits.append(gap.low <= 0 <= gap.high)
    assert np.mean(hits) >= 0.9
