"""Headline numbers of findings 1, 3 and 4: known worlds, slow versions, hostile scores."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from lethe import traces
from lethe.analysis import agreement, curves, scores
from lethe.analysis.architecture_overlap import architecture_overlap
from lethe.analysis.class_order import (
    class_levels,
    class_order,
    class_value_null,
    with_class_value,
)
from lethe.analysis.seed_stability import (
    _lapse_rate,
    from_correct,
    harder,
    lapsing_world,
    seed_stability,
)
from lethe.errors import LetheError

SEEDS, EPOCHS, N = 6, 16, 400


def as_traces(right, label, classes=4):
    """Traces of these answers [seed, epoch, sample]; a wrong answer is the next class."""
    prediction = np.where(right, label, (label + 1) % classes).astype(np.int16)
    loss = np.where(right, 0.2, 2.0).astype(np.float32)
    return traces.from_arrays(
        prediction=prediction,
        loss=loss,
        margin=-loss,
        error_l2=loss,
        label=label,
        classes=[f"class {k}" for k in range(classes)],
    )


@pytest.fixture(scope="module")
def label():
    return np.repeat(np.arange(4), N // 4)


@pytest.fixture(scope="module")
def rate():
    return np.exp(np.random.default_rng(1).normal(-3, 1.2, N)).clip(0, 3)


@pytest.fixture(scope="module")
def lapses(rate, label):
    """Traces in which the chance of a lapse belongs to the image alone."""
    right = curves.simulate_correct(
        np.random.default_rng(2), rate, EPOCHS, SEEDS, "lapse_relearn", relearn=0.5
    )
    return as_traces(right, label)


@pytest.fixture(scope="module")
def decays(rate, label):
    first = np.zeros((SEEDS, N))
    rng = np.random.default_rng(3)
    return as_traces(curves.resample_correct(rate, first, EPOCHS, rng), label)


@pytest.fixture(scope="module")
def dice(label):
    """Traces in which nothing belongs to the image."""
    right = np.random.default_rng(4).random((SEEDS, EPOCHS, N)) < 0.7
    right[:, 0] = True
    return as_traces(right, label)


def test_scores_point_upwards(lapses):
    assert np.array_equal(harder(lapses, "aum"), -scores.score(lapses, "aum").values)
    right = traces.correct(lapses).values
    assert np.array_equal(
        from_correct("mean_retention", "x")(right), harder(lapses, "mean_retention")
    )
    assert np.array_equal(from_correct("aum", "decay_rate")(right), harder(lapses, "decay_rate"))


def test_a_decaying_world_reaches_its_ceiling(decays):
    found = seed_stability(decays, "forgetting_events", np.random.default_rng(0), 40, 4)
    assert abs(found.of_ceiling.estimate - 1) < 0.15
    assert found.rho.low > 0.3
    assert abs(found.null.mean) < 0.05
    assert abs(found.misaligned.mean) < 0.05
    assert found.of_ceiling.low == pytest.approx(found.rho.low / found.ceiling.mean)


def test_a_lapsing_world_reaches_its_ceiling(lapses):
    found = seed_stability(lapses, "forgetting_events", np.random.default_rng(0), 40, 4)
    assert abs(found.rho.estimate - found.ceiling_lapse.mean) < 0.1


def test_dice_agree_about_nothing(dice):
    found = seed_stability(dice, "forgetting_events", np.random.default_rng(0), 40, 2)
    assert found.rho.low < 0 < found.rho.high
    assert abs(found.class_part.mean) < 0.05
    order = class_order(dice, "forgetting_events", np.random.default_rng(0), 40, 2)
    assert abs(order.single.estimate) < 0.05


def test_the_class_part_is_what_classes_explain(label):
    rng = np.random.default_rng(5)
    by_class = curves.simulate_correct(
        rng, np.array([0.02, 0.1, 0.3, 0.8])[label], EPOCHS, SEEDS, "lapse_relearn"
    )
    found = seed_stability(as_traces(by_class, label), "forgetting_events", rng, 20, 2)
    assert abs(found.class_part.mean - found.rho.estimate) < 0.05
    order = class_order(as_traces(by_class, label), "forgetting_events", rng, 20, 2)
    assert order.rho.estimate > 0.95
    assert order.random_groups.mean < 0.8 < order.ceiling.mean
    assert np.argsort([x.estimate for x in order.each]).tolist() == [0, 1, 2, 3]


def test_a_score_that_never_differs_is_refused(label):
    steady = as_traces(np.ones((SEEDS, EPOCHS, N), bool), label)
    with pytest.raises(LetheError, match="is the score constant"):
        seed_stability(steady, "forgetting_events", np.random.default_rng(0), 10, 2)


def test_lapse_rates_agree_with_a_slow_version(lapses):
    right = traces.correct(lapses).values
    chances = np.array([right[:, :-1, i].sum() for i in range(N)])
    lost = np.array([(right[:, :-1, i] & ~right[:, 1:, i]).sum() for i in range(N)])
    mean = lost.sum() / chances.sum()
    noise = np.mean([mean * (1 - mean) / c for c in chances if c])
    spread = np.var([x / c for x, c in zip(lost, chances, strict=True) if c]) - noise
    weight = mean * (1 - mean) / spread
    slow = -np.log(1 - (lost + weight * mean) / (chances + weight))
    assert np.allclose(_lapse_rate(right), slow)


def test_images_never_learned_in_any_run_have_a_finite_lapse_rate(label):
    right = np.random.default_rng(6).random((SEEDS, EPOCHS, N)) < 0.8
    right[:, :, :50] = False
    assert np.isfinite(_lapse_rate(right)).all()
    world = lapsing_world(right)(np.random.default_rng(0))
    assert not world[:, :, :50].any()


def test_one_architecture_against_itself_has_no_gap(lapses):
    score = harder(lapses, "forgetting_events")
    rng = np.random.default_rng(0)
    found = architecture_overlap(score[:3], score[3:], 0.1, rng, 60)
    assert found.single["gap"].low < 0 < found.single["gap"].high
    assert np.isnan(found.averaged["gap"].estimate)  # 3 runs a side have no halves
    assert found.chance == agreement.jaccard_null(N, 0.1)
    assert abs(found.shuffled.mean - found.chance[0]) < 0.02


def test_unrelated_architectures_share_nothing_beyond_chance(lapses):
    score = harder(lapses, "forgetting_events")
    other = score[:, np.random.default_rng(7).permutation(N)]
    found = architecture_overlap(score, other, 0.1, np.random.default_rng(0), 60)
    assert found.single["gap"].low > 0
    assert abs(found.single["between"].estimate - found.chance[0]) < 0.04
    assert found.averaged["shared"].high < 0.5
    matrix = agreement.overlap_matrix(score, other, 0.1)
    assert found.single["between"].estimate == pytest.approx(matrix.mean())


def test_a_top_set_of_no_image_is_refused(lapses):
    score = harder(lapses, "forgetting_events")
    with pytest.raises(LetheError, match="too few to compare"):
        architecture_overlap(score, score, 0.001, np.random.default_rng(0), 10)


@pytest.fixture
def rare():
    """Scores of seven classes of very unequal size; one class is never learned in one run."""
    sizes = [60, 20, 9, 8, 7, 5, 2]
    label = np.repeat(np.arange(7), sizes)
    values = (
        np.random.default_rng(8).poisson(1 + label[None] / 3, (SEEDS, len(label))).astype(float)
    )
    values[0, label == 6] = np.nan
    values[:, 3] = np.nan
    return values, label


def test_class_levels_agree_with_a_slow_version(rare):
    values, label = rare
    found = class_levels(values, label, np.random.default_rng(0), 20)
    for c in range(7):
        inside = values[:, label == c]
        slow = np.nanmean([np.nanmean(x) for x in inside.T if not np.isnan(x).all()])
        assert found[c].estimate == pytest.approx(slow)
        assert found[c].low <= found[c].estimate <= found[c].high


def test_a_class_value_is_correlated_run_by_run(rare):
    values, label = rare
    means, sizes = agreement.class_means(values, label), np.bincount(label)
    slow = [spearmanr(row, sizes, nan_policy="omit").statistic for row in means]
    found = with_class_value(means, sizes, np.random.default_rng(0), 60)
    assert found.estimate == pytest.approx(np.mean(slow))
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    low, high = class_value_null(sizes, np.random.default_rng(0))
    assert -0.9 < low < -0.5
    assert 0.5 < high < 0.9  # seven numbers in a random order


def test_classes_of_one_size_have_no_correlation_with_size(rare):
    values, label = rare
    means, sizes = agreement.class_means(values, label), np.full(7, 100)
    assert np.isnan(with_class_value(means, sizes, np.random.default_rng(0), 20).estimate)
    assert np.isnan(class_value_null(sizes, np.random.default_rng(0))).all()


def test_seven_unequal_classes_go_through(rare):
    _, label = rare
    right = np.random.default_rng(9).random((SEEDS, EPOCHS, len(label))) < 0.85
    right[0, :, label == 6] = False  # the rarest class is never learned in one run
    ds = as_traces(right, label, 7)
    found = class_order(ds, "forgetting_events", np.random.default_rng(0), 30, 2)
    assert found.means.shape == (SEEDS, 7)
    assert np.isnan(found.means[0, 6])
    assert np.isfinite(found.rho.estimate)
    assert json.loads(ds.attrs["classes"])[6] == "class 6"
