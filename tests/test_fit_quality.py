"""Mean R^2 with intervals against direct computation, and model choice against the true process."""

import numpy as np
import pytest

from lethe.analysis import curves
from lethe.analysis.curves import selection
from lethe.analysis.findings import equal_accuracy, fit_quality, fit_worlds
from lethe.errors import LetheError


def two_models(seeds: int = 6, samples: int = 150) -> list[np.ndarray]:
    """Traces [seed, sample, epoch]: the first mostly lapses, the second mostly drops for good."""
    rng = np.random.default_rng(0)
    rates = np.exp(rng.normal(np.log(0.05), 0.7, samples))
    made = []
    for process in ("lapse_relearn", "permanent_drop"):
        correct = curves.simulate_correct(rng, rates, 21, seeds, process)
        correct[:, :, 0] = False
        made.append(curves.retention_traces(correct)[0])
    return made


def test_weights_of_one_equal_the_plain_conventions():
    traces, _ = two_models()
    fit = curves.fit_exponential(traces)
    got = fit_quality.weighted_conventions(fit, np.ones(6), np.ones(150))
    flat = curves.fit_exponential(traces.reshape(-1, 21))
    want = curves.r2_conventions(flat)
    np.testing.assert_allclose(got, [want[name] for name in fit_quality.QUANTITIES])


def test_integer_weights_equal_repetition():
    traces, _ = two_models()
    rng = np.random.default_rng(1)
    seeds, samples = rng.integers(0, 3, 6), rng.integers(0, 3, 150)
    fit = curves.fit_exponential(traces)
    got = fit_quality.weighted_conventions(fit, seeds, samples)
    repeated = traces[np.repeat(np.arange(6), seeds)][:, np.repeat(np.arange(150), samples)]
    again = curves.fit_exponential(repeated)
    ones = [np.ones(size) for size in again.rate.shape]
    np.testing.assert_allclose(got, fit_quality.weighted_conventions(again, *ones))


def test_comparison_finds_the_gap_and_its_sign():
    lapses, drops = two_models()
    rng = np.random.default_rng(2)
    fits = [curves.fit_exponential(traces) for traces in (lapses, drops)]
    found = fit_quality.compare_r2(*fits, rng, draws=60)
    excluded = found["gap"]["excluded"]
    difference = found["b"]["excluded"].estimate - found["a"]["excluded"].estimate
    assert excluded.estimate == pytest.approx(difference)
    assert excluded.low > 0.2
    assert excluded.n_seeds == 6
    same = fit_quality.compare_r2(fits[0], fits[0], rng, draws=60)["gap"]["excluded"]
    assert same.low < 0 < same.high


def test_comparison_of_means_over_seeds_fits_the_pooled_traces():
    lapses, drops = two_models()
    found = fit_quality.compare_r2_over_seeds(lapses, drops, np.random.default_rng(3), draws=20)
    mean, weights = curves.pool_seeds(drops)
    fit = curves.fit_exponential(mean, weights)
    want = curves.r2_conventions(fit)
    for name in fit_quality.QUANTITIES:
        interval = found["b"][name]
        assert interval.estimate == pytest.approx(float(want[name]))
    assert found["gap"]["excluded"].low > 0


def test_matched_gap_compares_traces_of_one_base_rate():
    lapses, drops = two_models()
    fits = [curves.fit_exponential(traces) for traces in (lapses, drops)]
    codes = [fit_quality.base_rate(traces) for traces in (lapses, drops)]
    found = fit_quality.matched_gap(*fits, *codes, np.random.default_rng(7), draws=20)
    known = [~np.isnan(fit.r2) for fit in fits]
    values = [fit.r2[keep] for fit, keep in zip(fits, known, strict=True)]
    levels = [code[keep] for code, keep in zip(codes, known, strict=True)]
    common = sorted(set(levels[0]) & set(levels[1]))
    sizes = np.array([[np.sum(of == level) for level in common] for of in levels])
    means = [
        [x[of == level].mean() for level in common] for x, of in zip(values, levels, strict=True)
    ]
    shares = sizes / sizes.sum(1, keepdims=True)
    weight = 1 / (1 / shares).sum(0)
    want = np.average(np.subtract(means[1], means[0]), weights=weight)
    assert found.estimate == pytest.approx(want)
    rng = np.random.default_rng(8)
    same = fit_quality.matched_gap(fits[0], fits[0], codes[0], codes[0], rng, 20)
    assert same.estimate == pytest.approx(0, abs=1e-12)
    apart = fit_quality.matched_gap(*fits, codes[0], codes[1] + 10**6, rng, 5)
    assert np.isnan(apart.estimate)


def test_base_rate_tells_length_and_wrong_epochs_apart():
    rows = [[1, 0, 1, np.nan], [1, 1, 0, np.nan], [1, 0, 0, np.nan], [1, 0, 1, 1], [np.nan] * 4]
    codes = fit_quality.base_rate(np.array([rows], float))[0]
    assert codes[0] == codes[1]
    assert len(set(codes)) == 4


def test_compared_means_are_means_and_their_gap():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (6, 200)), rng.normal(1, 1, (7, 200))
    a[0, :9] = np.nan
    found = fit_quality.compare_means(a, b, rng, 60)
    assert found["a"].estimate == pytest.approx(np.nanmean(a))
    assert found["gap"].estimate == pytest.approx(b.mean() - np.nanmean(a))
    assert 0.5 < found["gap"].low < 1 < found["gap"].high
    nothing = fit_quality.compare_means(np.full((6, 9), np.nan), b[:, :9], rng, 10)
    assert np.isnan(nothing["gap"].estimate)


def test_two_way_mean_leaves_nan_out_and_covers():
    rng = np.random.default_rng(4)
    values = rng.normal(1.0, 1.0, (8, 300)) + rng.normal(0, 0.3, (8, 1))
    values[0, :50] = np.nan
    found = fit_quality.two_way_mean(values, rng, draws=200)
    assert found.estimate == pytest.approx(np.nanmean(values))
    assert found.low < 1.0 < found.high
    assert found.se == pytest.approx(np.sqrt(0.09 / 8 + 1 / 2400), rel=0.5)


def test_lowest_shares_ties_and_keeps_nan():
    criterion = {"x": np.array([1.0, 2.0, np.nan]), "y": np.array([1.0, 3.0, 0.0])}
    got = fit_quality.lowest(criterion)
    np.testing.assert_array_equal(got["x"], [0.5, 1.0, np.nan])
    np.testing.assert_array_equal(got["y"], [0.5, 0.0, np.nan])


def test_model_choice_prefers_the_process_that_made_the_traces():
    rng = np.random.default_rng(5)
    t = np.arange(31)
    for curve, exact in (("exponential", np.exp(-0.15 * t)), ("power", (1.0 + t) ** -0.7)):
        noisy = np.clip(exact + rng.normal(0, 0.03, (200, 31)), 0, 1)
        best = fit_quality.lowest(selection.criteria(noisy)["aic"])
        assert max(best, key=lambda name: best[name].mean()) == curve


def test_steady_lapses_recover_the_process():
    rng = np.random.default_rng(6)
    rates = rng.uniform(0.02, 0.4, 300)
    correct = curves.simulate_correct(rng, rates, 60, 20, "lapse_relearn", relearn=0.5)
    found, relearn = curves.steady_lapses(correct)
    assert relearn == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(found, rates)[0, 1] > 0.97
    assert found.mean() == pytest.approx(rates.mean(), rel=0.03)
    never, share = curves.steady_lapses(np.zeros((2, 5, 3), bool))
    np.testing.assert_array_equal(never, 0)
    assert share == 0


def correct_of(process: str, samples: int = 400) -> np.ndarray:
    """Bits [seed, epoch, sample] of a process; a tenth of the samples is never learned."""
    rng = np.random.default_rng(5)
    first = np.where(np.arange(samples) % 10 == 0, np.nan, 0.0)
    rate = np.exp(rng.normal(np.log(0.08), 0.8, samples))
    return curves.simulate_correct(rng, rate, 25, 3, process, first)


def one_copy(correct: np.ndarray, world: str, seed: int = 0) -> np.ndarray:
    (copy,) = fit_worlds.copies_of_world(correct, world, np.random.default_rng(seed))
    return copy


@pytest.mark.parametrize("world", fit_worlds.WORLDS)
def test_a_copy_is_of_the_same_samples_and_starts_right(world):
    correct = correct_of("lapse_relearn")
    real = curves.retention_traces(correct)[0]
    copy = one_copy(correct, world)
    assert copy.shape == real.shape
    np.testing.assert_array_equal(np.isnan(copy), np.isnan(real))
    assert np.nanmin(copy[..., 0]) == 1
    assert not np.array_equal(copy, real, equal_nan=True)


def test_shuffled_epochs_keep_how_often_a_sample_is_wrong():
    correct = correct_of("permanent_drop")
    real = curves.retention_traces(correct)[0]
    copy = one_copy(correct, "null")
    np.testing.assert_array_equal(fit_quality.base_rate(copy), fit_quality.base_rate(real))


def test_each_process_is_at_home_in_its_own_world():
    for process, world in (("independent", "ceiling"), ("lapse_relearn", "lapses")):
        correct, rng = correct_of(process), np.random.default_rng(1)
        fit = curves.fit_exponential(curves.retention_traces(correct)[0])
        real = fit_quality.mean_r2(fit)["excluded"]
        away = {
            w: fit_worlds.world_r2(fit_worlds.world_fits(correct, w, rng, 2))["excluded"].mean()
            for w in ("null", world)
        }
        assert real == pytest.approx(away[world], abs=0.06)
        assert abs(real - away[world]) < abs(real - away["null"])


def test_copies_differ_and_their_means_are_one_number_each():
    correct = correct_of("lapse_relearn", 100)
    fits = fit_worlds.world_fits(correct, "null", np.random.default_rng(2), 3)
    means = fit_worlds.world_r2(fits)
    assert {name: len(values) for name, values in means.items()} == dict.fromkeys(
        fit_quality.QUANTITIES, 3
    )
    assert len(set(means["excluded"])) == 3
    flat = curves.r2_conventions(
        curves.fit_exponential(one_copy(correct, "null", 2).reshape(-1, 25))
    )
    assert means["excluded"][0] == pytest.approx(float(flat["excluded"]))
    chance = fit_worlds.chance_r2(fits)
    np.testing.assert_array_equal(np.isnan(chance), np.isnan(fits[0].r2))
    assert np.nanmean(chance) == pytest.approx(means["excluded"].mean())


def test_an_unknown_world_is_refused():
    with pytest.raises(LetheError, match="unknown world 'nul'; did you mean 'null'"):
        one_copy(correct_of("independent", 20), "nul")


def test_decay_has_structure_and_traces_without_order_have_none():
    rng = np.random.default_rng(3)
    decay = correct_of("permanent_drop")
    dice = rng.random(decay.shape) < 0.7
    dice[:, 0] = True
    found = fit_worlds.structure(dice, decay, rng, draws=40, copies=4)
    assert found["b"].low > 0.2
    assert found["a"].low < 0 < found["a"].high
    assert found["gap"].low > 0.2
    assert found["matched"].low > 0


@pytest.mark.parametrize("correct", [np.ones((2, 9, 30), bool), np.zeros((2, 9, 30), bool)])
def test_where_nothing_was_forgotten_there_is_no_structure(correct):
    found = fit_worlds.structure(correct, correct, np.random.default_rng(0), 5, 2)
    assert all(np.isnan(interval.estimate) for interval in found.values())
    with_one_seed = fit_worlds.structure(correct[:1], correct[:1], np.random.default_rng(0), 5, 2)
    assert np.isnan(with_one_seed["gap"].estimate)


def slow_pairs(a: np.ndarray, b: np.ndarray, tolerance: float) -> int:
    """Length of the longest common list of epochs, by trying all ways."""
    if not len(a) or not len(b):
        return 0
    rest = max(slow_pairs(a[1:], b, tolerance), slow_pairs(a, b[1:], tolerance))
    if abs(a[0] - b[0]) <= tolerance:
        rest = max(rest, 1 + slow_pairs(a[1:], b[1:], tolerance))
    return rest


def test_matched_epochs_are_the_longest_list_in_order():
    rng = np.random.default_rng(4)
    for _ in range(20):
        a, b = rng.random(6).round(1), rng.random(5).round(1)
        i, j = equal_accuracy.matched_epochs(a, b, 0.15)
        assert len(i) == len(j) == slow_pairs(a, b, 0.15)
        assert np.all(np.diff(i) > 0)
        assert np.all(np.diff(j) > 0)
        assert np.all(np.abs(a[i] - b[j]) <= 0.15)


def test_of_equally_long_lists_the_closest_is_taken():
    i, j = equal_accuracy.matched_epochs(np.array([0.5]), np.array([0.509, 0.501, 0.508]))
    assert (i.tolist(), j.tolist()) == ([0], [1])


def test_networks_that_never_know_equally_much_keep_one_epoch_and_have_no_structure():
    good, bad = np.ones((2, 9, 50), bool), correct_of("permanent_drop", 50)[:2, :9]
    bad[:, :, :30] = False
    cut = equal_accuracy.at_equal_accuracy(good, bad)
    assert [bits.shape[1] for bits in cut] == [1, 1]
    found = fit_worlds.structure(*cut, np.random.default_rng(0), 5, 2)
    assert np.isnan(found["gap"].estimate)
