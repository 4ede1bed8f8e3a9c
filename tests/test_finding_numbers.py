"""Headline numbers of findings 1, 3 and 4: known worlds, slow versions, hostile scores."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from lethe import traces
from lethe.analysis import agreement, curves, scores
from lethe.analysis.findings.architecture_overlap import (
    architecture_overlap,
    equally_forgetful,
    equally_good,
    gap_on,
)
from lethe.analysis.findings.class_order import (
    beyond,
    class_gap,
    class_levels,
    class_order,
    class_value_null,
    class_value_p,
    classes_across,
    with_class_value,
)
from lethe.analysis.findings.overlap_grid import gap_by_cut, overlap_grid
from lethe.analysis.findings.seed_stability import (
    _lapse_rate,
    from_correct,
    harder,
    lapsing_world,
    rankable,
    seed_stability,
    seeds_for,
    stability_by_score,
)
from lethe.analysis.findings.twin_runs import twin_agreement
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


@pytest.mark.parametrize("score", ["first_learned", "aum"])
def test_a_score_that_is_not_simulated_has_no_share_of_a_ceiling(score):
    rng = np.random.default_rng(17)
    first = rng.integers(0, 6, N) + rng.integers(0, 3, (SEEDS, N)).astype(float)
    right = curves.resample_correct(np.full(N, 0.1), first, EPOCHS, rng)
    found = seed_stability(as_traces(right, np.arange(N) % 4), score, rng, 10, 2)
    assert np.isfinite(found.rho.estimate)
    assert abs(found.ceiling.mean) < 0.2  # that of the decay rate, the same for all images here
    assert np.isnan(found.of_ceiling.estimate)
    assert from_correct(score, "decay_rate")(right).shape == (SEEDS, N)


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


def test_what_cannot_be_ranked_is_refused_in_one_line(label, lapses):
    steady = as_traces(np.ones((SEEDS, EPOCHS, N), bool), label)
    never = as_traces(np.zeros((SEEDS, EPOCHS, N), bool), label)
    cases = {"is 0 for all samples": steady, "no sample has a value": never}
    cases["1 seed in the traces"] = lapses.isel(seed=[0])
    for message, ds in cases.items():
        for compute in (seed_stability, class_order):
            with pytest.raises(LetheError, match=message) as error:
                compute(ds, "forgetting_events", np.random.default_rng(0), 10, 2)
            assert "\n" not in str(error.value)
    assert np.isfinite(rankable(lapses.isel(epoch=slice(2)), "forgetting_events")).any()


def test_one_class_has_no_order(lapses):
    one = lapses.isel(sample=slice(N // 4))
    with pytest.raises(LetheError, match="an order of classes takes 2 or more"):
        class_order(one, "forgetting_events", np.random.default_rng(0), 10, 2)


def test_every_score_stands_beside_its_ceiling(lapses):
    rows = stability_by_score(lapses, np.random.default_rng(0), 10)
    assert {row.title for row in rows} == {e.title for e in scores.available(lapses).values()}
    levels = [row.rho.estimate for row in rows if np.isfinite(row.rho.estimate)]
    assert levels == sorted(levels, reverse=True)
    by_title = {row.title: row for row in rows}
    assert np.isnan(by_title["first learned (epoch)"].ceiling)
    events = by_title["forgetting events"]
    assert 0 < events.ceiling < 1
    assert events.cells()["ceiling"] == f"{events.ceiling:.2f}"


def test_seeds_needed_have_a_range_from_both_ends():
    rho = agreement.Interval(0.5, 0.2, 0.8, 0.1, 10, 100, "made up")
    assert seeds_for(rho) == (4, 1, 16)
    none = agreement.Interval(0.1, -0.1, 0.3, 0.1, 10, 100, "made up")
    assert seeds_for(none) == (36, 10, np.inf)


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


def test_the_grid_is_the_gap_at_every_cut(lapses):
    pair = [lapses.isel(seed=slice(3)), lapses.isel(seed=slice(3, 6))]
    values = [harder(ds, "forgetting_events") for ds in pair]
    values[0][0, :9] = np.nan
    cuts = (0.05, 0.1, 0.3)
    found = gap_by_cut(*values, cuts, np.random.default_rng(0), 20)
    for cut, parts in zip(cuts, found, strict=True):
        matrix = agreement.jaccard_matrix(np.vstack(values), cut)
        chance = agreement.jaccard_null(N, cut)[0]
        slow = agreement.gap_parts(matrix, np.ones(3), np.ones(3), chance)
        assert np.allclose([x.estimate for x in parts.values()], slow)
        gap = parts["gap"]
        assert gap.low <= gap.estimate <= gap.high
        assert gap.high - gap.estimate == pytest.approx(gap.estimate - gap.low)


def test_no_gap_is_found_where_there_is_none_and_all_where_nothing_is_shared(lapses):
    halves = [lapses.isel(seed=slice(3)), lapses.isel(seed=slice(3, 6))]
    names, cuts = ["forgetting_events", "mean_retention", "aum"], (0.1, 0.2)
    same = overlap_grid(halves, names, cuts, np.random.default_rng(0), 30)
    assert not same.above.any()
    rng = np.random.default_rng(7)
    other = lapses.isel(sample=rng.permutation(N)).assign_coords(sample=lapses["sample"])
    apart = overlap_grid([lapses, other], names, cuts, rng, 30)
    assert apart.above.all()
    assert apart.estimates("shared").max() < 0.5
    assert apart.table("gap").shape == (3, 2)


def test_scores_without_values_are_left_out_of_the_grid(lapses):
    short = lapses.isel(epoch=[0])
    grid = overlap_grid([short, short], ["decay_rate", "aum"], (0.1,), np.random.default_rng(0), 10)
    assert grid.scores == ["aum"]
    assert grid.estimates("gap").shape == (1, 1)


def test_p_values_are_never_zero():
    sure = agreement.Interval(5.0, 4, 6, 1e-9, 10, 100, "made up")
    assert 0 < agreement.p_value(sure) < 1e-20
    unknown = agreement.Interval(np.nan, np.nan, np.nan, np.nan, 1, 100, "made up")
    assert agreement.p_value(unknown) == 1


def learner(label, rng, ahead):
    """Traces of a network that is so many epochs ahead; every answer is a throw of dice."""
    level = 1 - 0.6 * np.exp(-0.15 * (np.arange(EPOCHS) + ahead))
    return as_traces(rng.random((SEEDS, EPOCHS, N)) < level[None, :, None], label)


def test_networks_are_cut_to_where_they_are_equally_good(label):
    rng = np.random.default_rng(11)
    slow, fast = learner(label, rng, 0), learner(label, rng, 4)
    matched = equally_good([slow, fast])
    levels = [traces.correct(ds).mean(("seed", "sample")).values for ds in matched]
    assert 5 <= len(levels[0]) <= 13
    assert np.abs(levels[0] - levels[1]).max() <= 0.01
    at = gap_on(matched, "forgetting_events", 0.1, rng, 20)
    assert abs(at["gap"].estimate) < 0.03  # dice share nothing, within or between
    assert np.isnan(gap_on(matched, "warmup_loss", 0.1, rng, 20)["gap"].estimate)
    few = [ds.isel(epoch=slice(3)) for ds in matched]
    assert np.isnan(gap_on(few, "forgetting_events", 0.1, rng, 20)["mean_shared"].estimate)


def test_networks_are_cut_to_where_they_have_forgotten_equally_often(label):
    rng = np.random.default_rng(12)
    slow, fast = learner(label, rng, 0), learner(label, rng, 4)
    matched = equally_forgetful([slow, fast])
    assert matched[0].sizes["epoch"] < EPOCHS == matched[1].sizes["epoch"]
    events = [np.nanmean(harder(ds, "forgetting_events")) for ds in matched]
    step = np.nanmean(harder(slow, "forgetting_events")) / EPOCHS
    assert abs(events[0] - events[1]) < 2 * step
    assert equally_forgetful([slow, slow])[0].sizes["epoch"] == EPOCHS


def test_networks_of_one_kind_agree_about_the_classes(label):
    rng = np.random.default_rng(13)
    rate = np.array([0.02, 0.1, 0.3, 0.8])[label]
    pair = [
        as_traces(curves.simulate_correct(rng, rate, EPOCHS, SEEDS, "lapse_relearn"), label)
        for _ in range(2)
    ]
    found = classes_across(pair, "forgetting_events", rng, 20)
    assert found.parts["between"].estimate > 0.95
    assert abs(found.parts["gap"].estimate) < 0.05
    assert abs(found.null.mean) < 0.2
    values = [harder(ds, "forgetting_events") for ds in pair]
    means = agreement.class_means(np.vstack(values), label)
    slow = np.mean([spearmanr(a, b).statistic for a in means[:SEEDS] for b in means[SEEDS:]])
    assert class_gap(values, label, rng, 10)["between"].estimate == pytest.approx(slow)


def test_p_of_a_class_value_is_that_of_permuted_classes():
    rng = np.random.default_rng(14)
    value = np.arange(8.0)
    means = value + rng.normal(0, 0.1, (SEEDS, 8))
    assert class_value_p(means, value, rng, 199) == pytest.approx(1 / 200)
    p_values = [class_value_p(means, rng.permutation(value), rng, 99) for _ in range(40)]
    assert 0.3 < np.mean(p_values) < 0.7
    assert class_value_p(means, np.ones(8), rng) == 1


def test_what_lies_beyond_another_value_is_unrelated_to_it():
    rng = np.random.default_rng(16)
    held = rng.normal(size=62)
    value = held + rng.normal(size=62)
    rest = beyond(value, held)
    ranks = held.argsort().argsort()
    assert abs(np.corrcoef(rest, ranks)[0, 1]) < 1e-6
    assert spearmanr(rest, value - held).statistic > 0.8
    assert not beyond(np.exp(held), held).any()
    assert np.array_equal(beyond(np.arange(4.0), np.ones(4)), [-1.5, -0.5, 0.5, 1.5])


def test_twins_agree_until_they_part(lapses, label):
    right = traces.correct(lapses).values.copy()
    other = np.random.default_rng(15).permutation(right, axis=0)
    right[:, 6:] = other[:, 6:]
    twin = as_traces(right, label)
    found = twin_agreement(lapses, twin, "mean_retention", np.random.default_rng(0), 30)
    moved = (traces.correct(lapses).values != right).any(axis=2)
    first = [np.flatnonzero(row)[0] if row.any() else np.nan for row in moved]
    assert np.array_equal(found.answers_part, first, equal_nan=True)
    assert found.differ["same seed"][:6].max() == 0 < found.differ["other seed"][1:6].min()
    values = [harder(ds, "mean_retention") for ds in (lapses, twin)]
    slow = np.mean([spearmanr(a, b).statistic for a, b in zip(*values, strict=True)])
    assert found.same.estimate == pytest.approx(slow)
    pairs = [(s, t) for s in range(SEEDS) for t in range(SEEDS) if s != t]
    slow = np.mean([spearmanr(values[0][s], values[1][t]).statistic for s, t in pairs])
    assert found.other.estimate == pytest.approx(slow)
    assert found.gap.estimate == pytest.approx(found.same.estimate - found.other.estimate)


def test_a_run_is_its_own_twin(lapses):
    some = lapses.isel(seed=[1, 3, 4])
    found = twin_agreement(lapses, some, "aum", np.random.default_rng(0), 20)
    assert found.same.estimate == pytest.approx(1)
    assert found.same.n_seeds == 3
    assert np.isnan(found.answers_part).all()
    assert np.isnan(found.losses_part).all()
    assert found.differ["same seed"].max() == 0


def test_strangers_are_no_twins(lapses):
    with pytest.raises(LetheError, match="0 seeds in common"):
        twin_agreement(
            lapses.isel(seed=[0]), lapses.isel(seed=[1]), "aum", np.random.default_rng(0), 10
        )
    with pytest.raises(LetheError, match="captured twice"):
        twin_agreement(lapses, lapses.isel(epoch=slice(5)), "aum", np.random.default_rng(0), 10)
