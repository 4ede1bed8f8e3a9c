"""Mass and drift: identities against slow sums, hostile logits, and worlds whose split is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import mahalanobis
from scipy.special import expit, rel_entr, softmax
from scipy.stats import linregress, mannwhitneyu, multivariate_normal, rankdata, spearmanr
from scipy.stats import t as student

from lethe.analysis import mass_and_drift as md
from lethe.analysis.class_distances import class_distances, closeness_and_loss, rank_correlations
from lethe.errors import LetheError

OLD = 3
sizes = st.floats(-30, 30)
tables = arrays(int, (4, 5), elements=st.integers(-30, 30)).map(
    lambda whole: whole + np.arange(5) / 8  # no two classes ever tie
)


def split(logits, old=OLD):
    return md.parts(np.asarray(logits, float), old)


@given(tables)
def test_parts_are_the_softmax_cut_in_two(logits):
    p, found = softmax(logits, axis=1), split(logits)
    assert found.mass == pytest.approx(p[:, :OLD].sum(axis=1))
    assert np.exp(found.among_old) == pytest.approx(softmax(logits[:, :OLD], axis=1))
    assert np.exp(found.among_new) == pytest.approx(softmax(logits[:, OLD:], axis=1))
    assert md.whole(found) == pytest.approx(p)
    assert found.mass + np.exp(found.new) == pytest.approx(np.ones(4))


@given(tables, tables)
def test_kl_is_that_of_scipy_and_its_parts_add_up(one, two):
    found = md.divergences(split(one), split(two))
    slow = rel_entr(softmax(one, axis=1), softmax(two, axis=1)).sum(axis=1)
    assert found["total"] == pytest.approx(slow, abs=1e-9, rel=1e-9)
    for name in ("mass", "old", "new"):
        assert (found[name] > -1e-12).all()


@given(tables, tables)
def test_total_variation_lies_between_its_bounds(one, two):
    before, after = split(one), split(two)
    found = md.variations(before, after)
    slow = np.abs(softmax(one, axis=1) - softmax(two, axis=1)).sum(axis=1) / 2
    assert found["total"] == pytest.approx(slow, abs=1e-12)
    mass = np.minimum(before.mass, after.mass)
    rest = np.minimum(1 - before.mass, 1 - after.mass)
    top = found["mass"] + mass * found["old"] + rest * found["new"]
    assert (found["mass"] <= found["total"] + 1e-12).all()
    assert (found["total"] <= top + 1e-12).all()


@given(tables, tables, arrays(int, 4, elements=st.integers(0, OLD - 1)))
def test_lost_accuracy_is_what_masking_recovers_and_what_it_does_not(one, two, labels):
    """A - A' = (rise of taken) + (rise of confused and both), image by image."""

    def accuracies(logits):
        whole = (np.argmax(logits, axis=1) == labels).mean()
        return whole, (np.argmax(logits[:, :OLD], axis=1) == labels).mean()

    ends = [md.shares(md.outcomes(split(x), labels)) for x in (one, two)]
    for found, logits in zip(ends, (one, two), strict=True):
        joint, masked = accuracies(logits)
        assert found["right"] == pytest.approx(joint)
        assert found["right"] + found["taken"] == pytest.approx(masked)
        assert sum(found.values()) == pytest.approx(1)
    lost = ends[0]["right"] - ends[1]["right"]
    rises = sum(ends[1][k] - ends[0][k] for k in ("taken", "confused", "both"))
    assert lost == pytest.approx(rises)


@given(tables, st.floats(-25, 25))
def test_a_shift_is_pure_mass(logits, shift):
    """A number off every new logit moves the mass alone: no drift, the same separation."""
    before = split(logits)
    moved = np.array(logits)
    moved[:, OLD:] -= shift
    after = md.shifted(before, shift)
    assert after.log_odds == pytest.approx(split(moved).log_odds, abs=1e-9)
    assert after.mass == pytest.approx(split(moved).mass, rel=1e-9)
    assert md.variations(before, after)["old"] == pytest.approx(np.zeros(4), abs=1e-12)
    found = md.divergences(before, after)
    assert found["total"] == pytest.approx(found["mass"])


def test_turning_old_logits_around_is_pure_drift():
    logits = np.random.default_rng(0).normal(size=(50, 5))
    turned = np.hstack([logits[:, [1, 2, 0]], logits[:, 3:]])
    before, after = split(logits), split(turned)
    assert after.mass == pytest.approx(before.mass)
    found = md.divergences(before, after)
    assert found["mass"] == pytest.approx(np.zeros(50), abs=1e-12)
    assert found["total"] == pytest.approx(found["old"])
    labels = np.zeros(50, int)
    ends = [md.outcomes(p, labels) for p in (before, after)]
    assert (np.isin(ends[0], [md.TAKEN, md.BOTH]) == np.isin(ends[1], [md.TAKEN, md.BOTH])).all()


def test_what_is_among_old_is_exact_where_the_mass_is_gone():
    logits = np.array([[1.0, 2.0, 3.0, 900.0, 0.0], [-2000.0, -2001.0, -1e5, 0.0, 0.0]])
    found = split(logits)
    assert (found.mass == 0).all()
    assert found.old[0] == pytest.approx(np.log(np.exp([1.0, 2, 3]).sum()) - 900)
    assert np.exp(found.among_old[0]) == pytest.approx(softmax([1.0, 2, 3]))
    assert np.exp(found.among_old[1]) == pytest.approx([expit(1), expit(-1), 0])
    assert md.outcomes(found, np.array([2, 0])).tolist() == [md.TAKEN, md.TAKEN]
    start = split(np.zeros((2, 5)))
    change = md.divergences(start, found)
    assert np.isfinite(change["total"]).all()
    assert change["total"] == pytest.approx(
        [np.mean(-x + np.log(np.exp(x - x.max()).sum()) + x.max()) - np.log(5) for x in logits]
    )
    back = md.divergences(found, start)  # p without mass: 0 log 0 = 0
    assert back["old"] == pytest.approx([0, 0])
    assert md.outcomes(md.shifted(found, 3000), np.array([2, 0])).tolist() == [md.RIGHT] * 2


def test_one_old_class_cannot_drift():
    draw = np.random.default_rng(1)
    before, after = (split(draw.normal(size=(9, 4)), old=1) for _ in range(2))
    assert md.variations(before, after)["old"] == pytest.approx(np.zeros(9))
    assert set(md.outcomes(after, np.zeros(9, int))) <= {md.RIGHT, md.TAKEN}


def test_a_masked_class_has_no_chance_and_does_no_harm():
    logits = np.array([[0.0, -np.inf, 1.0, 2.0, -np.inf]])
    found = split(logits)
    assert md.whole(found)[0, [1, 4]].tolist() == [0, 0]
    other = split([[0.0, -np.inf, 2.0, 2.0, -np.inf]])
    assert np.isfinite(md.divergences(found, other)["total"]).all()
    assert np.isinf(md.divergences(split([[0.0] * 5]), found)["total"]).all()


@pytest.mark.parametrize(
    ("logits", "old", "words"),
    [
        (np.zeros((2, 5)), 0, "0 old classes of 5: give 1 to 4"),
        (np.zeros((2, 5)), 5, "5 old classes of 5"),
        (np.zeros((2, 1)), 1, "1 old classes of 1"),
        (np.zeros(5), 3, r"not of shape \(5,\)"),
        (np.zeros((0, 5)), 3, "table"),
        ([[0.0] * 5, [0, np.nan, 0, 0, 0]], 3, "sample 1 are not numbers"),
        ([[0, 0, 0, np.inf, 0]], 3, "sample 0 are not numbers"),
        ([[-np.inf] * 3 + [0.0, 0]], 3, "sample 0 has no old class left"),
        ([[0.0] * 3 + [-np.inf] * 2], 3, "sample 0 has no new class left"),
    ],
)
def test_bad_logits_are_refused(logits, old, words):
    with pytest.raises(LetheError, match=words):
        md.parts(np.asarray(logits, float), old)


def test_heads_that_do_not_match_and_labels_that_are_not_old_are_refused():
    before = split(np.zeros((2, 5)))
    for other in (split(np.zeros((2, 6))), split(np.zeros((3, 5))), split(np.zeros((2, 5)), 2)):
        with pytest.raises(LetheError, match="other samples or heads"):
            md.divergences(before, other)
        with pytest.raises(LetheError, match="other samples or heads"):
            md.variations(before, other)
    for labels in ([0, 3], [0, -1], [0]):
        with pytest.raises(LetheError, match="2 old classes, from 0 to 2"):
            md.outcomes(before, np.array(labels))


@given(arrays(float, 7, elements=st.integers(-3, 3)), arrays(float, 5, elements=st.integers(-3, 3)))
def test_separation_is_the_mann_whitney_statistic_and_knows_no_shift(a, b):
    assert md.separation(a, b) == pytest.approx(mannwhitneyu(a, b).statistic / 35)
    assert md.separation(a + 11, b + 11) == pytest.approx(md.separation(a, b))


@given(arrays(float, 6, elements=sizes), arrays(float, 9, elements=sizes))
@settings(max_examples=40)
def test_the_best_shift_has_the_largest_likelihood(a, b):
    def loss(shift):
        return np.logaddexp(0, -(a + shift)).mean() + np.logaddexp(0, b + shift).mean()

    best = md.best_shift(a, b)
    assert loss(best) <= min(loss(best + step) for step in (-1, -0.1, 0.1, 1)) + 1e-9
    assert md.best_shift(a + 5, b + 5) == pytest.approx(best - 5, abs=1e-6)


def test_a_shift_undoes_a_shift_of_a_calibrated_classifier():
    """Bayes for two normal laws: the best shift is 0, and after a shift it is its opposite."""
    draw = np.random.default_rng(2)
    x, y = draw.normal(1, 1, 200_000), draw.normal(-1, 1, 50_000)
    odds = [2 * x, 2 * y]  # log N(x; 1, 1) - log N(x; -1, 1)
    assert md.best_shift(*odds) == pytest.approx(0, abs=0.02)
    assert md.best_shift(odds[0] - 7, odds[1] - 7) == pytest.approx(7, abs=0.02)


@pytest.mark.parametrize("bad", [[], [np.inf], [np.nan]])
def test_shift_and_separation_refuse_what_has_no_odds(bad):
    with pytest.raises(LetheError, match="finite log-odds"):
        md.best_shift(np.array(bad), np.zeros(3))
    if not bad:
        with pytest.raises(LetheError, match="both tasks"):
            md.separation(np.array(bad), np.zeros(3))


def test_class_distances_find_the_separation_of_normal_laws():
    draw = np.random.default_rng(3)
    mix = draw.normal(size=(6, 6))
    means, others = 3 * draw.normal(size=(8, 6)), 3 * draw.normal(size=(5, 6))
    labels, other_labels = np.repeat(np.arange(8), 40), np.repeat(np.arange(5), 20)
    features = (means[labels] + draw.normal(size=(320, 6))) @ mix
    other = (others[other_labels] + draw.normal(size=(100, 6))) @ mix
    found, nearest = class_distances(features, labels, other, other_labels)
    inverse = np.linalg.inv(mix.T @ mix)
    true = np.array([[mahalanobis(a @ mix, b @ mix, inverse) for b in others] for a in means])
    assert found == pytest.approx(true.min(axis=1), rel=0.2)
    assert (nearest == true.argmin(axis=1)).mean() >= 7 / 8


def test_the_noise_of_the_means_is_taken_off():
    draw, found = np.random.default_rng(4), []
    labels = np.repeat(np.arange(2), 10)
    for _ in range(200):  # one law for all: the distance is 0
        features = draw.normal(size=(400, 30))
        others = draw.normal(size=(20, 30))
        found.append(class_distances(features, np.repeat(np.arange(2), 200), others, labels)[0])
    assert np.mean(found) < 1.0  # without it, sqrt(30 / 10) = 1.8
    delta = 2.0
    x = draw.normal(size=200_000)
    p, q = (multivariate_normal(m, 1).pdf(x) for m in (0, delta))
    assert np.mean(np.sqrt(q / p)) == pytest.approx(np.exp(-(delta**2) / 8), abs=0.01)


def test_too_few_samples_and_other_widths_are_refused():
    draw, labels = np.random.default_rng(5), np.arange(6) % 3
    with pytest.raises(LetheError, match="too few for 9 dimensions"):
        class_distances(draw.normal(size=(6, 9)), labels, draw.normal(size=(3, 9)), [0] * 3)
    with pytest.raises(LetheError, match="features of 9 and 8 dimensions"):
        class_distances(draw.normal(size=(6, 9)), labels, draw.normal(size=(3, 8)), [0] * 3)


def test_rank_correlations_are_those_of_scipy_and_of_residuals():
    draw = np.random.default_rng(6)
    z = draw.normal(size=80)
    x, y = z + draw.normal(size=80), -z + draw.normal(size=80).round()
    ranks = [rankdata(v) for v in (x, y, z)]
    fits = [linregress(ranks[2], r) for r in ranks[:2]]
    rest = [r - f.slope * ranks[2] for r, f in zip(ranks, fits, strict=False)]
    plain, held = rank_correlations(x, y, z)
    assert plain == pytest.approx(spearmanr(x, y).statistic)
    assert held == pytest.approx(np.corrcoef(rest)[0, 1])


def test_closeness_and_loss_find_what_was_planted_and_nothing_else():
    draw = np.random.default_rng(7)
    distance, sure = draw.gamma(4, size=150), draw.random(150)
    planted = -0.3 * distance + draw.normal(size=(8, 150))
    by_sure = 4 * sure + draw.normal(size=(8, 150))  # distance has no part in it
    linked = distance + 8 * sure  # but looks as if, where distance goes with being sure
    planted[2, 3] = np.nan  # one class left out
    found = closeness_and_loss(distance, planted, sure, draw, 60)
    assert found[0].low > 0.2
    assert found[0].n_samples == 149
    none = closeness_and_loss(distance, draw.normal(size=(8, 150)), sure, draw, 60)
    assert none[0].low < 0 < none[0].high
    false = closeness_and_loss(linked, by_sure, sure, draw, 60)
    assert false[0].high < -0.3
    assert false[1].low < 0 < false[1].high
    with pytest.raises(LetheError, match="3 classes"):
        closeness_and_loss(distance[:3], planted[:, 5:8], sure[:3], draw, 10)


def test_the_limits_of_a_share_are_where_the_difference_could_be_nothing():
    """Fieller from the definition: |mean(part - r whole)| = t s / sqrt(n) at both limits."""
    draw = np.random.default_rng(8)
    whole = draw.normal(1, 0.3, 10)
    part = 0.6 * whole + draw.normal(0, 0.1, 10)
    found = md.share_of_loss(part, whole)
    assert found.estimate == pytest.approx(part.mean() / whole.mean())
    for limit in (found.low, found.high):
        rest = part - limit * whole
        touch = student.ppf(0.975, 9) * rest.std(ddof=1) / np.sqrt(10)
        assert abs(rest.mean()) == pytest.approx(touch)
    assert found.low < found.estimate < found.high


def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says():
    draw = np.random.default_rng(9)
    held = []
    for _ in range(1500):
        whole = draw.normal(1, 0.4, 8)
        found = md.share_of_loss(0.7 * whole + draw.normal(0, 0.2, 8), whole)
        held.append(found.low <= 0.7 <= found.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_a_share_of_nothing_has_no_interval():
    part, whole = np.array([0.1, -0.1, 0.2]), np.array([0.01, -0.02, 0.02])
    for none in (whole, -np.abs(whole), np.zeros(3)):
        found = md.share_of_loss(part, none)
        assert np.isnan([found.estimate, found.low, found.high]).all()
    same = md.share_of_loss(np.ones(3), np.ones(3))
    assert (same.low, same.high) == (1, 1)
    for bad in (([1.0], [1.0]), (1.0, 2.0)):
        with pytest.raises(LetheError, match="two seeds"):
            md.share_of_loss(*bad)
