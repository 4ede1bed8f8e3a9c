"""Finding what is known to be wrong: AUROC and average precision against slow versions, baselines.

AUROC against scipy's Mann-Whitney U; average precision against every order of the ties.
"""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import mannwhitneyu, norm

from lethe import traces
from lethe.analysis.truth import detection, fates
from lethe.analysis.truth import detection_baselines as baselines
from lethe.errors import LetheError

few = settings(max_examples=60, deadline=None)
tied = hnp.arrays(float, 7, elements=st.sampled_from([0.0, 1.0, 2.0, np.nan, np.inf]))
truth = hnp.arrays(np.int8, 7, elements=st.sampled_from([-1, 0, 1]))


def precision_of_order(answers) -> float:
    """Average precision of 0/1 answers from the first place on."""
    hits = np.flatnonzero(answers)
    return np.mean([(k + 1) / (place + 1) for k, place in enumerate(hits)])


def slow_precision(score, target) -> float:
    """The mean over every order that sorts the score down."""
    kept = [i for i in range(len(score)) if target[i] >= 0]
    sorted_down = [
        order
        for order in permutations(kept)
        if all(score[a] >= score[b] for a, b in pairwise(order))
    ]
    return np.mean([precision_of_order([target[i] for i in order]) for order in sorted_down])


def placed(score, never):
    """The score with a number for what it cannot rank."""
    score = np.where(np.isinf(score), 50.0, score)
    return np.where(np.isnan(score), {"top": 99.0, "bottom": -99.0}.get(never, np.nan), score)


@few
@given(tied, truth, st.sampled_from(detection.NEVER))
def test_both_numbers_equal_the_slow_versions(score, target, never):
    got = detection.quality(score, target, never)[0]
    number = placed(score, never)
    target = np.where(np.isnan(number), -1, target)
    if not ((target == 1).any() and (target == 0).any()):
        assert np.isnan(got).all()
        return
    sought, others = number[target == 1], number[target == 0]
    area = mannwhitneyu(sought, others).statistic / (len(sought) * len(others))
    assert got == pytest.approx([area, slow_precision(number, target)])


@few
@given(
    tied, truth, hnp.arrays(int, 7, elements=st.integers(0, 3)), st.sampled_from(detection.NEVER)
)
def test_a_weight_counts_a_sample_as_often(score, target, weights, never):
    got = detection.quality_of(score, target, never)(weights)
    copied = np.repeat(score, weights), np.repeat(target, weights)
    if weights.sum():
        np.testing.assert_allclose(got, detection.quality(*copied, never))
    else:
        assert np.isnan(got).all()


def test_large_scores_agree_with_scipy_and_with_a_plain_loop():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 2000))
    scores[1] = np.round(scores[1])
    target = (rng.random(2000) < 0.1).astype(np.int8)
    got = detection.quality(scores, target)
    sizes = np.bincount(target, minlength=2)
    for row, value in zip(scores, got, strict=True):
        area = mannwhitneyu(row[target == 1], row[target == 0]).statistic / sizes.prod()
        assert value[0] == pytest.approx(area)
    for run in (0, 2):
        answers = target[np.argsort(-scores[run])]
        assert got[run, 1] == pytest.approx(precision_of_order(answers))
    lots = [
        precision_of_order(target[np.lexsort((rng.random(2000), -scores[1]))]) for _ in range(300)
    ]
    assert got[1, 1] == pytest.approx(np.mean(lots), abs=4 * np.std(lots) / np.sqrt(300))


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_a_random_order_expects_what_the_sum_over_places_says(positives, negatives):
    n = positives + negatives
    places = np.arange(n)
    slow = np.mean((1 + places * (positives - 1) / max(n - 1, 1)) / (places + 1))
    assert detection.expected_precision(positives, n) == pytest.approx(slow)
    assert slow >= positives / n


def test_turning_a_score_turns_the_area_and_shifting_it_changes_nothing():
    rng = np.random.default_rng(1)
    scores, target = np.round(rng.normal(size=(2, 300)), 1), (rng.random(300) < 0.2).astype(int)
    area = detection.quality(scores, target)[:, 0]
    np.testing.assert_allclose(detection.quality(-scores, target)[:, 0], 1 - area)
    np.testing.assert_allclose(detection.quality(np.exp(scores) + 3, target)[:, 0], area)


def test_what_cannot_be_ranked_goes_where_it_is_said_to_go():
    score = np.array([np.nan, np.nan, 1.0, 2.0, 3.0, 4.0])
    target = np.array([1, 1, 0, 0, 0, 1])
    area = {never: detection.quality(score, target, never)[0, 0] for never in detection.NEVER}
    assert area == {"top": 1.0, "left out": 1.0, "bottom": pytest.approx(1 / 3)}
    with pytest.raises(LetheError, match="did you mean 'bottom'"):
        detection.quality(score, target, "botom")
    with pytest.raises(LetheError, match="a target of shape"):
        detection.quality(score, target[:4])


def test_targets_are_set_against_images_of_no_kind():
    kinds = {"a": np.array([1, 1, 0, 0], bool), "b": np.array([0, 1, 1, 0], bool)}
    targets = detection.against_untouched(kinds)
    assert targets["a"].tolist() == [1, 1, -1, 0]
    assert targets["b"].tolist() == [-1, 1, 1, 0]


def known_world(rng, runs=8, n=400, shift=1.0, noise=1.0):
    """Scores of which `seen` is shifted for the sought samples and `blind` is not."""
    target = (np.arange(n) < n // 8).astype(np.int8)
    image = rng.normal(size=n)
    seen = image + shift * target + noise * rng.normal(size=(runs, n))
    return {"seen": seen, "blind": rng.normal(size=(runs, n))}, target


def test_single_runs_and_their_mean_find_what_is_there():
    rng = np.random.default_rng(2)
    scores, target = known_world(rng)
    single = detection.detect(scores, target, rng, 60)
    whole = detection.detect_mean(scores, target, rng, 20)
    plain = detection.quality(scores["seen"], target).mean(axis=0)
    assert [single["seen"].auroc.estimate, single["seen"].precision.estimate] == pytest.approx(
        plain
    )
    assert single["seen"].auroc.low > 0.6
    assert single["blind"].auroc.low < 0.5 < single["blind"].auroc.high
    assert single["blind"].precision.estimate == pytest.approx(50 / 400, abs=0.06)
    assert whole["seen"].auroc.estimate > single["seen"].auroc.estimate
    gap = single["seen"].auroc.estimate - single["blind"].auroc.estimate
    assert single["blind"].behind.estimate == pytest.approx(gap)
    assert single["blind"].behind.low > 0
    assert single["seen"].behind.estimate == single["seen"].behind.high == 0
    assert {single["seen"].auroc.n_seeds, whole["seen"].auroc.n_seeds} == {8}


@pytest.mark.parametrize(("find", "runs"), [(detection.detect, 1), (detection.detect_mean, 8)])
def test_intervals_cover_the_truth(find, runs):
    """Normal scores: a mean over runs has variance 1 + 1 / runs in either group, shifted by 1."""
    rng, hits, times = np.random.default_rng(3), 0, 300
    exact = norm.cdf(1 / np.sqrt(2 * (1 + 1 / runs)))
    for _ in range(times):
        scores, target = known_world(rng)
        found = find({"seen": scores["seen"]}, target, rng, 60)["seen"].auroc
        hits += found.low <= exact <= found.high
    assert hits / times > 0.912  # three standard errors of 300 trials below 0.95


def test_groups_widen_the_interval_when_the_truth_comes_in_groups():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 10)
    target = (groups < 5).astype(np.int8)
    score = rng.normal(size=40)[groups] + target + 0.3 * rng.normal(size=(8, 400))
    for find, draws in ((detection.detect, 200), (detection.detect_mean, 100)):
        by_image = find({"s": score}, target, rng, draws)["s"].auroc
        by_group = find({"s": score}, target, rng, draws, groups)["s"].auroc
        assert by_group.se > 1.5 * by_image.se
        assert by_group.estimate == by_image.estimate


def test_hostile_scores():
    rng = np.random.default_rng(5)
    target = np.array([1, 0, 0, 0, 1, 0], np.int8)
    never = np.full((6, 6), np.nan)
    flat = {"never": never, "constant": np.ones((6, 6))}
    for where in detection.NEVER[::2]:
        found = detection.detect(flat, target, rng, 20, never=where)
        assert [found[name].auroc.estimate for name in flat] == [0.5, 0.5]
        assert found["never"].unranked == 1
        chance = detection.expected_precision(2, 6)
        assert found["constant"].precision.estimate == pytest.approx(chance)
    found = detection.detect(flat, target, rng, 20, never="left out")
    assert np.isnan(found["never"].auroc.estimate)
    assert not found["never"].auroc.can_judge
    mean = detection.detect_mean(flat, target, rng, 5, never="left out")
    assert np.isnan(mean["never"].auroc.estimate)
    assert mean["constant"].auroc.estimate == 0.5
    one = detection.detect({"s": np.arange(6.0)[None]}, target, rng, 20)["s"]
    assert not one.auroc.can_judge
    for find in (detection.detect, detection.detect_mean):
        with pytest.raises(LetheError, match="0 sought and 6 untouched"):
            find({"s": rng.random((6, 6))}, np.zeros(6, np.int8), rng, 5)
    with pytest.raises(LetheError, match="different numbers of runs"):
        detection.detect({"a": never, "b": never[:2]}, target, rng)
    with pytest.raises(LetheError, match="2 seeds"):
        detection.detect_mean({"s": never[:1]}, target, rng)


def test_random_scores_are_the_null_that_theory_gives():
    rng = np.random.default_rng(6)
    target = np.r_[np.ones(100), np.zeros(900), -np.ones(50)].astype(np.int8)
    area, precision = baselines.random_scores(target, rng, 2000)
    spread = np.sqrt(1001 / (12 * 100 * 900))  # variance of the Mann-Whitney statistic
    assert area.mean == 0.5
    assert [area.low, area.high] == pytest.approx(
        [0.5 - 1.96 * spread, 0.5 + 1.96 * spread], abs=0.006
    )
    assert (
        precision.low < precision.mean == detection.expected_precision(100, 1000) < precision.high
    )
    groups = np.arange(1050) // 50
    grouped = baselines.random_scores(target, rng, 500, groups)[0]
    assert grouped.high - grouped.low > 3 * (area.high - area.low)


def test_the_class_alone_is_the_share_of_the_class():
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 1, 2], [10, 10, 80])
    target = np.zeros(100, np.int8)
    target[[0, 1, 2, 3, 4, 10]] = 1
    target[99] = -1
    share = baselines.class_share(target, labels)
    assert sorted(set(share)) == [0, 0.1, 0.5]
    found, (area, precision) = baselines.class_alone(target, labels, rng)
    assert found == pytest.approx(detection.quality(share[None], target)[0])
    assert found[0] > area.high
    assert found[1] > precision.high
    assert area.mean > 0.5, "hindsight alone is better than lots"


def test_strange_pictures_lie_nearer_to_another_label():
    rng = np.random.default_rng(8)
    shapes = rng.integers(0, 256, (3, 20, 20, 1))
    labels = np.repeat(np.arange(3), 10)
    noise = rng.integers(-20, 21, (30, 20, 20, 1))
    pixels = np.clip(shapes[labels] + noise, 0, 255).astype(np.uint8)
    given_labels = labels.copy()
    given_labels[[0, 11]] = [2, 0]
    pixels[25] = pixels[5]  # one picture under two labels
    ratio = baselines.strangeness(pixels, given_labels)
    assert set(np.argsort(-ratio)[:4]) == {0, 5, 11, 25}
    flat = baselines.shrunk(pixels, baselines.NEAR_SIDE) / 255.0
    for i in range(30):
        far = np.sqrt(((flat - flat[i]) ** 2).sum(axis=1)) + baselines.FLOOR
        alike, self = given_labels == given_labels[i], np.arange(30) == i
        slow = far[alike & ~self].min() / far[~alike].min()
        assert ratio[i] == pytest.approx(slow, rel=1e-4)
    lone = baselines.strangeness(pixels[:3], np.array([0, 1, 1]))
    assert np.isinf(lone[0])
    assert np.isfinite(lone[1:]).all()


def test_fates_are_what_a_loop_over_images_and_runs_says():
    rng = np.random.default_rng(9)
    label = rng.integers(0, 3, 30)
    prediction = np.where(rng.random((4, 7, 30)) < 0.3, label, (label + 1) % 3)
    prediction[:, :, :5] = (label[:5] + 2) % 3  # never learned
    ds = traces.from_arrays(prediction, label)
    mask = np.arange(30) < 12
    right = [[life == label[i] for life in prediction[:, :, i]] for i in np.flatnonzero(mask)]
    lives = [list(life) for image in right for life in image]
    learned = [life for life in lives if any(life)]
    events = [sum(a and not b for a, b in pairwise(life)) for life in learned]
    found = fates.fate(ds, mask)
    assert found["never"] == pytest.approx(1 - len(learned) / len(lives))
    assert found["first"] == pytest.approx(np.mean([life.index(True) for life in learned]))
    assert found["events"] == pytest.approx(np.mean(events))
    assert found["raw_events"] == pytest.approx(sum(events) / len(lives))
    assert found["right"] == pytest.approx(np.mean(lives))
    shares = fates.answers(ds, mask, label)
    assert shares == pytest.approx((prediction == label)[:, :, mask].mean((0, 2)))
    assert fates.answers(ds, np.arange(30) < 5, (label + 2) % 3).tolist() == [1.0] * 7
    nothing = fates.fate(ds, np.arange(30) < 5)
    assert nothing["never"] == 1
    assert np.isnan([nothing["first"], nothing["events"]]).all()
    assert nothing["raw_events"] == 0
